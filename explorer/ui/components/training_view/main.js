// The live view of a run. Python sends an update every second: what has not changed is left alone.

import { paintOf } from "../shared/elements.js";
import { mount } from "../shared/mount.js";
import { drawBars, listenToBars } from "./bars.js";
import { drawCurves } from "./curves.js";
import { listenToCurves } from "./curves_input.js";
import { goTo, listenToPlayer, pause, present } from "./epoch.js";
import { fetchProbe, listFrames } from "./frames.js";
import { drawHead } from "./head.js";
import { epochNow, historyNow, indexOf, recall } from "./history.js";
import { drawMap, forgetMap, pixelsOf, resizeMap } from "./map.js";
import { drawClasses, listenToMap } from "./map_input.js";
import { drawOriginals, listenToPictures, nameSamples, sharpen, tileGrid } from "./pictures.js";
import { createView, emptyRun } from "./view.js";
/** @import { Answers, Hooks } from "../shared/mount.js" */
/** @import { RunData, TrainingView } from "./view.js" */

/** @param {TrainingView} v */
const canvases = ({ pictures, samples }) => [pictures.originals, pictures.reconstructions, samples.canvas];

/**
 * @param {HTMLElement} root
 * @param {RunData} data
 * @param {Answers} answers
 */
function create(root, data, answers) {
  const v = createView(root, data, answers);
  listenToPlayer(v);
  listenToCurves(v);
  listenToMap(v);
  listenToBars(v);
  listenToPictures(v);
  v.resizer = new ResizeObserver(() => {
    cancelAnimationFrame(v.redraw);
    v.redraw = requestAnimationFrame(() => drawSized(v));
  });
  for (const { body } of [v.curves, v.bars, v.pictures, v.samples]) v.resizer.observe(body);
  v.resizer.observe(v.map.frame);
  return v;
}

/**
 * Everything that depends on how wide its panel is.
 *
 * @param {TrainingView} v
 */
function drawSized(v) {
  drawCurves(v);
  drawBars(v);
  resizeMap(v);
  canvases(v).forEach(sharpen);
}

/**
 * Another run in the same place.
 *
 * @param {TrainingView} v
 */
function startAnew(v) {
  pause(v);
  v.abort.abort();
  v.abort = new AbortController();
  Object.assign(v, emptyRun(), { run: v.data.run, ...recall(v.data.run) });
  v.curves.zoom = null;
  forgetMap(v);
  for (const canvas of canvases(v)) paintOf(canvas).clearRect(0, 0, canvas.width, canvas.height);
}

/** @param {TrainingView} v */
function update(v) {
  const { data, root } = v;
  if (data.run !== v.run) startAnew(v);
  const grown = historyNow(v, () => update(v));
  if (grown) {
    v.history = grown;
    v.curves.hovered = null;
  }
  if (v.following && v.history.epochs.length) v.epoch = v.history.epochs[v.history.epochs.length - 1];
  listFrames(v);
  fetchProbe(v, () => {
    drawOriginals(v);
    drawMap(v);
  });
  root.dataset.prior = String(data.has_prior);
  nameSamples(v);
  drawClasses(v);
  drawHead(v);
  const curvesOf = [data.epochs, data.status.live, data.has_prior].join();
  if (grown || curvesOf !== v.curvesOf) {
    v.curvesOf = curvesOf;
    drawCurves(v);
  }
  present(v);
  drawMap(v); // the theme may be another
  root.dataset.state = v.history.epochs.length ? "ready" : "waiting";
}

/** @param {TrainingView} v */
function destroy(v) {
  v.abort.abort();
  v.resizer?.disconnect();
  v.player.leaving.disconnect();
  clearTimeout(v.player.timer);
  cancelAnimationFrame(v.redraw);
  cancelAnimationFrame(v.map.animation);
}

/**
 * What is chosen and what is shown.
 *
 * @type {Hooks<TrainingView>}
 */
const hooks = {
  name: "__trainingViews",
  of: (v) => ({
    get run() { return v.run; },
    get data() { return v.data; },
    get epoch() { return epochNow(v); },
    get epochs() { return [...v.history.epochs]; },
    get history() { return v.history; },
    get following() { return v.following; },
    get playing() { return v.player.playing; },
    get frame() { return v.shown?.epoch ?? null; },
    get frames() { return [...v.frameEpochs]; },
    get loaded() { return [...v.loaded.values()].map((frame) => frame.epoch).sort((a, b) => a - b); },
    get drifting() { return v.map.animation !== 0; },
    get points() { return v.map.now && [...v.map.now.points]; },
    get box() { return v.map.now?.box ?? null; },
    get bars() { return v.bars.rows.map(({ latent, value, active }) => ({ latent, value, active })); },
    get figures() { return { ...v.figures.shown }; },
    get range() { return v.curves.range; },
    /** @type {(epoch: number) => void} */
    goTo: (epoch) => goTo(v, indexOf(v.history.epochs, epoch)),
    /** Pixels of the page, [x, y] a point. */
    pixelsOfPoints: () => {
      const { left, top } = v.map.canvas.getBoundingClientRect();
      const { now, scale } = v.map;
      return now && scale ? pixelsOf(now.points, scale).map(([x, y]) => [left + x, top + y]) : [];
    },
    /** @type {(name: string, epoch: number, value: number) => number[] | null} */
    pixelOf: (name, epoch, value) => {
      const chart = v.curves.charts.find((other) => other.name === name);
      if (!chart?.scale) return null;
      const { left, top } = chart.svg.getBoundingClientRect();
      return [left + chart.scale.x(epoch), top + chart.scale.y(value)];
    },
    /**
     * RGBA of a tile as it is on the canvas.
     *
     * @type {(name: "originals" | "reconstructions" | "samples", i: number) => number[]}
     */
    tile: (name, i) => {
      const canvas = name === "samples" ? v.samples.canvas : v.pictures[name];
      const [width, height] = v.data.probe?.tile ?? [1, 1];
      const { x, y } = tileGrid([width, height]).at(i);
      return [...(canvas.getContext("2d")?.getImageData(x, y, width, height).data ?? [])];
    },
  }),
};

export default mount({ selector: ".lx-tv", create, update, destroy, hooks });
