// The probe map: the same images after every epoch, as points that drift from where they were. 500 points on a 2-D
// canvas take a millisecond, and leave the page's few WebGL contexts to the large maps.

import { element, paintOf, setText } from "../shared/elements.js";
import { clamp } from "../shared/numbers.js";
import { readTheme, withAlpha } from "../shared/theme.js";
import { HELP, panelOf } from "./layout.js";
/** @import { Theme } from "../shared/theme.js" */
/** @import { Box } from "./frames.js" */
/** @import { TrainingView } from "./view.js" */

const DRIFT_MS = 300;
const LEAST_MS = 90; // of a drift, when the slider moves faster than that
const RADIUS = 3.2;
const MAP_PAD = 12;

/**
 * Where the map is, or goes; `points` are [x, y, x, y, …].
 *
 * @typedef {{ points: Float64Array, box: Box }} Scene
 */

/** @typedef {ReturnType<typeof scaleOf>} MapScale */

/** @param {Element} parent */
export function createMapPanel(parent) {
  const panel = panelOf(parent, "map", "Map of the probe set", HELP.map);
  const epoch = element("span", "lx-tv-caption", panel.tools);
  const legend = element("div", "lx-tv-classes", panel.body, { role: "group", "aria-label": "Classes" });
  const frame = element("div", "lx-tv-map", panel.body);
  const canvas = element("canvas", "", frame, { role: "img" });
  const tip = element("div", "lx-tv-tip", frame, { "aria-hidden": "true" });
  tip.hidden = true;
  return {
    ...panel, epoch, legend, frame, canvas, tip, paint: paintOf(canvas), size: /** @type {[number, number]} */ ([0, 0]),
    now: /** @type {Scene | null} */ (null), from: /** @type {Scene | null} */ (null),
    to: /** @type {Scene | null} */ (null), scale: /** @type {MapScale | null} */ (null),
    began: 0, lasts: 0, moved: 0, animation: 0, built: "", hovered: -1,
    only: /** @type {number | null} */ (null), marked: /** @type {number | null} */ (null),
  };
}

/**
 * Points and axes drift to a frame's; at once when there was nothing before or motion is unwelcome.
 *
 * @param {TrainingView} v
 * @param {Float64Array} points
 * @param {Box} box
 */
export function driftTo(v, points, box) {
  const m = v.map;
  if (m.to?.points === points && m.to.box.every((value, i) => value === box[i])) return;
  const to = { points, box };
  const same = m.now?.points.length === points.length;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const now = performance.now();
  m.lasts = m.now && same && !still ? clamp(now - m.moved, LEAST_MS, DRIFT_MS) : 0;
  m.moved = m.began = now;
  m.from = m.now && same ? m.now : to;
  m.to = to;
  cancelAnimationFrame(m.animation);
  m.animation = 0;
  if (m.lasts) m.animation = requestAnimationFrame((time) => drift(v, time));
  else settle(v);
}

/**
 * A scene between two, at a share of the way: slowly at both ends. A point that was nowhere is where it goes.
 *
 * @param {Scene} from
 * @param {Scene} to
 * @param {number} t  0 to 1
 * @returns {Scene}
 */
export function sceneBetween(from, to, t) {
  const eased = t * t * (3 - 2 * t);
  /** @type {(a: number, b: number) => number} */
  const between = (a, b) => (Number.isNaN(a) ? b : a + (b - a) * eased);
  const [x0, x1, y0, y1] = to.box.map((value, i) => between(from.box[i], value));
  return { points: to.points.map((value, i) => between(from.points[i], value)), box: [x0, x1, y0, y1] };
}

/**
 * @param {TrainingView} v
 * @param {number} time
 */
function drift(v, time) {
  const m = v.map;
  const t = clamp((time - m.began) / m.lasts, 0, 1);
  if (t >= 1 || !m.from || !m.to) return settle(v);
  m.now = sceneBetween(m.from, m.to, t);
  m.animation = requestAnimationFrame((next) => drift(v, next));
  drawMap(v);
}

/** @param {TrainingView} v */
function settle(v) {
  v.map.animation = 0;
  v.map.now = v.map.to;
  drawMap(v);
  countOutside(v);
}

/** @param {TrainingView} v */
export function forgetMap(v) {
  cancelAnimationFrame(v.map.animation);
  Object.assign(v.map, { now: null, from: null, to: null, animation: 0, only: null });
}

/** @param {TrainingView} v */
export function resizeMap(v) {
  const { canvas, frame, paint } = v.map;
  const ratio = devicePixelRatio || 1;
  v.map.size = [frame.clientWidth, frame.clientHeight];
  const [width, height] = v.map.size.map((side) => Math.round(side * ratio));
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawMap(v);
}

/**
 * From a box to pixels of a canvas: its middle in the middle, all of it inside. A unit is as long on both axes if
 * `equal`.
 *
 * @param {Box} box
 * @param {[number, number]} size
 * @param {boolean} equal
 */
