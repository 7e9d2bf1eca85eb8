// The figure's JSON, as plotly.py writes it, into plain and typed arrays.

import { jsonFrom } from "../shared/json.js";
/** @import { View } from "./layout.js" */

/**
 * `shades` are the classes or the groups: the ids of what the legend shows, colours and hides.
 *
 * @typedef {object} Figure
 * @property {string} url
 * @property {number} n  points
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
    const bytes = Uint8Array.from(atob(value.bdata), (char) => char.charCodeAt(0));
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
  const [x, y] = [Float64Array.from(trace.x), Float64Array.from(trace.y)];
  const [classes, groups] = [perPoint(meta.classes), perPoint(meta.groups)];
  const { template: _template, meta: _meta, ...rest } = layout; // the theme's colours come from the page
  return {
    url, n, trace, layout: rest, x, y, classes, groups,
    ids: perPoint(trace.customdata) ?? Int32Array.from({ length: n }, (_, i) => i),
    shades: meta.by_group ? groups : classes,
    groupNames: meta.group_names ?? [],
    groupWhat: meta.group_what ?? "",
    values: perPoint(meta.values),
    valueName: typeof meta.value_name === "string" ? meta.value_name : "",
    text: perPoint(trace.text),
    revision: String(layout.meta?.uirevision ?? layout.uirevision ?? ""),
    home: {
      x: layout.xaxis?.range ? Array.from(layout.xaxis.range) : extent(x),
      y: layout.yaxis?.range ? Array.from(layout.yaxis.range) : extent(y),
    },
  };
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
