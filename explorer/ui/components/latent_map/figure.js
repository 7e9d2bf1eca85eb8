// The figure's JSON, as plotly.py writes it, into plain and typed arrays.

import { jsonFrom } from "../shared/json.js";
import { UNKNOWN } from "./raster.js";
/** @import { View } from "./layout.js" */

/**
 * A `packed` figure is of a crowded map: its places come as 16-bit steps, what colours it as a byte a point, and the
 * card's words in `facts` of their own.
 *
 * `shades` are the classes or the groups: the ids of what the legend shows, colours and hides.
 *
 * @typedef {object} Figure
 * @property {string} url
 * @property {number} n  points
 * @property {boolean} packed
 * @property {ArrayLike<number> | null} levels  of a value along its colour scale, from 0 on; UNKNOWN: not known
 * @property {{ url: string, per_sheet: number } | null} facts
 * @property {Trace} trace
 * @property {Layout} layout
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {ArrayLike<number>} ids
 * @property {ArrayLike<number> | null} classes
 * @property {ArrayLike<number> | null} groups
 * @property {ArrayLike<number> | null} shades
 * @property {ArrayLike<number> | null} values
 * @property {ArrayLike<unknown> | null} text
 * @property {ArrayLike<string> | null} files
 * @property {string[]} groupNames
 * @property {string} groupWhat
 * @property {string} valueName
 * @property {string} revision
 * @property {View} home
 */

/** @typedef {{ title?: string | { text?: string }, range?: ArrayLike<number>, [name: string]: unknown }} AxisLayout */

/**
 * @typedef {object} Layout
 * @property {Record<string, any>} [meta]
 * @property {AxisLayout} [xaxis]
 * @property {AxisLayout} [yaxis]
 * @property {object[]} [shapes]
 * @property {object[]} [annotations]
 * @property {string} [uirevision]
 * @property {object} [template]
 */

/**
 * @typedef {object} Trace
 * @property {ArrayLike<number>} x
 * @property {ArrayLike<number>} y
 * @property {unknown} [customdata]
 * @property {unknown} [text]
 * @property {unknown} [hovertemplate]
 * @property {Record<string, any>} [marker]
 * @property {Record<string, any>} [meta]
 */

/** @type {Record<string, new (buffer: ArrayBuffer) => ArrayLike<number>>} */
const ARRAY_TYPES = {
  i1: Int8Array, u1: Uint8Array, u1c: Uint8ClampedArray, uint8c: Uint8ClampedArray,
  i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};

/**
 * plotly.py writes a NumPy array as {dtype, bdata: base64}; ours are all one-dimensional.
 *
 * @param {any} value
 * @returns {any}
 */
export function decoded(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(decoded) : value;
  if (typeof value.bdata === "string" && ARRAY_TYPES[value.dtype]) {
    if (value.shape && String(value.shape).includes(",")) return value; // plotly reads matrices itself
    const text = atob(value.bdata);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new ARRAY_TYPES[value.dtype](bytes.buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, decoded(item)]));
}

/**
 * @param {unknown} value
 * @returns {value is ArrayLike<any>}
 */
export const isArray = (value) => Array.isArray(value) || ArrayBuffer.isView(value);

/**
 * @param {string} url
 * @param {{ data: Trace[], layout: Layout }} json  decoded
 * @returns {Figure}
 */
export function figureOf(url, { data: [trace], layout }) {
  const meta = { ...layout.meta, ...trace.meta };
  const n = trace.x.length;
  /** @type {(value: unknown) => ArrayLike<any> | null} */
  const perPoint = (value) => (isArray(value) && value.length === n ? value : null);
  const [x, y] = [placesOf(trace.x, meta.x_steps), placesOf(trace.y, meta.y_steps)];
  const [classes, groups] = [perPoint(meta.classes), perPoint(meta.groups)];
  const { template: _template, meta: _meta, ...rest } = layout; // the theme's colours come from the page
  return {
    url, n, trace, layout: rest, x, y, classes, groups,
    packed: Boolean(meta.x_steps), levels: perPoint(meta.levels) ?? levelsOf(trace.marker), facts: meta.facts ?? null,
    ids: perPoint(trace.customdata) ?? new Int32Array(n).map((_, i) => i),
    shades: meta.by_group ? groups : classes,
    groupNames: meta.group_names ?? [],
    groupWhat: meta.group_what ?? "",
    values: perPoint(meta.values),
    valueName: typeof meta.value_name === "string" ? meta.value_name : "",
    text: perPoint(trace.text),
    files: perPoint(meta.files),
    revision: String(layout.meta?.uirevision ?? layout.uirevision ?? ""),
    home: {
      x: layout.xaxis?.range ? Array.from(layout.xaxis.range) : extent(x),
      y: layout.yaxis?.range ? Array.from(layout.yaxis.range) : extent(y),
    },
  };
}

/**
 * @param {ArrayLike<number>} values
 * @param {[number, number]} [steps]  the first place and the length of a step, where the values count steps
 */
function placesOf(values, steps) {
  const places = Float64Array.from(values);
  if (steps) for (let i = 0; i < places.length; i++) places[i] = steps[0] + places[i] * steps[1];
  return places;
}

/**
 * The numbers that a marker is coloured by as levels; null where it is not.
 *
 * @param {Trace["marker"]} marker
 */
export function levelsOf({ color, cmin, cmax } = {}) {
  if (!isArray(color)) return null;
  const level = (UNKNOWN - 1) / (cmax - cmin || 1);
  return Uint8Array.from(color, (value) => (
    Number.isFinite(value) ? Math.round(Math.max(0, Math.min(UNKNOWN - 1, (value - cmin) * level))) : UNKNOWN
  ));
}

/** @param {string} url */
export async function loadFigure(url) {
  return figureOf(url, decoded(await jsonFrom(url)));
}

/**
 * A range with a margin of a twentieth: fixed, so that hiding a class does not move the view.
 *
 * @param {ArrayLike<number>} values
 */
export function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  if (!(low <= high)) return [-1, 1];
  const pad = (high - low) * 0.05 || 1;
  return [low - pad, high + pad];
}

/** @param {AxisLayout["title"]} title */
export const titleOf = (title) => (typeof title === "string" ? { text: title } : (title ?? {}));

/**
 * Rows whose shade is not hidden.
 *
 * @param {number} n
 * @param {ArrayLike<number> | null} shades
 * @param {Set<number>} hidden
 */
export function shownRows(n, shades, hidden) {
  const rows = new Int32Array(n);
  let count = 0;
  for (let i = 0; i < n; i++) {
    if (!shades || !hidden.has(shades[i])) rows[count++] = i;
  }
  return rows.subarray(0, count);
}