export function scaleOf([x0, x1, y0, y1], [width, height], equal) {
  const [dx, dy] = [x1 - x0 || 1, y1 - y0 || 1];
  let [sx, sy] = [(width - 2 * MAP_PAD) / dx, (height - 2 * MAP_PAD) / dy];
  if (equal) sx = sy = Math.min(sx, sy);
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return {
    sx, sy,
    x: (/** @type {number} */ value) => width / 2 + (value - cx) * sx,
    y: (/** @type {number} */ value) => height / 2 - (value - cy) * sy,
  };
}

/**
 * Pixels of the canvas, [x, y] a point.
 *
 * @param {Float64Array} points
 * @param {MapScale} scale
 * @returns {[number, number][]}
 */
export function pixelsOf(points, scale) {
  return Array.from({ length: points.length / 2 }, (_, i) => [scale.x(points[2 * i]), scale.y(points[2 * i + 1])]);
}

/** @param {TrainingView} v */
export function drawMap(v) {
  const m = v.map;
  const [width, height] = m.size;
  const { has_prior: hasPrior, plane, classes } = v.data;
  m.paint.clearRect(0, 0, width, height);
  if (!m.now) return;
  // Two latents without a prior have no common scale.
  m.scale = scaleOf(m.now.box, m.size, hasPrior || !plane);
  if (!width) return;
  const theme = readTheme(v.root);
  if (plane) drawPlane(v, m.scale, theme);
  const colors = new Map((classes ?? []).map(([id, , color]) => [id, color]));
  const { labels } = v.probe;
  const pixels = pixelsOf(m.now.points, m.scale);
  const isFront = (/** @type {number} */ i) => m.only === null || !labels || labels[i] === m.only;
  for (const front of [false, true]) {
    m.paint.globalAlpha = front ? 0.8 : 0.1;
    pixels.forEach(([x, y], i) => {
      if (isFront(i) !== front || Number.isNaN(x) || Number.isNaN(y)) return;
      m.paint.fillStyle = (labels && colors.get(labels[i])) ?? theme.primary;
      circle(m.paint, x, y, RADIUS);
      m.paint.fill();
    });
  }
  m.paint.globalAlpha = 1;
  for (const i of [m.hovered, m.marked ?? -1]) if (pixels[i]) drawRing(m.paint, pixels[i], theme);
}

/**
 * @param {CanvasRenderingContext2D} paint
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
function circle(paint, x, y, radius) {
  paint.beginPath();
  paint.arc(x, y, radius, 0, 2 * Math.PI);
}

/**
 * @param {CanvasRenderingContext2D} paint
 * @param {[number, number]} pixel
 * @param {Theme} theme
 */
function drawRing(paint, [x, y], { background, text }) {
  for (const [width, color] of /** @type {[number, string][]} */ ([[5, background], [2, text]])) {
    paint.lineWidth = width;
    paint.strokeStyle = color;
    circle(paint, x, y, 7);
    paint.stroke();
  }
}

/**
 * A plane of codes has numbers: its axes, and where there is a prior its rings at 1, 2 and 3 standard deviations.
 *
 * @param {TrainingView} v
 * @param {MapScale} scale
 * @param {Theme} theme
 */
function drawPlane(v, scale, theme) {
  const { paint, size: [width, height] } = v.map;
  paint.lineWidth = 1;
  paint.strokeStyle = theme.border;
  const [x, y] = [Math.round(scale.x(0)) + 0.5, Math.round(scale.y(0)) + 0.5];
  paint.beginPath();
  paint.moveTo(x, 0);
  paint.lineTo(x, height);
  paint.moveTo(0, y);
  paint.lineTo(width, y);
  paint.stroke();
  const rings = ringsOf(v);
  if (!rings) return;
  const [x0, y0, sx, sy] = rings;
  paint.setLineDash([2, 4]);
  paint.strokeStyle = withAlpha(theme.text, 0.35);
  for (const sigma of [1, 2, 3]) {
    paint.beginPath();
    paint.ellipse(scale.x(x0), scale.y(y0), sigma * sx * scale.sx, sigma * sy * scale.sy, 0, 0, 2 * Math.PI);
    paint.stroke();
  }
  paint.setLineDash([]);
}

/**
 * Mean and standard deviation of the prior along x and y; null where there is none to draw.
 *
 * @param {TrainingView} v
 */
function ringsOf(v) {
  return v.data.has_prior ? v.data.probe?.rings ?? null : null;
}

/** @param {TrainingView} v */
function countOutside(v) {
  const { now, scale, size: [width, height], note, canvas } = v.map;
  if (!now || !scale) return;
  const outside = pixelsOf(now.points, scale).filter(([x, y]) => x < 0 || y < 0 || x > width || y > height).length;
  const rings = ringsOf(v) ? "; rings: 1, 2 and 3 standard deviations of the prior" : "";
  const what = v.data.plane
    ? `Both latents as they are${rings}.` : "Two principal components of the codes, turned to fit the epoch before.";
  const beyond = outside === 1 ? " 1 point lies outside." : ` ${outside} points lie outside.`;
  setText(note, what + (outside ? beyond : ""));
  canvas.setAttribute("aria-label", `Map of ${now.points.length / 2} test images after epoch ${v.shown?.epoch}`);
}
