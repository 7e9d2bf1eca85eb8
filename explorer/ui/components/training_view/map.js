// The probe map: the same images after every epoch, as points that drift from where they were. 500 points on a 2-D
// canvas take a millisecond, and leave the page's few WebGL contexts to the large maps.

const DRIFT_MS = 300;
const LEAST_MS = 90; // of a drift, when the slider moves faster than that
const RADIUS = 3.2;
const MAP_PAD = 12;

function createMapPanel(v, parent) {
  const panel = panelOf(parent, "map", "Map of the probe set", HELP.map);
  const epoch = element("span", "lx-tv-caption", panel.tools);
  const legend = element("div", "lx-tv-classes", panel.body, { role: "group", "aria-label": "Classes" });
  const frame = element("div", "lx-tv-map", panel.body);
  const canvas = element("canvas", "", frame, { role: "img" });
  const tip = element("div", "lx-tv-tip", frame, { "aria-hidden": "true" });
  tip.hidden = true;
  v.map = {
    ...panel, epoch, legend, frame, canvas, tip, paint: canvas.getContext("2d"), size: [0, 0],
    now: null, from: null, to: null, // points [x, y, x, y, …]
    box: null, boxFrom: null, boxTo: null, // x from, to, y from, to
    began: 0, lasts: 0, moved: 0, animation: 0, built: "", only: null, hovered: -1, marked: null,
  };
  listenToMap(v);
}

// Points and axes drift to a frame's; at once when there was nothing before or motion is unwelcome.
function driftTo(v, points, box) {
  const m = v.map;
  if (m.to === points && sameBox(m.boxTo, box)) return;
  const same = m.now?.length === points.length;
  const now = performance.now();
  m.lasts = same && m.box && !reducedMotion.matches ? clamp(now - m.moved, LEAST_MS, DRIFT_MS) : 0;
  m.moved = m.began = now;
  [m.from, m.to] = [same ? m.now : points, points];
  [m.boxFrom, m.boxTo] = [m.box ?? box, box];
  cancelAnimationFrame(m.animation);
  m.animation = 0;
  if (m.lasts) m.animation = requestAnimationFrame((time) => drift(v, time));
  else settle(v);
}

const sameBox = (a, b) => a === b || (a && b && a.every((value, i) => value === b[i]));

function drift(v, time) {
  const m = v.map;
  const t = clamp((time - m.began) / m.lasts, 0, 1);
  if (t >= 1) return settle(v);
  const eased = t * t * (3 - 2 * t);
  const between = (a, b) => a + (b - a) * eased;
  m.now = m.to.map((value, i) => (Number.isNaN(m.from[i]) ? value : between(m.from[i], value)));
  m.box = m.boxTo.map((value, i) => between(m.boxFrom[i], value));
  m.animation = requestAnimationFrame((next) => drift(v, next));
  drawMap(v);
}

function settle(v) {
  const m = v.map;
  m.animation = 0;
  m.now = m.to;
  m.box = m.boxTo;
  drawMap(v);
  countOutside(v);
}

function forgetMap(v) {
  const m = v.map;
  cancelAnimationFrame(m.animation);
  Object.assign(m, { now: null, from: null, to: null, box: null, boxFrom: null, boxTo: null, animation: 0, only: null });
}

function resizeMap(v) {
  const { canvas, frame } = v.map;
  const ratio = devicePixelRatio || 1;
  const size = [frame.clientWidth, frame.clientHeight];
  v.map.size = size;
  const [width, height] = size.map((side) => Math.round(side * ratio));
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  v.map.paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawMap(v);
}

// {x(value), y(value)}: pixels of the canvas. A unit is as long on both axes unless the latents have no common scale.
function mapScale(v) {
  const [x0, x1, y0, y1] = v.map.box;
  const [width, height] = v.map.size;
  const [dx, dy] = [x1 - x0 || 1, y1 - y0 || 1];
  let [sx, sy] = [(width - 2 * MAP_PAD) / dx, (height - 2 * MAP_PAD) / dy];
  if (v.hasPrior || v.latent !== 2) sx = sy = Math.min(sx, sy);
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return { sx, sy, x: (value) => width / 2 + (value - cx) * sx, y: (value) => height / 2 - (value - cy) * sy };
}

