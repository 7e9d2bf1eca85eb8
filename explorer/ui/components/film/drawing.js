// A film's step on the screen: the picture, the player's words and knobs.

import { setText } from "../shared/elements.js";
import { drawMarker } from "./chart.js";
import { drawIcon } from "./layout.js";
import { drawFrame } from "./strip.js";
/** @import { Film } from "./layout.js" */

/** @param {Film} f */
export function drawStep(f) {
  drawPicture(f);
  drawPlayer(f);
  drawFrame(f);
  drawMarker(f);
  f.root.dataset.step = String(f.step);
}

/** @param {Film} f */
function drawPicture(f) {
  const { tile: [width, height], columns, label } = f.shown;
  f.paint.clearRect(0, 0, width, height);
  if (f.image) {
    const left = (f.step % columns) * width;
    const top = Math.floor(f.step / columns) * height;
    f.paint.drawImage(f.image, left, top, width, height, 0, 0, width, height);
  }
  f.canvas.setAttribute("aria-label", `${label}: step ${f.step + 1}`);
}

/** @param {Film} f */
export function drawPlayer(f) {
  const { count, usable } = f.shown;
  const does = f.playing ? "Pause" : "Play";
  f.play.setAttribute("aria-label", does);
  f.play.title = `${does} (Space)`;
  f.play.disabled = count < 2;
  drawIcon(f.playIcon, f.playing ? "pause" : "play");
  setText(f.count, `${f.step + 1} / ${count}`);
  f.use.hidden = !usable;
  f.scrubber.disabled = count < 2;
  f.scrubber.max = String(Math.max(0, count - 1));
  f.scrubber.value = String(f.step);
  f.scrubber.setAttribute("aria-valuetext", `step ${f.step + 1} of ${count}`);
  f.scrubber.style.setProperty("--lx-share", String(count > 1 ? f.step / (count - 1) : 0));
}

/** @param {Film} f */
export function drawChoices(f) {
  f.backButton.setAttribute("aria-pressed", String(f.back));
  for (const [name, button] of f.speeds) button.setAttribute("aria-pressed", String(name === f.speed));
}
