// The film's elements.

import { element, icon, paintOf, shape } from "../shared/elements.js";
import { sheetProblem } from "../shared/images.js";
/** @import { Attributes } from "../shared/elements.js" */
/** @import { Answers, Common } from "../shared/mount.js" */

/**
 * @typedef {object} Walk
 * @property {string} sheet_url
 * @property {number} count  of steps
 * @property {number} columns  of the sheet
 * @property {[number, number]} tile  width and height in the sheet, in pixels
 * @property {(number | null)[] | null} shares  of real images' codes in less dense places
 * @property {Stop[]} stops
 * @property {string} label
 * @property {boolean} usable  whether there is a button to use a step's code
 */

/** @typedef {{ step: number, name: string }} Stop */

/** @typedef {Common & Walk} FilmData */

/** @typedef {{ step: number }} Use  the browser's answer */

/** @typedef {"slow" | "normal" | "fast"} Speed */

/** @typedef {ReturnType<typeof createFilm>} Film */

/** @typedef {keyof typeof ICONS} Icon */

const ICONS = {
  play: ["M5 3.200v9.600c0 .6.7 1 1.200.6l7-4.800a.8.8 0 0 0 0-1.200l-7-4.800C5.700 2.200 5 2.600 5 3.200z"],
  pause: ["M4.300 3h2.400v10H4.300zM9.300 3h2.400v10H9.300z"],
  back: ["M2.500 5.500h10M10 3l2.500 2.500L10 8", "M13.500 10.500h-10M6 8l-2.500 2.500L6 13"],
};

/** @type {[Speed, string][]} */
const SPEEDS = [["slow", "Slow"], ["normal", "Normal"], ["fast", "Fast"]];

/** Below this share a step is out among the emptiest places that real images reach. */
export const LOW_SHARE = 0.05;

/**
 * @param {SVGElement} svg
 * @param {Icon} name
 */
export function drawIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.dataset.icon = name;
  svg.replaceChildren();
  for (const d of ICONS[name]) shape("path", svg, { d });
}

/**
 * @param {Element} parent
 * @param {string} className
 * @param {string} text
 * @param {Attributes} [attributes]
 */
function buttonOf(parent, className, text, attributes = {}) {
  const button = element("button", `lx-button ${className}`, parent, { type: "button", ...attributes });
  if (text) element("span", "", button, {}, text);
  return button;
}

/**
 * @param {HTMLElement} root
 * @param {FilmData} data
 * @param {Answers} answers
 * @param {() => void} load  shows its sheet
 */
export function createFilm(root, data, answers, load) {
  root.replaceChildren();
  const body = element("div", "lx-film-body", root, { role: "group" });
  const stage = element("div", "lx-film-stage", body);
  const canvas = element("canvas", "lx-film-picture", stage, { role: "img" });
  const side = element("div", "lx-film-side", body);
  const head = element("div", "lx-film-head", side);
  const play = buttonOf(head, "lx-film-play", "");
  const words = element("div", "lx-film-words", head);
  const count = element("span", "lx-film-count", words);
  const use = buttonOf(head, "lx-film-use", "Use this code");
  const scrubber = element("input", "lx-range lx-film-scrubber", side, {
    type: "range", min: 0, step: 1, value: 0, "aria-label": "Step",
  });
  const chart = createChart(side);
  const foot = element("div", "lx-film-foot", side);
  const back = buttonOf(foot, "lx-film-back", "", {
    title: "Play to the end, then back to the start, again and again",
  });
  drawIcon(icon(back), "back");
  element("span", "", back, {}, "There and back");
  const speeds = element("div", "lx-film-speeds", foot, { role: "group", "aria-label": "Speed" });
  const strip = element("div", "lx-film-strip", body, { "aria-hidden": "true" }); // the scrubber says all of it
  const problem = sheetProblem(body, load);
  return {
    root, data, answers, body, stage, canvas, paint: paintOf(canvas), side, play, playIcon: icon(play), count,
    use, scrubber, chart, backButton: back, strip, problem,
    speeds: new Map(SPEEDS.map(([name, text]) => [
      name, element("button", "", speeds, { type: "button", "data-speed": name }, text),
    ])),
    shown: data, // what is on the screen: the newest data once its sheet is here
    image: /** @type {HTMLImageElement | null} */ (null), url: "", built: "",
    current: /** @type {HTMLElement | null} */ (null), across: 1, pitch: 1, // of the strip
    resizer: /** @type {ResizeObserver | null} */ (null),
    step: 0, playing: false, direction: 1, back: false, speed: /** @type {Speed} */ ("normal"), frame: 0, due: 0,
  };
}

/** @param {Element} parent */
function createChart(parent) {
  const box = element("div", "lx-film-chart", parent);
  element("p", "lx-film-chart-title", box, {}, "Real images in emptier regions, % (square-root scale)");
  const svg = shape("svg", box, { class: "lx-film-svg", role: "img" });
  return {
    box, svg,
    base: shape("g", svg),
    area: shape("path", svg, { class: "lx-film-area" }),
    curve: shape("path", svg, { class: "lx-film-curve" }),
    names: shape("g", svg),
    marker: shape("line", svg, { class: "lx-film-marker" }),
    dot: shape("circle", svg, { class: "lx-film-dot", r: 5 }),
    words: element("p", "lx-film-density", box, {
      title:
        "Where few real images are encoded the decoder was hardly trained, and what it draws there is a guess. " +
        `Below ${LOW_SHARE * 100}% a step is out among the emptiest places that real images reach.`,
    }),
    width: 0,
  };
}
