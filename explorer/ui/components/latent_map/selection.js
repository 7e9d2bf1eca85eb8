// The selection: taken from an outline, kept through redraws, cleared, and restored where the map is built anew.

import { tellMoved, whereIs } from "../shared/following.js";
import { chosenPlace, drawMarks } from "./marks.js";
import { viewNow } from "./places.js";
import { showLayers } from "./raster.js";
/** @import { MapView, Outline } from "./layout.js" */
/** @import { Points } from "./raster.js" */

/**
 * What plotly says of an outline.
 *
 * @typedef {object} Outlined
 * @property {{ x: number[], y: number[] }} [lassoPoints]
 * @property {{ x: [number, number], y: [number, number] }} [range]
 */

const AROUND = 0.1; // of the view, to each side

/** @typedef {{ cleared: true }} Cleared  the browser's answer, as is a Selected */

/**
 * @param {Outlined} event
 * @returns {Outline}
 */
export function outlineOf({ lassoPoints, range }) {
  if (lassoPoints) return lassoPoints.x.map((x, i) => [x, lassoPoints.y[i]]);
  if (!range) return [];
  const { x: [x0, x1], y: [y0, y1] } = range;
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

/**
 * Selects what an outline was drawn around. Shift keeps what was selected before.
 *
 * @param {MapView} m
 * @param {Outlined} event
 */
export function takeSelection(m, event) {
  const before = m.shift && m.selected ? [...m.selected] : [];
  const outline = outlineOf(event);
  m.outlines = [...(before.length ? m.outlines : []), outline];
  m.selected = idsInside(m, outline);
  for (const id of before) m.selected.add(id);
  m.kind = event.lassoPoints ? "lasso" : "box";
  showSelection(m);
  drawSelection(m);
  tellLinked(m);
  tellSelection(m);
}

/**
 * Selects what lies in a box around the chosen place: for the keyboard.
 *
 * @param {MapView} m
 * @param {boolean} more  keep what was selected before
 */
export function selectAround(m, more) {
  const { x, y } = chosenPlace(m);
  const { x: [x0, x1], y: [y0, y1] } = viewNow(m);
  const [across, up] = [AROUND * (x1 - x0), AROUND * (y1 - y0)];
  m.shift = more;
  takeSelection(m, { range: { x: [x - across, x + across], y: [y - up, y + up] } });
}

/**
 * Shows what an outline would select, while it is drawn.
 *
 * @param {MapView} m
 * @param {Outlined} event
 */
export function previewSelection(m, event) {
  if (m.figure.packed) return; // a hand would wait for it
  const selected = idsInside(m, outlineOf(event));
  if (m.shift) for (const id of m.selected ?? []) selected.add(id);
  showLayers(m, selected);
}

/**
 * @param {MapView} m
 * @param {Outline} outline
 */
function idsInside({ figure, shown }, outline) {
  return new Set(Array.from(rowsInside(figure, shown, outline), (row) => Number(figure.ids[row])));
}

/**
 * Which of the rows lie inside an outline, by how often a ray from each crosses it: plotly knows none of the points.
 *
 * @param {Points} points
 * @param {Int32Array} rows
 * @param {Outline} outline
 */
export function rowsInside({ x, y }, rows, outline) {
  const [xs, ys] = [outline.map((corner) => corner[0]), outline.map((corner) => corner[1])];
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  /** @type {(py: number) => number} */
  const bandOf = (py) => Math.min(BANDS - 1, Math.floor((BANDS * (py - low)) / (high - low || 1)));
  /** @type {number[][]} */
  const bands = Array.from({ length: BANDS }, () => []); // the sides that pass through each
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
    const last = bandOf(Math.max(ys[i], ys[j]));
    for (let band = bandOf(Math.min(ys[i], ys[j])); band <= last; band++) bands[band].push(i);
  }
  return rows.filter((row) => {
    const px = x[row], py = y[row];
    if (!(px >= left && px <= right && py >= low && py <= high)) return false;
    let inside = false;
    for (const i of bands[bandOf(py)]) {
      const j = (i || xs.length) - 1;
      if (ys[i] > py !== ys[j] > py && px < ((xs[j] - xs[i]) * (py - ys[i])) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
    }
    return inside;
  });
}

const BANDS = 64; // of an outline's height: a lasso has a hundred sides, and few at the height of a point

/**
 * Ids as they travel: listed, or where that is shorter a bit each, the first one the highest of its byte, in base64.
 *
 * @param {Set<number>} ids
 * @returns {number[] | string}
 */
export function packed(ids) {
  let last = 0;
  for (const id of ids) if (id > last) last = id;
  if (36 * ids.size <= last) return [...ids]; // six digits and a comma are as much as 36 bits
  const bytes = new Uint8Array((last >> 3) + 1);
  for (const id of ids) bytes[id >> 3] |= 128 >> (id & 7);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @param {number[] | string} ids */
export function unpacked(ids) {
  if (typeof ids !== "string") return new Set(ids);
  const text = atob(ids);
  /** @type {Set<number>} */
  const found = new Set();
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i);
    for (let bit = 0; byte && bit < 8; bit++) if (byte & (128 >> bit)) found.add(8 * i + bit);
  }
  return found;
}

