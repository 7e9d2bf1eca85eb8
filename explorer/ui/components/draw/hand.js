// Mouse, pen, finger and keys.

import { clamp } from "../shared/numbers.js";
import { paintTo, perform, remember, repaint } from "./brush.js";
import { drawCursor } from "./controls.js";
import { changed } from "./sending.js";
/** @import { Point } from "./brush.js" */
/** @import { Drawing } from "./controls.js" */

/**
 * @param {Drawing} d
 * @param {Point} point
 * @param {boolean} erase
 */
export function begin(d, point, erase) {
  d.stroke = { width: d.width, erase, points: [] };
  extend(d, [point]);
}

/**
 * @param {Drawing} d
 * @param {Point[]} points
 */
export function extend(d, points) {
  const { stroke } = d;
  if (!stroke) return;
  for (const point of points) {
    d.at = point;
    stroke.points.push(point);
    paintTo(d.paint, stroke, stroke.points.length - 1);
  }
  changed(d);
}

/** @param {Drawing} d */
export function end(d) {
  d.pointer = null;
  if (!d.stroke) return;
  remember(d, d.stroke);
  d.stroke = null;
  changed(d);
}

/** @param {Drawing} d */
export function undo(d) {
  end(d);
  const act = d.acts.pop();
  if (!act) return;
  d.undone.push(act);
  repaint(d);
  say(d, "Undone.");
  changed(d);
}

/** @param {Drawing} d */
export function redo(d) {
  end(d);
  const act = d.undone.pop();
  if (!act) return;
  d.acts.push(act);
  perform(d.paint, act);
  say(d, "Redone.");
  changed(d);
}

/** @param {Drawing} d */
export function clear(d) {
  end(d);
  if (d.empty) return;
  remember(d, "clear");
  repaint(d);
  say(d, "Cleared.");
  changed(d);
}

/**
 * @param {Drawing} d
 * @param {string} text
 */
function say(d, text) {
  d.live.textContent = text;
}

/**
 * In the square's own pixels, also outside it: a captured pointer may leave and come back.
 *
 * @param {Drawing} d
 * @param {PointerEvent} event
 * @returns {Point}
 */
function pointOf(d, event) {
  const { left, top, width } = d.canvas.getBoundingClientRect();
  const scale = d.canvas.width / width;
  return [(event.clientX - left) * scale, (event.clientY - top) * scale];
}

const PEN_ERASER = 32; // among a pointer's buttons

/** @param {Drawing} d */
export function listenToHand(d) {
  const { canvas } = d;
  canvas.addEventListener("pointerdown", (event) => {
    const eraser = (event.buttons & PEN_ERASER) > 0;
    if (!d.ready || d.pointer !== null || !(event.button === 0 || eraser)) return;
    end(d); // the keys' stroke
    d.pointer = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    event.preventDefault();
    begin(d, pointOf(d, event), d.erasing || eraser);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId === d.pointer && d.stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      extend(d, (events.length ? events : [event]).map((each) => pointOf(d, each)));
    } else if (d.pointer === null && event.pointerType !== "touch" && !d.stroke) {
      d.at = pointOf(d, event);
      d.cursor.hidden = false;
      drawCursor(d);
    }
  });
  for (const name of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
    canvas.addEventListener(name, (event) => event.pointerId === d.pointer && end(d));
  }
  canvas.addEventListener("pointerleave", () => (d.cursor.hidden = !canvas.matches(":focus-visible")));
  canvas.addEventListener("focus", () => {
    if (!canvas.matches(":focus-visible")) return;
    d.at = inside(d, d.at);
    d.cursor.hidden = false;
    drawCursor(d);
  });
  canvas.addEventListener("blur", () => {
    d.cursor.hidden = true;
    if (d.pointer === null) end(d);
  });
  canvas.addEventListener("keydown", (event) => d.ready && onCanvasKey(d, event));
  d.root.addEventListener("keydown", (event) => d.ready && onShortcut(d, event));
  d.undo.addEventListener("click", () => undo(d));
  d.redo.addEventListener("click", () => redo(d));
  d.clear.addEventListener("click", () => clear(d));
}

/**
 * @param {Drawing} d
 * @param {Point} point
 * @returns {Point}
 */
const inside = (d, [x, y]) => [clamp(x, 0, d.canvas.width), clamp(y, 0, d.canvas.height)];

/**
 * @param {Drawing} d
 * @param {KeyboardEvent} event
 */
function onCanvasKey(d, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || d.pointer !== null) return;
  const step = (d.canvas.width / d.data.size) * (event.shiftKey ? 4 : 1);
  /** @type {Record<string, Point>} */
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  const move = moves[event.key];
  if (move) {
    const place = inside(d, [d.at[0] + move[0], d.at[1] + move[1]]);
    if (d.stroke) extend(d, [place]);
    d.at = place;
  } else if (event.key === " " && !event.repeat) {
    if (d.stroke) end(d);
    else begin(d, d.at, d.erasing);
    say(d, d.stroke ? "Brush down." : "Brush lifted.");
  } else if (event.key === "Escape" && d.stroke) {
    end(d);
    say(d, "Brush lifted.");
  } else if (event.key !== " ") {
    return;
  }
  d.cursor.hidden = false;
  drawCursor(d);
  event.preventDefault();
  event.stopPropagation();
}

/**
 * @param {Drawing} d
 * @param {KeyboardEvent} event
 */
function onShortcut(d, event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) undo(d);
  else if (key === "y" || key === "z") redo(d);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
