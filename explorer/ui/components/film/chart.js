// How dense the places on the way are: the share of real images' codes in less dense ones. The axis goes by the
// square root, as what matters happens near 0.

const CHART_PX = 68;
const PAD_PX = 8; // half a thumb: a step is right below the scrubber's thumb
const LOW = 0.05;
const LINES = [[1, "100%"], [0.25, "25%"], [LOW, "5%"]];

function createChart(f) {
  const box = element("div", "lx-film-chart", f.side);
  element("p", "lx-film-chart-title", box, {}, "Denser than … of real images (square-root scale)");
  const svg = shape("svg", box, { class: "lx-film-svg", role: "img" });
  const base = shape("g", svg);
  const area = shape("path", svg, { class: "lx-film-area" });
  const curve = shape("path", svg, { class: "lx-film-curve" });
  const names = shape("g", svg);
  const marker = shape("line", svg, { class: "lx-film-marker" });
  const dot = shape("circle", svg, { class: "lx-film-dot", r: 5 });
  const words = element("p", "lx-film-density", box);
  words.title =
    "Where few real images are encoded the decoder was hardly trained, and what it draws there is a guess. " +
    `Below ${LOW * 100}% a step is out among the emptiest places that real images reach.`;
  f.chart = { box, svg, base, area, curve, names, marker, dot, words, width: 0 };
  let held = false;
  const scrub = (event) => {
    if (!held || !f.shown) return;
    const { left } = svg.getBoundingClientRect();
    const share = (event.clientX - left - PAD_PX) / Math.max(1, f.chart.width - 2 * PAD_PX);
    pause(f);
    seek(f, share * (f.shown.count - 1));
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = true;
    svg.setPointerCapture(event.pointerId);
    scrub(event);
  });
  svg.addEventListener("pointermove", scrub);
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => (held = false));
}

const chartX = (f, step) => PAD_PX + ((f.chart.width - 2 * PAD_PX) * step) / Math.max(1, f.shown.count - 1);
const chartY = (share) => CHART_PX - 1 - (CHART_PX - 8) * Math.sqrt(Math.max(0, Math.min(1, share)));

function sizeChart(f) {
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
    const low = share === LOW;
    const y = Math.round(chartY(share)) + 0.5;
    shape("line", chart.base, { class: low ? "lx-film-low" : "lx-film-base", x1: 0, x2: chart.width, y1: y, y2: y });
    shape("text", chart.names, { class: low ? "lx-film-low-text" : "", x: chart.width + 6, y: y + 4 }, text);
  }
  const floor = chartY(0) + 0.5;
  shape("line", chart.base, { class: "lx-film-base", x1: 0, x2: chart.width, y1: floor, y2: floor });
  let [curve, area] = ["", ""];
  for (const run of runsOf(shown.shares)) {
    const points = run.map(([step, share]) => `${chartX(f, step).toFixed(1)},${chartY(share).toFixed(1)}`);
    const [first, last] = [chartX(f, run[0][0]).toFixed(1), chartX(f, run.at(-1)[0]).toFixed(1)];
    curve += `M${points.join("L")}${run.length === 1 ? "h0" : ""}`;
    area += `M${first},${floor}L${points.join("L")}L${last},${floor}Z`;
  }
  setAttributes(chart.curve, { d: curve });
  setAttributes(chart.area, { d: area });
  drawMarker(f);
}

// Stretches of steps whose share is known: [[step, share], ...] each.
function runsOf(shares) {
  const runs = [];
  let open = false;
  shares.forEach((share, step) => {
    if (share !== null && !open) runs.push([]);
    open = share !== null;
    if (open) runs.at(-1).push([step, share]);
  });
  return runs;
}

function drawMarker(f) {
  const { chart, shown } = f;
  if (!shown.shares) return;
  const share = shown.shares[f.step] ?? null;
  const x = chartX(f, f.step);
  setAttributes(chart.marker, { x1: x, x2: x, y1: 0, y2: CHART_PX });
  chart.dot.style.display = share === null ? "none" : "";
  const low = share !== null && share < LOW;
  if (share !== null) setAttributes(chart.dot, { cx: x, cy: chartY(share), "data-low": low });
  chart.words.dataset.low = String(low);
  const number = share === null ? "" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
  const rest = low ? ": hardly any lies this far out" : "";
  chart.words.replaceChildren();
  if (share === null) chart.words.textContent = "No density is known here";
  else if (share === 0) chart.words.append(strong("No real image"), " lies in a less dense place");
  else chart.words.append(strong(number), ` of real images lie in less dense places${rest}`);
}

const strong = (text) => element("b", "", null, {}, text);