/**
 * The key under which maps that are linked with one hear what is selected on it.
 *
 * @param {MapView} m
 */
export const selectionKey = (m) => (m.data.link ? `${m.data.link} selected` : "");

/** @param {MapView} m */
function tellLinked(m) {
  const key = selectionKey(m);
  if (key) tellMoved({ key, ids: m.selected, map: m.root });
}

/**
 * Selects what was selected on a map that is linked with this one: at once, and without a word to Python, which hears it
 * of that map.
 *
 * @param {MapView} m
 */
export function takeLinked(m) {
  const { ids, map } = whereIs(selectionKey(m)) ?? {};
  if (map === m.root || ids === undefined) return;
  m.selected = ids;
  m.outlines = [];
  m.selectedAt = 0;
  showSelection(m);
  drawSelection(m);
}

/**
 * Draws points and outlines as they are selected now, and leaves the rest of the plot as it is.
 *
 * @param {MapView} m
 */
export function drawSelection(m) {
  showLayers(m, m.selected);
  drawMarks(m);
}

/**
 * Again where it is lost, as with a run that was broken off, and where a new session of Python's knows nothing of it.
 *
 * @param {MapView} m
 */
export function tellSelection(m) {
  const outline = m.outlines.at(-1);
  const selected = m.selected && outline ? { ids: packed(m.selected), kind: m.kind, outline } : { cleared: true };
  m.selectedAt = m.answers.ask("selected", { ...selected, revision: m.revision }, () => tellSelection(m));
}

/** @param {MapView} m */
export function clearSelection(m) {
  if (!m.selected) return;
  forgetSelection(m);
  tellSelection(m);
  tellLinked(m);
  drawSelection(m);
}

/**
 * Without a word to Python, and without drawing: another model has taken the place of the one that was selected in.
 *
 * @param {MapView} m
 */
export function forgetSelection(m) {
  m.selected = null;
  m.outlines = [];
  m.selectedAt = 0; // what Python remembers of another revision is news here
  showSelection(m);
}

/**
 * Whether Python remembered another one from before the map was built: who selected or cleared since then knows better,
 * save where it is to be shown `anew`.
 *
 * @param {MapView} m
 * @param {boolean} anew
 */
export function restoreSelection(m, anew) {
  const { restore } = m.data;
  const had = m.selected, outlined = JSON.stringify(m.outlines);
  if (anew) forgetSelection(m);
  if (!restore || m.selected || restore.revision !== m.revision) return anew && had !== null;
  if (!anew && restore.t <= m.selectedAt) return false;
  m.selected = unpacked(restore.ids);
  m.outlines = restore.outline.length ? [restore.outline] : []; // none where it was drawn on another map
  m.kind = restore.kind;
  m.selectedAt = anew ? 0 : restore.t; // what Python said is no news to it
  showSelection(m);
  const shown = had?.size === m.selected.size && [...m.selected].every((id) => had.has(id));
  return !(shown && outlined === JSON.stringify(m.outlines)); // as where a linked map has told it already
}

/** @param {MapView} m */
function showSelection(m) {
  m.root.dataset.selected = m.selected ? String(m.selected.size) : "";
  m.note.textContent = m.selected ? `${m.selected.size.toLocaleString("en")} selected` : "";
  m.clear.hidden = !m.selected;
}
