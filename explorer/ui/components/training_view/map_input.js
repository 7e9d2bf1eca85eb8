// The map's legend, and the name of the point under the pointer.

import { closest, element, setText } from "../shared/elements.js";
import { clamp } from "../shared/numbers.js";
import { drawMap, pixelsOf } from "./map.js";
/** @import { TrainingView } from "./view.js" */

const NEAR_PX = 9;

/** @param {TrainingView} v */
export function listenToMap(v) {
  const { canvas, legend } = v.map;
  canvas.addEventListener("pointermove", (event) => hoverPoint(v, event));
  canvas.addEventListener("pointerleave", () => hoverPoint(v, null));
  legend.addEventListener("click", (event) => {
    const chip = closest(event, "button");
    if (!chip) return;
    const id = Number(chip.dataset.class);
    v.map.only = v.map.only === id ? null : id;
    drawLegendChoice(v);
    drawMap(v);
  });
}

/** @param {TrainingView} v */
export function drawClasses(v) {
  const { legend } = v.map;
  const classes = v.data.classes ?? [];
  const built = JSON.stringify(classes);
  legend.hidden = !classes.length;
  if (built === v.map.built) return;
  v.map.built = built;
  legend.replaceChildren(...classes.map(([id, name, color]) => {
    const title = "Show this class alone";
    const chip = element("button", "lx-tv-class", null, { type: "button", "data-class": id, title });
    element("span", "lx-tv-dot", chip).style.background = color;
    chip.append(name);
    return chip;
  }));
  drawLegendChoice(v);
}

/** @param {TrainingView} v */
function drawLegendChoice(v) {
  for (const chip of v.map.legend.querySelectorAll("button")) {
    const on = Number(chip.dataset.class) === v.map.only;
    chip.setAttribute("aria-pressed", String(on));
    chip.dataset.faint = String(v.map.only !== null && !on);
  }
}

/**
 * @param {TrainingView} v
 * @param {PointerEvent | null} event
 */
function hoverPoint(v, event) {
  const { map: m, probe: { labels, index } } = v;
  const before = m.hovered;
  const pixels = m.now && m.scale ? pixelsOf(m.now.points, m.scale) : [];
  m.hovered = -1;
  if (event) {
    const box = m.canvas.getBoundingClientRect();
    const isShown = (/** @type {number} */ i) => m.only === null || !labels || labels[i] === m.only;
    m.hovered = nearestPixel(pixels, [event.clientX - box.left, event.clientY - box.top], isShown);
  }
  m.tip.hidden = m.hovered < 0;
  if (m.hovered >= 0) {
    const label = labels?.[m.hovered];
    const name = v.data.classes?.find(([id]) => id === label)?.[1];
    const image = index ? `test image ${index[m.hovered].toLocaleString("en")}` : "";
    setText(m.tip, [name, image].filter(Boolean).join("\n"));
    const [x, y] = pixels[m.hovered];
    const left = x + 14 + m.tip.offsetWidth > m.size[0] ? x - 14 - m.tip.offsetWidth : x + 14;
    const top = clamp(y - m.tip.offsetHeight / 2, 2, m.size[1] - m.tip.offsetHeight - 2);
    m.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
  if (m.hovered !== before) drawMap(v);
}

/**
 * The nearest of some pixels within NEAR_PX, else -1; of two as near the later, which is drawn on top.
 *
 * @param {[number, number][]} pixels
 * @param {[number, number]} place
 * @param {(i: number) => boolean} isShown
 */
export function nearestPixel(pixels, [x, y], isShown) {
  let best = -1;
  let nearest = NEAR_PX * NEAR_PX;
  pixels.forEach(([px, py], i) => {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance <= nearest && isShown(i)) [best, nearest] = [i, distance];
  });
  return best;
}
