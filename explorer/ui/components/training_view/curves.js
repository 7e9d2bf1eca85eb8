// The learning curves: small charts over one axis of epochs, drawn as SVG so that the theme's colours apply by CSS.

const CHART_HEIGHT = 148;
const MARGIN = { left: 46, right: 10, top: 8, bottom: 18 };
const SETTINGS = [["beta", "Beta"], ["learning_rate", "Learning rate"], ["noise_variance", "Noise"]];
const CURVES = [["elbo", "ELBO", "nats an image"], ["reconstruction", "Reconstruction", "nats an image"], ["kl", "KL", "nats an image"]];

function createCurves(v, parent) {
  const panel = panelOf(parent, "curves", "Learning curves", HELP.curves);
  const legend = element("div", "lx-tv-legend", panel.tools, { "aria-hidden": "true" });
  for (const [kind, text] of [["test", "test"], ["train", "train"]]) {
    const entry = element("span", "", legend);
    const line = shape("svg", entry, { viewBox: "0 0 22 6", class: "lx-tv-key" });
    shape("path", line, { d: "M1 3H21", class: `lx-tv-line-${kind}` });
    entry.append(text);
  }
  const reset = element("button", "lx-tv-button lx-tv-reset", panel.tools, { type: "button" }, "All epochs");
  reset.hidden = true;
  reset.addEventListener("click", () => zoomTo(v, null));
  panel.body.classList.add("lx-tv-charts");
  const empty = element("p", "lx-tv-empty", panel.body);
  v.curves = { ...panel, empty, reset, charts: [], zoom: null, hovered: null, setting: "beta", size: 0 };
  for (const [name, title, unit] of CURVES) v.curves.charts.push(chartOf(v, name, title, unit));
  v.curves.charts.push(settingChart(v));
  listenToCurves(v);
}

function chartOf(v, name, title, unit) {
  const box = element("figure", "lx-tv-chart", v.curves.body, { "data-chart": name });
  const caption = element("figcaption", "", box);
  const heading = element("span", "lx-tv-chart-name", caption, {}, title);
  if (HELP[name]) helpFor(caption, title, HELP[name]);
  const svg = shape("svg", box, { role: "img", class: "lx-tv-svg", height: CHART_HEIGHT });
  const clip = `lx-tv-clip-${v.number}-${name}`;
  const inside = shape("rect", shape("clipPath", svg, { id: clip }));
  const grid = shape("g", svg, { class: "lx-tv-grid-lines" });
  const lines = shape("g", svg, { "clip-path": `url(#${clip})` });
  const train = shape("path", lines, { class: "lx-tv-line-train" });
  const test = shape("path", lines, { class: "lx-tv-line-test" });
  const brush = shape("rect", lines, { class: "lx-tv-brush", visibility: "hidden" });
  const cross = shape("line", svg, { class: "lx-tv-cross", visibility: "hidden" });
  const marker = shape("line", svg, { class: "lx-tv-marker", visibility: "hidden" });
  const dots = { train: shape("circle", svg, { r: 3, class: "lx-tv-dot-train" }) };
  dots.test = shape("circle", svg, { r: 3.5, class: "lx-tv-dot-test" });
  const tip = element("div", "lx-tv-tip", box, { "aria-hidden": "true" });
  tip.hidden = true;
  return { name, title, unit, box, caption, heading, svg, inside, grid, train, test, brush, cross, marker, dots, tip };
}

// Beta, and by choice the learning rate or the learnt noise: what was set, not what came out.
function settingChart(v) {
  const chart = chartOf(v, "setting", "", "");
  chart.format = plain;
  return chart;
}

function settingsNow(v) {
  const { history } = v;
  return SETTINGS.filter(([name]) => (name !== "beta" || v.hasPrior) && (name !== "noise_variance" || hasValues(history[name])));
}

function drawSettingChoice(v) {
  const chart = v.curves.charts.at(-1);
  const options = settingsNow(v);
  const built = options.join();
  if (built === chart.built) return;
  chart.built = built;
  if (!options.some(([name]) => name === v.curves.setting)) v.curves.setting = options[0][0];
  chart.choice?.group.remove();
  chart.choice = null;
  setText(chart.heading, options.length === 1 ? options[0][1] : "");
  if (options.length > 1) chart.choice = segmented(chart.caption, "What was set", options, v.curves.setting, (name) => {
    v.curves.setting = name;
    drawCurves(v);
  });
}

const splitsOf = (v, chart) =>
  chart.name === "setting" ? { test: v.history[v.curves.setting], train: null }
    : { test: v.history.test[chart.name], train: v.history.train[chart.name] };

// While a run goes on there is room for epochs to come, which grows in steps.
function epochRange(v) {
  const { epochs } = v.history;
  const first = epochs[0] ?? 1;
  const last = epochs.at(-1) ?? 1;
  const room = v.live ? Math.min(v.total, Math.max(10, 2 ** Math.ceil(Math.log2(last * 1.05)))) : last;
  const end = Math.max(last, room);
  return end > first ? [first, end] : [first - 0.5, first + 0.5];
}

function drawCurves(v) {
  const { charts, empty, note, reset, zoom } = v.curves;
  drawSettingChoice(v);
  const [x0, x1] = zoom ?? epochRange(v);
  v.curves.range = [x0, x1];
  reset.hidden = !zoom;
  for (const chart of charts) {
    chart.box.hidden = !v.hasPrior && (chart.name === "elbo" || chart.name === "kl");
  }
  setText(note, v.hasPrior ? "" :
    "A plain autoencoder has no prior, and its codes no posterior: there is no KL and no ELBO, only the reconstruction.");
  note.hidden = v.hasPrior;
  empty.hidden = v.history.epochs.length > 0;
  setText(empty, v.live ? "The first points come when the first epoch ends." : "");
  for (const chart of charts) if (!chart.box.hidden) drawChart(v, chart, x0, x1);
  drawMarkers(v);
}

