// The legend: a chip a class, or a group, which hides or shows it; a double click, or Shift and a click, shows it
// alone.

import { closest, element } from "../shared/elements.js";
import { hideCard } from "./hover.js";
import { draw } from "./plot.js";
/** @import { LegendEntry, MapView } from "./layout.js" */

/** @param {MapView} m */
export function drawLegend(m) {
  const { legend, legend_of: what } = m.about;
  m.legendBox.hidden = !legend;
  if (!legend) {
    m.legendSignature = "";
    return;
  }
  const signature = JSON.stringify([what, legend]);
  if (signature !== m.legendSignature) {
    m.legendSignature = signature;
    m.legendBox.setAttribute("aria-label", `Legend: each ${what}`);
    m.chips.replaceChildren(...legend.map((entry) => chipOf(entry, what)));
  }
  for (const chip of m.chips.querySelectorAll("button")) {
    chip.setAttribute("aria-pressed", String(!m.hidden.has(Number(chip.dataset.class))));
  }
  m.all.hidden = m.hidden.size === 0;
}

/**
 * @param {LegendEntry} entry
 * @param {string} what
 */
function chipOf({ id, name, color, count }, what) {
  const title = `Click hides or shows this ${what}; a double click shows it alone`;
  const chip = element("button", "lx-chip", null, { type: "button", "data-class": id, title });
  element("span", "lx-dot", chip).style.background = color;
  element("span", "", chip, {}, name);
  element("span", "lx-count", chip, {}, count.toLocaleString("en"));
  return chip;
}

/** @param {MapView} m */
export function listenToLegend(m) {
  m.chips.addEventListener("click", (event) => {
    const chip = closest(event, ".lx-chip");
    if (!chip) return;
    const id = Number(chip.dataset.class);
    hide(m, event.shiftKey ? alone(m, id) : toggled(m.hidden, id));
  });
  m.chips.addEventListener("dblclick", (event) => {
    const chip = closest(event, ".lx-chip");
    if (chip && !event.shiftKey) hide(m, alone(m, Number(chip.dataset.class)));
  });
  m.all.addEventListener("click", () => hide(m, new Set()));
}

/**
 * @param {Set<number>} hidden
 * @param {number} id
 */
export function toggled(hidden, id) {
  const next = new Set(hidden);
  if (!next.delete(id)) next.add(id);
  return next;
}

/**
 * What is hidden when one class is shown alone; nothing where it is alone already.
 *
 * @param {Set<number>} hidden
 * @param {number} id
 * @param {number[]} ids  of all classes
 */
export function isolated(hidden, id, ids) {
  const others = ids.filter((other) => other !== id);
  const isAlone = !hidden.has(id) && others.every((other) => hidden.has(other));
  return new Set(isAlone ? [] : others);
}

/**
 * @param {MapView} m
 * @param {number} id
 */
const alone = (m, id) => isolated(m.hidden, id, (m.about.legend ?? []).map((entry) => entry.id));

/**
 * @param {MapView} m
 * @param {Set<number>} ids
 */
function hide(m, ids) {
  m.hidden = ids;
  drawLegend(m);
  hideCard(m);
  if (m.drawn) draw(m);
}
