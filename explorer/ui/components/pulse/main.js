// A pulse rests for as long as the page's script runs, and is not due again before its time after that: Streamlit
// takes a run that another fragment's run follows at once for one that was broken off, and leaves what that run no
// longer draws on the page for good (compare streamlit/streamlit#16708). Fragments with `run_every` follow others at
// any time. It also rests for a moment after everything that a person does: Streamlit sends what changes in the same
// instant as one, and runs only the fragment of the first.

const PULSES = new WeakMap(); // parentElement -> pulse
const LOOK_MS = 100;
const APART_MS = 400; // between two pulses of a page: Streamlit needs a moment to say that its script runs
const HANDS_OFF_MS = 400; // after what a person did
const DEEDS = ["pointerdown", "pointerup", "keydown", "input", "change", "paste", "drop"];

// Of the page, whichever of its pulses comes first: they must not come together.
const page = (window.__lxPulses ??= { beat: -APART_MS, deed: -HANDS_OFF_MS, listens: false });

function listen() {
  if (page.listens) return;
  page.listens = true;
  for (const deed of DEEDS) addEventListener(deed, () => (page.deed = performance.now()), { capture: true, passive: true });
}

function busy() {
  const app = document.querySelector('[data-testid="stApp"]');
  const { testScriptState: script = "notRunning", testConnectionState: connection = "CONNECTED" } = app?.dataset ?? {};
  return ["running", "rerunRequested"].includes(script) || connection !== "CONNECTED";
}

function look(p) {
  const now = performance.now();
  if (busy()) p.since = now;
  if (document.hidden || now - p.since < p.data.seconds * 1000) return;
  if (now - page.beat < APART_MS || now - page.deed < HANDS_OFF_MS || navigator.scheduling?.isInputPending?.()) return;
  p.since = page.beat = now;
  p.channel.port1.postMessage(null); // not from the interval itself, whose timeouts a browser holds back for 4 ms
}

function createPulse() {
  listen();
  const p = { since: performance.now(), channel: new MessageChannel(), component: null, data: null, timer: 0 };
  p.channel.port2.onmessage = () => p.component.setTriggerValue("beat", Date.now());
  p.timer = setInterval(() => look(p), LOOK_MS);
  return p;
}

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return undefined;
  const p = PULSES.get(parentElement) ?? createPulse();
  PULSES.set(parentElement, p);
  Object.assign(p, { component, data });
  return () => {
    clearInterval(p.timer);
    p.channel.port1.close();
    PULSES.delete(parentElement);
  };
}
