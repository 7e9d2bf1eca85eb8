// One view for each place in the page. Streamlit calls the default export with every update, once a second, and with
// every change of theme: what has not changed is left alone.

const VIEWS = new WeakMap(); // parentElement -> view
let viewsMade = 0;

function createView(root) {
  addStyle();
  root.replaceChildren();
  const v = {
    root, number: ++viewsMade, component: null, data: null, run: null, live: false, total: 0, latent: 0, hasPrior: true,
    freeBits: 0, historyOf: "", history: historyOf([]), past: null, pastUrl: "", pastWanted: "", epoch: Infinity, following: true,
    frames: [], frameEpochs: [], frameNames: "", loaded: new Map(), loading: new Set(), failed: new Set(),
    shown: null, framesUrl: "", probe: {}, probeName: "", abort: new AbortController(), redraw: 0,
  };
  createHead(v, root);
  createPlayer(v, root);
  createFigures(v, root);
  const grid = element("div", "lx-tv-grid", root);
  createCurves(v, grid);
  createMapPanel(v, grid);
  createBars(v, grid);
  createPictures(v, grid);
  createSamples(v, grid);
  v.resizer = new ResizeObserver(() => {
    cancelAnimationFrame(v.redraw);
    v.redraw = requestAnimationFrame(() => v.data && drawSized(v));
  });
  for (const panel of [v.curves.body, v.map.frame, v.bars.body, v.pictures.body, v.samples.body]) v.resizer.observe(panel);
  v.destroy = () => {
    v.abort.abort();
    v.resizer.disconnect();
    clearTimeout(v.player.timer);
    cancelAnimationFrame(v.redraw);
    cancelAnimationFrame(v.map.animation);
    if (window.__trainingViews?.[v.key] === v.hooks) delete window.__trainingViews[v.key];
  };
  return v;
}

// Everything that depends on how wide its panel is.
function drawSized(v) {
  drawCurves(v);
  drawBars(v);
  resizeMap(v);
  for (const canvas of [v.pictures.originals, v.pictures.reconstructions, v.samples.canvas]) sharpen(canvas);
}

// Another run in the same place.
function reset(v, run) {
  pause(v);
  v.abort.abort();
  v.abort = new AbortController();
  Object.assign(v, {
    run, historyOf: "", history: historyOf([]), past: null, pastUrl: "", pastWanted: "", frames: [], frameEpochs: [], frameNames: "", shown: null,
    probe: {}, probeName: "", epoch: Infinity, following: true, ...REMEMBERED.get(run),
  });
  for (const kept of [v.loaded, v.loading, v.failed]) kept.clear();
  v.curves.zoom = null;
  forgetMap(v);
  for (const canvas of [v.pictures.originals, v.pictures.reconstructions, v.samples.canvas]) canvas.width = canvas.width;
}

function update(v, data) {
  v.data = data;
  v.key = data.key;
  if (data.run !== v.run) reset(v, data.run);
  Object.assign(v, {
    live: data.status.live, total: data.epochs, latent: data.latent, hasPrior: data.has_prior, freeBits: data.free_bits,
    framesUrl: data.frames_url,
  });
  const grown = historyNow(v, data);
  if (grown) {
    v.history = grown;
    v.curves.hovered = null;
  }
  const curvesOf = [data.epochs, data.status.live, data.has_prior].join();
  if (v.following && v.history.epochs.length) v.epoch = v.history.epochs.at(-1);
  if (data.probe) Object.assign(v.probe, { tile: data.probe.tile, shown: data.probe.shown });
  listFrames(v, data.frames, data.reaches);
  loadProbe(v, data.probe);
  v.root.dataset.prior = String(v.hasPrior);
  nameSamples(v);
  drawClasses(v);
  drawHead(v, data.status);
  if (grown || curvesOf !== v.curvesOf) {
    v.curvesOf = curvesOf;
    drawCurves(v);
  }
  present(v);
  v.root.dataset.state = v.history.epochs.length ? "ready" : "waiting";
}

