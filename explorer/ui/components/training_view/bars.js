// KL of each latent as bars: which tell something, which have collapsed onto the prior, in a picture and a sentence.

import { element, setAttributes, setText, shape } from "../shared/elements.js";
import { HELP, panelOf, segmented } from "./layout.js";
import { epochTicks, nats, plain, tickText, ticksOf } from "./scales.js";
/** @import { TrainingView } from "./view.js" */

const ACTIVE_NATS = 0.01;
const BARS_HEIGHT = 172;
const BARS_MARGIN = { left: 46, right: 10, top: 8, bottom: 20 };
const WIDEST_BAR = 44;
const NAMED = 24; // latents that have their numbers below them

/** @typedef {{ latent: number, value: number, x: number, active: boolean }} Bar  nats, pixels */

/** @param {Element} parent */
export function createBars(parent) {
  const panel = panelOf(parent, "bars", "KL of each latent", HELP.bars);
  const epoch = element("span", "lx-tv-caption", panel.tools);
  const svg = shape("svg", panel.body, { role: "img", class: "lx-tv-svg", height: BARS_HEIGHT });
  const grid = shape("g", svg, { class: "lx-tv-grid-lines" });
  const active = shape("path", svg, { class: "lx-tv-active" });
  const collapsed = shape("path", svg, { class: "lx-tv-collapsed" });
  const floor = shape("line", svg, { class: "lx-tv-floor", visibility: "hidden" });
  const floorName = shape("text", svg, { class: "lx-tv-floor-name", "text-anchor": "end" });
  const ring = shape("rect", svg, { class: "lx-tv-bar-ring", visibility: "hidden" });
  const tip = element("div", "lx-tv-tip", panel.body, { "aria-hidden": "true" });
  tip.hidden = true;
  const choice = segmented(panel.tools, "Order of the bars", [["size", "by KL"], ["index", "by index"]], "size");
  return {
    ...panel, epoch, svg, grid, active, collapsed, floor, floorName, ring, tip, choice,
    order: "size", rows: /** @type {Bar[]} */ ([]), slot: 0, thick: 0,
    y: /** @type {(value: number) => number} */ (() => 0),
  };
}

/** @param {TrainingView} v */
export function listenToBars(v) {
  const { choice, svg } = v.bars;
  choice.chosen = (order) => {
    v.bars.order = order;
    drawBars(v);
  };
  svg.addEventListener("pointermove", (event) => hoverBar(v, event));
  svg.addEventListener("pointerleave", () => hoverBar(v, null));
}

/** @param {TrainingView} v */
export function drawBars(v) {
  const { svg, active, collapsed, note, box, body, order } = v.bars;
  const { has_prior: hasPrior, free_bits: freeBits } = v.data;
  box.hidden = !hasPrior;
  const width = body.clientWidth;
  if (!hasPrior || !width) return;
  setAttributes(svg, { width, viewBox: `0 0 ${width} ${BARS_HEIGHT}` });
  if (!v.shown) return drawNoBars(v);
  const kl = v.shown.kl.map((value) => value ?? 0);
  v.bars.choice.group.hidden = kl.length < 3;
  const { left, right, top, bottom } = BARS_MARGIN;
  const high = Math.max(v.shown.klTop, ...kl, ACTIVE_NATS * 5);
  /** @type {(value: number) => number} */
  const y = (value) => BARS_HEIGHT - bottom - (value / (high * 1.04)) * (BARS_HEIGHT - bottom - top);
  const slot = Math.min((width - left - right) / kl.length, WIDEST_BAR * 1.6);
  const thick = slot > 3 ? Math.min(slot * 0.78, WIDEST_BAR) : slot;
  const rows = latentsBy(order, kl).map((latent, i) => (
    { latent, value: kl[latent], x: left + i * slot + (slot - thick) / 2, active: kl[latent] >= ACTIVE_NATS }
  ));
  /** @type {(some: Bar[]) => string} */
  const pathOf = (some) => some.map(({ x, value }) => {
    const tall = Math.max(1, y(0) - y(value));
    return `M${x.toFixed(2)} ${y(0)}v${-tall.toFixed(2)}h${thick.toFixed(2)}V${y(0)}z`;
  }).join("");
  active.setAttribute("d", pathOf(rows.filter((row) => row.active)));
  collapsed.setAttribute("d", pathOf(rows.filter((row) => !row.active)));
  Object.assign(v.bars, { rows, slot, thick, y });
  drawBarGrid(v, width, high);
  drawFloor(v, freeBits > 0 && freeBits <= high ? y(freeBits) : null, width);
  const count = rows.filter((row) => row.active).length;
  const free = freeBits > 0 ? ` Free bits: the first ${plain(freeBits)} nats of each cost nothing (dashed).` : "";
  setText(note, collapseText(count, rows.length) + free);
  const summary = `${rows.length - count} collapsed, the strongest ${nats(Math.max(...kl))}`;
  svg.setAttribute("aria-label", `KL of ${rows.length} latents in nats after epoch ${v.shown.epoch}: ${summary}`);
}

