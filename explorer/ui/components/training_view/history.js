// The history in columns, and where in it an epoch is.

import { keepNewest } from "../shared/cache.js";
import { jsonFrom } from "../shared/json.js";
/** @import { TrainingView } from "./view.js" */

/** @typedef {(number | null)[]} Column */

/** @typedef {{ elbo: Column, reconstruction: Column, kl: Column, mse: Column, active_units: Column }} Metrics */

/**
 * Every column as long as `epochs`.
 *
 * @typedef {object} History
 * @property {number[]} epochs
 * @property {Metrics} train
 * @property {Metrics} test
 * @property {Column} seconds
 * @property {Column} learning_rate
 * @property {Column} beta
 * @property {Column} noise_variance
 * @property {Record<string, Column>} figures  of the family, by their names
 */

/** @typedef {Column | number | null | undefined} PartOfColumn  one value where it never changes */

/** @typedef {{ [name in keyof Metrics]?: PartOfColumn }} PartOfMetrics */

/**
 * A stretch of the history as Python sends it.
 *
 * @typedef {{ epochs: number[], train: PartOfMetrics, test: PartOfMetrics, seconds?: PartOfColumn,
 *   learning_rate?: PartOfColumn, beta?: PartOfColumn, noise_variance?: PartOfColumn,
 *   figures?: Record<string, PartOfColumn> }} Part
 */

/**
 * @param {Part[]} parts  in order
 * @returns {History}
 */
export function historyOf(parts) {
  /** @type {(pick: (part: Part) => PartOfColumn) => Column} */
  const column = (pick) => parts.flatMap((part) => {
    const values = pick(part);
    return Array.isArray(values) ? values : new Array(part.epochs.length).fill(values ?? null);
  });
  /** @type {(split: "train" | "test") => Metrics} */
  const metrics = (split) => ({
    elbo: column((part) => part[split].elbo),
    reconstruction: column((part) => part[split].reconstruction),
    kl: column((part) => part[split].kl),
    mse: column((part) => part[split].mse),
    active_units: column((part) => part[split].active_units),
  });
  const names = new Set(parts.flatMap((part) => Object.keys(part.figures ?? {})));
  return {
    epochs: parts.flatMap((part) => part.epochs),
    train: metrics("train"),
    test: metrics("test"),
    seconds: column((part) => part.seconds),
    learning_rate: column((part) => part.learning_rate),
    beta: column((part) => part.beta),
    noise_variance: column((part) => part.noise_variance),
    figures: Object.fromEntries([...names].map((name) => [name, column((part) => part.figures?.[name])])),
  };
}

/**
 * The history of the newest data, or null where it has not changed or its past is on its way. That is fetched once in a
 * hundred epochs; `loaded` is called when it is there.
 *
 * @param {TrainingView} v
 * @param {() => void} loaded
 */
export function historyNow(v, loaded) {
  const { past_url: pastUrl, recent } = v.data;
  if (pastUrl && pastUrl !== v.past?.url) {
    if (pastUrl !== v.pastWanted) loadPast(v, pastUrl, loaded);
    return null;
  }
  const made = `${pastUrl} ${recent}`;
  if (made === v.historyOf) return null;
  v.historyOf = made;
  return historyOf([...(pastUrl && v.past ? [v.past.part] : []), JSON.parse(recent)]);
}

/**
 * @param {TrainingView} v
 * @param {string} url
 * @param {() => void} loaded
 */
async function loadPast(v, url, loaded) {
  v.pastWanted = url;
  try {
    const part = await jsonFrom(new URL(url, location.href).href, v.abort.signal);
    if (v.pastWanted !== url) return;
    v.past = { url, part };
    loaded();
  } catch (error) {
    if (v.abort.signal.aborted || v.pastWanted !== url) return;
    v.pastWanted = ""; // the next update tries again
    console.warn("training view: the history did not load:", error);
  }
}

/**
 * Index of the last epoch that is not after `epoch`, at least 0; -1 when there are none.
 *
 * @param {number[]} epochs  ascending
 * @param {number} epoch
 */
export function indexOf(epochs, epoch) {
  let low = 0;
  let high = epochs.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (epochs[middle] <= epoch) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Index of the nearest epoch; of two as near the earlier.
 *
 * @param {number[]} epochs  ascending
 * @param {number} epoch
 */
export function nearestIndex(epochs, epoch) {
  const before = indexOf(epochs, epoch);
  const after = Math.min(before + 1, epochs.length - 1);
  return epoch - epochs[before] <= epochs[after] - epoch ? before : after;
}

/** @param {Column} column */
export const hasValues = (column) => column.some((value) => value !== null);

/** @param {TrainingView} v */
export const indexNow = (v) => indexOf(v.history.epochs, v.epoch);

/** @param {TrainingView} v */
export const epochNow = (v) => v.history.epochs[indexNow(v)] ?? null;

/** @type {Map<string, { epoch: number, following: boolean }>} */
const remembered = new Map(); // by run: a view that is taken away, as by a switch of the page, comes back where it was
const MOST_REMEMBERED = 50;

/** @param {TrainingView} v */
export function remember(v) {
  keepNewest(remembered, v.data.run, { epoch: v.epoch, following: v.following }, MOST_REMEMBERED);
}

/** @param {string} run */
export const recall = (run) => remembered.get(run) ?? { epoch: Infinity, following: true };
