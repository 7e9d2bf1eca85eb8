// The card beside the pointer: a point's own picture, or the plane's, blended from four tiles of the atlas.

import { setAttributes, setText } from "../shared/elements.js";
import { tellMoved } from "../shared/following.js";
import { minus } from "../shared/numbers.js";
import { blendOf, paintBlend } from "./atlas.js";
import { imageAt, jsonAt } from "./load.js";
import { placeOf, rowNear } from "./places.js";
/** @import { MapView, Sprites } from "./layout.js" */
/** @import { Place } from "./places.js" */

const CARD_PX = 112; // the longer side of the picture
export const HIT_PX = 6;

/**
 * @param {MapView} m
 * @param {{ clientX: number, clientY: number }} pointer
 */
export function hoverAt(m, { clientX, clientY }) {
  m.pointer = { clientX, clientY };
  m.pinned = null;
  requestCard(m);
}

/**
 * In the corner: for the keyboard and for touch, which have no pointer to follow.
 *
 * @param {MapView} m
 * @param {Place} place
 * @param {number} row  of a point; -1: the plane
 */
export function pinCard(m, { x, y }, row) {
  m.pinned = { x, y, row };
  requestCard(m);
}

/**
 * Once an animation frame, however many moves the pointer reports in between.
 *
 * @param {MapView} m
 */
function requestCard(m) {
  if (m.cardFrame) return;
  m.cardFrame = requestAnimationFrame(() => {
    m.cardFrame = 0;
    drawCard(m);
  });
}

/** @param {MapView} m */
function drawCard(m) {
  const spot = m.pointer && placeOf(m, m.pointer);
  const place = m.pinned ?? spot;
  if (!place) return hideCard(m);
  const row = m.pinned ? m.pinned.row : spot ? rowNear(m, spot, HIT_PX) : -1;
  const drawn = row >= 0 ? drawPoint(m, row) : drawPlane(m, place);
  m.card.canvas.hidden = !drawn;
  m.card.box.hidden = false;
  m.card.box.classList.toggle("lx-card-pinned", Boolean(m.pinned));
  if (drawn) m.cards += 1;
  setHovered(m, row >= 0 ? Number(m.figure.ids[row]) : null);
  if (m.pinned) m.card.box.style.transform = "";
  else placeCard(m);
}

/** @param {MapView} m */
export function hideCard(m) {
  m.pointer = null;
  m.pinned = null;
  setHovered(m, null);
  m.card.box.hidden = true;
}

/**
 * Maps that are linked with this one show where they have the same item.
 *
 * @param {MapView} m
 * @param {number | null} id
 */
function setHovered(m, id) {
  const { link } = m.data;
  const news = id !== m.hovered;
  m.hovered = id;
  m.card.box.dataset.id = String(id ?? "");
  if (link && news) tellMoved({ key: link, id });
}

/**
 * Right of and below the pointer, on the other side where the plot ends.
 *
 * @param {MapView} m
 */
function placeCard(m) {
  if (!m.pointer) return;
  const box = m.gd.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = m.card.box;
  const left = beside(m.pointer.clientX - box.left, width, box.width);
  const top = beside(m.pointer.clientY - box.top, height, box.height);
  m.card.box.style.transform = `translate(${left}px, ${top}px)`;
}

/**
 * Where a box of `size` begins that stands after `at`, or before it where there is no room; whole pixels.
 *
 * @param {number} at
 * @param {number} size
 * @param {number} room
 */
export function beside(at, size, room) {
  const start = at + 18 + size > room ? at - 18 - size : at + 18;
  return Math.round(Math.max(4, Math.min(start, room - size - 4)));
}

/**
 * An empty canvas of a tile's pixels, as large as the card has it.
 *
 * @param {MapView} m
 * @param {[number, number]} tile
 */
function clearPicture(m, [width, height]) {
  const { canvas, paint } = m.card;
  if (canvas.width !== width || canvas.height !== height) {
    setAttributes(canvas, { width, height });
    const scale = CARD_PX / Math.max(width, height);
    canvas.style.width = `${Math.round(width * scale)}px`;
    canvas.style.height = `${Math.round(height * scale)}px`;
  }
  paint.globalAlpha = 1;
  paint.globalCompositeOperation = "source-over";
  paint.clearRect(0, 0, width, height);
}

