// Play, pause, scrub, step; nothing plays of itself.

import { closest } from "../shared/elements.js";
import { tellMoved } from "../shared/following.js";
import { clamp } from "../shared/numbers.js";
import { stepAt } from "./chart.js";
import { drawChoices, drawPlayer, drawStep } from "./drawing.js";
/** @import { Film, Speed } from "./layout.js" */

/** @type {Record<Speed, number>} */
const SPEEDS = { slow: 4, normal: 12, fast: 24 }; // steps a second

/** @type {Map<string, { revision: string, step: number, back: boolean, speed: Speed }>} */
const remembered = new Map(); // what a person chose, by the film's key: kept while its place is built anew

/** @param {Film} f */
export function remember(f) {
  remembered.set(f.data.key, { revision: f.shown.revision, step: f.step, back: f.back, speed: f.speed });
}

/** @param {Film} f */
export function recall(f) {
  const found = remembered.get(f.data.key);
  if (!found) return;
  f.step = found.revision === f.data.revision ? found.step : 0;
  f.back = found.back;
  f.speed = found.speed;
}

/** @param {Film} f */
function toggle(f) {
  if (f.playing) pause(f);
  else play(f);
}

/** @param {Film} f */
function play(f) {
  if (f.shown.count < 2) return;
  f.playing = true;
  if (!f.back || f.step === 0) f.direction = 1;
  if (f.step === f.shown.count - 1) {
    if (f.back) f.direction = -1;
    else seek(f, 0);
  }
  f.due = performance.now() + pace(f);
  drawPlayer(f);
  f.frame = requestAnimationFrame((now) => advance(f, now));
}

/** @param {Film} f */
export function pause(f) {
  cancelAnimationFrame(f.frame);
  f.playing = false;
  drawPlayer(f);
}

/** @param {Film} f */
const pace = (f) => 1000 / SPEEDS[f.speed];

/**
 * The step after `step`, and which way the film then goes: at an end it turns where it goes `back` and forth.
 *
 * @param {number} step
 * @param {number} direction  1 or -1
 * @param {number} last
 * @param {boolean} back
 * @returns {[number, number]}
 */
export function nextStep(step, direction, last, back) {
  const beyond = step + direction < 0 || step + direction > last;
  const way = back && beyond ? -direction : direction;
  return [clamp(step + way, 0, last), way];
}

/**
 * One step at a time, however late the browser is: none is left out.
 *
 * @param {Film} f
 * @param {number} now
 */
function advance(f, now) {
  if (!f.playing) return;
  if (now >= f.due) {
    f.due = Math.max(f.due + pace(f), now);
    const last = f.shown.count - 1;
    const [step, direction] = nextStep(f.step, f.direction, last, f.back);
    f.direction = direction;
    seek(f, step);
    if (!f.back && f.step === last) {
      pause(f);
      return;
    }
  }
  f.frame = requestAnimationFrame((later) => advance(f, later));
}

/**
 * @param {Film} f
 * @param {number} step
 */
export function seek(f, step) {
  const next = clamp(Math.round(step), 0, f.shown.count - 1);
  if (next === f.step) return;
  f.step = next;
  remember(f);
  drawStep(f);
  tellMoved({ key: f.data.key, step: f.step });
}

/**
 * @param {Film} f
 * @param {number} step
 */
function pauseAt(f, step) {
  pause(f);
  seek(f, step);
}

/** @param {Film} f */
export function listenToFilm(f) {
  f.play.addEventListener("click", () => toggle(f));
  f.canvas.addEventListener("click", () => toggle(f));
  f.scrubber.addEventListener("input", () => pauseAt(f, Number(f.scrubber.value)));
  f.use.addEventListener("click", () => {
    pause(f);
    f.answers.tell("use", { step: f.step, revision: f.shown.revision });
  });
  f.backButton.addEventListener("click", () => {
    f.back = !f.back;
    f.direction = 1;
    remember(f);
    drawChoices(f);
  });
  for (const [name, button] of f.speeds) {
    button.addEventListener("click", () => {
      f.speed = name;
      remember(f);
      drawChoices(f);
    });
  }
  f.strip.addEventListener("click", (event) => {
    const frame = closest(event, ".lx-film-frame");
    if (frame) pauseAt(f, Number(frame.dataset.step));
  });
  f.root.addEventListener("keydown", (event) => onKey(f, event));
  listenToChart(f);
}

/** @param {Film} f */
function listenToChart(f) {
  const { svg } = f.chart;
  let held = false;
  /** @param {PointerEvent} event */
  const scrub = (event) => {
    if (held) pauseAt(f, stepAt(f, event.clientX - svg.getBoundingClientRect().left));
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = true;
    svg.setPointerCapture(event.pointerId);
    scrub(event);
  });
  svg.addEventListener("pointermove", scrub);
  svg.addEventListener("pointerup", () => (held = false));
  svg.addEventListener("pointercancel", () => (held = false));
}

/** @type {Record<string, number>} */
const MOVES = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity,
};

/**
 * @param {Film} f
 * @param {KeyboardEvent} event
 */
function onKey(f, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") {
    if (closest(event, "button")) return; // the button's own
    toggle(f);
  } else if (event.key in MOVES) {
    pauseAt(f, f.step + MOVES[event.key]);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}
