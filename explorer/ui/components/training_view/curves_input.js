// Pointer on the curves: a click goes to an epoch, a drag zooms into some (by touch it goes through them).

import { setAttributes } from "../shared/elements.js";
import { CHART_HEIGHT, drawCurves, drawMarkers, MARGIN } from "./curves.js";
import { leapTo } from "./epoch.js";
import { nearestIndex } from "./history.js";
/** @import { Chart } from "./curves.js" */
/** @import { TrainingView } from "./view.js" */

const DRAG_PX = 6;

/** @param {TrainingView} v */
export function listenToCurves(v) {
  v.curves.reset.addEventListener("click", () => zoomTo(v, null));
  for (const chart of v.curves.charts) listenToChart(v, chart);
}

/**
 * @param {TrainingView} v
 * @param {Chart} chart
 */
function listenToChart(v, chart) {
  const { svg } = chart;
  /** @type {{ x: number, index: number, moved: boolean } | null} */
  let down = null;

  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    const index = indexAt(v, chart, event);
    if (index < 0) return;
    down = { x: event.clientX, index, moved: false };
    if (event.pointerType !== "touch") event.preventDefault(); // no text is selected
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    const index = indexAt(v, chart, event);
    if (index < 0) return;
    if (down && Math.abs(event.clientX - down.x) > DRAG_PX) down.moved = true;
    if (event.pointerType === "touch") {
      if (down?.moved) leapTo(v, index);
      return;
    }
    v.curves.hovered = { chart, index };
    drawBrush(v, chart, down?.moved ? [down.index, index] : null);
    drawMarkers(v);
  });
  svg.addEventListener("pointerup", (event) => {
    if (!down) return;
    const index = indexAt(v, chart, event);
    const { moved, index: from } = down;
    down = null;
    drawBrush(v, chart, null);
    if (!moved) leapTo(v, index);
    else if (event.pointerType !== "touch" && Math.abs(index - from) > 1) {
      zoomTo(v, [v.history.epochs[Math.min(index, from)], v.history.epochs[Math.max(index, from)]]);
    }
  });
  svg.addEventListener("pointercancel", () => {
    down = null;
    drawBrush(v, chart, null);
  });
  svg.addEventListener("pointerleave", () => {
    v.curves.hovered = null;
    drawMarkers(v);
  });
  svg.addEventListener("dblclick", () => zoomTo(v, null));
}

/**
 * Index of the epoch under the pointer, else -1.
 *
 * @param {TrainingView} v
 * @param {Chart} chart
 * @param {PointerEvent} event
 */
function indexAt(v, { scale, svg }, event) {
  const { epochs } = v.history;
  if (!scale || !epochs.length) return -1;
  const [x0, x1] = v.curves.range;
  const share = (event.clientX - svg.getBoundingClientRect().left - MARGIN.left) / (scale.right - MARGIN.left);
  return nearestIndex(epochs, x0 + share * (x1 - x0));
}

/**
 * @param {TrainingView} v
 * @param {[number, number] | null} range  null: all epochs
 */
function zoomTo(v, range) {
  v.curves.zoom = range;
  drawCurves(v);
}

/**
 * @param {TrainingView} v
 * @param {Chart} chart
 * @param {[number, number] | null} indices
 */
function drawBrush(v, { brush, scale }, indices) {
  brush.setAttribute("visibility", indices ? "visible" : "hidden");
  if (!indices || !scale) return;
  const [a, b] = indices.map((index) => scale.x(v.history.epochs[index]));
  const top = MARGIN.top - 4;
  const height = CHART_HEIGHT - MARGIN.bottom - top;
  setAttributes(brush, { x: Math.min(a, b), width: Math.abs(b - a), y: top, height });
}