// The chosen epoch, everywhere at once.
function present(v) {
  drawPlayer(v);
  drawFigures(v);
  drawMarkers(v);
  showFrame(v);
  pump(v);
}

// The frame of the chosen epoch when it is here; what was shown stays until then.
function showFrame(v) {
  const wanted = v.history.epochs.length ? frameFor(v, v.epoch) : null;
  const frame = wanted ? v.loaded.get(wanted.name) : null;
  const gone = !wanted && v.shown;
  if (frame && frame !== v.shown) v.shown = frame;
  else if (gone) v.shown = null;
  const drawn = [v.shown?.name, v.shown?.klTop, v.hasPrior, v.freeBits].join();
  if (drawn !== v.drawn) {
    v.drawn = drawn;
    drawPictures(v);
    drawBars(v);
  }
  if (v.shown) driftTo(v, v.shown.points, v.shown.box);
  else if (gone) {
    forgetMap(v);
    drawMap(v);
  }
  drawFrameNames(v);
  v.root.dataset.frame = v.shown?.epoch ?? "";
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-tv");
  if (!root || !data) return undefined;
  let v = VIEWS.get(parentElement);
  if (!v || v.root !== root) {
    v?.destroy();
    v = createView(root);
    VIEWS.set(parentElement, v);
  }
  v.component = component;
  root.style.setProperty("--lx-scheme", readTheme(root).dark ? "dark" : "light");
  update(v, data);
  exposeHooks(v);
  drawMap(v); // the theme may be another
  return () => {
    if (v.component !== component) return; // an update came while this call's module was still on its way
    v.destroy();
    VIEWS.delete(parentElement);
  };
}

// For tests: what is chosen and what is shown.
function exposeHooks(v) {
  v.hooks ??= {
    get run() { return v.run; },
    get data() { return v.data; },
    get epoch() { return epochNow(v); },
    get epochs() { return [...v.history.epochs]; },
    get history() { return v.history; },
    get following() { return v.following; },
    get playing() { return v.player.playing; },
    get frame() { return v.shown?.epoch ?? null; },
    get frames() { return [...v.frameEpochs]; },
    get loaded() { return [...v.loaded.values()].map((frame) => frame.epoch).sort((a, b) => a - b); },
    get drifting() { return v.map.animation !== 0; },
    get points() { return v.map.now ? [...v.map.now] : null; },
    get box() { return v.map.box; },
    get bars() { return v.bars.rows.map(({ latent, value, active }) => ({ latent, value, active })); },
    get figures() { return { ...v.figures.shown }; },
    get range() { return v.curves.range; },
    goTo: (epoch) => goTo(v, indexOf(v.history.epochs, epoch)),
    pixelsOfPoints: () => pixelsOfPoints(v),
    pixelOf: (chart, epoch, value) => pixelOfCurve(v, chart, epoch, value),
    tile: (name, i) => tilePixels(v, name, i),
  };
  (window.__trainingViews ??= {})[v.key] = v.hooks;
}

// Pixels of the page, [x, y] a point.
function pixelsOfPoints(v) {
  const { left, top } = v.map.canvas.getBoundingClientRect();
  const { now, scale } = v.map;
  return Array.from({ length: now.length / 2 }, (_, i) => [left + scale.x(now[2 * i]), top + scale.y(now[2 * i + 1])]);
}

function pixelOfCurve(v, name, epoch, value) {
  const chart = v.curves.charts.find((other) => other.name === name);
  const { left, top } = chart.svg.getBoundingClientRect();
  return [left + chart.x(epoch), top + chart.y(value)];
}

// RGBA of a tile as it is on the canvas: `originals`, `reconstructions` or `samples`.
function tilePixels(v, name, i) {
  const canvas = name === "samples" ? v.samples.canvas : v.pictures[name];
  const [width, height] = v.probe.tile;
  const gap = Math.max(1, Math.round(width / 14));
  const [x, y] = [(i % ACROSS) * (width + gap), Math.floor(i / ACROSS) * (height + gap)];
  return [...canvas.getContext("2d").getImageData(x, y, width, height).data];
}
