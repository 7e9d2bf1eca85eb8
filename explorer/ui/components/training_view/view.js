// The view's elements, and all that is known of the run.

import { element } from "../shared/elements.js";
import { createBars } from "./bars.js";
import { createCurves } from "./curves.js";
import { createFigures, createHead } from "./head.js";
import { historyOf } from "./history.js";
import { createMapPanel } from "./map.js";
import { createPictures, createSamples } from "./pictures.js";
import { createPlayer } from "./player.js";
/** @import { Answers, Common } from "../shared/mount.js" */
/** @import { Frame, LoadedFrame } from "./frames.js" */
/** @import { Pairs } from "./head.js" */
/** @import { Part } from "./history.js" */

/**
 * Where the run stands. `share` is how much is done, 0 to 1; null: no bar. `so_far` are the running averages of an
 * epoch that has not ended.
 *
 * @typedef {object} Status
 * @property {string} state
 * @property {string} text
 * @property {string} note
 * @property {number | null} share
 * @property {boolean} live  whether more is to come
 * @property {Pairs} facts
 * @property {Pairs} so_far
 */

/**
 * What Python sends with every update.
 *
 * @typedef {object} Run
 * @property {string} run  names it
 * @property {Status} status
 * @property {number} epochs  that there will be
 * @property {boolean} plane  whether the map shows codes as they are
 * @property {boolean} has_prior
 * @property {Record<string, [string, string]>} meanings  unit and help of the family's own figures
 * @property {number} free_bits  nats that each latent may use for nothing
 * @property {string} recent  JSON of a Part: the last of the history
 * @property {string} past_url  of what was before
 * @property {string} frames  names, with blanks between
 * @property {string} frames_url
 * @property {string} reaches  five numbers a frame, with blanks between
 * @property {{ name: string, shown: number, tile: [number, number], groups: string[] | null,
 *   rings: [number, number, number, number] | null } | null} probe  what the frames share; null groups: each latent
 *   is one; rings: mean and standard deviation of the prior along x and y
 * @property {[number, string, string][] | null} classes  number, name, colour
 */

/** @typedef {Common & Run} RunData */

/** @typedef {ReturnType<typeof createView>} TrainingView */

let made = 0;

/**
 * @param {HTMLElement} root
 * @param {RunData} data
 * @param {Answers} answers
 */
export function createView(root, data, answers) {
  root.replaceChildren();
  const number = ++made;
  const head = createHead(root);
  const player = createPlayer(root);
  const figures = createFigures(root);
  const grid = element("div", "lx-tv-grid", root);
  return {
    root, data, answers, head, player, figures,
    curves: createCurves(grid, number), map: createMapPanel(grid), bars: createBars(grid),
    pictures: createPictures(grid), samples: createSamples(grid),
    ...emptyRun(), epoch: Infinity, following: true, run: /** @type {string | null} */ (null),
    drawn: "", curvesOf: "", // what is on the screen
    abort: new AbortController(), resizer: /** @type {ResizeObserver | null} */ (null), redraw: 0,
  };
}

/** What is known of a run before anything of it is here. */
export function emptyRun() {
  return {
    history: historyOf([]), historyOf: "",
    past: /** @type {{ url: string, part: Part } | null} */ (null), pastWanted: "",
    frames: /** @type {Frame[]} */ ([]), frameEpochs: /** @type {number[]} */ ([]), frameNames: "",
    loaded: /** @type {Map<string, LoadedFrame>} */ (new Map()),
    loading: /** @type {Set<string>} */ (new Set()), failed: /** @type {Set<string>} */ (new Set()),
    shown: /** @type {LoadedFrame | null} */ (null),
    probe: {
      name: "", originals: /** @type {HTMLImageElement | null} */ (null),
      labels: /** @type {number[] | null} */ (null), index: /** @type {number[] | null} */ (null),
    },
  };
}
