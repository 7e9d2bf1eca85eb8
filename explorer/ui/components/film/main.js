// What a film shows: its sheet, and the step that it stands at.

import { setAttributes } from "../shared/elements.js";
import { forgetMoved, tellMoved } from "../shared/following.js";
import { loadSheet, scaleFor } from "../shared/images.js";
import { mount } from "../shared/mount.js";
import { clamp } from "../shared/numbers.js";
import { drawChoices, drawStep } from "./drawing.js";
import { createFilm } from "./layout.js";
import { listenToFilm, pause, recall, remember, seek } from "./player.js";
import { buildStrip, fit } from "./strip.js";
/** @import { Answers, Hooks } from "../shared/mount.js" */
/** @import { Film, FilmData } from "./layout.js" */

const PICTURE_PX = 240;

/** @param {Film} f */
function load(f) {
  return loadSheet(f, f.data.sheet_url, () => {
    show(f);
    tellMoved({ key: f.data.key, step: f.step });
  });
}

/** @param {Film} f */
function show(f) {
  if (f.shown.revision !== f.data.revision) {
    pause(f);
    f.step = 0;
    f.direction = 1;
  }
  f.shown = f.data;
  f.step = clamp(f.step, 0, f.shown.count - 1);
  if (f.shown.count < 2) f.playing = false;
  remember(f);
  f.body.setAttribute("aria-label", f.shown.label);
  sizePicture(f);
  buildStrip(f);
  drawChoices(f);
  fit(f);
  drawStep(f);
}

/** @param {Film} f */
function sizePicture(f) {
  const [width, height] = f.shown.tile;
  const scale = scaleFor(width, height, PICTURE_PX);
  if (f.canvas.width !== width || f.canvas.height !== height) setAttributes(f.canvas, { width, height });
  f.canvas.style.width = `${Math.round(width * scale)}px`;
  f.canvas.style.height = `${Math.round(height * scale)}px`;
  f.canvas.style.imageRendering = scale < 1 ? "auto" : "pixelated";
}

/**
 * @param {HTMLElement} root
 * @param {FilmData} data
 * @param {Answers} answers
 */
function create(root, data, answers) {
  const f = createFilm(root, data, answers, () => load(f));
  recall(f);
  listenToFilm(f);
  f.resizer = new ResizeObserver(() => fit(f));
  f.resizer.observe(root);
  return f;
}

/** @param {Film} f */
function update(f) {
  if (f.url !== f.data.sheet_url) {
    if (!f.built) show(f); // the room is taken at once, so that nothing jumps
    load(f);
  } else if (f.root.dataset.state === "ready") {
    show(f);
  }
}

/** @param {Film} f */
function destroy(f) {
  cancelAnimationFrame(f.frame);
  f.playing = false;
  f.resizer?.disconnect();
  forgetMoved(f.data.key);
}

/** @type {Hooks<Film>} */
const hooks = {
  name: "__films",
  of: (f) => ({
    get step() { return f.step; },
    get count() { return f.shown.count; },
    get playing() { return f.playing; },
    get url() { return f.image ? f.shown.sheet_url : null; },
    get pixels() { return Array.from(f.paint.getImageData(0, 0, f.canvas.width, f.canvas.height).data); }, // RGBA
    /** @type {(step: number) => void} */
    seek: (step) => seek(f, step),
  }),
};

export default mount({ selector: ".lx-film", create, update, destroy, hooks });
