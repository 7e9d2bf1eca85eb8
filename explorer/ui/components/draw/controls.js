// The square and what stands below it: brush widths, eraser, undo, redo, clear.

import { element, icon, paintOf, shape } from "../shared/elements.js";
import { WIDTHS } from "./brush.js";
/** @import { Answers, Common } from "../shared/mount.js" */
/** @import { Act, Point, Stroke } from "./brush.js" */

/**
 * @typedef {object} Square
 * @property {number} side  pixels of the square
 * @property {number} size  pixels of the model's images
 * @property {string} label
 * @property {string} start  what is on it at first: a PNG in base64, or nothing
 */

/** @typedef {Common & Square} DrawData */

/** @typedef {{ png: string }} Drawn  the browser's answer: a PNG in base64, or nothing for an empty square */

/** @typedef {ReturnType<typeof createDrawing>} Drawing */

const ICONS = {
  eraser: "M9.3 2.6l4.1 4.1-6.3 6.3H4.6L2.5 10.9a1 1 0 0 1 0-1.4zM5.7 6.2l4.1 4.1M7.5 13h6",
  undo: "M5.500 2.800L2.800 5.500l2.700 2.700M2.800 5.500h6.700a3.700 3.700 0 0 1 0 7.400H6",
  redo: "M10.500 2.800l2.700 2.700-2.700 2.700M13.200 5.500H6.500a3.700 3.700 0 0 0 0 7.400H10",
  clear: "M2.8 4.2h10.4M6.2 4V2.6h3.6V4M4.2 4.2l.6 9.2h6.4l.6-9.2M6.7 6.7v4.2M9.3 6.7v4.2",
};
/** @type {Record<string, number>} */
const DOTS = { small: 3, medium: 5.500, large: 8.500 };
const HELP = "Arrow keys move the brush, with Shift further. Space puts it down, and lifts it again.";

/**
 * @param {Element} parent
 * @param {string} name
 * @param {string} text
 * @param {SVGElement | string} sign
 */
function buttonOf(parent, name, text, sign) {
  const attributes = { type: "button", "aria-label": text, title: text, "data-does": name };
  const button = element("button", "lx-draw-button", parent, attributes);
  if (typeof sign === "string") icon(button, sign);
  else icon(button).append(sign);
  return button;
}

/**
 * @param {HTMLElement} root
 * @param {DrawData} data
 * @param {Answers} answers
 */
export function createDrawing(root, data, answers) {
  const { side, key } = data;
  root.replaceChildren();
  const help = `lx-draw-help-${key}`;
  const stage = element("div", "lx-draw-stage", root);
  const canvas = element("canvas", "lx-draw-canvas", stage, {
    tabindex: "0", role: "application", "aria-roledescription": "drawing", "aria-describedby": help,
    width: side, height: side,
  });
  const ground = element("canvas", "", null, { width: side, height: side });
  const hint = element("div", "lx-draw-hint", stage, { "aria-hidden": "true" });
  const cursor = element("div", "lx-draw-cursor", stage);
  cursor.hidden = true;
  element("p", "lx-draw-help", stage, { id: help }, HELP);
  const tools = element("div", "lx-draw-tools", root, { role: "toolbar", "aria-label": "Drawing tools" });
  const widths = element("div", "lx-draw-group", tools, { role: "group", "aria-label": "Brush width" });
  const inks = element("div", "lx-draw-group", tools);
  const d = {
    root, data, answers, stage, canvas, hint, cursor,
    paint: paintOf(canvas, { alpha: false, willReadFrequently: true }),
    ground: paintOf(ground, { alpha: false, willReadFrequently: true }),
    live: element("div", "lx-draw-live", root, { role: "status" }),
    problem: element("p", "lx-draw-problem", root, { role: "alert" }),
    widths: new Map(Object.keys(WIDTHS).map((name) => {
      const dot = shape("circle", null, { cx: 8, cy: 8, r: DOTS[name] / 1.3, class: "lx-draw-dot" });
      return [WIDTHS[name], buttonOf(widths, name, `${name[0].toUpperCase()}${name.slice(1)} brush`, dot)];
    })),
    eraser: buttonOf(inks, "eraser", "Eraser", ICONS.eraser),
    undo: buttonOf(inks, "undo", "Undo (Ctrl+Z)", ICONS.undo),
    redo: buttonOf(inks, "redo", "Redo (Ctrl+Y)", ICONS.redo),
    clear: buttonOf(inks, "clear", "Clear", ICONS.clear),
    revision: /** @type {string | null} */ (null),
    acts: /** @type {Act[]} */ ([]), undone: /** @type {Act[]} */ ([]), stroke: /** @type {Stroke | null} */ (null),
    pointer: /** @type {number | null} */ (null), at: /** @type {Point} */ ([side / 2, side / 2]),
    width: WIDTHS.medium, erasing: false, ready: false, empty: true,
    changed: false, last: 0, timer: 0, // of what is sent
  };
  for (const [width, button] of d.widths) {
    button.addEventListener("click", () => {
      d.width = width;
      drawControls(d);
    });
  }
  d.eraser.addEventListener("click", () => {
    d.erasing = !d.erasing;
    drawControls(d);
  });
  return d;
}

/**
 * A button that is disabled under the focus would lose it to the page.
 *
 * @param {Drawing} d
 * @param {HTMLButtonElement} button
 * @param {boolean} disabled
 */
function disable(d, button, disabled) {
  if (disabled && document.activeElement === button) d.canvas.focus({ preventScroll: true });
  button.disabled = disabled;
}

/** @param {Drawing} d */
export function drawControls(d) {
  for (const [width, button] of d.widths) button.setAttribute("aria-pressed", String(d.width === width));
  d.eraser.setAttribute("aria-pressed", String(d.erasing));
  disable(d, d.undo, !d.acts.length);
  disable(d, d.redo, !d.undone.length);
  disable(d, d.clear, d.empty);
  d.hint.textContent = d.data.label;
  d.hint.hidden = !d.empty || d.stroke !== null;
  d.canvas.setAttribute("aria-label", d.data.label);
  d.problem.textContent = d.data.problem;
  d.problem.hidden = !d.data.problem;
  d.root.dataset.empty = String(d.empty);
  d.root.dataset.state = !d.ready ? "loading" : d.answers.waiting || d.changed ? "sending" : "ready";
  drawCursor(d);
}

/**
 * A ring as wide as the brush, in parts of the square, which may be shown smaller than it is.
 *
 * @param {Drawing} d
 */
export function drawCursor(d) {
  /** @type {(value: number) => string} */
  const share = (value) => `${(100 * value) / d.canvas.width}%`;
  d.cursor.style.left = share(d.at[0]);
  d.cursor.style.top = share(d.at[1]);
  d.cursor.style.width = share(d.width);
  d.cursor.dataset.down = String(d.stroke !== null);
}
