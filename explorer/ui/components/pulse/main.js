// A pulse rests for as long as the page's script runs, and is not due again before its time after that: Streamlit
// takes a run that another fragment's run follows at once for one that was broken off, and leaves what that run no
// longer draws on the page for good (compare streamlit/streamlit#16708). Fragments with `run_every` follow others at
// any time. It also rests for a moment after everything that a person does: Streamlit sends what changes in the same
// instant as one, and runs only the fragment of the first.

import { mount } from "../shared/mount.js";
import { busy } from "../shared/script_state.js";
/** @import { Answers, Common } from "../shared/mount.js" */

/** @typedef {Common & { seconds: number }} PulseData */

/** @typedef {ReturnType<typeof createPulse>} Pulse */

const LOOK_MS = 100;
const APART_MS = 400; // between two pulses of a page: Streamlit needs a moment to say that its script runs
const HANDS_OFF_MS = 400; // after what a person did
const DEEDS = ["pointerdown", "pointerup", "keydown", "input", "change", "paste", "drop"];

// Of the page, for all of its pulses: they must not come together.
const page = { beat: -APART_MS, deed: -HANDS_OFF_MS, listens: false };

function listen() {
  if (page.listens) return;
  page.listens = true;
  const note = () => (page.deed = performance.now());
  for (const deed of DEEDS) addEventListener(deed, note, { capture: true, passive: true });
}

function isInputPending() {
  const { scheduling } = /** @type {{ scheduling?: { isInputPending?: () => boolean } }} */ (navigator); // Chromium's
  return scheduling?.isInputPending?.() ?? false;
}

/** @param {Pulse} p */
function look(p) {
  const now = performance.now();
  if (busy()) p.since = now;
  if (document.hidden || now - p.since < p.data.seconds * 1000) return;
  if (now - page.beat < APART_MS || now - page.deed < HANDS_OFF_MS || isInputPending()) return;
  p.since = page.beat = now;
  p.channel.port1.postMessage(null); // not from the interval itself, whose timeouts a browser holds back for 4 ms
}

/**
 * @param {HTMLElement} root
 * @param {PulseData} data
 * @param {Answers} answers
 */
function createPulse(root, data, answers) {
  listen();
  const p = { root, data, answers, since: performance.now(), channel: new MessageChannel(), timer: 0 };
  p.channel.port2.onmessage = () => p.answers.tell("beat");
  p.timer = setInterval(() => look(p), LOOK_MS);
  return p;
}

export default mount({
  selector: ".lx-pulse",
  create: createPulse,
  update: () => {},
  destroy: (p) => {
    clearInterval(p.timer);
    p.channel.port1.close();
  },
});
