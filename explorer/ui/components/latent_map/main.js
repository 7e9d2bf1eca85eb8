// One map for each place in the page. Streamlit calls the default export again with every rerun and theme.

const MAPS = new WeakMap(); // parentElement -> map

function createMap(root) {
  root.replaceChildren();
  const legendBox = element("div", "lx-legend", root, { role: "group" });
  legendBox.hidden = true;
  const chips = element("div", "lx-chips", legendBox);
  const all = element("button", "lx-chip lx-all", legendBox, { type: "button" });
  all.textContent = "All";
  const scaleBox = element("div", "lx-scale", root);
  scaleBox.hidden = true;
  const scale = {
    box: scaleBox, name: element("span", "lx-name", scaleBox), low: element("span", "lx-count", scaleBox),
    bar: element("span", "lx-bar", scaleBox), high: element("span", "lx-count", scaleBox),
  };
  const frame = element("div", "lx-frame", root);
  const gd = element("div", "lx-plot", frame, { tabindex: "0", role: "application" });
  const controls = element("div", "lx-controls", frame);
  const note = element("span", "lx-note", controls, { role: "status" });
  const clear = element("button", "lx-chip lx-clear", controls, { type: "button" });
  clear.textContent = "Clear";
  clear.hidden = true;
  const box = element("div", "lx-card", frame, { "aria-hidden": "true" });
  box.hidden = true;
  const canvas = element("canvas", "lx-picture", box);
  const words = element("div", "lx-words", box);
  const title = element("div", "lx-title", words);
  const card = {
    box, canvas, paint: canvas.getContext("2d"),
    dot: element("span", "lx-dot", title), name: element("span", "lx-name", title),
    line: element("div", "lx-line", words), value: element("div", "lx-line", words),
  };
  const status = element("div", "lx-status", frame, { role: "status" });
  const statusText = element("p", "", status);
  const retry = element("button", "lx-chip lx-retry", status, { type: "button" });
  retry.textContent = "Retry";
  const m = {
    root, legendBox, chips, all, scale, scaled: false, frame: 0, gd, note, clear, card, status, statusText, retry,
    component: null, Plotly: null, figure: null, theme: readTheme(root), width: 0, abort: new AbortController(),
    legend: null, legendOf: "", hidden: new Set(), shown: new Int32Array(0), sprites: null, atlas: null, overlay: null,
    names: [], marks: [], trails: [], follows: "", followed: null, steps: new Map(), pending: null, drawnMarks: "", selected: null, selectedAt: 0,
    outlines: [], view: null, dragmode: "pan", revision: null, pointer: null, pinned: null, hovered: null, hint: "",
    shift: false, held: false, drawing: 0, works: 0, listening: false, wanted: "", keyTimer: 0, touchTimer: 0, trailFrame: 0,
  };
  listenToInput(m);
  listenToLegend(m);
  listenToFilms(m);
  listenToSliders(m);
  retry.addEventListener("click", () => show(m, m.component.data));
  m.resizer = new ResizeObserver(() => {
    m.width = frame.clientWidth;
    hideCard(m);
    cancelAnimationFrame(m.resizeFrame);
    m.resizeFrame = requestAnimationFrame(() => {
      if (m.listening && frame.clientWidth) atWork(m, () => m.Plotly.Plots.resize(gd));
    });
  });
  m.resizer.observe(frame);
  return m;
}

function setStatus(m, state, text = "") {
  m.root.dataset.state = state; // loading | updating | ready | failed
  m.statusText.textContent = text;
  m.status.hidden = state !== "loading" && state !== "failed";
  m.retry.hidden = state !== "failed";
}

// Fetches the figure that `data` names and draws it; the old one stays until then.
async function show(m, data) {
  m.wanted = data.figure_url;
  setStatus(m, m.figure ? "updating" : "loading", m.figure ? "" : "Loading the map…");
  try {
    const [Plotly, figure] = await Promise.all([loadPlotly(data.plotly_url), loadFigure(data.figure_url)]);
    if (m.wanted !== data.figure_url || isGone(m)) return; // a newer one is on its way
    m.Plotly = Plotly;
    const revision = data.revision || figure.revision;
    if (revision !== m.revision) {
      forgetSelection(m, null); // nobody cleared it
      m.selectedAt = 0; // what is remembered of this revision is news here
      m.view = null;
      m.hidden.clear();
      m.revision = revision;
    }
    m.figure = figure;
    await apply(m, m.component.data);
    setStatus(m, "ready");
  } catch (error) {
    if (m.wanted !== data.figure_url || isGone(m)) return;
    console.error("latent map:", error);
    m.wanted = "";
    setStatus(m, "failed", "The map could not be loaded.");
  }
}

