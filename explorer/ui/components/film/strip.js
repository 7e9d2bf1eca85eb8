// The strip of all steps. Each shows its part of the sheet as a background, so that all are one decoded image. Where
// there is room it wraps, so that the whole walk is seen; else it is one line that scrolls.

import { element } from "../shared/elements.js";
import { faceOf } from "../shared/images.js";
import { sizeChart } from "./chart.js";
/** @import { Film } from "./layout.js" */

const NARROW_PX = 480;
const FRAME_PX = 44; // a tile's width on the screen, more where the lines come out even
const MOST_PX = 64;
const GAP_PX = 3;
const LABEL_PX = 16;
const LEAST_NAME_PX = 48;

/** @param {Film} f */
export function buildStrip(f) {
  const { count, columns, stops } = f.shown;
  const signature = JSON.stringify([count, columns, stops]);
  if (signature === f.built) return;
  f.built = signature;
  f.current = null;
  const frames = Array.from({ length: count }, (_, step) => {
    const frame = element("div", "lx-film-frame", null, { "data-step": String(step) });
    frame.title = `Step ${step + 1}`;
    faceOf(frame, step, columns);
    return frame;
  });
  for (const { step, name } of stops) {
    if (!frames[step]) continue;
    frames[step].dataset.stop = name;
    element("span", "lx-film-stop", frames[step], { title: name }, name);
  }
  f.strip.replaceChildren(...frames);
}

/**
 * How many frames stand in a line of the strip, and how wide each is: whole device pixels, as fractions would let
 * neighbours in the sheet show at the edges. A strip with little room is one line that scrolls.
 *
 * @param {number} room  in CSS pixels
 * @param {number} count  of frames
 * @param {number} ratio  device pixels a CSS pixel
 */
export function lineOf(room, count, ratio) {
  if (room < NARROW_PX) return { across: count, size: FRAME_PX };
  const lines = Math.max(1, Math.ceil((count * (FRAME_PX + GAP_PX) - GAP_PX) / room));
  const across = Math.ceil(count / lines);
  return { across, size: Math.min(MOST_PX, Math.floor(((room - GAP_PX * (across - 1)) / across) * ratio) / ratio) };
}

/** @param {Film} f */
export function fit(f) {
  const room = f.root.clientWidth;
  if (!room) return;
  const { count, columns, tile: [width, height], stops } = f.shown;
  const ratio = devicePixelRatio || 1;
  const { across, size } = lineOf(room, count, ratio);
  f.across = across;
  f.pitch = size + GAP_PX;
  const style = f.strip.style;
  style.setProperty("--lx-across", String(across));
  style.setProperty("--lx-columns", String(columns));
  style.setProperty("--lx-gap", `${GAP_PX}px`);
  style.setProperty("--lx-tw", `${size}px`);
  style.setProperty("--lx-th", `${(size * height) / width}px`);
  style.setProperty("--lx-label", `${stops.length ? LABEL_PX : 2}px`);
  style.setProperty("--lx-rendering", size * ratio < width ? "auto" : "pixelated"); // smaller than it is: smooth
  placeNames(f);
  sizeChart(f);
  follow(f);
}

/**
 * How wide the names of stops may be, in order, and whether they end with their frame instead of starting with it. A
 * name takes the room up to the next stop or the line's end; the last ones of a line end with their frame.
 *
 * @param {number[]} steps  of the stops, in order
 * @param {number} across  frames in a line
 * @param {number} pitch  of frames, in pixels
 */
export function nameRooms(steps, across, pitch) {
  /** @type {(step: number | undefined) => number} */
  const line = (step) => (step === undefined ? -1 : Math.floor(step / across));
  /** @type {(step: number) => boolean} */
  const isLast = (step) => step > 0 && (across - 1 - (step % across)) * pitch < LEAST_NAME_PX;
  return steps.map((step, i) => {
    const [before, after] = [steps[i - 1], steps[i + 1]];
    const [first, last] = [line(before) !== line(step), line(after) !== line(step)];
    const end = isLast(step) && last;
    let room = (across - (step % across)) * pitch;
    if (end) room = first ? ((step % across) + 1) * pitch : (step - before) * pitch * 0.5 + pitch;
    else if (!last) room = (after - step) * pitch * (isLast(after) ? 0.5 : 1);
    return { room: Math.max(pitch, room), end };
  });
}

/** @param {Film} f */
function placeNames(f) {
  const steps = f.shown.stops.map(({ step }) => step).filter((step) => step < f.shown.count).sort((a, b) => a - b);
  nameRooms(steps, f.across, f.pitch).forEach(({ room, end }, i) => {
    const name = /** @type {HTMLElement} */ (f.strip.children[steps[i]].querySelector(".lx-film-stop"));
    name.style.setProperty("--lx-reach", `${room - 4}px`);
    name.dataset.end = String(end);
  });
}

/** @param {Film} f */
export function drawFrame(f) {
  f.current?.removeAttribute("aria-current");
  f.current = /** @type {HTMLElement | null} */ (f.strip.children[f.step] ?? null);
  f.current?.setAttribute("aria-current", "true");
  follow(f);
}

/**
 * The line scrolls, the page does not.
 *
 * @param {Film} f
 */
function follow(f) {
  const { strip, current } = f;
  if (!current || strip.scrollWidth <= strip.clientWidth) return;
  const [left, right] = [current.offsetLeft - f.pitch, current.offsetLeft + 2 * f.pitch];
  if (left < strip.scrollLeft) strip.scrollLeft = left;
  else if (right > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = right - strip.clientWidth;
}
