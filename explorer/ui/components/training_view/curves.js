// The learning curves: small charts over one axis of epochs, drawn as SVG so that the theme's colours apply by CSS.

import { element, setAttributes, setText, shape } from "../shared/elements.js";
import { clamp } from "../shared/numbers.js";
import { hasValues, indexNow } from "./history.js";
import { HELP, helpFor, inUnit, menu, nameHelp, panelOf, segmented, sentenceCase } from "./layout.js";
import { curvePath, epochRange, epochTicks, nats, rangeOf, tickText, ticksOf } from "./scales.js";
/** @import { Column } from "./history.js" */
/** @import { Scale } from "./scales.js" */
/** @import { TrainingView } from "./view.js" */

/** @typedef {ReturnType<typeof chartOf>} Chart */

/** @typedef {"elbo" | "reconstruction" | "kl"} Metric */

/** @typedef {string} Setting  what was set, or the name of a family's figure */

export const CHART_HEIGHT = 148;
export const MARGIN = { left: 46, right: 10, top: 8, bottom: 18 };

/** @type {["beta" | "learning_rate" | "noise_variance", string][]} */
const SETTINGS = [["beta", "Beta"], ["learning_rate", "Learning rate"], ["noise_variance", "Noise"]];

/** @type {[Metric, string][]} */
const CURVES = [["elbo", "ELBO"], ["reconstruction", "Reconstruction"], ["kl", "KL"]];

/**
 * @param {Element} parent
 * @param {number} number  of the view on its page
 */
export function createCurves(parent, number) {
  const panel = panelOf(parent, "curves", "Learning curves", HELP.curves);
  const legend = element("div", "lx-tv-legend", panel.tools, { "aria-hidden": "true" });
  for (const kind of ["test", "train"]) {
    const entry = element("span", "", legend);
    const line = shape("svg", entry, { viewBox: "0 0 22 6", class: "lx-tv-key" });
    shape("path", line, { d: "M1 3H21", class: `lx-tv-line-${kind}` });
    entry.append(kind);
  }
  const reset = element("button", "lx-button lx-tv-reset", panel.tools, { type: "button" }, "All epochs");
  reset.hidden = true;
  panel.body.classList.add("lx-tv-charts");
  const empty = element("p", "lx-tv-empty", panel.body);
  const metrics = CURVES.map(([name, title]) => chartOf(panel.body, number, name, title));
  // Beta, and by choice the learning rate, the learnt noise, or what the family has to watch.
  const settings = chartOf(panel.body, number, "setting", "");
  return {
    ...panel, empty, reset, settings, charts: [...metrics, settings],
    settingsBuilt: "", settingChoice: /** @type {ReturnType<typeof segmented | typeof menu> | null} */ (null),
    setting: /** @type {Setting} */ ("beta"), picked: false, range: /** @type {[number, number]} */ ([0, 1]),
    zoom: /** @type {[number, number] | null} */ (null),
    hovered: /** @type {{ chart: Chart, index: number } | null} */ (null),
  };
}

/**
 * @param {Element} parent
 * @param {number} number
 * @param {Metric | "setting"} name
 * @param {string} title
 */
function chartOf(parent, number, name, title) {
  const box = element("figure", "lx-tv-chart", parent, { "data-chart": name });
  const caption = element("figcaption", "", box);
  const heading = element("span", "lx-tv-chart-name", caption, {}, title);
  const help = helpFor(caption, title, HELP[name] ?? "");
  const svg = shape("svg", box, { role: "img", class: "lx-tv-svg", height: CHART_HEIGHT });
  const clip = `lx-tv-clip-${number}-${name}`;
  const inside = shape("rect", shape("clipPath", svg, { id: clip }));
  const grid = shape("g", svg, { class: "lx-tv-grid-lines" });
  const lines = shape("g", svg, { "clip-path": `url(#${clip})` });
  const train = shape("path", lines, { class: "lx-tv-line-train" });
  const test = shape("path", lines, { class: "lx-tv-line-test" });
  const brush = shape("rect", lines, { class: "lx-tv-brush", visibility: "hidden" });
  const cross = shape("line", svg, { class: "lx-tv-cross", visibility: "hidden" });
  const marker = shape("line", svg, { class: "lx-tv-marker", visibility: "hidden" });
  const dots = {
    train: shape("circle", svg, { r: 3, class: "lx-tv-dot-train" }),
    test: shape("circle", svg, { r: 3.5, class: "lx-tv-dot-test" }),
  };
  const tip = element("div", "lx-tv-tip", box, { "aria-hidden": "true" });
  tip.hidden = true;
  return {
    name, title, box, caption, heading, help, svg, inside, grid, train, test, brush, cross, marker, dots, tip,
    scale: /** @type {Scale | null} */ (null),
  };
}

