// The view: what is zoomed to.

import { moveLabels } from "./marks.js";
import { viewNow } from "./places.js";
import { plotted } from "./work.js";
/** @import { MapView, View } from "./layout.js" */

/**
 * Zooms; null: to all of the map. A range that nobody asked for is not kept, so that a resize fits it anew.
 *
 * @param {MapView} m
 * @param {View | null} view
 */
export async function setView(m, view) {
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
