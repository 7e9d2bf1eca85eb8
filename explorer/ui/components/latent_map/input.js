// Pointer and keyboard. A click is told from a drag here, and the point under it found here, because plotly
// reports neither clicks on the empty plane nor, without its own hover, on points.

import { closest } from "../shared/elements.js";
import { clamp } from "../shared/numbers.js";
import { hideCard, HIT_PX, hoverAt, pinCard } from "./hover.js";
import { choose, chosenPlace, drawMarks, moveLabels, requestMarks } from "./marks.js";
import { placeOf, rowNear, viewNow } from "./places.js";
import { dragAreaOf, dragmodeOf } from "./plotly_private.js";
import { requestRaster } from "./raster.js";
import { clearSelection, previewSelection, selectAround, takeSelection } from "./selection.js";
import { setView, tellView, zoomBy } from "./view.js";
/** @import { MapView } from "./layout.js" */
/** @import { Outlined } from "./selection.js" */

const TOUCH_PX = 14;
const MOVED_PX = 5;
const DOUBLE_MS = 350;
const KEY_DELAY_MS = 150;
const TOUCH_CARD_MS = 3000;
const KEY_STEP = 0.02; // of the view
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** @typedef {{ clientX: number, clientY: number }} Pixel */

/**
 * @param {Pixel} a
 * @param {Pixel} b
 */
const apart = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);

/** @param {MapView} m */
export function listenToInput(m) {
  const { signal } = m.abort;
  /** @type {Pixel | null} */
  let down = null;
  /** @type {(Pixel & { at: number }) | null} */
  let last = null; // the click before, to know a double click

  m.gd.addEventListener("pointerdown", (event) => {
    down = null;
    m.held = true;
    m.shift = event.shiftKey;
    m.root.classList.add("lx-pointed"); // the focus ring is for the keyboard
    if (!event.isPrimary || event.button !== 0 || closest(event, ".modebar, .lx-controls")) return;
    if (placeOf(m, event)) down = { clientX: event.clientX, clientY: event.clientY };
    hideCard(m);
  }, { signal, capture: true });

  m.gd.addEventListener("mousedown", (event) => startAtEdge(m, event), { signal, capture: true });
  m.gd.addEventListener("touchstart", (event) => startAtEdge(m, event), { signal, capture: true, passive: true });

  // A lasso is closed where it began, and is no click for that.
  addEventListener("pointermove", (event) => {
    if (down && event.isPrimary && apart(event, down) > MOVED_PX) down = null;
  }, { signal, capture: true });

  // plotly lays a sheet over the page while it drags, so the release may land outside the plot.
  addEventListener("pointerup", (event) => {
    letGo(m);
    if (!down || !event.isPrimary) return;
    const moved = apart(event, down) > MOVED_PX;
    down = null;
    if (moved) return;
    const again = last && apart(event, last) < 2 * MOVED_PX && event.timeStamp - last.at < DOUBLE_MS;
    last = again ? null : { clientX: event.clientX, clientY: event.clientY, at: event.timeStamp };
    if (again) onDouble(m);
    else onClick(m, event);
  }, { signal, capture: true });
  addEventListener("pointercancel", () => {
    letGo(m);
    down = null;
  }, { signal, capture: true });

  m.gd.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    if (event.buttons || closest(event, ".modebar")) hideCard(m);
    else hoverAt(m, event);
  }, { signal });
  m.gd.addEventListener("pointerleave", () => m.pinned || hideCard(m), { signal });

  m.gd.addEventListener("keydown", (event) => onKey(m, event), { signal });
  m.gd.addEventListener("blur", () => {
    m.root.classList.remove("lx-pointed");
    if (m.pinned) hideCard(m);
  }, { signal });
  m.clear.addEventListener("click", () => clearSelection(m), { signal });
}

/**
 * Lets a lasso or a box that starts in the margin, such as on an axis's numbers, start at the nearest edge of the plot:
 * plotly ignores it there.
 *
 * @param {MapView} m
 * @param {MouseEvent | TouchEvent} event
 */
