// The map: what loads it, brings it up to date and takes it away.

import { onMoved } from "../shared/following.js";
import { mount } from "../shared/mount.js";
import { readTheme } from "../shared/theme.js";
import { loadFigure } from "./figure.js";
import { hideCard } from "./hover.js";
import { listenToInput, listenToPlot } from "./input.js";
import { createMap } from "./layout.js";
import { drawLegend, listenToLegend } from "./legend.js";
import { imageAt, loadPlotly } from "./load.js";
import { drawMarks, followersNow, markSignature, marksNow, requestMarks } from "./marks.js";
import { pixelOf, placeOf, viewNow } from "./places.js";
import { missingParts } from "./plotly_private.js";
import { draw } from "./plot.js";
import { drawSelection, forgetSelection, restoreSelection, selectionKey, takeLinked, tellSelection } from "./selection.js";
import { moveView, setView } from "./view.js";
import { atWork, isGone, putAway } from "./work.js";
/** @import { Answers, Hooks } from "../shared/mount.js" */
/** @import { MapData, MapView, View } from "./layout.js" */

/**
 * @param {HTMLElement} root
 * @param {MapData} data
 * @param {Answers} answers
 */
function create(root, data, answers) {
  const m = createMap(root, data, answers);
  listenToInput(m);
  listenToLegend(m);
  onMoved((key) => {
    if (key && key === selectionKey(m)) takeLinked(m);
    if ([m.data.follows, m.data.link].includes(key) || m.data.trails.some(({ player }) => player === key)) requestMarks(m);
  }, m.abort.signal);
  m.retry.addEventListener("click", () => show(m));
  m.resizer = new ResizeObserver(() => {
    m.width = m.frame.clientWidth;
    hideCard(m);
    cancelAnimationFrame(m.resizeFrame);
    m.resizeFrame = requestAnimationFrame(() => {
      if (m.drawn && m.frame.clientWidth) atWork(m, () => m.Plotly.Plots.resize(m.gd));
    });
  });
  m.resizer.observe(m.frame);
  return m;
}

/**
 * @param {MapView} m
 * @param {"loading" | "updating" | "ready" | "failed"} state
 * @param {string} [text]
 */
function setStatus(m, state, text = "") {
  m.root.dataset.state = state;
  m.statusText.textContent = text;
  m.status.hidden = state !== "loading" && state !== "failed";
  m.retry.hidden = state !== "failed";
}

/**
 * Fetches the figure that `data` names and draws it; the old one stays until then.
 *
 * @param {MapView} m
 */
async function show(m) {
  const { figure_url: url, plotly_url: plotlyUrl, revision } = m.data;
  m.wanted = url;
  setStatus(m, m.figure ? "updating" : "loading", m.figure ? "" : "Loading the map…");
  try {
    const [Plotly, figure] = await Promise.all([loadPlotly(plotlyUrl), loadFigure(url)]);
    if (m.wanted !== url || isGone(m)) return; // a newer one is on its way
    m.Plotly = Plotly;
    if ((revision || figure.revision) !== m.revision) {
      forgetSelection(m);
      m.restored = null;
      m.hidden.clear();
      m.revision = revision || figure.revision;
    }
    m.figure = figure;
    await apply(m);
    setStatus(m, "ready");
  } catch (error) {
    if (m.wanted !== url || isGone(m)) return;
    console.error("latent map:", error);
    m.wanted = "";
    setStatus(m, "failed", "The map could not be loaded.");
  }
}

/**
 * What changes with the figure; a redraw only when something the plot shows did change.
 *
 * @param {MapView} m
 */