/** @param {TrainingView} v */
function settingsNow({ history, data }) {
  const set = SETTINGS.filter(([name]) => {
    if (name === "beta") return data.has_prior;
    return name !== "noise_variance" || hasValues(history.noise_variance);
  });
  /** @type {[Setting, string][]} */
  const figures = Object.keys(history.figures).map((name) => [name, sentenceCase(name)]);
  return [...figures, ...set];
}

/**
 * @param {TrainingView["history"]} history
 * @param {Setting} name
 */
const settingOf = (history, name) => SETTINGS.some(([known]) => known === name)
  ? history[/** @type {"beta"} */ (name)] : history.figures[name] ?? [];

/** @param {TrainingView} v */
function drawSettingChoice(v) {
  const { settings, setting } = v.curves;
  const options = settingsNow(v);
  const built = options.join();
  if (built === v.curves.settingsBuilt) return;
  v.curves.settingsBuilt = built;
  // What the family has to watch comes first, once there is an epoch of it; what a person has chosen stays.
  if (!v.curves.picked || !options.some(([name]) => name === setting)) v.curves.setting = options[0][0];
  v.curves.settingChoice?.group.remove();
  v.curves.settingChoice = null;
  setText(settings.heading, options.length === 1 ? options[0][1] : "");
  if (options.length < 2) return;
  const choose = options.length > 3 ? menu : segmented;
  v.curves.settingChoice = choose(settings.caption, "What is drawn", options, v.curves.setting);
  settings.help.mark.parentElement?.before(v.curves.settingChoice.group);
  v.curves.settingChoice.chosen = (name) => {
    Object.assign(v.curves, { setting: name, picked: true });
    drawCurves(v);
  };
}

/**
 * @param {TrainingView} v
 * @param {Chart} chart
 * @returns {{ test: Column, train: Column | null }}
 */
function splitsOf({ history, curves }, { name }) {
  if (name === "setting") return { test: settingOf(history, curves.setting), train: null };
  return { test: history.test[name], train: history.train[name] };
}

/**
 * A number as a chart writes it.
 *
 * @param {TrainingView} v
 * @param {Chart} chart
 */
const formatOf = ({ data, curves }, { name }) => (
  name === "setting" ? inUnit(data.meanings[curves.setting]?.[0] ?? "") : nats
);

/** @param {TrainingView} v */
export function drawCurves(v) {
  const { charts, empty, note, reset, zoom } = v.curves;
  const { has_prior: hasPrior, epochs: total, status: { live } } = v.data;
  drawSettingChoice(v);
  v.curves.range = zoom ?? epochRange(v.history.epochs, total, live);
  reset.hidden = !zoom;
  for (const chart of charts) {
    chart.box.hidden = !hasPrior && (chart.name === "elbo" || chart.name === "kl");
  }
  setText(note, hasPrior ? "" : "A plain autoencoder has no prior, and its codes no posterior: there is no KL and no "
    + "ELBO, only the reconstruction.");
  note.hidden = hasPrior;
  empty.hidden = v.history.epochs.length > 0;
  setText(empty, live ? "The first points come when the first epoch ends." : "");
  for (const chart of charts) if (!chart.box.hidden) drawChart(v, chart);
  drawMarkers(v);
}

/**
 * @param {TrainingView} v
 * @param {Chart} chart
 */
function drawChart(v, chart) {
  const { epochs } = v.history;
  const [x0, x1] = v.curves.range;
  const width = chart.box.clientWidth;
  if (!width) return;
  const { test, train } = splitsOf(v, chart);
  /** @type {(column: Column | null) => Column} */
  const visible = (column) => (column ?? []).filter((_, i) => epochs[i] >= x0 && epochs[i] <= x1);
  const [y0, y1] = rangeOf([...visible(test), ...visible(train)]) ?? [0, 1];
  const bottom = CHART_HEIGHT - MARGIN.bottom;
  const right = width - MARGIN.right;
  const scale = {
    x: (/** @type {number} */ epoch) => MARGIN.left + ((epoch - x0) / (x1 - x0)) * (right - MARGIN.left),
    y: (/** @type {number} */ value) => bottom - ((value - y0) / (y1 - y0)) * (bottom - MARGIN.top),
    right,
  };
  chart.scale = scale;
  setAttributes(chart.svg, { width, viewBox: `0 0 ${width} ${CHART_HEIGHT}` });
  setAttributes(chart.inside, {
    x: MARGIN.left - 4, y: MARGIN.top - 4, width: right - MARGIN.left + 8, height: bottom - MARGIN.top + 5,
  });
  if (epochs.length) drawGrid(chart.grid, scale, ticksOf(y0, y1, 4), epochTicks(x0, x1, width / 70), bottom);
  else drawGrid(chart.grid, scale, [], [], bottom);
  chart.test.setAttribute("d", curvePath(scale, epochs, test));
  chart.train.setAttribute("d", train ? curvePath(scale, epochs, train) : "");
  describe(v, chart, test);
}

