// The chosen epoch: going to it, playing through all, and showing it everywhere at once.

import { clamp } from "../shared/numbers.js";
import { drawBars } from "./bars.js";
import { drawMarkers } from "./curves.js";
import { fetchFrames, frameFor } from "./frames.js";
import { drawFigures } from "./head.js";
import { indexNow, remember } from "./history.js";
import { driftTo, drawMap, forgetMap } from "./map.js";
import { drawFrameNames, drawPictures } from "./pictures.js";
import { drawPlayer } from "./player.js";
/** @import { TrainingView } from "./view.js" */

const PLAY_MS = 10_000; // for a whole run, within the bounds of a step
const SHORTEST_STEP_MS = 60;
const LONGEST_STEP_MS = 450;

/**
 * Whoever goes to the newest epoch while more is to come follows it from then on.
 *
 * @param {TrainingView} v
 * @param {number} index
 */
export function goTo(v, index) {
  const last = v.history.epochs.length - 1;
  if (last < 0) return;
  const at = clamp(index, 0, last);
  v.epoch = v.history.epochs[at];
  v.following = at === last;
  remember(v);
  present(v);
}

/**
 * Goes to an epoch, and no further.
 *
 * @param {TrainingView} v
 * @param {number} index
 */
export function leapTo(v, index) {
  pause(v);
  goTo(v, index);
}

/** @param {TrainingView} v */
export function listenToPlayer(v) {
  const { play, slider, live } = v.player;
  play.addEventListener("click", () => (v.player.playing ? pause(v) : startPlaying(v)));
  slider.addEventListener("input", () => leapTo(v, Number(slider.value)));
  live.addEventListener("click", () => leapTo(v, v.history.epochs.length - 1));
}

/** @param {TrainingView} v */
function startPlaying(v) {
  const last = v.history.epochs.length - 1;
  if (last < 1) return;
  v.player.playing = true;
  if (indexNow(v) >= last) goTo(v, 0);
  v.following = false;
  drawPlayer(v);
  schedule(v);
}

/** @param {TrainingView} v */
export function pause(v) {
  clearTimeout(v.player.timer);
  v.player.playing = false;
  drawPlayer(v);
}

/**
 * One epoch on, once the pictures of this one are here.
 *
 * @param {TrainingView} v
 */
function schedule(v) {
  clearTimeout(v.player.timer);
  const wait = clamp(PLAY_MS / (v.history.epochs.length - 1), SHORTEST_STEP_MS, LONGEST_STEP_MS);
  v.player.timer = setTimeout(() => {
    if (!v.player.playing) return;
    const wanted = frameFor(v, v.epoch);
    if (!wanted || v.loaded.has(wanted.name) || v.failed.has(wanted.name)) goTo(v, indexNow(v) + 1);
    if (indexNow(v) >= v.history.epochs.length - 1) pause(v);
    else schedule(v);
  }, wait);
}

/** @param {TrainingView} v */
export function present(v) {
  drawPlayer(v);
  drawFigures(v);
  drawMarkers(v);
  showFrame(v);
  fetchFrames(v, () => showFrame(v));
}

/**
 * The frame of the chosen epoch when it is here; what was shown stays until then.
 *
 * @param {TrainingView} v
 */
function showFrame(v) {
  const wanted = v.history.epochs.length ? frameFor(v, v.epoch) : null;
  const gone = !wanted && v.shown !== null;
  if (gone) v.shown = null;
  else if (wanted) v.shown = v.loaded.get(wanted.name) ?? v.shown;
  const drawn = [v.shown?.name, v.shown?.klTop, v.data.has_prior, v.data.free_bits].join();
  if (drawn !== v.drawn) {
    v.drawn = drawn;
    drawPictures(v);
    drawBars(v);
  }
  if (v.shown) driftTo(v, v.shown.points, v.shown.box);
  else if (gone) {
    forgetMap(v);
    drawMap(v);
  }
  drawFrameNames(v);
  v.root.dataset.frame = String(v.shown?.epoch ?? "");
}
