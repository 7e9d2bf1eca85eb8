// The selection: taken from an outline, kept through redraws, cleared, and restored where the map is built anew.

import { draw } from "./plot.js";
/** @import { MapView, Outline } from "./layout.js" */

/**
 * What plotly says of an outline.
 *
 * @typedef {object} Outlined
 * @property {{ customdata: unknown }[]} points
 * @property {{ x: number[], y: number[] }} [lassoPoints]
 * @property {{ x: [number, number], y: [number, number] }} [range]
 */

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
  m.outlines = [...(before.length ? m.outlines : []), outlineOf(event)];
  m.selected = new Set([...before, ...event.points.map((point) => Number(point.customdata))]);
  m.kind = event.lassoPoints ? "lasso" : "box";
  tellSelection(m);
  showSelection(m);
  draw(m);
}

/**
 * Again where it is lost, as with a run that was broken off, and where a new session of Python's knows nothing of it.
 *
 * @param {MapView} m
 */
export function tellSelection(m) {
  const outline = m.outlines.at(-1);
  const selected = m.selected && outline ? { ids: [...m.selected], kind: m.kind, outline } : { cleared: true };
  m.selectedAt = m.answers.ask("selected", { ...selected, revision: m.revision }, () => tellSelection(m));
}

/** @param {MapView} m */
export function clearSelection(m) {
  if (!m.selected) return;
  forgetSelection(m);
  tellSelection(m);
  draw(m);
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
  const had = Boolean(m.selected);
  if (anew) forgetSelection(m);
  if (!restore || m.selected || restore.revision !== m.revision) return anew && had;
  if (!anew && restore.t <= m.selectedAt) return false;
  m.selected = new Set(restore.ids);
  m.outlines = [restore.outline];
  m.kind = restore.kind;
  m.selectedAt = anew ? 0 : restore.t; // what Python said is no news to it
  showSelection(m);
  return true;
}

/** @param {MapView} m */
function showSelection(m) {
  m.root.dataset.selected = m.selected ? String(m.selected.size) : "";
  m.note.textContent = m.selected ? `${m.selected.size.toLocaleString("en")} selected` : "";
  m.clear.hidden = !m.selected;
}