/**
 * @param {SVGElement} grid
 * @param {Scale} scale
 * @param {number[]} values  that have a line
 * @param {number[]} epochs  that have their numbers
 * @param {number} bottom
 */
function drawGrid(grid, { x, y, right }, values, epochs, bottom) {
  grid.replaceChildren();
  const text = tickText(values);
  if (!values.length) shape("line", grid, { x1: MARGIN.left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5 });
  for (const value of values) {
    const at = Math.round(y(value)) + 0.5;
    shape("line", grid, { x1: MARGIN.left, x2: right, y1: at, y2: at });
    shape("text", grid, { x: MARGIN.left - 6, y: at + 3.5, "text-anchor": "end" }, text(value));
  }
  for (const epoch of epochs) {
    shape("text", grid, { x: x(epoch), y: bottom + 14, "text-anchor": "middle" }, epoch.toLocaleString("en"));
  }
}

/**
 * @param {TrainingView} v
 * @param {Chart} chart
 * @param {Column} column
 */
function describe(v, chart, column) {
  const format = formatOf(v, chart);
  const setting = settingsNow(v).find(([name]) => name === v.curves.setting)?.[1] ?? "";
  const unit = chart.title ? "nats an image" : v.data.meanings[v.curves.setting]?.[0];
  const title = `${chart.title || setting}${unit ? `, ${unit}` : ""}`;
  if (!chart.title) nameHelp(chart.help, setting, v.data.meanings[v.curves.setting]?.[1] ?? HELP[v.curves.setting]);
  const values = column.filter((value) => value !== null);
  const line = values.length
    ? `from ${format(values[0])} to ${format(values.at(-1))} in ${column.length} epochs` : "no epoch yet";
  chart.svg.setAttribute("aria-label", `${title}: ${line}`);
}

/**
 * The chosen epoch on every chart, and the one under the pointer.
 *
 * @param {TrainingView} v
 */
export function drawMarkers(v) {
  const { epochs } = v.history;
  const index = indexNow(v);
  const { range, hovered, charts } = v.curves;
  for (const chart of charts) {
    const { scale, dots } = chart;
    if (chart.box.hidden || !scale) continue;
    const inside = index >= 0 && epochs[index] >= range[0] && epochs[index] <= range[1];
    placeLine(chart.marker, inside ? scale.x(epochs[index]) : null);
    const splits = splitsOf(v, chart);
    for (const split of /** @type {const} */ (["train", "test"])) {
      const value = inside ? splits[split]?.[index] ?? null : null;
      dots[split].setAttribute("visibility", value === null ? "hidden" : "visible");
      if (value === null) continue;
      const cy = clamp(scale.y(value), MARGIN.top, CHART_HEIGHT - MARGIN.bottom);
      setAttributes(dots[split], { cx: scale.x(epochs[index]), cy });
    }
    placeLine(chart.cross, hovered ? scale.x(epochs[hovered.index]) : null);
    drawTip(v, chart, scale);
  }
}

/**
 * @param {SVGElement} line
 * @param {number | null} x
 */
function placeLine(line, x) {
  line.setAttribute("visibility", x === null ? "hidden" : "visible");
  if (x !== null) setAttributes(line, { x1: x, x2: x, y1: MARGIN.top - 4, y2: CHART_HEIGHT - MARGIN.bottom });
}

/**
 * @param {TrainingView} v
 * @param {Chart} chart
 * @param {Scale} scale
 */
function drawTip(v, chart, scale) {
  const { hovered } = v.curves;
  const { tip } = chart;
  tip.hidden = hovered?.chart !== chart;
  if (!hovered || tip.hidden) return;
  const { test, train } = splitsOf(v, chart);
  const format = formatOf(v, chart);
  const { index } = hovered;
  const epoch = v.history.epochs[index];
  const values = train ? [`test ${format(test[index])}`, `train ${format(train[index])}`] : [format(test[index])];
  setText(tip, [`epoch ${epoch.toLocaleString("en")}`, ...values].join("\n"));
  const x = scale.x(epoch);
  const left = x + 12 + tip.offsetWidth > scale.right ? x - 12 - tip.offsetWidth : x + 12;
  tip.style.transform = `translate(${Math.round(Math.max(0, left))}px, ${MARGIN.top}px)`;
}
