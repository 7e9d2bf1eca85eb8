// A knob: its name, its number and its slider. What is typed outside the slider's range goes to its end.

import { element, icon } from "../shared/elements.js";
import { clamp, minus } from "../shared/numbers.js";

/**
 * What Python says of a knob.
 *
 * @typedef {object} KnobData
 * @property {number} id
 * @property {string} name
 * @property {number} value
 * @property {number} low
 * @property {number} high
 * @property {number} home  where a reset goes
 * @property {string} hint
 * @property {boolean} faded
 * @property {number} digits
 */

/** @typedef {ReturnType<typeof createKnob>} Knob */

const RESET_ICON = "M3.200 6.400A5.200 5.200 0 1 1 2.800 9.200M3 2.800v3.800h3.800"; // an arrow that turns back

/**
 * @param {KnobData} said
 * @param {object} does
 * @param {(knob: Knob, value: number) => void} does.move
 * @param {(knob: Knob) => void} does.release
 */
export function createKnob(said, { move, release }) {
  const box = element("div", "lx-knob", null, { "data-id": said.id, role: "group" });
  const head = element("div", "lx-knob-head", box);
  const name = element("span", "lx-knob-name", head);
  const hint = element("span", "lx-knob-hint", head);
  const reset = element("button", "lx-knob-reset", head, { type: "button" });
  icon(reset, RESET_ICON);
  const number = element("input", "lx-knob-number", head, { type: "text", inputmode: "decimal", autocomplete: "off" });
  const track = element("div", "lx-knob-track", box);
  const home = element("div", "lx-knob-home", track);
  const range = element("input", "lx-range lx-knob-range", track, { type: "range", step: "any" });
  const knob = {
    id: said.id, said, box, name, hint, reset, number, track, home, range, value: said.value,
    touched: 0, // when a person last moved it
    held: false, // by a pointer
  };
  const letGo = () => {
    knob.held = false;
    release(knob);
  };
  range.addEventListener("input", () => move(knob, snapped(knob, Number(range.value))));
  range.addEventListener("keydown", (event) => onKnobKey(knob, event, move));
  range.addEventListener("pointerdown", () => (knob.held = true));
  range.addEventListener("pointerup", letGo);
  range.addEventListener("pointercancel", letGo);
  range.addEventListener("lostpointercapture", letGo);
  range.addEventListener("dblclick", () => move(knob, knob.said.home));
  reset.addEventListener("click", () => {
    range.focus({ preventScroll: true }); // the button hides itself
    move(knob, knob.said.home);
  });
  number.addEventListener("input", () => {
    const value = numberIn(number.value);
    number.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value)) move(knob, clamp(value, knob.said.low, knob.said.high));
  });
  number.addEventListener("keydown", (event) => {
    if (event.key === "Enter") number.blur();
    event.stopPropagation(); // no shortcut of the page's
  });
  number.addEventListener("blur", () => {
    number.setAttribute("aria-invalid", "false");
    drawKnob(knob);
  });
  return knob;
}

/**
 * Where a key leads from a value; null for a key that is none of the slider's.
 *
 * @param {{ key: string, shiftKey: boolean }} event
 * @param {number} value
 * @param {KnobData} said
 */
export function valueAfterKey({ key, shiftKey }, value, { low, high, home }) {
  const step = ((high - low) / 60) * (shiftKey ? 6 : 1);
  /** @type {Record<string, number>} */
  const values = {
    ArrowLeft: value - step, ArrowDown: value - step, ArrowRight: value + step, ArrowUp: value + step,
    PageDown: value - 6 * step, PageUp: value + 6 * step,
  };
  if (key in values) return clamp(values[key], low, high);
  /** @type {Record<string, number>} */
  const ends = { Home: low, End: high, Delete: home, Backspace: home };
  return ends[key] ?? null;
}

/**
 * @param {Knob} knob
 * @param {KeyboardEvent} event
 * @param {(knob: Knob, value: number) => void} move
 */
function onKnobKey(knob, event, move) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const value = valueAfterKey(event, knob.value, knob.said);
  if (value === null) return;
  move(knob, value);
  event.preventDefault();
}

/**
 * Home is easy to hit with a pointer.
 *
 * @param {Knob} knob
 * @param {number} value
 */
function snapped(knob, value) {
  const { low, high, home } = knob.said;
  return knob.held && Math.abs(value - home) < (high - low) / 120 ? home : value;
}

/**
 * Where a value is on the track, 0 to 1.
 *
 * @param {{ low: number, high: number }} said
 * @param {number} value
 */
export const shareOf = ({ low, high }, value) => (high > low ? clamp((value - low) / (high - low), 0, 1) : 0);

/**
 * What a person types: a decimal comma is a point, and nothing is no number.
 *
 * @param {string} text
 */
export const numberIn = (text) => (text.trim() ? Number(text.trim().replace("−", "-").replace(",", ".")) : NaN);

/**
 * @param {number} value
 * @param {number} digits  after the point; at most one from 100 on
 */
export function numberText(value, digits) {
  const text = value.toFixed(Math.abs(value) < 100 ? digits : Math.min(digits, 1));
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

/**
 * @param {Knob} knob
 * @param {KnobData} said
 */
export function describeKnob(knob, said) {
  knob.said = said;
  knob.name.textContent = said.name;
  knob.name.title = said.hint || said.name;
  knob.hint.textContent = said.hint;
  knob.hint.title = said.hint;
  knob.track.title = said.hint;
  knob.box.dataset.faded = String(said.faded);
  knob.box.setAttribute("aria-label", said.name);
  knob.range.setAttribute("aria-label", said.name);
  knob.number.setAttribute("aria-label", `${said.name}, value`);
  const resetText = `Set ${said.name} back to ${minus(numberText(said.home, said.digits))}`;
  knob.reset.setAttribute("aria-label", resetText);
  knob.reset.title = resetText;
  knob.range.min = String(said.low);
  knob.range.max = String(said.high);
  knob.home.style.setProperty("--lx-home", String(shareOf(said, said.home)));
}

/** @param {Knob} knob */
export function drawKnob(knob) {
  const { value, range, number } = knob;
  const [at, home] = [shareOf(knob.said, value), shareOf(knob.said, knob.said.home)];
  const text = numberText(value, knob.said.digits);
  if (!knob.held) range.value = String(value);
  range.setAttribute("aria-valuetext", minus(text));
  range.style.setProperty("--lx-low", String(Math.min(at, home)));
  range.style.setProperty("--lx-high", String(Math.max(at, home)));
  if (document.activeElement !== number) number.value = text;
  knob.reset.disabled = Math.abs(value - knob.said.home) < 1e-9;
  knob.box.dataset.value = String(value);
}
