// The drawing on its way to Python: when a stroke ends, and a few times a second while it lasts.

import { isEmpty } from "./brush.js";
import { drawControls } from "./controls.js";
/** @import { Drawing } from "./controls.js" */

const PACE_MS = 150; // between two that are sent during a stroke

/** @param {Drawing} d */
export function changed(d) {
  d.changed = true;
  d.empty = d.stroke && !d.stroke.erase ? false : isEmpty(d);
  drawControls(d);
  send(d);
}

/** @param {Drawing} d */
const pngOf = (d) => (isEmpty(d) ? "" : d.canvas.toDataURL("image/png").split(",")[1]);

/**
 * The newest drawing, once what was sent before is answered: a fast hand does not build a queue.
 *
 * @param {Drawing} d
 */
export function send(d) {
  clearTimeout(d.timer);
  if (!d.changed || d.answers.waiting) return;
  const early = d.stroke ? d.last + PACE_MS - performance.now() : 0;
  if (early > 0) {
    d.timer = setTimeout(() => send(d), early);
    return;
  }
  d.last = performance.now();
  d.changed = false;
  const lost = () => {
    d.changed = true;
    send(d);
  };
  d.answers.ask("drawn", { png: pngOf(d), revision: d.revision }, lost);
  drawControls(d);
}
