// The frames: which there are, those that are here, and fetching the wanted one before its neighbours.

import { decodedImage } from "../shared/images.js";
import { jsonFrom } from "../shared/json.js";
import { indexOf } from "./history.js";
/** @import { TrainingView } from "./view.js" */

/** @typedef {[number, number, number, number]} Box  x from, to, y from, to */

/**
 * A frame as Python lists it; `klTop` is what the bars reach.
 *
 * @typedef {{ name: string, epoch: number, box: Box, klTop: number }} Frame
 */

/**
 * A frame that was fetched: `points` are [x, y, x, y, …], `kl` nats by latent.
 *
 * @typedef {Frame & { image: HTMLImageElement, points: Float64Array, kl: (number | null)[] }} LoadedFrame
 */

const MOST_PIXELS = 16e6; // of the sheets that are kept: 64 MB
const AT_ONCE = 3; // requests
const AHEAD = [1, -1, 2, -2, 3]; // neighbours that are fetched when nothing else is wanted

/**
 * @param {string} names  `EPOCH-DIGEST` each, with blanks between
 * @param {string} reaches  five numbers a frame: its box and the top of its bars
 * @returns {Frame[]}
 */
export function framesOf(names, reaches) {
  const numbers = reaches.split(" ").map(Number);
  return (names ? names.split(" ") : []).map((name, i) => {
    const [x0, x1, y0, y1, klTop] = numbers.slice(5 * i, 5 * i + 5);
    return { name, epoch: Number(name.split("-")[0]), box: [x0, x1, y0, y1], klTop };
  });
}

/** @param {TrainingView} v */
export function listFrames(v) {
  const { frames: names, reaches } = v.data;
  if (names === v.frameNames) return;
  v.frameNames = names;
  v.frames = framesOf(names, reaches);
  v.frameEpochs = v.frames.map((frame) => frame.epoch);
  const listed = new Map(v.frames.map((frame) => [frame.name, frame]));
  for (const [name, loaded] of v.loaded) {
    const frame = listed.get(name);
    if (frame) Object.assign(loaded, frame);
    else v.loaded.delete(name);
  }
  v.failed.clear();
}

/**
 * The frame of an epoch or the nearest before it; null when there is none so early.
 *
 * @param {TrainingView} v
 * @param {number} epoch
 */
export function frameFor(v, epoch) {
  const at = indexOf(v.frameEpochs, epoch);
  return at >= 0 && v.frames[at].epoch <= epoch ? v.frames[at] : null;
}

/**
 * @param {TrainingView} v
 * @param {string} file
 */
const urlOf = (v, file) => new URL(v.data.frames_url + file, location.href).href;

/**
 * Fetches what is wanted most, until all of it is here; `loaded` is called for each that has come or has failed to.
 *
 * @param {TrainingView} v
 * @param {() => void} loaded
 */
export function fetchFrames(v, loaded) {
  const { signal } = v.abort;
  while (v.loading.size < AT_ONCE) {
    const frame = nextFrame(v);
    if (!frame) return;
    v.loading.add(frame.name);
    fetchFrame(v, frame).finally(() => {
      if (signal.aborted) return;
      v.loading.delete(frame.name);
      loaded();
      fetchFrames(v, loaded);
    });
  }
}

/** @param {TrainingView} v */
function nextFrame(v) {
  /** @type {(frame: Frame | undefined) => boolean} */
  const free = (frame) => frame !== undefined && ![v.loaded, v.loading, v.failed].some((some) => some.has(frame.name));
  const wanted = frameFor(v, v.epoch);
  if (!wanted) return null;
  if (free(wanted)) return wanted;
  if (!v.loaded.has(wanted.name)) return null; // it is on its way: its neighbours wait
  const at = v.frames.indexOf(wanted);
  return AHEAD.map((step) => v.frames[at + step]).find(free) ?? null;
}

/**
 * @param {TrainingView} v
 * @param {Frame} frame
 */
async function fetchFrame(v, frame) {
  const { signal } = v.abort;
  try {
    const [image, { points, kl }] = await Promise.all([
      decodedImage(urlOf(v, `${frame.name}.webp`)),
      jsonFrom(urlOf(v, `${frame.name}.json`), signal),
    ]);
    if (signal.aborted) return;
    /** @type {(value: number | null) => number} */
    const orNaN = (value) => value ?? NaN;
    keepFrame(v, { ...frame, image, points: Float64Array.from(points, orNaN), kl });
  } catch (error) {
    if (signal.aborted) return;
    v.failed.add(frame.name); // until the list of frames changes: it may have been thinned out
    console.warn("training view: a frame did not load:", error);
  }
}

/**
 * Keeps a frame, and those nearest to the chosen epoch while there is room.
 *
 * @param {TrainingView} v
 * @param {LoadedFrame} frame
 */
function keepFrame(v, frame) {
  if (!v.frames.some(({ name }) => name === frame.name)) return; // thinned out meanwhile
  v.loaded.set(frame.name, frame);
  const most = Math.max(8, Math.floor(MOST_PIXELS / (frame.image.naturalWidth * frame.image.naturalHeight)));
  /** @type {(name: string | undefined) => number} */
  const at = (name) => v.frames.findIndex((other) => other.name === name);
  const here = at(frameFor(v, v.epoch)?.name);
  while (v.loaded.size > most) {
    /** @type {(name: string) => number} */
    const distance = (name) => Math.abs(at(name) - here);
    v.loaded.delete([...v.loaded.keys()].reduce((a, b) => (distance(a) >= distance(b) ? a : b)));
  }
}

/**
 * Fetches what the frames share: the originals, and which class a point has. `loaded` is called when it is there.
 *
 * @param {TrainingView} v
 * @param {() => void} loaded
 */
export async function fetchProbe(v, loaded) {
  const { probe } = v.data;
  const { signal } = v.abort;
  if (!probe || probe.name === v.probe.name) return;
  v.probe = { ...v.probe, name: probe.name };
  try {
    const [originals, { labels, index }] = await Promise.all([
      decodedImage(urlOf(v, `${probe.name}.webp`)),
      jsonFrom(urlOf(v, `${probe.name}.json`), signal),
    ]);
    if (signal.aborted || v.probe.name !== probe.name) return;
    Object.assign(v.probe, { originals, labels, index });
    loaded();
  } catch (error) {
    if (signal.aborted) return;
    v.probe.name = ""; // the next update tries again
    console.warn("training view: the probe set did not load:", error);
  }
}
