// The points, on a canvas of ours in plotly's place for its own: without a GPU a WebGL plot of 100,000 points draws one
// or two frames a second, this thirty, and a selection of 10,000 shows on four maps at once. On a crowded map the many
// points in view are counted in cells, a cell's colour the average of its points' and its strength the logarithm of their
// number; few are dots, as on any other map.

import { element, paintOf } from "../shared/elements.js";
import { rgbOf } from "../shared/theme.js";
import { axesOf, canvasPlaceOf, resolvedMarker } from "./plotly_private.js";
/** @import { Figure } from "./figure.js" */
/** @import { MapView } from "./layout.js" */

const MOST_DOTS = 4000; // in view of a crowded map
const FEW = 25_000; // in view: larger cells, as single points are harder to see
const MOST_MOVING = 100_000; // points that a frame is drawn of while a hand moves the map
const FAINT = 0.5; // of a cell with one point, against 1 of the fullest
const UNSELECTED = 0.14;
export const UNKNOWN = 40; // level of a value that is not known, above the levels of others

/**
 * What the points are drawn by. `shades` are what `colors` [r, g, b, …] is looked up by; none: all have the first.
 *
 * @typedef {object} Raster
 * @property {HTMLCanvasElement} canvas
 * @property {CanvasRenderingContext2D} paint
 * @property {HTMLCanvasElement} cells
 * @property {ArrayLike<number> | null} shades
 * @property {Uint8Array} colors
 * @property {{ rows: Int32Array, opacity: number }[]} layers  the lower one first
 * @property {number} frame
 * @property {boolean} moving  whether that frame is one of many
 */

/** @typedef {{ x: ArrayLike<number>, y: ArrayLike<number> }} Points  in the plane */

/** @typedef {{ ax: number, bx: number, ay: number, by: number, width: number, height: number }} Scale  to pixels */

/**
 * Takes over what the plot shows now: rows, colours, selection.
 *
 * @param {MapView} m
 */
export function prepareRaster(m) {
  if (!m.raster?.canvas.isConnected) {
    const canvas = element("canvas", "lx-raster", canvasPlaceOf(m.gd), { "aria-hidden": "true" });
    const cells = document.createElement("canvas");
    m.raster = {
      canvas, paint: paintOf(canvas), cells, shades: null, colors: new Uint8Array(3), layers: [], frame: 0,
      moving: false,
    };
  }
  m.raster.shades = m.figure.levels ?? (m.about.legend ? m.figure.shades : null);
  m.raster.colors = colorsOf(m);
  showLayers(m, m.selected);
}

/**
 * Shows which of the points are selected, or would be.
 *
 * @param {MapView} m
 * @param {Set<number> | null} selected
 */
export function showLayers(m, selected) {
  if (!m.raster) return;
  m.raster.layers = layersOf(m.shown, m.figure.ids, selected);
  requestRaster(m, false);
}

/**
 * @param {Int32Array} shown
 * @param {ArrayLike<number>} ids
 * @param {Set<number> | null} selected
 */
export function layersOf(shown, ids, selected) {
  if (!selected) return [{ rows: shown, opacity: 1 }];
  let last = 0;
  for (const id of selected) if (id > last) last = id;
  const has = new Uint8Array(last + 1); // of a million ids, looked up ten times as fast as the set
  for (const id of selected) has[id] = 1;
  return [
    { rows: shown.filter((row) => !has[ids[row]]), opacity: UNSELECTED },
    { rows: shown.filter((row) => has[ids[row]]), opacity: 1 },
  ];
}

/** @param {MapView} m */
function colorsOf(m) {
  const { legend } = m.about;
  const { colorscale } = resolvedMarker(m.gd) ?? {};
  if (m.figure.levels && colorscale) return scaleColors(colorscale, rgbOf(m.theme.muted));
  if (!legend) return Uint8Array.from(rgbOf(m.theme.primary));
  const colors = new Uint8Array(3 * (Math.max(0, ...legend.map(({ id }) => id)) + 1));
  for (const { id, color } of legend) colors.set(rgbOf(color), 3 * id);
  return colors;
}

/**
 * The colours of the levels 0 to 39 along a scale, and of what is not known.
 *
 * @param {[number, string][]} scale  from 0 to 1
 * @param {number[]} unknown
 */
export function scaleColors(scale, unknown) {
  const stops = scale.map(([at, color]) => ({ at, rgb: rgbOf(color) }));
  const colors = new Uint8Array(3 * (UNKNOWN + 1));
  for (let level = 0; level < UNKNOWN; level++) {
    const at = level / (UNKNOWN - 1);
    const after = Math.max(1, stops.findIndex((stop) => stop.at >= at));
    const [low, high] = [stops[after - 1], stops[after]];
    const share = (at - low.at) / (high.at - low.at || 1);
    colors.set(low.rgb.map((value, i) => Math.round(value + share * (high.rgb[i] - value))), 3 * level);
  }
  colors.set(unknown, 3 * UNKNOWN);
  return colors;
}

/**
 * Draws once an animation frame; a still picture is of all points.
 *
 * @param {MapView} m
 * @param {boolean} moving
 */
export function requestRaster(m, moving) {
  const { raster } = m;
  if (!raster) return;
  raster.moving = moving;
  raster.frame ||= requestAnimationFrame(() => {
    raster.frame = 0;
    drawRaster(m, raster);
  });
}

/**
 * @param {MapView} m
 * @param {Raster} raster
 */
