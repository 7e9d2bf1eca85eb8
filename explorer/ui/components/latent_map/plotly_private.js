// What the map uses of plotly.js that its documentation does not promise, and where it would break if that moved.
// plotly has no public way from a pixel to a place on the empty plane, to the range that equal scales have widened, or
// to the colours that it resolved.

/**
 * @typedef {object} Axis
 * @property {number[]} range  what is on the screen
 * @property {number} _offset  pixels from the edge of the plot's element
 * @property {number} _length  pixels
 * @property {(value: number) => number} d2p  from data to pixels from the axis's start
 * @property {(pixels: number) => number} p2d
 */

/**
 * @typedef {object} Marker
 * @property {[number, string][]} [colorscale]
 * @property {number} [cmin]
 * @property {number} [cmax]
 * @property {boolean} [reversescale]
 */

/**
 * The element that plotly draws in.
 *
 * @typedef {HTMLElement & {
 *   on: (event: string, heard: (event: any) => void) => void,
 *   emit: (event: string, ...parts: unknown[]) => void,
 *   layout: { annotations?: unknown[], selections?: unknown[] },
 *   _fullLayout?: { xaxis: Axis, yaxis: Axis, dragmode: string },
 *   _fullData?: { marker?: Marker }[],
 * }} PlotElement
 */

/**
 * Both axes; null before the first drawing.
 *
 * @param {PlotElement} gd
 * @returns {{ x: Axis, y: Axis } | null}
 */
export function axesOf(gd) {
  const { xaxis: x, yaxis: y } = gd._fullLayout ?? {};
  return x && y ? { x, y } : null;
}

/**
 * What the axes show, also where plotly widened what was asked for.
 *
 * @param {PlotElement} gd
 */
export function rangesOf(gd) {
  const axes = axesOf(gd);
  return axes && { x: axes.x.range.slice(), y: axes.y.range.slice() };
}

/** @param {PlotElement} gd */
export const dragmodeOf = (gd) => gd._fullLayout?.dragmode ?? "pan";

/**
 * What plotly hears the start of a drag on: the inside of the axes, and nothing of the margins around it.
 *
 * @param {HTMLElement} gd
 */
export const dragAreaOf = (gd) => gd.querySelector(".nsewdrag");

/**
 * Where plotly has its WebGL canvases: above the grid, below the shapes.
 *
 * @param {HTMLElement} gd
 */
export const canvasPlaceOf = (gd) => gd.querySelector(".gl-container");

/**
 * The marker with the colour scale and its range as plotly resolved them.
 *
 * @param {PlotElement} gd
 */
export const resolvedMarker = (gd) => gd._fullData?.[0]?.marker ?? null;

/**
 * Stops the reports of an element that was purged: plotly's timers still call the function that a purge removes.
 *
 * @param {PlotElement} gd
 */
export function silence(gd) {
  gd.emit = () => {};
}

/**
 * The names of what is used here and is not there any more, of a map that was drawn.
 *
 * @param {PlotElement} gd
 */
export function missingParts(gd) {
  const axis = {
    range: Array.isArray, _offset: Number.isFinite, _length: Number.isFinite, d2p: isFunction, p2d: isFunction,
  };
  const found = [];
  for (const name of /** @type {const} */ (["xaxis", "yaxis"])) {
    for (const [part, fits] of Object.entries(axis)) {
      const value = /** @type {Record<string, any> | undefined} */ (gd._fullLayout?.[name])?.[part];
      if (!fits(value)) found.push(`_fullLayout.${name}.${part}`);
    }
  }
  if (typeof gd._fullLayout?.dragmode !== "string") found.push("_fullLayout.dragmode");
  if (!dragAreaOf(gd)) found.push(".nsewdrag");
  if (!canvasPlaceOf(gd)) found.push(".gl-container");
  if (!gd._fullData?.[0]?.marker) found.push("_fullData[0].marker");
  if (typeof gd.emit !== "function") found.push("emit");
  return found;
}

/** @param {unknown} value */
const isFunction = (value) => typeof value === "function";