/**
 * @param {HTMLElement} line
 * @param {string} text
 */
function setLine(line, text) {
  setText(line, text);
  line.hidden = !text;
}

/** @param {number} value */
export const signed = (value) => minus(Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2));

/** @param {number} value */
export const formatted = (value) => minus(Number.isInteger(value) ? String(value) : value.toPrecision(4));

/**
 * @param {MapView} m
 * @param {number} row
 */
function drawPoint(m, row) {
  const { figure, card, about: { names, legend, sprites } } = m;
  const id = Number(figure.ids[row]);
  const { label, group, file, number } = factsOf(m, row);
  const name = label === null ? undefined : names?.[label];
  const shade = figure.shades?.[row];
  const color = legend?.find((entry) => entry.id === shade)?.color;
  setLine(card.name, name ?? (file || `#${id}`));
  card.dot.hidden = !color;
  card.dot.style.background = color ?? "";
  setLine(card.line, [group, name ? file : "", name || file ? `#${id}` : ""].filter(Boolean).join(" · "));
  let value = String(figure.text?.[row] ?? "");
  if (!value && number !== null) value = `${figure.valueName ? `${figure.valueName} ` : ""}${formatted(number)}`;
  setLine(card.value, value);
  if (sprites) drawSprite(m, sprites, id);
  return Boolean(sprites);
}

/** @typedef {{ label: number | null, group: string, file: string, number: number | null }} Facts */

const UNKNOWN = { label: null, group: "", file: "", number: null };

/**
 * What is known of a point: its class, group and file, and the number that colours it. A crowded map asks the server,
 * and draws the card again once the answer is there.
 *
 * @param {MapView} m
 * @param {number} row
 * @returns {Facts}
 */
function factsOf(m, row) {
  const { classes, groups, groupWhat, groupNames, files, values, facts } = m.figure;
  if (facts) {
    const sheet = jsonAt(facts.url.replace("{sheet}", String(Math.floor(row / facts.per_sheet))), () => requestCard(m));
    return sheet?.[row % facts.per_sheet] ?? { ...UNKNOWN, label: classes?.[row] ?? null };
  }
  const number = values?.[row];
  return {
    label: classes?.[row] ?? null, group: groups ? `${groupWhat} ${groupNames[groups[row]]}` : "",
    file: files?.[row] ?? "", number: typeof number === "number" ? number : null,
  };
}

/**
 * In which sheet a point's picture is, and where.
 *
 * @param {Sprites} sprites
 * @param {number} id
 */
export function spriteOf({ url, columns, tile: [width, height], per_sheet: perSheet }, id) {
  const index = id % perSheet;
  return {
    url: url.replace("{sheet}", String(Math.floor(id / perSheet))),
    left: (index % columns) * width,
    top: Math.floor(index / columns) * height,
  };
}

/**
 * @param {MapView} m
 * @param {Sprites} sprites
 * @param {number} id
 */
function drawSprite(m, sprites, id) {
  const { url, left, top } = spriteOf(sprites, id);
  const [width, height] = sprites.tile;
  const image = imageAt(url, () => requestCard(m));
  clearPicture(m, sprites.tile);
  if (image) m.card.paint.drawImage(image, left, top, width, height, 0, 0, width, height);
  m.card.canvas.classList.toggle("lx-waiting", !image);
}

/**
 * @param {MapView} m
 * @param {Place} place
 */
function drawPlane(m, place) {
  const { card, about: { hint, atlas } } = m;
  card.dot.hidden = true;
  setLine(card.name, `${signed(place.x)}, ${signed(place.y)}`);
  setLine(card.line, hint);
  setLine(card.value, "");
  const parts = atlas && blendOf(atlas, place);
  if (!parts) return false;
  const image = imageAt(atlas.url, () => requestCard(m));
  clearPicture(m, atlas.tile);
  card.canvas.classList.toggle("lx-waiting", !image);
  if (image) paintBlend(card.paint, image, atlas.tile, parts);
  return true;
}
