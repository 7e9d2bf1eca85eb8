// The map's elements, and all that is known of it.

import { element, paintOf } from "../shared/elements.js";
import { readTheme } from "../shared/theme.js";
/** @import { Answers, Common } from "../shared/mount.js" */
/** @import { Figure } from "./figure.js" */
/** @import { Plotly } from "./load.js" */
/** @import { Place } from "./places.js" */
/** @import { PlotElement } from "./plotly_private.js" */
/** @import { Raster } from "./raster.js" */

/** @typedef {{ x: number[], y: number[] }} View  ranges of the axes */

/** @typedef {{ all: true } | { x0: number, x1: number, y0: number, y1: number }} Viewed  the browser's answer */

/** @typedef {{ id: number, name: string, color: string, count: number }} LegendEntry */

/** @typedef {{ url: string, columns: number, tile: [number, number], per_sheet: number }} Sprites */

/**
 * The plane decoded on a regular grid; x and y are of the outermost tiles' centres.
 *
 * @typedef {object} Atlas
 * @property {string} url
 * @property {number} columns
 * @property {number} rows
 * @property {[number, number]} tile
 * @property {[number, number]} x
 * @property {[number, number]} y
 */

/** @typedef {{ url: string, x: [number, number], y: [number, number], opacity: number }} Overlay */

/** @typedef {{ x: number, y: number, label: string, kind: string }} Mark */

/** @typedef {{ points: [number | null, number | null][], player: string, dashed: boolean }} Trail */

/** @typedef {[number, number][]} Outline  corners in the plane */

/**
 * @typedef {object} Selected
 * @property {number[] | string} ids  of many a bit each, in base64
 * @property {string} kind  lasso or box
 * @property {Outline} outline
 * @property {string} revision
 * @property {number} t
 */

/**
 * What Python sends.
 *
 * @typedef {object} Picture
 * @property {string} plotly_url
 * @property {string} figure_url
 * @property {LegendEntry[] | null} legend
 * @property {string} legend_of
 * @property {Sprites | null} sprites
 * @property {Atlas | null} atlas
 * @property {Mark[]} marks
 * @property {string} follows
 * @property {string} link  what maps of the same items share, so that each shows where another's pointer is
 * @property {Trail[]} trails
 * @property {Overlay | null} overlay
 * @property {string[] | null} names
 * @property {string} hint
 * @property {number} height
 * @property {Selected | null} restore  what was selected when the map was last on the page
 * @property {View | null} view  what was shown then; null: all of it
 * @property {number} anew  with another number these two hold, whatever a person has done since
 * @property {boolean} tells_view  whether Python wants to know what is shown
 */

/** @typedef {Common & Picture} MapData */

/** @typedef {{ x: number, y: number, id: number | null }} Click  the browser's answer; no id: the empty plane */

/** @typedef {ReturnType<typeof createMap>} MapView */

/**
 * For what is there once the first figure is: nothing reads it before.
 *
 * @template T
 */
const later = () => /** @type {T} */ (/** @type {unknown} */ (null));

/**
 * @param {HTMLElement} root
 * @param {MapData} data
 * @param {Answers} answers
 */
export function createMap(root, data, answers) {
  root.replaceChildren();
  const legendBox = element("div", "lx-legend", root, { role: "group" });
  legendBox.hidden = true;
  const chips = element("div", "lx-chips", legendBox);
  const all = element("button", "lx-chip lx-all", legendBox, { type: "button" }, "All");
  const scaleBox = element("div", "lx-scale", root);
  scaleBox.hidden = true;
  const scale = {
    box: scaleBox, name: element("span", "lx-name", scaleBox), low: element("span", "lx-count", scaleBox),
    bar: element("span", "lx-bar", scaleBox), high: element("span", "lx-count", scaleBox),
  };
  const frame = element("div", "lx-frame", root);
  const gd = element("div", "lx-plot", frame, { tabindex: "0", role: "application" });
  const controls = element("div", "lx-controls", frame);
  const note = element("span", "lx-note", controls, { role: "status" });
  const clear = element("button", "lx-chip lx-clear", controls, { type: "button" }, "Clear");
  clear.hidden = true;
  const card = createCard(frame);
  const status = element("div", "lx-status", frame, { role: "status" });
  const statusText = element("p", "", status);
  const retry = element("button", "lx-chip lx-retry", status, { type: "button" }, "Retry");
  return {
    root, data, answers, legendBox, chips, all, scale, frame, note, clear, card, status, statusText, retry,
    gd: /** @type {PlotElement} */ (/** @type {HTMLElement} */ (gd)),
    abort: new AbortController(), resizer: /** @type {ResizeObserver | null} */ (null),
    // What is drawn
    Plotly: /** @type {Plotly} */ (later()), figure: /** @type {Figure} */ (later()), theme: readTheme(root),
    about: data, // what Python said with that figure, where `data` is the newest
    wanted: "", // URL of the figure that is loading or loaded
    signature: "", drawnMarks: "", legendSignature: "", // of what is on the screen
    revision: /** @type {string | null} */ (null), width: 0, shown: new Int32Array(0), scaled: false,
    drawing: 0, works: 0, // calls of plotly that have not ended; of the former, what plotly reports is our own doing
    drawn: false, listening: false,
    raster: /** @type {Raster | null} */ (null), frames: 0, // what draws the points, and how often it did
    restored: /** @type {number | null} */ (null), // the `anew` that was followed last
    // What a person does
    hidden: /** @type {Set<number>} */ (new Set()), view: /** @type {View | null} */ (null), dragmode: "pan",
    pending: /** @type {(Place & { t: number }) | null} */ (null), // a click that Python has not answered
    selected: /** @type {Set<number> | null} */ (null), selectedAt: 0, outlines: /** @type {Outline[]} */ ([]),
    kind: "lasso", shift: false, held: false,
    pointer: /** @type {{ clientX: number, clientY: number } | null} */ (null),
    pinned: /** @type {(Place & { row: number }) | null} */ (null),
    hovered: /** @type {number | null} */ (null), cards: 0, // drawn with a picture
    cardFrame: 0, marksFrame: 0, resizeFrame: 0, keyTimer: 0, touchTimer: 0, viewTimer: 0,
  };
}

/** @param {Element} parent */
function createCard(parent) {
  const box = element("div", "lx-card", parent, { "aria-hidden": "true" });
  box.hidden = true;
  const canvas = element("canvas", "lx-picture", box);
  const words = element("div", "lx-words", box);
  const title = element("div", "lx-title", words);
  return {
    box, canvas, paint: paintOf(canvas),
    dot: element("span", "lx-dot", title), name: element("span", "lx-name", title),
    line: element("div", "lx-line", words), value: element("div", "lx-line", words),
  };
}