function drawMap(v) {
  const m = v.map;
  const [width, height] = m.size;
  m.box && (m.scale = mapScale(v));
  m.paint.clearRect(0, 0, width, height);
  if (!m.now || !width) return;
  const theme = readTheme(v.root);
  if (v.latent === 2) drawPlane(v, theme);
  const colors = new Map((v.data.classes ?? []).map(([id, , color]) => [id, color]));
  const { labels } = v.probe;
  const shown = (i) => m.only === null || !labels || labels[i] === m.only;
  for (const front of [false, true]) {
    for (let i = 0; i < m.now.length / 2; i++) {
      if (shown(i) !== front) continue;
      m.paint.globalAlpha = front ? 0.8 : 0.1;
      dot(v, i, RADIUS, labels ? (colors.get(labels[i]) ?? theme.primary) : theme.primary);
    }
  }
  m.paint.globalAlpha = 1;
  for (const i of [m.hovered, m.marked ?? -1]) if (i >= 0) ringOf(v, i, theme);
}

function dot(v, i, radius, color) {
  const { paint, now, scale } = v.map;
  if (Number.isNaN(now[2 * i]) || Number.isNaN(now[2 * i + 1])) return;
  paint.fillStyle = color;
  paint.beginPath();
  paint.arc(scale.x(now[2 * i]), scale.y(now[2 * i + 1]), radius, 0, 2 * Math.PI);
  paint.fill();
}

function ringOf(v, i, theme) {
  const { paint, now, scale } = v.map;
  for (const [width, color] of [[5, theme.background], [2, theme.text]]) {
    paint.lineWidth = width;
    paint.strokeStyle = color;
    paint.beginPath();
    paint.arc(scale.x(now[2 * i]), scale.y(now[2 * i + 1]), 7, 0, 2 * Math.PI);
    paint.stroke();
  }
}

// Two latents are a plane with numbers: its axes, and for a VAE the prior's rings at 1, 2 and 3 standard deviations.
function drawPlane(v, theme) {
  const { paint, scale, size: [width, height] } = v.map;
  paint.lineWidth = 1;
  paint.strokeStyle = theme.border;
  const [x, y] = [Math.round(scale.x(0)) + 0.5, Math.round(scale.y(0)) + 0.5];
  paint.beginPath();
  paint.moveTo(x, 0);
  paint.lineTo(x, height);
  paint.moveTo(0, y);
  paint.lineTo(width, y);
  paint.stroke();
  if (!v.hasPrior) return;
  paint.setLineDash([2, 4]);
  paint.strokeStyle = withAlpha(theme.text, 0.35);
  for (const sigma of [1, 2, 3]) {
    paint.beginPath();
    paint.ellipse(scale.x(0), scale.y(0), sigma * scale.sx, sigma * scale.sy, 0, 0, 2 * Math.PI);
    paint.stroke();
  }
  paint.setLineDash([]);
}

function countOutside(v) {
  const m = v.map;
  const [width, height] = m.size;
  let outside = 0;
  if (m.now && m.scale) {
    for (let i = 0; i < m.now.length; i += 2) {
      const [x, y] = [m.scale.x(m.now[i]), m.scale.y(m.now[i + 1])];
      outside += x < 0 || y < 0 || x > width || y > height ? 1 : 0;
    }
  }
  const what = v.latent === 2
    ? `Both latents as they are${v.hasPrior ? "; rings: 1, 2 and 3 standard deviations of the prior" : ""}.`
    : "Two principal components of the codes, turned to fit the epoch before.";
  const count = m.now ? m.now.length / 2 : 0;
  setText(m.note, m.now ? `${what}${outside ? ` ${outside === 1 ? "1 point lies" : `${outside} points lie`} outside.` : ""}` : "");
  m.canvas.setAttribute("aria-label", m.now ? `Map of ${count} test images after epoch ${v.shown?.epoch}` : "Map, no epoch yet");
}
