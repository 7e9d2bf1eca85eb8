// The card beside the pointer: a point's own picture, or the plane's, blended from four tiles of the atlas.

const CARD_PX = 112; // the longer side of the picture
const HIT_PX = 6;
const TOUCH_PX = 14;

function hoverAt(m, clientX, clientY) {
  m.pointer = { clientX, clientY };
  m.pinned = null;
  requestCard(m);
}

// In the corner: for the keyboard and for touch, which have no pointer to follow.
function pinCard(m, place, row) {
  m.pinned = { ...place, row };
  requestCard(m);
}

// Once an animation frame, however many moves the pointer reports in between.
function requestCard(m) {
  if (m.frame) return;
  m.frame = requestAnimationFrame(() => {
    m.frame = 0;
    drawCard(m);
  });
}

function drawCard(m) {
  if (!m.pointer && !m.pinned) return;
  const place = m.pinned || placeOf(m, m.pointer.clientX, m.pointer.clientY);
  if (!place) return hideCard(m);
  const row = m.pinned ? m.pinned.row : rowNear(m, place, HIT_PX);
  const drawn = row >= 0 ? drawPoint(m, row) : drawPlane(m, place);
  m.card.canvas.hidden = !drawn;
  m.card.box.hidden = false;
  m.card.box.classList.toggle("lx-card-pinned", Boolean(m.pinned));
  if (drawn) window.__latentMapFrames = (window.__latentMapFrames ?? 0) + 1;
  m.hovered = row >= 0 ? Number(m.figure.ids[row]) : null;
  m.card.box.dataset.id = m.hovered ?? "";
  if (m.pinned) m.card.box.style.transform = "";
  else placeCard(m);
}

function hideCard(m) {
  m.pointer = null;
  m.pinned = null;
  m.hovered = null;
  m.card.box.hidden = true;
}

// Right of and below the pointer, on the other side where the plot ends.
function placeCard(m) {
  const box = m.gd.getBoundingClientRect();
  const x = m.pointer.clientX - box.left;
  const y = m.pointer.clientY - box.top;
  const { offsetWidth: width, offsetHeight: height } = m.card.box;
  const left = x + 18 + width > box.width ? x - 18 - width : x + 18;
  const top = y + 18 + height > box.height ? y - 18 - height : y + 18;
  const inside = (value, limit) => Math.round(Math.max(4, Math.min(value, limit - 4)));
  m.card.box.style.transform = `translate(${inside(left, box.width - width)}px, ${inside(top, box.height - height)}px)`;
}

function sizeCanvas(canvas, [width, height]) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    const scale = CARD_PX / Math.max(width, height);
    canvas.style.width = `${Math.round(width * scale)}px`;
    canvas.style.height = `${Math.round(height * scale)}px`;
  }
}

function setLine(line, text) {
  setText(line, text);
  line.hidden = !text;
}

const coordinates = (place) => `${signed(place.x)}, ${signed(place.y)}`;
const signed = (value) => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2)).replace("-", "−");

function drawPoint(m, row) {
  const { figure, card } = m;
  const id = Number(figure.ids[row]);
  const name = figure.classes ? m.names[figure.classes[row]] : null;
  const color = figure.shades ? m.legend?.find((entry) => entry.id === figure.shades[row])?.color : null;
  const group = figure.groups ? `${figure.groupWhat} ${figure.groupNames[figure.groups[row]]}` : "";
  setLine(card.name, name ?? `#${id}`);
  card.dot.hidden = !color;
  card.dot.style.background = color ?? "";
  setLine(card.line, [group, name ? `#${id}` : ""].filter(Boolean).join(" · "));
  let value = figure.text ? String(figure.text[row] ?? "") : "";
  if (!value && figure.values) {
    value = `${figure.valueName ? `${figure.valueName} ` : ""}${formatted(figure.values[row])}`;
  }
  setLine(card.value, value);
  return m.sprites ? drawSprite(m, id) : false;
}

const formatted = (value) =>
  (Number.isInteger(value) ? String(value) : Number(value).toPrecision(4)).replace("-", "−");

function drawSprite(m, id) {
  const { url, columns, tile, per_sheet: perSheet } = m.sprites;
  const [width, height] = tile;
  const sheet = Math.floor(id / perSheet);
  const index = id % perSheet;
  const image = imageAt(url.replace("{sheet}", String(sheet)), () => requestCard(m));
  sizeCanvas(m.card.canvas, tile);
  const paint = m.card.paint;
  paint.globalAlpha = 1;
  paint.globalCompositeOperation = "source-over";
  paint.clearRect(0, 0, width, height);
  if (image) {
    const left = (index % columns) * width;
    const top = Math.floor(index / columns) * height;
    paint.drawImage(image, left, top, width, height, 0, 0, width, height);
  }
  m.card.canvas.classList.toggle("lx-waiting", !image);
  return true;
}

function drawPlane(m, place) {
  const { card } = m;
  card.dot.hidden = true;
  setLine(card.name, coordinates(place));
  setLine(card.line, m.hint);
  setLine(card.value, "");
  return m.atlas ? drawBlend(m, place) : false;
}

// Bilinear: four neighbours of the place, added up with weights that sum to one.
function drawBlend(m, place) {
  const { url, columns, rows, tile, x, y } = m.atlas;
  const column = ((place.x - x[0]) / (x[1] - x[0])) * (columns - 1);
  const row = ((y[1] - place.y) / (y[1] - y[0])) * (rows - 1); // row 0 is the highest y
  // Half a tile beyond the outermost centres is still shown; further out nothing was decoded.
  if (!(column >= -0.5 && row >= -0.5 && column <= columns - 0.5 && row <= rows - 0.5)) return false;
  const image = imageAt(url, () => requestCard(m));
  const [width, height] = tile;
  sizeCanvas(m.card.canvas, tile);
  m.card.canvas.classList.toggle("lx-waiting", !image);
  const paint = m.card.paint;
  paint.globalAlpha = 1;
  paint.globalCompositeOperation = "source-over";
  paint.clearRect(0, 0, width, height);
  if (!image) return true;
  paint.fillStyle = "#000"; // opaque, as four rounded alphas need not add up to one
  paint.fillRect(0, 0, width, height);
  paint.globalCompositeOperation = "lighter";
  const c = Math.max(0, Math.min(columns - 1, column));
  const r = Math.max(0, Math.min(rows - 1, row));
  const c0 = Math.min(Math.floor(c), Math.max(0, columns - 2));
  const r0 = Math.min(Math.floor(r), Math.max(0, rows - 2));
  const [u, v] = [c - c0, r - r0];
  for (const [dc, dr, weight] of [[0, 0, (1 - u) * (1 - v)], [1, 0, u * (1 - v)], [0, 1, (1 - u) * v], [1, 1, u * v]]) {
    if (weight <= 0) continue;
    paint.globalAlpha = weight;
    paint.drawImage(image, (c0 + dc) * width, (r0 + dr) * height, width, height, 0, 0, width, height);
  }
  return true;
}
