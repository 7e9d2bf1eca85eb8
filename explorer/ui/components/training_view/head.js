// The lines above the panels: where the run stands, how fast it is, and the figures of the chosen epoch.

import { element, setText } from "../shared/elements.js";
import { epochNow, hasValues, indexNow } from "./history.js";
import { HELP, helpFor, inUnit, sentenceCase } from "./layout.js";
import { nats, plain, whole } from "./scales.js";
/** @import { Maybe } from "./scales.js" */
/** @import { TrainingView } from "./view.js" */

/** @typedef {[string, string][]} Pairs  of names and values */

/** @param {Element} parent */
export function createHead(parent) {
  const box = element("header", "lx-tv-head", parent);
  const line = element("div", "lx-tv-state", box);
  const dot = element("span", "lx-tv-dot", line, { "aria-hidden": "true" });
  const text = element("strong", "", line, { role: "status" });
  const facts = element("dl", "lx-tv-facts", line);
  const note = element("p", "lx-tv-note", box);
  const bar = element("div", "lx-tv-progress", box, {
    role: "progressbar", "aria-label": "Training", "aria-valuemin": 0, "aria-valuemax": 100,
  });
  const fill = element("i", "", bar);
  return { box, dot, text, facts, note, bar, fill, factsBuilt: "" };
}

/** @param {TrainingView} v */
export function drawHead(v) {
  const { dot, text, note, bar, fill } = v.head;
  const { status } = v.data;
  v.root.dataset.run = status.state;
  dot.dataset.state = status.state;
  setText(text, status.text);
  setText(note, status.note);
  note.hidden = !status.note;
  const share = status.share === null ? null : Math.round(1000 * status.share) / 10;
  bar.style.visibility = share === null ? "hidden" : "visible"; // its room stays
  bar.setAttribute("aria-valuenow", String(share ?? 100));
  fill.style.width = `${share ?? 100}%`;
  drawFacts(v.head, status.facts);
}

/**
 * Names stay in place, only values change, so that nothing moves while numbers do.
 *
 * @param {TrainingView["head"]} head
 * @param {Pairs} pairs
 */
function drawFacts(head, pairs) {
  const built = pairs.map(([name]) => name).join("|");
  if (built !== head.factsBuilt) {
    head.factsBuilt = built;
    head.facts.replaceChildren(...pairs.map(([name]) => {
      const pair = element("div", "", null);
      element("dt", "", pair, {}, name);
      element("dd", "", pair);
      return pair;
    }));
  }
  const values = head.facts.querySelectorAll("dd");
  pairs.forEach(([, value], i) => setText(values[i], value));
}

/** @type {["elbo" | "reconstruction" | "kl" | "mse" | "active_units", string, (value: Maybe) => string][]} */
const OF_TEST_IMAGES = [
  ["elbo", "ELBO", nats], ["reconstruction", "Reconstruction", nats], ["kl", "KL", nats],
  ["mse", "Squared error", plain], ["active_units", "Active latents", whole],
];

/** @type {["beta" | "noise_variance", string, (value: Maybe) => string][]} */
const OF_TRAINING = [["beta", "Beta", plain], ["noise_variance", "Noise variance", plain]];

/** @param {Element} parent */
export function createFigures(parent) {
  const box = element("section", "lx-tv-figures", parent, { "aria-label": "Figures of the chosen epoch" });
  const caption = element("p", "lx-tv-caption", box);
  const list = element("dl", "lx-tv-numbers", box);
  return { box, caption, list, built: "", shown: /** @type {Record<string, string>} */ ({}) };
}

/** @typedef {{ column: string, name: string, text: string, unit?: string, help?: string }} Fact  one number of an epoch */

/** @param {TrainingView} v */
export function drawFigures(v) {
  const { caption } = v.figures;
  const epoch = epochNow(v);
  if (epoch !== null) {
    setText(caption, `Test images after epoch ${epoch.toLocaleString("en")}`);
    fillFigures(v.figures, figuresAt(v));
    return;
  }
  const { status: { so_far: soFar }, has_prior: hasPrior } = v.data;
  setText(caption, soFar.length ? "So far in the first epoch, training images, nats an image" : "Test images");
  const values = new Map(soFar);
  const names = hasPrior ? ["ELBO", "Reconstruction", "KL"] : ["Reconstruction"];
  fillFigures(v.figures, names.map((name) => ({ column: name.toLowerCase(), name, text: values.get(name) ?? "–" })));
}

/**
 * @param {TrainingView} v
 * @returns {Fact[]}
 */
function figuresAt(v) {
  const { history } = v;
  const index = indexNow(v);
  /** @type {Fact[]} */
  const found = [];
  for (const [column, name, format] of OF_TEST_IMAGES) {
    const values = history.test[column];
    if (hasValues(values)) found.push({ column, name, text: format(values[index]) });
  }
  for (const [column, name, format] of OF_TRAINING) {
    const values = history[column];
    if (hasValues(values)) found.push({ column, name, text: format(values[index]) });
  }
  for (const [name, values] of Object.entries(history.figures)) {
    const [unit, help] = v.data.meanings[name] ?? ["", ""];
    found.push({ column: name, name: sentenceCase(name), text: inUnit(unit)(values[index]), unit, help });
  }
  const seconds = history.seconds[index];
  if (seconds !== null) found.push({ column: "seconds", name: "Trained for", text: clock(seconds) });
  return v.data.has_prior ? found : found.filter(({ column }) => column !== "beta" && column !== "active_units");
}

/**
 * @param {TrainingView["figures"]} figures
 * @param {Fact[]} found
 */
function fillFigures(figures, found) {
  const built = found.map(({ column }) => column).join();
  if (built !== figures.built) {
    figures.built = built;
    figures.list.replaceChildren(...found.map(figureOf));
  }
  const values = figures.list.querySelectorAll("dd");
  found.forEach(({ text }, i) => {
    const [number, unit] = values[i].querySelectorAll("b, span");
    setText(number, text);
    if (unit instanceof HTMLElement) unit.hidden = text === "–";
  });
  figures.shown = Object.fromEntries(found.map(({ column, text }) => [column, text]));
}

const IN_NATS = ["elbo", "reconstruction", "kl"];

/** @param {Fact} fact */
function figureOf({ column, name, unit = IN_NATS.includes(column) ? "nats" : "", help = HELP[column] }) {
  const pair = element("div", "", null, { "data-figure": column });
  const term = element("dt", "", pair, {}, name);
  if (help) helpFor(term, name, help);
  const value = element("dd", "", pair);
  element("b", "", value);
  if (unit) element("span", "lx-tv-unit", value, {}, ` ${unit}`);
  return pair;
}

/** @param {number} seconds */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
