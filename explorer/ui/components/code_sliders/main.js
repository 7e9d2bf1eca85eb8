// One group for each place in the page. Streamlit calls the default export again with every rerun and theme.

const GROUPS = new WeakMap(); // parentElement -> group
const PICTURE_PX = 220;
const PATIENCE_MS = 4000; // after which an answer is not waited for any more: its run may have been broken off

function createGroup(root) {
  root.replaceChildren();
  const body = element("div", "lx-knobs-body", root);
  const side = element("div", "lx-knobs-side", body);
  const image = element("img", "", element("div", "lx-knobs-picture", side), { alt: "" });
  const caption = element("p", "lx-knobs-caption", side);
  const main = element("div", "lx-knobs-main", body);
  const list = element("div", "lx-knobs-list", main, { role: "group" });
  const foot = element("div", "lx-knobs-foot", main);
  const all = element("button", "lx-knobs-button", foot, { type: "button" }, "Reset all");
  const k = {
    root, image, caption, list, foot, all, component: null, data: null, knobs: new Map(), revision: null,
    clock: 0, sent: 0, timer: 0, picture: "", shown: "", attributes: [],
  };
  all.addEventListener("click", () => {
    for (const knob of k.knobs.values()) place(k, knob, knob.said.home);
    send(k);
  });
  return k;
}

// Later than everything before it, though two moves may share a millisecond.
function tick(k) {
  k.clock = Math.max(Date.now(), k.clock + 1);
  return k.clock;
}

function place(k, knob, value) {
  if (knob.value === value) return;
  knob.value = value;
  knob.touched = tick(k);
  drawKnob(knob);
}

function moveKnob(k, knob, value) {
  place(k, knob, value);
  send(k);
}

const waiting = (k) => [...k.knobs.values()].filter((knob) => knob.touched > k.data.ack);

// The newest values, once what was sent before is answered: a fast hand does not build a queue.
function send(k) {
  const moved = waiting(k);
  if (!k.sent && moved.length) {
    k.sent = tick(k);
    clearTimeout(k.timer);
    k.timer = setTimeout(() => {
      k.sent = 0;
      send(k);
    }, PATIENCE_MS);
    const values = Object.fromEntries(moved.map((knob) => [knob.id, knob.value]));
    k.component.setTriggerValue("move", { values, revision: k.revision, t: k.sent });
  }
  drawState(k);
}

// What Python has heard of is Python's again, save what a finger is still on.
function settle(k, knob) {
  if (!knob.held && knob.touched <= k.data.ack) knob.value = knob.said.value;
  drawKnob(knob);
}

function takeKnobs(k) {
  const before = k.knobs;
  k.knobs = new Map(k.data.knobs.map(({ id }) => [id, before.get(id) ?? createKnob(k, id)]));
  if (JSON.stringify([...before.keys()]) !== JSON.stringify([...k.knobs.keys()])) {
    k.list.replaceChildren(...[...k.knobs.values()].map((knob) => knob.box));
  }
  for (const said of k.data.knobs) {
    const knob = k.knobs.get(said.id);
    if (JSON.stringify(knob.said) !== JSON.stringify(said)) describeKnob(knob, said);
    settle(k, knob);
  }
  k.root.style.setProperty("--lx-columns", String(Math.max(1, Math.min(k.data.columns, k.knobs.size))));
  k.list.setAttribute("aria-label", k.data.label);
}

function drawState(k) {
  const pending = k.sent > 0 || k.picture !== k.shown;
  k.root.dataset.state = !k.shown ? "loading" : pending ? "moving" : "ready"; // or failed
  k.foot.hidden = k.knobs.size < 2;
  k.all.disabled = [...k.knobs.values()].every((knob) => knob.reset.disabled);
}

// The old picture stays until the new one is decoded; what is said of it changes with it.
async function showPicture(k) {
  const { picture, picture_alt: alt, picture_data: said, caption } = k.data;
  k.picture = picture;
  if (k.shown !== picture) {
    const next = new Image();
    next.src = picture;
    try {
      await next.decode();
    } catch {
      if (k.picture !== picture) return;
      k.picture = k.shown; // another move tries again
      k.root.dataset.state = "failed";
      k.caption.textContent = "The picture could not be loaded.";
      return;
    }
    if (k.picture !== picture) return;
    const { naturalWidth: width, naturalHeight: height } = next;
    const longer = Math.max(width, height);
    const scale = longer > PICTURE_PX ? PICTURE_PX / longer : Math.floor(PICTURE_PX / longer);
    k.image.src = picture;
    k.image.width = Math.round(width * scale);
    k.image.height = Math.round(height * scale);
    k.image.style.imageRendering = scale < 1 ? "auto" : "pixelated";
    k.shown = picture;
  }
  k.image.alt = alt;
  k.caption.textContent = caption;
  for (const name of k.attributes) if (!(name in said)) k.image.removeAttribute(`data-${name}`);
  for (const [name, value] of Object.entries(said)) k.image.setAttribute(`data-${name}`, value);
  k.attributes = Object.keys(said);
  if (k.data.place) {
    const [x, y] = k.data.place;
    document.dispatchEvent(new CustomEvent("lx-place", { detail: { key: k.data.key, x, y } }));
  }
  drawState(k);
}

// For tests and benchmarks.
function exposeHooks(k) {
  k.hooks ??= {
    get values() { return Object.fromEntries([...k.knobs].map(([id, knob]) => [id, knob.value])); },
    get place() { return k.data.place; },
    get pending() { return k.sent > 0 || waiting(k).length > 0 || k.picture !== k.shown; },
    set: (id, value) => moveKnob(k, k.knobs.get(id), value),
  };
  (window.__codeSliders ??= {})[k.data.key] = k.hooks;
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-knobs");
  if (!root || !data) return undefined;
  let k = GROUPS.get(parentElement);
  if (!k || k.root !== root) {
    k?.destroy();
    k = createGroup(root);
    GROUPS.set(parentElement, k);
    k.destroy = () => {
      clearTimeout(k.timer);
      if (window.__codeSliders?.[k.data.key] === k.hooks) delete window.__codeSliders[k.data.key];
      GROUPS.delete(parentElement);
    };
  }
  k.component = component;
  k.data = data;
  if (k.revision !== data.revision) {
    k.revision = data.revision;
    k.sent = 0;
    for (const knob of k.knobs.values()) Object.assign(knob, { touched: 0, held: false });
  }
  if (k.sent && data.ack >= k.sent) {
    k.sent = 0;
    clearTimeout(k.timer);
  }
  takeKnobs(k);
  exposeHooks(k);
  send(k);
  showPicture(k);
  return k.destroy;
}