function startAtEdge(m, event) {
  const area = dragAreaOf(m.gd);
  if (!area || !["lasso", "select"].includes(m.dragmode)) return;
  if (event.composedPath().includes(area) || closest(event, ".modebar, .lx-controls")) return;
  const touch = "touches" in event ? event.touches[0] : null;
  const from = touch ?? /** @type {MouseEvent} */ (event);
  if ("button" in event ? event.button !== 0 : event.touches.length > 1) return;
  const box = area.getBoundingClientRect();
  const place = {
    clientX: clamp(from.clientX, box.left, box.right), clientY: clamp(from.clientY, box.top, box.bottom),
  };
  if (touch) {
    const start = new Touch({ identifier: touch.identifier, target: area, ...place });
    area.dispatchEvent(new TouchEvent("touchstart", { bubbles: true, touches: [start], changedTouches: [start] }));
  } else {
    area.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, buttons: 1, shiftKey: m.shift, ...place }));
  }
}

/**
 * What plotly reports of zooming and of outlines.
 *
 * @param {MapView} m
 */
export function listenToPlot(m) {
  m.gd.on("plotly_relayout", (/** @type {object | undefined} */ change) => {
    const names = Object.keys(change ?? {});
    if (names.includes("dragmode")) m.dragmode = dragmodeOf(m.gd);
    requestRaster(m, false);
    if (m.drawing) return;
    if (names.some((name) => name.includes("axis.range"))) {
      m.view = viewNow(m);
      moveLabels(m);
      tellView(m);
    }
    hideCard(m);
  });
  m.gd.on("plotly_relayouting", () => requestRaster(m, true));
  m.gd.on("plotly_afterplot", () => requestRaster(m, false));
  m.gd.on("plotly_selecting", (/** @type {Outlined | undefined} */ event) => {
    if (event && (event.lassoPoints || event.range)) previewSelection(m, event);
  });
  m.gd.on("plotly_selected", (/** @type {Outlined | undefined} */ event) => {
    if (!m.drawing && event && (event.lassoPoints || event.range)) takeSelection(m, event);
  });
  m.gd.on("plotly_deselect", () => {
    if (!m.drawing) clearSelection(m);
  });
}

/** @param {MapView} m */
function letGo(m) {
  if (!m.held) return;
  m.held = false;
  requestMarks(m); // a film may have gone on
}

/**
 * @param {MapView} m
 * @param {PointerEvent} event
 */
function onClick(m, event) {
  const spot = placeOf(m, event);
  if (!spot) return;
  const touch = event.pointerType === "touch";
  const row = rowNear(m, spot, touch ? TOUCH_PX : HIT_PX);
  if (row >= 0) choose(m, { x: m.figure.x[row], y: m.figure.y[row] }, Number(m.figure.ids[row]));
  else choose(m, spot, null);
  m.gd.focus({ preventScroll: true });
  if (!touch) return;
  pinCard(m, spot, row);
  clearTimeout(m.touchTimer);
  m.touchTimer = setTimeout(() => hideCard(m), TOUCH_CARD_MS);
}

/** @param {MapView} m */
function onDouble(m) {
  if (m.selected) clearSelection(m);
  else setView(m, null);
}

/**
 * @param {MapView} m
 * @param {KeyboardEvent} event
 */
function onKey(m, event) {
  m.root.classList.remove("lx-pointed");
  if (!m.figure || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow) moveChosen(m, arrow, event.shiftKey ? 5 : 1);
  else if (event.key === "Enter") selectAround(m, event.shiftKey);
  else if (event.key === "Escape" && m.selected) clearSelection(m);
  else if (event.key === "Escape") hideCard(m);
  else if (event.key === "+" || event.key === "=") zoomBy(m, 0.8);
  else if (event.key === "-") zoomBy(m, 1.25);
  else if (event.key === "0") setView(m, null);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * The mark and the atlas follow at once; Python hears of it when the keys rest.
 *
 * @param {MapView} m
 * @param {[number, number]} arrow
 * @param {number} steps
 */
function moveChosen(m, [dx, dy], steps) {
  const from = chosenPlace(m);
  const { x: [x0, x1], y: [y0, y1] } = viewNow(m);
  const place = {
    x: clamp(from.x + dx * steps * KEY_STEP * (x1 - x0), x0, x1),
    y: clamp(from.y + dy * steps * KEY_STEP * (y1 - y0), y0, y1),
  };
  m.pending = { ...place, t: Infinity }; // not sent yet, so no answer may take it away
  drawMarks(m);
  pinCard(m, place, -1);
  clearTimeout(m.keyTimer);
  m.keyTimer = setTimeout(() => choose(m, place, null), KEY_DELAY_MS);
}
