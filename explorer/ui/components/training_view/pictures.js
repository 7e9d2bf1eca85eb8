// Reconstructions under their originals, and samples: tiles of a frame's sheet on canvases of the sheet's own pixels.

import { element, paintOf, setText } from "../shared/elements.js";
import { frameFor } from "./frames.js";
import { epochNow } from "./history.js";
import { HELP, nameHelp, panelOf } from "./layout.js";
import { drawMap } from "./map.js";
/** @import { TrainingView } from "./view.js" */

const ACROSS = 8; // tiles in a row of a sheet
const SAMPLES = 64;

/** @param {Element} parent */
export function createPictures(parent) {
  const panel = panelOf(parent, "pictures", "Reconstructions", HELP.pictures);
  return {
    ...panel,
    epoch: element("span", "lx-tv-caption", panel.tools),
    originals: canvasOf(panel.body, "The original test images"),
    reconstructions: canvasOf(panel.body, "Their reconstructions"),
  };
}

/** @param {Element} parent */
export function createSamples(parent) {
  const panel = panelOf(parent, "samples", "Samples", "");
  return { ...panel, epoch: element("span", "lx-tv-caption", panel.tools), canvas: canvasOf(panel.body, "Samples") };
}

/** @param {TrainingView} v */
export function listenToPictures(v) {
  for (const canvas of [v.pictures.originals, v.pictures.reconstructions]) {
    canvas.addEventListener("pointermove", (event) => markShown(v, canvas, event));
    canvas.addEventListener("pointerleave", () => markShown(v, canvas, null));
  }
}

/**
 * @param {Element} parent
 * @param {string} label
 */
function canvasOf(parent, label) {
  return element("canvas", "lx-tv-picture", parent, { role: "img", "aria-label": label, width: 8, height: 1 });
}

/**
 * Where tiles stand on a canvas, with clear gaps between them.
 *
 * @param {[number, number]} tile
 */
export function tileGrid([width, height]) {
  const gap = Math.max(1, Math.round(width / 14));
  const at = (/** @type {number} */ i) => (
    { x: (i % ACROSS) * (width + gap), y: Math.floor(i / ACROSS) * (height + gap) }
  );
  /** @type {(count: number) => [number, number]} */
  const size = (count) => [ACROSS * (width + gap) - gap, Math.ceil(count / ACROSS) * (height + gap) - gap];
  return { at, size };
}

/**
 * `count` tiles of a sheet from tile `first` on.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement | null} image
 * @param {[number, number]} tile
 * @param {number} first
 * @param {number} count
 */
function drawTiles(canvas, image, tile, first, count) {
  const [width, height] = tile;
  const grid = tileGrid(tile);
  const size = grid.size(count);
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const paint = paintOf(canvas);
  paint.imageSmoothingEnabled = false;
  paint.clearRect(0, 0, canvas.width, canvas.height);
  for (let i = 0; image && i < count; i++) {
    const from = first + i;
    const { x, y } = grid.at(i);
    const [sx, sy] = [(from % ACROSS) * width, Math.floor(from / ACROSS) * height];
    paint.drawImage(image, sx, sy, width, height, x, y, width, height);
  }
  sharpen(canvas);
}

/**
 * Enlarged pixels stay square; a sheet that is larger than its place is smoothed.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function sharpen(canvas) {
  const shown = canvas.clientWidth * (devicePixelRatio || 1);
  canvas.style.imageRendering = shown && shown < canvas.width ? "auto" : "pixelated";
}

/** @param {TrainingView} v */
export function drawOriginals(v) {
  const { probe } = v.data;
  if (probe) drawTiles(v.pictures.originals, v.probe.originals, probe.tile, 0, probe.shown);
}

/** @param {TrainingView} v */
export function drawPictures(v) {
  const { probe } = v.data;
  for (const panel of [v.pictures, v.samples]) panel.box.dataset.empty = String(!v.shown);
  if (!probe) return;
  const image = v.shown?.image ?? null;
  drawTiles(v.pictures.reconstructions, image, probe.tile, 0, probe.shown);
  drawTiles(v.samples.canvas, image, probe.tile, ACROSS, SAMPLES);
}

/**
 * Of which epoch they are, and if so that there is no frame of the chosen one: not while it is on its way.
 *
 * @param {TrainingView} v
 */
export function drawFrameNames(v) {
  const epoch = epochNow(v);
  const frame = epoch === null ? null : frameFor(v, epoch);
  let text = "";
  if (v.shown) {
    const nearest = v.shown.epoch !== epoch && frame?.epoch === v.shown.epoch;
    text = `epoch ${v.shown.epoch}${nearest ? `, the nearest before ${epoch}` : ""}`;
  } else if (epoch !== null && v.frames.length && !frame) {
    text = `none as early as epoch ${epoch}`;
  }
  for (const panel of [v.pictures, v.samples, v.map, v.bars]) setText(panel.epoch, text);
}

/** @param {TrainingView} v */
export function nameSamples(v) {
  const { heading, box, help, canvas, note } = v.samples;
  const { has_prior: hasPrior } = v.data;
  const title = hasPrior ? "Samples from the prior" : "Draws from a fitted Gaussian";
  setText(heading, title);
  box.setAttribute("aria-label", title);
  nameHelp(help, title, hasPrior ? HELP.samples_prior : HELP.samples_fitted);
  canvas.setAttribute("aria-label", `${title}: ${SAMPLES} decoded codes`);
  setText(note, hasPrior ? "" : "A plain autoencoder has no prior: a Gaussian fitted to its codes stands in.");
  note.hidden = hasPrior;
}

/**
 * The image under the pointer is ringed on the map: the first points of the probe set are the images shown.
 *
 * @param {TrainingView} v
 * @param {HTMLCanvasElement} canvas
 * @param {PointerEvent | null} event
 */
function markShown(v, canvas, event) {
  const { probe } = v.data;
  let marked = null;
  if (event && probe) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * ACROSS);
    if (column >= 0 && column < probe.shown) marked = column;
  }
  if (marked === v.map.marked) return;
  v.map.marked = marked;
  drawMap(v);
}
