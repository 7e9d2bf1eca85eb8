// Sliders and the picture that follows them: what is moved, what Python has heard of, which picture is shown.

import { element } from "../shared/elements.js";
import { forgetMoved, tellMoved } from "../shared/following.js";
import { decodedImage, scaleFor } from "../shared/images.js";
import { mount } from "../shared/mount.js";
import { clamp } from "../shared/numbers.js";
import { createKnob, describeKnob, drawKnob } from "./knobs.js";
/** @import { Answers, Common, Hooks } from "../shared/mount.js" */
/** @import { Knob, KnobData } from "./knobs.js" */

/**
 * @typedef {object} Code
 * @property {KnobData[]} knobs
 * @property {string} picture  URL
 * @property {string} picture_alt
 * @property {Record<string, string>} picture_data  data-* attributes of the picture
 * @property {string} caption
 * @property {number} columns
 * @property {[number, number] | null} place  on the map that follows
 * @property {string} label
 */

/** @typedef {Common & Code} SlidersData */

/** @typedef {{ values: Record<string, number> }} Move  the browser's answer, by the knobs' ids */

/** @typedef {ReturnType<typeof createGroup>} Sliders */

const PICTURE_PX = 220;

/**
 * @param {HTMLElement} root
 * @param {SlidersData} data
 * @param {Answers} answers
 */
function createGroup(root, data, answers) {
  root.replaceChildren();
  const body = element("div", "lx-knobs-body", root);
  const side = element("div", "lx-knobs-side", body);
  const image = element("img", "", element("div", "lx-knobs-picture", side), { alt: "" });
  const caption = element("p", "lx-knobs-caption", side);
  const main = element("div", "lx-knobs-main", body);
  const list = element("div", "lx-knobs-list", main, { role: "group" });
  const foot = element("div", "lx-knobs-foot", main);
  const all = element("button", "lx-button", foot, { type: "button" }, "Reset all");
  const k = {
    root, data, answers, image, caption, list, foot, all, knobs: /** @type {Map<number, Knob>} */ (new Map()),
    revision: data.revision, picture: "", shown: "", attributes: /** @type {string[]} */ ([]),
  };
  all.addEventListener("click", () => {
    for (const knob of k.knobs.values()) place(k, knob, knob.said.home);
    send(k);
  });
  return k;
}

/**
 * @param {Sliders} k
 * @param {Knob} knob
 * @param {number} value
 */
function place(k, knob, value) {
  if (knob.value === value) return;
  knob.value = value;
  knob.touched = k.answers.now();
  drawKnob(knob);
}

/**
 * @param {Sliders} k
 * @param {Knob} knob
 * @param {number} value
 */
function moveKnob(k, knob, value) {
  place(k, knob, value);
  send(k);
}

/** @param {Sliders} k */
const unheard = (k) => [...k.knobs.values()].filter((knob) => knob.touched > k.data.ack);

/**
 * The newest values, once what was sent before is answered: a fast hand does not build a queue.
 *
 * @param {Sliders} k
 */
function send(k) {
  const moved = unheard(k);
  if (!k.answers.waiting && moved.length) {
    const values = Object.fromEntries(moved.map((knob) => [knob.id, knob.value]));
    k.answers.ask("move", { values, revision: k.revision }, () => send(k)); // lost where its run was broken off
  }
  drawState(k);
}

/**
 * What Python has heard of is Python's again, save what a finger is still on.
 *
 * @param {Sliders} k
 * @param {Knob} knob
 */
function settle(k, knob) {
  if (!knob.held && knob.touched <= k.data.ack) knob.value = knob.said.value;
  drawKnob(knob);
}

/** @param {Sliders} k */
function takeKnobs(k) {
  const before = k.knobs;
  const does = {
    /** @type {(knob: Knob, value: number) => void} */
    move: (knob, value) => moveKnob(k, knob, value),
    /** @type {(knob: Knob) => void} */
    release: (knob) => settle(k, knob),
  };
  k.knobs = new Map(k.data.knobs.map((said) => [said.id, before.get(said.id) ?? createKnob(said, does)]));
  if (JSON.stringify([...before.keys()]) !== JSON.stringify([...k.knobs.keys()])) {
    k.list.replaceChildren(...[...k.knobs.values()].map((knob) => knob.box));
  }
  for (const said of k.data.knobs) {
    const knob = /** @type {Knob} */ (k.knobs.get(said.id));
    if (JSON.stringify(knob.said) !== JSON.stringify(said) || !before.has(said.id)) describeKnob(knob, said);
    settle(k, knob);
  }
  k.root.style.setProperty("--lx-columns", String(clamp(k.data.columns, 1, Math.max(1, k.knobs.size))));
  k.list.setAttribute("aria-label", k.data.label);
}

/** @param {Sliders} k */
function drawState(k) {
  const pending = k.answers.waiting || k.picture !== k.shown;
  k.root.dataset.state = !k.shown ? "loading" : pending ? "moving" : "ready"; // or failed
  k.foot.hidden = k.knobs.size < 2;
  k.all.disabled = [...k.knobs.values()].every((knob) => knob.reset.disabled);
}

/**
 * The old picture stays until the new one is decoded; what is said of it changes with it.
 *
 * @param {Sliders} k
 */
async function showPicture(k) {
  const { picture, picture_alt: alt, picture_data: said, caption } = k.data;
  k.picture = picture;
  if (k.shown !== picture) {
    const next = await decodedImage(picture).catch(() => null);
    if (k.picture !== picture) return;
    if (!next) {
      k.picture = k.shown; // another move tries again
      k.root.dataset.state = "failed";
      k.caption.textContent = "The picture could not be loaded.";
      return;
    }
    const { naturalWidth: width, naturalHeight: height } = next;
    const scale = scaleFor(width, height, PICTURE_PX);
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
  if (k.data.place) tellMoved({ key: k.data.key, place: k.data.place });
  drawState(k);
}

/** @param {Sliders} k */
function update(k) {
  if (k.revision !== k.data.revision) {
    k.revision = k.data.revision;
    k.answers.forget();
    for (const knob of k.knobs.values()) Object.assign(knob, { touched: 0, held: false });
  }
  takeKnobs(k);
  send(k);
  showPicture(k);
}

/** @type {Hooks<Sliders>} */
const hooks = {
  name: "__codeSliders",
  of: (k) => ({
    get values() { return Object.fromEntries([...k.knobs].map(([id, knob]) => [id, knob.value])); },
    get pending() { return k.answers.waiting || unheard(k).length > 0 || k.picture !== k.shown; },
    /** @type {(id: number, value: number) => void} */
    set: (id, value) => moveKnob(k, /** @type {Knob} */ (k.knobs.get(id)), value),
  }),
};

export default mount({
  selector: ".lx-knobs",
  create: createGroup,
  update,
  destroy: (k) => forgetMoved(k.data.key),
  hooks,
});