function drawRaster(m, raster) {
  const axes = axesOf(m.gd);
  if (!axes || !m.drawn) return;
  const { canvas, paint, layers } = raster;
  const [width, height] = [axes.x._length, axes.y._length];
  const ratio = Math.min(2, devicePixelRatio);
  const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const place = { left: axes.x._offset, top: axes.y._offset, width, height };
  for (const [name, value] of Object.entries(place)) canvas.style.setProperty(name, `${value}px`);
  const scale = scaleOf(axes.x.range, axes.y.range, width, height);
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.clearRect(0, 0, width, height);
  const points = layers.reduce((sum, { rows }) => sum + rows.length, 0);
  const step = raster.moving ? Math.max(1, Math.ceil(points / MOST_MOVING)) : 1;
  const inView = layers.reduce((sum, { rows }) => sum + step * countIn(m.figure, rows, scale, step), 0);
  const dots = !m.figure.packed || inView <= MOST_DOTS;
  for (const { rows, opacity } of layers) {
    paint.globalAlpha = opacity;
    // A hand that moves few points moves all of them: they would come and go.
    if (dots) drawDots(m, raster, rows, scale);
    else drawCells(m.figure, raster, rows, scale, inView < FEW ? 3 : 2, step);
  }
  m.root.dataset.drawn = dots ? "dots" : "cells";
  m.frames += 1;
}

/**
 * @param {number[]} x  range that is shown
 * @param {number[]} y
 * @param {number} width  pixels
 * @param {number} height
 * @returns {Scale}
 */
export function scaleOf([x0, x1], [y0, y1], width, height) {
  const [ax, ay] = [width / (x1 - x0), -height / (y1 - y0)];
  return { ax, bx: -x0 * ax, ay, by: -y1 * ay, width, height };
}

/**
 * How many of every `step`th of the rows are in view.
 *
 * @param {Points} points
 * @param {Int32Array} rows
 * @param {Scale} scale
 * @param {number} step
 */
export function countIn({ x, y }, rows, { ax, bx, ay, by, width, height }, step) {
  let found = 0;
  for (let i = 0; i < rows.length; i += step) {
    const [px, py] = [x[rows[i]] * ax + bx, y[rows[i]] * ay + by];
    if (px >= 0 && px < width && py >= 0 && py < height) found += 1;
  }
  return found;
}

/**
 * @param {MapView} m
 * @param {Raster} raster
 * @param {Int32Array} rows
 * @param {Scale} scale
 */
function drawDots(m, { paint, shades, colors }, rows, { ax, bx, ay, by, width, height }) {
  const { x, y, trace } = m.figure;
  const radius = (trace.marker?.size ?? 5) / 2;
  paint.globalAlpha *= trace.marker?.opacity ?? 1;
  let last = -1;
  for (const row of rows) {
    const [px, py] = [x[row] * ax + bx, y[row] * ay + by];
    if (!(px >= -radius && py >= -radius && px <= width + radius && py <= height + radius)) continue; // or no place
    const shade = shades ? shades[row] : 0;
    if (shade !== last) paint.fillStyle = `rgb(${colors.slice(3 * shade, 3 * shade + 3).join(" ")})`;
    last = shade;
    paint.beginPath();
    paint.arc(px, py, radius, 0, 2 * Math.PI);
    paint.fill();
  }
}

/**
 * @param {Figure} figure
 * @param {Raster} raster
 * @param {Int32Array} rows
 * @param {Scale} scale
 * @param {number} cell  pixels a side
 * @param {number} step  every which row is drawn
 */
function drawCells(figure, { paint, cells, shades, colors }, rows, scale, cell, step) {
  const width = Math.ceil(scale.width / cell);
  const height = Math.ceil(scale.height / cell);
  const small = { ax: scale.ax / cell, bx: scale.bx / cell, ay: scale.ay / cell, by: scale.by / cell, width, height };
  const picture = new ImageData(cellsOf(figure, rows, small, shades, colors, step), width, height);
  if (cells.width !== width || cells.height !== height) Object.assign(cells, { width, height });
  paintOf(cells).putImageData(picture, 0, 0);
  paint.drawImage(cells, 0, 0, width * cell, height * cell);
}

/**
 * The cells' pixels, RGBA.
 *
 * @param {Points} points
 * @param {Int32Array} rows
 * @param {Scale} scale  to cells
 * @param {ArrayLike<number> | null} shades
 * @param {Uint8Array} colors
 * @param {number} step
 */
export function cellsOf({ x, y }, rows, { ax, bx, ay, by, width, height }, shades, colors, step) {
  const sums = new Uint32Array(4 * width * height); // red, green, blue, number
  let most = 1;
  for (let i = 0; i < rows.length; i += step) {
    const row = rows[i];
    const [px, py] = [x[row] * ax + bx, y[row] * ay + by];
    if (!(px >= 0 && px < width && py >= 0 && py < height)) continue;
    const at = 4 * ((py | 0) * width + (px | 0));
    const color = shades ? 3 * shades[row] : 0;
    sums[at] += colors[color];
    sums[at + 1] += colors[color + 1];
    sums[at + 2] += colors[color + 2];
    sums[at + 3] += 1;
    if (sums[at + 3] > most) most = sums[at + 3];
  }
  const pixels = new Uint8ClampedArray(sums.length);
  const strength = (1 - FAINT) / (Math.log(most) || 1);
  for (let at = 0; at < sums.length; at += 4) {
    const count = sums[at + 3];
    if (!count) continue;
    pixels[at] = sums[at] / count;
    pixels[at + 1] = sums[at + 1] / count;
    pixels[at + 2] = sums[at + 2] / count;
    pixels[at + 3] = 255 * (FAINT + strength * Math.log(count));
  }
  return pixels;
}
