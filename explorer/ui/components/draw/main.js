// The square that is drawn on: what starts it, and what a new one begins with.

import { decodedImage } from "../shared/images.js";
import { mount } from "../shared/mount.js";
import { blacken, isEmpty, repaint } from "./brush.js";
import { createDrawing, drawControls } from "./controls.js";
import { begin, clear, end, extend, listenToHand, redo, undo } from "./hand.js";
import { send } from "./sending.js";
/** @import { Answers, Hooks } from "../shared/mount.js" */
/** @import { Point } from "./brush.js" */
/** @import { DrawData, Drawing } from "./controls.js" */

/**
 * Another revision, or a square that is built anew: what Python has kept of the drawing is the ground.
 *
 * @param {Drawing} d
 */
async function startAnew(d) {
  const { revision, start } = d.data;
  d.answers.forget();
  clearTimeout(d.timer);
  if (d.pointer !== null) d.canvas.releasePointerCapture(d.pointer);
  Object.assign(d, { revision, acts: [], undone: [], stroke: null, pointer: null });
  Object.assign(d, { changed: false, ready: false, empty: true });
  blacken(d.ground);
  repaint(d);
  if (start) {
    const image = await decodedImage(`data:image/png;base64,${start}`).catch(() => null);
    if (d.revision !== revision) return;
    if (image) d.ground.drawImage(image, 0, 0, d.canvas.width, d.canvas.height);
    repaint(d);
  }
  d.empty = isEmpty(d);
  d.ready = true;
  drawControls(d);
}

/** @type {Hooks<Drawing>} */
const hooks = {
  name: "__draws",
  of: (d) => ({
    get pending() { return !d.ready || d.answers.waiting || d.changed; },
    get empty() { return d.empty; },
    get strokes() { return d.acts.length; },
    get drawing() { return d.stroke !== null; },
    get at() { return [...d.at]; },
    get pixels() {
      const { data } = d.paint.getImageData(0, 0, d.canvas.width, d.canvas.height);
      return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
    },
    /** @type {(points: Point[]) => void} */
    stroke: (points) => {
      begin(d, points[0], d.erasing);
      if (points.length > 1) extend(d, points.slice(1));
      end(d);
    },
    undo: () => undo(d),
    redo: () => redo(d),
    clear: () => clear(d),
  }),
};

/**
 * @param {HTMLElement} root
 * @param {DrawData} data
 * @param {Answers} answers
 */
function create(root, data, answers) {
  const d = createDrawing(root, data, answers);
  listenToHand(d);
  return d;
}

export default mount({
  selector: ".lx-draw",
  create,
  update: (d) => {
    if (d.revision !== d.data.revision) startAnew(d);
    send(d);
    drawControls(d);
  },
  destroy: (d) => clearTimeout(d.timer),
  hooks,
});
