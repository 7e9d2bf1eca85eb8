// The plane between the tiles of an atlas: bilinear, four neighbours of a place added up.

/** @import { Atlas } from "./layout.js" */
/** @import { Place } from "./places.js" */

/** @typedef {{ column: number, row: number, weight: number }} Part */

/**
 * The tiles that a place is blended from, with weights that sum to one; null where nothing was decoded. Half a tile
 * beyond the outermost centres the outermost tiles are still shown.
 *
 * @param {Pick<Atlas, "columns" | "rows" | "x" | "y">} atlas
 * @param {Place} place
 * @returns {Part[] | null}
 */
export function blendOf({ columns, rows, x, y }, place) {
  const column = ((place.x - x[0]) / (x[1] - x[0])) * (columns - 1);
  const row = ((y[1] - place.y) / (y[1] - y[0])) * (rows - 1); // row 0 is the highest y
  if (!(column >= -0.5 && row >= -0.5 && column <= columns - 0.5 && row <= rows - 0.5)) return null;
  const [c0, u] = between(column, columns);
  const [r0, v] = between(row, rows);
  const parts = [
    { column: c0, row: r0, weight: (1 - u) * (1 - v) },
    { column: c0 + 1, row: r0, weight: u * (1 - v) },
    { column: c0, row: r0 + 1, weight: (1 - u) * v },
    { column: c0 + 1, row: r0 + 1, weight: u * v },
  ];
  return parts.filter(({ weight }) => weight > 0);
}

/**
 * The lower neighbour of a position among `count`, and how far it is from there to the next, 0 to 1.
 *
 * @param {number} position
 * @param {number} count
 */
function between(position, count) {
  const inside = Math.max(0, Math.min(count - 1, position));
  const low = Math.min(Math.floor(inside), Math.max(0, count - 2));
  return [low, inside - low];
}

/**
 * Paints a blend.
 *
 * @param {CanvasRenderingContext2D} paint
 * @param {CanvasImageSource} image
 * @param {[number, number]} tile
 * @param {Part[]} parts
 */
export function paintBlend(paint, image, [width, height], parts) {
  paint.fillStyle = "#000"; // opaque, as four rounded alphas need not add up to one
  paint.fillRect(0, 0, width, height);
  paint.globalCompositeOperation = "lighter";
  for (const { column, row, weight } of parts) {
    paint.globalAlpha = weight;
    paint.drawImage(image, column * width, row * height, width, height, 0, 0, width, height);
  }
}