/** @param {TrainingView} v */
function drawNoBars(v) {
  const { choice, grid, active, collapsed, note } = v.bars;
  choice.group.hidden = true;
  grid.replaceChildren();
  for (const path of [active, collapsed]) path.setAttribute("d", "");
  v.bars.rows = [];
  setText(note, "");
  drawFloor(v, null, 0);
}

/**
 * Latents in the order of the bars: by index, or by size with the largest first.
 *
 * @param {string} order
 * @param {number[]} kl
 */
export function latentsBy(order, kl) {
  const latents = kl.map((_, latent) => latent);
  return order === "size" ? latents.sort((a, b) => kl[b] - kl[a] || a - b) : latents;
}

/**
 * @param {TrainingView} v
 * @param {number} width
 * @param {number} high
 */
function drawBarGrid(v, width, high) {
  const { grid, rows, slot, thick, y } = v.bars;
  const { left, right, bottom } = BARS_MARGIN;
  grid.replaceChildren();
  const ticks = ticksOf(0, high, 4);
  const text = tickText(ticks);
  for (const value of ticks) {
    const at = Math.round(y(value)) + 0.5;
    shape("line", grid, { x1: left, x2: width - right, y1: at, y2: at });
    shape("text", grid, { x: left - 6, y: at + 3.5, "text-anchor": "end" }, text(value));
  }
  const base = BARS_HEIGHT - bottom + 14;
  if (rows.length <= NAMED && slot >= 14) {
    for (const row of rows) shape("text", grid, { x: row.x + thick / 2, y: base, "text-anchor": "middle" }, row.latent);
  } else if (v.bars.order === "index") {
    for (const latent of epochTicks(0, rows.length - 1, width / 70)) {
      shape("text", grid, { x: rows[latent].x + thick / 2, y: base, "text-anchor": "middle" }, latent);
    }
  } else {
    shape("text", grid, { x: left, y: base }, `${rows.length} latents, the strongest first`);
  }
}

/**
 * What free bits let every latent use for nothing.
 *
 * @param {TrainingView} v
 * @param {number | null} y  pixels; null: no line
 * @param {number} width
 */
function drawFloor(v, y, width) {
  const { floor, floorName } = v.bars;
  floor.setAttribute("visibility", y === null ? "hidden" : "visible");
  floorName.textContent = y === null ? "" : "free bits";
  if (y === null) return;
  const right = width - BARS_MARGIN.right;
  setAttributes(floor, { x1: BARS_MARGIN.left, x2: right, y1: y, y2: y });
  setAttributes(floorName, { x: right, y: y - 4 });
}

/**
 * @param {number} active
 * @param {number} count
 */
export function collapseText(active, count) {
  if (count === active) {
    if (count === 1) return "The only latent is in use.";
    return `${count === 2 ? "Both" : `All ${count}`} latents are in use: each carries at least ${ACTIVE_NATS} nats.`;
  }
  if (!active) {
    return `No latent is in use: ${count === 1 ? "it" : "every one"} carries under ${ACTIVE_NATS} nats. The posterior `
      + "equals the prior, and the decoder ignores the code (posterior collapse).";
  }
  const others = count - active === 1 ? "the other carries" : "the others carry";
  return `${active} of ${count} latents ${active === 1 ? "is" : "are"} in use: ${others} under ${ACTIVE_NATS} nats, `
    + "the posterior equals the prior there (posterior collapse).";
}

/**
 * @param {TrainingView} v
 * @param {PointerEvent | null} event
 */
function hoverBar(v, event) {
  const { rows, slot, ring, tip, svg, y, thick } = v.bars;
  const x = event ? event.clientX - svg.getBoundingClientRect().left - BARS_MARGIN.left : NaN;
  const row = rows[Math.floor(x / slot)];
  tip.hidden = !row;
  ring.setAttribute("visibility", row ? "visible" : "hidden");
  if (!row) return;
  setAttributes(ring, { x: row.x - 1, width: thick + 2, y: BARS_MARGIN.top, height: y(0) - BARS_MARGIN.top });
  const size = row.value < 0.1 ? plain(row.value) : nats(row.value);
  setText(tip, `${v.data.probe?.groups?.[row.latent] ?? `latent ${row.latent}`}\n${size} nats\n${row.active ? "in use" : "collapsed"}`);
  const left = row.x + 14 + tip.offsetWidth > svg.clientWidth ? row.x - 12 - tip.offsetWidth : row.x + thick + 10;
  tip.style.transform = `translate(${Math.round(left)}px, ${BARS_MARGIN.top}px)`;
}
