// Where tiles stand, and where keys lead among them.

import { clamp } from "../shared/numbers.js";

/**
 * How many tiles stand in a row, and how wide each is: whole device pixels, as fractions would let neighbours in the
 * sheet show at the edges. A row that is too narrow for tiles of `least` pixels is shorter, unless it `keeps` its
 * length.
 *
 * @param {number} room  in CSS pixels
 * @param {object} wish
 * @param {number} wish.across
 * @param {number} wish.count
 * @param {number} wish.gap
 * @param {number} wish.least
 * @param {number} wish.most
 * @param {number} wish.ratio  device pixels a CSS pixel
 * @param {boolean} wish.keeps
 */
export function rowOf(room, { across, count, gap, least, most, ratio, keeps }) {
  /** @type {(n: number) => number} */
  const fitting = (n) => Math.floor(((room - gap * (n - 1)) / n) * ratio) / ratio;
  let columns = clamp(across, 1, count);
  while (columns > 1 && fitting(columns) < least && !keeps) columns -= 1;
  return { columns, size: clamp(fitting(columns), 1, most) };
}

/**
 * Where a key leads from a tile; null for a key that leads nowhere, or for an arrow off the grid.
 *
 * @param {string} key
 * @param {{ active: number, across: number, count: number }} grid
 */
export function nextTile(key, { active, across, count }) {
  const last = count - 1;
  /** @type {Record<string, number>} */
  const places = {
    ArrowLeft: active - 1, ArrowRight: active + 1, ArrowUp: active - across, ArrowDown: active + across,
    Home: 0, End: last,
  };
  const next = places[key];
  return next >= 0 && next <= last ? next : null;
}

export const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
