// Numbers as text, round ticks, and the mapping from values to pixels.

import { minus } from "../shared/numbers.js";
/** @import { Column } from "./history.js" */

/** @typedef {number | null | undefined} Maybe */

/** @param {Maybe} value */
export function nats(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return minus(value.toLocaleString("en", {
    minimumFractionDigits: size < 1000 ? 2 : 1, maximumFractionDigits: size < 1000 ? 2 : 1,
  }));
}

/**
 * Four significant digits, for what has no fixed scale: beta, learning rate, squared errors.
 *
 * @param {Maybe} value
 */
export function plain(value) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && Math.abs(value) < 1e-4) return minus(value.toExponential(1).replace("e", " e"));
  return minus(String(Number(value.toPrecision(4))));
}

/** @param {Maybe} value */
export function whole(value) {
  return value === null || value === undefined ? "–" : minus(Math.round(value).toLocaleString("en"));
}

/**
 * Round steps between `low` and `high`, about `count` of them.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function ticksOf(low, high, count) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, count);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 5].find((factor) => factor * size >= rough) ?? 10);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step + 0); // no −0
  return ticks;
}

/**
 * Every tick with as many decimals as their step needs.
 *
 * @param {number[]} ticks
 * @returns {(value: number) => string}
 */
export function tickText(ticks) {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : Math.abs(ticks[0]) || 1;
  if (step < 1e-4) {
    const size = Math.max(...ticks.map(Math.abs));
    const digits = Math.max(0, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step)));
    return (value) => (value ? minus(value.toExponential(digits)) : "0");
  }
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return (value) => minus(value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function epochTicks(low, high, count) {
  const ticks = ticksOf(low, high, count).filter(Number.isInteger);
  return ticks.length ? ticks : [Math.round(low)];
}

/**
 * The range of a curve: all of it, save that a first epoch far off must not flatten the rest.
 *
 * @param {Maybe[]} values
 * @returns {[number, number] | null}
 */
export function rangeOf(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined).sort((a, b) => a - b);
  if (!sorted.length) return null;
  /** @type {(share: number) => number} */
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  let [low, high] = [sorted[0], sorted[sorted.length - 1]];
  if (sorted.length >= 12) {
    const reach = 3 * (at(0.9) - at(0.1));
    if (reach > 0) {
      low = Math.max(low, at(0.1) - reach);
      high = Math.min(high, at(0.9) + reach);
    }
  }
  const pad = (high - low) * 0.08 || Math.abs(high) * 0.5 || 1;
  return [low - pad, high + pad];
}

/** @typedef {{ x: (epoch: number) => number, y: (value: number) => number, right: number }} Scale  pixels */

/**
 * The epochs on the axis. While a run goes on there is room for epochs to come, which grows in steps.
 *
 * @param {number[]} epochs
 * @param {number} total  epochs that there will be
 * @param {boolean} live  whether more are to come
 * @returns {[number, number]}
 */
export function epochRange(epochs, total, live) {
  const first = epochs[0] ?? 1;
  const last = epochs.at(-1) ?? 1;
  const room = live ? Math.min(total, Math.max(10, 2 ** Math.ceil(Math.log2(last * 1.05)))) : last;
  const end = Math.max(last, room);
  return end > first ? [first, end] : [first - 0.5, first + 0.5];
}

/**
 * A curve as SVG writes it, with a gap where there is no value.
 *
 * @param {Pick<Scale, "x" | "y">} scale
 * @param {number[]} epochs
 * @param {Column} column
 */
export function curvePath({ x, y }, epochs, column) {
  let path = "";
  let open = false;
  column.forEach((value, i) => {
    if (value !== null) path += `${open ? "L" : "M"}${x(epochs[i]).toFixed(1)} ${y(value).toFixed(1)}`;
    open = value !== null;
  });
  return path;
}