// What changes with the figure; a redraw only when something the plot shows did change.
async function apply(m, data) {
  const ids = new Set(data.legend?.map((entry) => entry.id));
  const same = m.legendOf === data.legend_of; // an id of a class is none of a group
  m.hidden = new Set([...m.hidden].filter((id) => same && ids.has(id)));
  m.legend = data.legend;
  m.legendOf = data.legend_of;
  m.names = data.names ?? [];
  m.sprites = data.sprites;
  m.atlas = data.atlas;
  m.overlay = data.overlay;
  m.hint = data.hint;
  drawLegend(m);
  if (m.atlas) imageAt(m.atlas.url); // so that the first move over the plane has its picture
  const signature = JSON.stringify([m.figure.url, data.legend, data.overlay, readTheme(m.root)]);
  const restored = restoreSelection(m);
  if (signature === m.signature && !restored) return;
  m.signature = signature;
  m.drawnMarks = markSignature(m);
  hideCard(m);
  await draw(m);
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-map");
  if (!root || !data) return undefined;
  let m = MAPS.get(parentElement);
  if (!m || m.root !== root) {
    m?.destroy();
    m = createMap(root);
    MAPS.set(parentElement, m);
    m.destroy = () => {
      m.abort.abort();
      m.resizer.disconnect();
      clearTimeout(m.keyTimer);
      clearTimeout(m.touchTimer);
      cancelAnimationFrame(m.frame);
      cancelAnimationFrame(m.trailFrame);
      cancelAnimationFrame(m.resizeFrame);
      putAway(m);
      if (window.__latentMaps?.[m.key] === m.hooks) delete window.__latentMaps[m.key];
      MAPS.delete(parentElement);
    };
  }
  m.component = component;
  m.key = data.key;
  m.gd.setAttribute("aria-label", `${data.label}. Arrow keys move the chosen place, plus and minus zoom.`);
  root.style.setProperty("--lx-height", `${data.height}px`);
  root.style.setProperty("--lx-scheme", readTheme(root).dark ? "dark" : "light");
  m.marks = data.marks;
  m.trails = data.trails;
  if (m.follows !== data.follows) Object.assign(m, { follows: data.follows, followed: null });
  if (m.pending && data.ack >= m.pending.t) m.pending = null; // Python has answered this click
  exposeHooks(m);
  if (m.figure?.url === data.figure_url && m.listening) {
    m.wanted = data.figure_url;
    setStatus(m, "ready");
    apply(m, data);
  } else if (m.wanted !== data.figure_url) {
    show(m, data);
  }
  drawMarks(m);
  return m.destroy;
}

// For tests and benchmarks: where a place or a point is on the page, and what is shown.
function exposeHooks(m) {
  m.hooks ??= {
    pixelOf: (x, y) => pixelOf(m, x, y),
    placeOf: (clientX, clientY) => placeOf(m, clientX, clientY),
    pointOf: (id) => {
      const row = m.shown.find((shown) => Number(m.figure.ids[shown]) === id);
      return row === undefined ? null : { x: m.figure.x[row], y: m.figure.y[row], ...pixelsOfRow(m, row) };
    },
    get figure() { return m.figure?.url ?? null; },
    get view() { return viewNow(m); },
    get shown() { return m.shown.length; },
    get hovered() { return m.hovered; },
    get selected() { return m.selected ? [...m.selected] : null; },
    get marks() { return marksNow(m); },
    get trails() { return m.trails; },
    get followers() { return followers(m); },
    get dragmode() { return m.dragmode; },
    setDragmode: (mode) => m.Plotly.relayout(m.gd, { dragmode: mode }),
    setView: (view) => setView(m, view),
  };
  (window.__latentMaps ??= {})[m.key] = m.hooks;
}

function pixelsOfRow(m, row) {
  const { x: clientX, y: clientY } = pixelOf(m, m.figure.x[row], m.figure.y[row]);
  return { clientX, clientY };
}