function drawChart(v, chart, x0, x1) {
  const { epochs } = v.history;
  const width = chart.box.clientWidth;
  if (!width) return;
  const splits = splitsOf(v, chart);
  const visible = (column) => (column ?? []).filter((_, i) => epochs[i] >= x0 && epochs[i] <= x1);
  const [y0, y1] = rangeOf([...visible(splits.test), ...visible(splits.train)]) ?? [0, 1];
  const bottom = CHART_HEIGHT - MARGIN.bottom;
  const right = width - MARGIN.right;
  chart.x = (epoch) => MARGIN.left + ((epoch - x0) / (x1 - x0)) * (right - MARGIN.left);
  chart.y = (value) => bottom - ((value - y0) / (y1 - y0)) * (bottom - MARGIN.top);
  chart.right = right;
  set(chart.svg, { width, viewBox: `0 0 ${width} ${CHART_HEIGHT}` });
  set(chart.inside, { x: MARGIN.left - 4, y: MARGIN.top - 4, width: right - MARGIN.left + 8, height: bottom - MARGIN.top + 5 });
  drawGrid(chart, epochs.length ? ticksOf(y0, y1, 4) : [], epochs.length ? epochTicks(x0, x1, width / 70) : [], bottom, right);
  for (const split of ["train", "test"]) chart[split].setAttribute("d", pathOf(chart, epochs, splits[split]));
  describe(v, chart, splits);
}

const set = (target, attributes) => {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
};

function drawGrid(chart, ys, xs, bottom, right) {
  chart.grid.replaceChildren();
  const text = tickText(ys);
  if (!ys.length) shape("line", chart.grid, { x1: MARGIN.left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5 });
  for (const value of ys) {
    const y = Math.round(chart.y(value)) + 0.5;
    shape("line", chart.grid, { x1: MARGIN.left, x2: right, y1: y, y2: y });
    shape("text", chart.grid, { x: MARGIN.left - 6, y: y + 3.5, "text-anchor": "end" }, text(value));
  }
  for (const epoch of xs) {
    shape("text", chart.grid, { x: chart.x(epoch), y: bottom + 14, "text-anchor": "middle" }, epoch.toLocaleString("en"));
  }
}

function pathOf(chart, epochs, column) {
  if (!column) return "";
  let path = "";
  let open = false;
  for (let i = 0; i < epochs.length; i++) {
    if (column[i] === null) {
      open = false;
      continue;
    }
    path += `${open ? "L" : "M"}${chart.x(epochs[i]).toFixed(1)} ${chart.y(column[i]).toFixed(1)}`;
    open = true;
  }
  return path;
}

function describe(v, chart, splits) {
  const { epochs } = v.history;
  const title = chart.title || SETTINGS.find(([name]) => name === v.curves.setting)[1];
  const format = chart.format ?? nats;
  const values = (splits.test ?? []).filter((value) => value !== null);
  const line = values.length
    ? `from ${format(values[0])} to ${format(values.at(-1))} in ${epochs.length} epochs` : "no epoch yet";
  chart.svg.setAttribute("aria-label", `${title}${chart.unit ? `, ${chart.unit}` : ""}: ${line}`);
}

// The chosen epoch on every chart, and the one under the pointer.
function drawMarkers(v) {
  const index = indexNow(v);
  const { range, hovered, charts } = v.curves;
  for (const chart of charts) {
    if (chart.box.hidden || !chart.x) continue;
    const epoch = v.history.epochs[index];
    const inside = index >= 0 && epoch >= range[0] && epoch <= range[1];
    placeLine(chart, chart.marker, inside ? chart.x(epoch) : null);
    const splits = splitsOf(v, chart);
    for (const [split, dot] of Object.entries(chart.dots)) {
      const value = inside ? splits[split]?.[index] ?? null : null;
      dot.setAttribute("visibility", value === null ? "hidden" : "visible");
      if (value !== null) set(dot, { cx: chart.x(epoch), cy: clamp(chart.y(value), MARGIN.top, CHART_HEIGHT - MARGIN.bottom) });
    }
    placeLine(chart, chart.cross, hovered ? chart.x(v.history.epochs[hovered.index]) : null);
    drawTip(v, chart, splits);
  }
}

function placeLine(chart, line, x) {
  line.setAttribute("visibility", x === null ? "hidden" : "visible");
  if (x !== null) set(line, { x1: x, x2: x, y1: MARGIN.top - 4, y2: CHART_HEIGHT - MARGIN.bottom });
}

function drawTip(v, chart, splits) {
  const { hovered } = v.curves;
  chart.tip.hidden = hovered?.chart !== chart;
  if (chart.tip.hidden) return;
  const format = chart.format ?? nats;
  const { index } = hovered;
  const lines = [`epoch ${v.history.epochs[index].toLocaleString("en")}`];
  if (splits.train) lines.push(`test ${format(splits.test[index])}`, `train ${format(splits.train[index])}`);
  else lines.push(format(splits.test[index]));
  setText(chart.tip, lines.join("\n"));
  const x = chart.x(v.history.epochs[index]);
  const left = x + 12 + chart.tip.offsetWidth > chart.right ? x - 12 - chart.tip.offsetWidth : x + 12;
  chart.tip.style.transform = `translate(${Math.round(Math.max(0, left))}px, ${MARGIN.top}px)`;
}
