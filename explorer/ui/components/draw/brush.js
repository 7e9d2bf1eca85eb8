// The brush, and the drawing as the list of what was done to it: strokes, and clearing.

import { element, paintOf } from "../shared/elements.js";
/** @import { Drawing } from "./controls.js" */

/** @typedef {[number, number]} Point  in the square's own pixels */

/** @typedef {{ width: number, erase: boolean, points: Point[] }} Stroke */

/** @typedef {Stroke | "clear"} Act */

/** @type {Record<string, number>} */
export const WIDTHS = { small: 16, medium: 28, large: 44 }; // of the brush, between its edges at half brightness
const UNDOABLE = 100; // what is older is part of the ground

// A disc with a soft rim on a square. Laid on by the brighter (the eraser's: darker) of two pixels, discs that
// overlap do not add up, so that a stroke is as soft at its rim as one disc, at any speed of the hand.
/** @type {Map<string, HTMLCanvasElement>} */
const SPRITES = new Map();

/**
 * @param {number} width
 * @param {boolean} erase
 */
function spriteOf(width, erase) {
  const name = `${width}${erase}`;
  const made = SPRITES.get(name);
  if (made) return made;
  const radius = width / 1.6; // half bright at 0.8 of it
  const canvas = element("canvas", "");
  canvas.width = canvas.height = 2 * Math.ceil(radius) + 4;
  const centre = canvas.width / 2;
  const paint = paintOf(canvas, { alpha: false });
  const [inside, outside] = erase ? ["#000", "#fff"] : ["#fff", "#000"];
  const gradient = paint.createRadialGradient(centre, centre, 0, centre, centre, radius);
  gradient.addColorStop(0.6, inside);
  gradient.addColorStop(1, outside);
  paint.fillStyle = gradient;
  paint.fillRect(0, 0, canvas.width, canvas.height);
  SPRITES.set(name, canvas);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} paint
 * @param {Stroke} stroke
 * @param {number} x
 * @param {number} y
 */
function stamp(paint, stroke, x, y) {
  const sprite = spriteOf(stroke.width, stroke.erase);
  paint.globalCompositeOperation = stroke.erase ? "darken" : "lighten";
  paint.drawImage(sprite, x - sprite.width / 2, y - sprite.height / 2);
  paint.globalCompositeOperation = "source-over";
}

/**
 * The stroke's part that ends at a point: a dot at the first one, from the one before it at others.
 *
 * @param {CanvasRenderingContext2D} paint
 * @param {Stroke} stroke
 * @param {number} index
 */
export function paintTo(paint, stroke, index) {
  const [x, y] = stroke.points[index];
  if (index === 0) return stamp(paint, stroke, x, y);
  const [fromX, fromY] = stroke.points[index - 1];
  for (const [atX, atY] of pointsBetween([fromX, fromY], [x, y], stroke.width / 10)) stamp(paint, stroke, atX, atY);
}

/**
 * Evenly spaced points on a line, at most `most` apart, without its first and with its last.
 *
 * @param {Point} from
 * @param {Point} to
 * @param {number} most
 * @returns {Point[]}
 */
export function pointsBetween([x0, y0], [x1, y1], most) {
  const steps = Math.ceil(Math.hypot(x1 - x0, y1 - y0) / most);
  return Array.from({ length: steps }, (_, i) => {
    const share = (i + 1) / steps;
    return [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
  });
}

/** @param {CanvasRenderingContext2D} paint */
export function blacken(paint) {
  paint.fillStyle = "#000";
  paint.fillRect(0, 0, paint.canvas.width, paint.canvas.height);
}

/**
 * @param {CanvasRenderingContext2D} paint
 * @param {Act} act
 */
export function perform(paint, act) {
  if (act === "clear") blacken(paint);
  else act.points.forEach((_, index) => paintTo(paint, act, index));
}

/** @param {Drawing} d */
export function repaint(d) {
  d.paint.drawImage(d.ground.canvas, 0, 0);
  for (const act of d.acts) perform(d.paint, act);
}

/**
 * @param {Drawing} d
 * @param {Act} act
 */
export function remember(d, act) {
  d.acts.push(act);
  d.undone = [];
  if (d.acts.length > UNDOABLE) for (const old of d.acts.splice(0, 1)) perform(d.ground, old);
}

/**
 * Whether nothing can be seen: what an eraser leaves at its rim is no drawing.
 *
 * @param {Drawing} d
 */
export function isEmpty(d) {
  const { data } = d.paint.getImageData(0, 0, d.canvas.width, d.canvas.height);
  for (let i = 0; i < data.length; i += 4) if (data[i] >= 32) return false;
  return true;
}
