// How dense the places on the way are: the share of real images' codes in less dense ones. The axis goes by the
// square root, as what matters happens near 0.

import { element, setAttributes, shape } from "../shared/elements.js";
import { clamp } from "../shared/numbers.js";
import { LOW_SHARE } from "./layout.js";
/** @import { Film } from "./layout.js" */

const CHART_PX = 68;
const PAD_PX = 8; // half a thumb: a step is right below the scrubber's thumb
/** @type {[number, string][]} */
const LINES = [[1, "100%"], [0.25, "25%"], [LOW_SHARE, "5%"]];

/**
 * @param {Film} f
 * @param {number} step
 */
const chartX = (f, step) => PAD_PX + ((f.chart.width - 2 * PAD_PX) * step) / Math.max(1, f.shown.count - 1);

/** @param {number} share */
export const chartY = (share) => CHART_PX - 1 - (CHART_PX - 8) * Math.sqrt(clamp(share, 0, 1));

/**
 * The step at some pixels from the chart's left edge, not rounded.
 *
 * @param {Film} f
 * @param {number} x
 */
export const stepAt = (f, x) => ((x - PAD_PX) / Math.max(1, f.chart.width - 2 * PAD_PX)) * (f.shown.count - 1);

/** @param {Film} f */
export function sizeChart(f) {
  const { chart, shown } = f;
  chart.box.hidden = !shown.shares;
  f.side.dataset.chart = String(Boolean(shown.shares));
  if (!shown.shares) return;
  chart.width = chart.svg.clientWidth;
  const viewBox = `0 0 ${chart.width} ${CHART_PX}`;
  setAttributes(chart.svg, { viewBox, "aria-label": "How dense the places on the way are" });
  chart.base.replaceChildren();
  chart.names.replaceChildren();
  for (const [share, text] of LINES) {
    const low = share === LOW_SHARE;
    const y = Math.round(chartY(share)) + 0.5;
    shape("line", chart.base, { class: low ? "lx-film-low" : "lx-film-base", x1: 0, x2: chart.width, y1: y, y2: y });
    shape("text", chart.names, { class: low ? "lx-film-low-text" : "", x: chart.width + 6, y: y + 4 }, text);
  }
  const floor = chartY(0) + 0.5;
  shape("line", chart.base, { class: "lx-film-base", x1: 0, x2: chart.width, y1: floor, y2: floor });
  let [curve, area] = ["", ""];
  for (const run of runsOf(shown.shares)) {
    const points = run.map(([step, share]) => `${chartX(f, step).toFixed(1)},${chartY(share).toFixed(1)}`);
    const [first, last] = [run[0], run[run.length - 1]].map(([step]) => chartX(f, step).toFixed(1));
    curve += `M${points.join("L")}${run.length === 1 ? "h0" : ""}`;
    area += `M${first},${floor}L${points.join("L")}L${last},${floor}Z`;
  }
  setAttributes(chart.curve, { d: curve });
  setAttributes(chart.area, { d: area });
  drawMarker(f);
}

/**
 * Stretches of steps whose share is known: [step, share] each.
 *
 * @param {(number | null)[]} shares
 */
export function runsOf(shares) {
  /** @type {[number, number][][]} */
  const runs = [];
  shares.forEach((share, step) => {
    if (share === null) return;
    if (step === 0 || shares[step - 1] === null) runs.push([]);
    runs[runs.length - 1].push([step, share]);
  });
  return runs;
}

/** @param {Film} f */
export function drawMarker(f) {
  const { chart, shown } = f;
  if (!shown.shares) return;
  const share = shown.shares[f.step] ?? null;
  const x = chartX(f, f.step);
  setAttributes(chart.marker, { x1: x, x2: x, y1: 0, y2: CHART_PX });
  chart.dot.style.display = share === null ? "none" : "";
  const low = share !== null && share < LOW_SHARE;
  if (share !== null) setAttributes(chart.dot, { cx: x, cy: chartY(share), "data-low": low });
  chart.words.dataset.low = String(low);
  const number = share === null ? "" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
  const rest = low ? ": hardly any lies this far out" : "";
  chart.words.replaceChildren();
  if (share === null) chart.words.textContent = "No density is known here";
  else if (share === 0) chart.words.append(strong("No real image"), " lies in an emptier region");
  else chart.words.append(strong(number), ` of real images lie in emptier regions${rest}`);
}

/** @param {string} text */
const strong = (text) => element("b", "", null, {}, text);
