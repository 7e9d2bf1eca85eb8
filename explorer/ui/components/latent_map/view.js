// The view: what is zoomed to.

import { moveLabels } from "./marks.js";
import { viewNow } from "./places.js";
import { plotted } from "./work.js";
/** @import { MapView, View } from "./layout.js" */

const REST_MS = 500; // of the hand, before Python hears of it

/**
 * Zooms as a person asks for; null: to all of the map.
 *
 * @param {MapView} m
 * @param {View | null} view
 */
export async function setView(m, view) {
  await moveView(m, view);
  tellView(m);
}

/**
 * Tells Python what is shown, once the hand rests.
 *
 * @param {MapView} m
 */
export function tellView(m) {
  clearTimeout(m.viewTimer);
  if (!m.data.tells_view) return;
  const { revision } = m;
  m.viewTimer = setTimeout(() => {
    const { x, y } = m.view ?? {};
    m.answers.tell("view", { ...(x && y ? { x0: x[0], x1: x[1], y0: y[0], y1: y[1] } : { all: true }), revision });
  }, REST_MS);
}

/**
 * Zooms; null: to all of the map. A range that nobody asked for is not kept, so that a resize fits it anew.
 *
 * @param {MapView} m
 * @param {View | null} view
 */
export async function moveView(m, view) {
  const { x, y } = view ?? m.figure.home;
  const ranges = { "xaxis.range": x.slice(), "yaxis.range": y.slice() };
  if (!(await plotted(m, () => m.Plotly.relayout(m.gd, ranges)))) return;
  m.view = view && viewNow(m);
  moveLabels(m);
}

/**
 * A range about the same middle.
 *
 * @param {number[]} range
 * @param {number} factor  of its length
 */
export function scaledRange([low, high], factor) {
  const middle = (low + high) / 2;
  return [middle + (low - middle) * factor, middle + (high - middle) * factor];
}

/**
 * @param {MapView} m
 * @param {number} factor
 */
export function zoomBy(m, factor) {
  const { x, y } = viewNow(m);
  return setView(m, { x: scaledRange(x, factor), y: scaledRange(y, factor) });
}