async function apply(m) {
  const { legend, legend_of: of, atlas, overlay } = m.data;
  const ids = new Set(legend?.map((entry) => entry.id));
  const same = m.about.legend_of === of; // an id of a class is none of a group
  m.hidden = new Set([...m.hidden].filter((id) => same && ids.has(id)));
  m.about = m.data;
  drawLegend(m);
  if (atlas) imageAt(atlas.url); // so that the first move over the plane has its picture
  const signature = JSON.stringify([m.figure.url, legend, overlay, readTheme(m.root)]);
  const before = m.restored;
  const anew = before !== m.data.anew;
  m.restored = m.data.anew;
  if (before === null) m.view = m.data.view; // to be drawn
  else if (anew && m.data.tells_view) await moveView(m, m.data.view);
  const restored = restoreSelection(m, anew);
  if (signature === m.signature) {
    if (restored) drawSelection(m);
    return;
  }
  m.signature = signature;
  m.drawnMarks = markSignature(m);
  hideCard(m);
  await draw(m);
  if (!m.drawn || m.listening) return;
  m.listening = true;
  const missing = missingParts(m.gd);
  if (missing.length) throw new Error(`this plotly.js has no ${missing.join(", no ")}`);
  listenToPlot(m);
}

/** @param {MapView} m */
function update(m) {
  const { data, root } = m;
  m.gd.setAttribute("aria-label", "Map of codes. Arrow keys move the chosen place, Enter selects what is around it, plus and minus zoom.");
  root.style.setProperty("--lx-height", `${data.height}px`);
  if (m.pending && data.ack >= m.pending.t) m.pending = null; // Python has answered this click
  if (m.selectedAt > data.ack && !m.answers.waiting) tellSelection(m); // a new session knows nothing of it
  if (m.figure?.url === data.figure_url && m.drawn) {
    m.wanted = data.figure_url;
    setStatus(m, "ready");
    apply(m);
  } else if (m.wanted !== data.figure_url) {
    show(m);
  }
  drawMarks(m);
}

/** @param {MapView} m */
function destroy(m) {
  m.abort.abort();
  m.resizer?.disconnect();
  for (const timer of [m.keyTimer, m.touchTimer, m.viewTimer]) clearTimeout(timer);
  for (const frame of [m.cardFrame, m.marksFrame, m.resizeFrame, m.raster?.frame ?? 0]) cancelAnimationFrame(frame);
  putAway(m);
}

/**
 * Where a place or a point is on the page, and what is shown.
 *
 * @type {Hooks<MapView>}
 */
const hooks = {
  name: "__latentMaps",
  of: (m) => ({
    /** @type {(x: number, y: number) => object} */
    pixelOf: (x, y) => {
      const { clientX, clientY } = pixelOf(m, { x, y }) ?? {};
      return { x: clientX, y: clientY };
    },
    /** @type {(clientX: number, clientY: number) => object | null} */
    placeOf: (clientX, clientY) => placeOf(m, { clientX, clientY }),
    /** @type {(id: number) => object | null} */
    pointOf: (id) => {
      const row = m.shown.find((shown) => Number(m.figure.ids[shown]) === id);
      if (row === undefined) return null;
      const place = { x: m.figure.x[row], y: m.figure.y[row] };
      return { ...place, ...pixelOf(m, place) };
    },
    missingParts: () => missingParts(m.gd),
    get figure() { return m.figure?.url ?? null; },
    get view() { return viewNow(m); },
    get shown() { return m.shown.length; },
    get hovered() { return m.hovered; },
    get cards() { return m.cards; },
    get frames() { return m.frames; },
    get dimmed() { return m.raster?.layers.length === 2 ? m.raster.layers[0].rows.length : 0; },
    get selected() { return m.selected ? [...m.selected] : null; },
    get marks() { return marksNow(m); },
    get trails() { return m.data.trails; },
    get followers() { return followersNow(m); },
    get dragmode() { return m.dragmode; },
    /** @type {(mode: string) => Promise<unknown>} */
    setDragmode: (mode) => m.Plotly.relayout(m.gd, { dragmode: mode }),
    /** @type {(view: View | null) => Promise<void>} */
    setView: (view) => setView(m, view),
  }),
};

export default mount({ selector: ".lx-map", create, update, destroy, hooks });
