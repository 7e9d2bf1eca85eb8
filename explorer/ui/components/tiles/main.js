// A grid of pictures from one sheet, up to 1,600 tiles. Resizing sets a few CSS variables on the grid, not a style a tile.

import { closest, element } from "../shared/elements.js";
import { faceOf, loadSheet, sheetProblem } from "../shared/images.js";
import { mount } from "../shared/mount.js";
import { KEYS, nextTile, rowOf } from "./geometry.js";
/** @import { Answers, Common } from "../shared/mount.js" */

/**
 * `revision` is the sheet's URL.
 *
 * @typedef {object} Sheet
 * @property {number} count
 * @property {number} columns  of the sheet
 * @property {[number, number]} tile  width and height in the sheet, in pixels
 * @property {string[] | null} titles
 * @property {string[] | null} captions
 * @property {number[] | null} ids
 * @property {number | null} selected
 * @property {number[]} rings
 * @property {string[] | null} row_labels
 * @property {number[]} faded_rows
 * @property {number} across
 * @property {number} max_tile_px
 * @property {number} min_tile_px
 * @property {number} gap
 * @property {string} label
 */

/** @typedef {Common & Sheet} TilesData */

/** @typedef {{ index: number }} Pick  the browser's answer */

/** @typedef {ReturnType<typeof createGrid>} Grid */

const NARROW_PX = 480;
const LABEL_GAP_PX = 12;
const MOST_LABEL_PX = 176;
const TIP_GAP_PX = 6;

/**
 * @param {HTMLElement} root
 * @param {TilesData} data
 * @param {Answers} answers
 */
function createGrid(root, data, answers) {
  root.replaceChildren();
  const sheet = element("div", "lx-sheet", root, { role: "listbox" });
  const tip = element("div", "lx-tip", root);
  tip.hidden = true;
  const tipText = element("span", "", tip);
  const problem = sheetProblem(root, () => load(g));
  const g = {
    root, data, answers, sheet, tip, tipText, problem,
    drawn: data, // what the tiles are of: the newest data once its sheet is here
    image: /** @type {HTMLImageElement | null} */ (null),
    imageUrl: "", url: "", built: "", across: 1, active: 0,
    pending: /** @type {{ index: number, t: number } | null} */ (null),
    tiles: /** @type {HTMLElement[]} */ ([]), labels: /** @type {HTMLElement[]} */ ([]),
    resizer: new ResizeObserver(() => fit(g)),
  };
  sheet.addEventListener("click", (event) => pick(g, tileOf(event)));
  sheet.addEventListener("keydown", (event) => onKey(g, event));
  sheet.addEventListener("pointerover", (event) => event.pointerType !== "touch" && showTip(g, tileOf(event)));
  sheet.addEventListener("pointerleave", () => (tip.hidden = true));
  sheet.addEventListener("focusin", (event) => {
    const tile = tileOf(event);
    if (tile) makeActive(g, Number(tile.dataset.index));
    if (tile?.matches(":focus-visible")) showTip(g, tile);
  });
  sheet.addEventListener("focusout", () => (tip.hidden = true));
  g.resizer.observe(root);
  return g;
}

/** @param {Event} event */
const tileOf = (event) => closest(event, ".lx-tile");

/** @param {Grid} g */
function build(g) {
  const { count, columns, across, titles, captions, ids, row_labels: names, faded_rows: faded } = g.drawn;
  const signature = JSON.stringify([count, columns, across, titles, captions, ids, names, faded]);
  if (signature === g.built) return;
  g.built = signature;
  g.active = Math.min(g.active, Math.max(0, count - 1));
  g.tiles = Array.from({ length: count }, (_, index) => {
    const name = titles?.[index] ?? captions?.[index] ?? `Image ${index + 1}`;
    const tile = element("div", "lx-tile", null, { role: "option", "aria-label": name, "data-index": index });
    tile.tabIndex = index === g.active ? 0 : -1;
    if (ids) tile.dataset.id = String(ids[index]);
    faceOf(tile, index, columns);
    if (captions) element("div", "lx-caption", tile, {}, captions[index]);
    if (faded.includes(Math.floor(index / across))) tile.dataset.faded = "true";
    return tile;
  });
  g.labels = names ? Array.from({ length: Math.ceil(count / across) }, (_, row) => labelOf(g.drawn, row)) : [];
  const rows = g.labels.map((name, row) => [name, ...g.tiles.slice(row * across, (row + 1) * across)]);
  g.sheet.replaceChildren(...(names ? rows.flat() : g.tiles));
  g.tip.hidden = true;
}

/**
 * A label's first line is the name; what follows is quieter.
 *
 * @param {TilesData} data
 * @param {number} row
 */
function labelOf(data, row) {
  const [name, ...rest] = (data.row_labels?.[row] ?? "").split("\n");
  const label = element("div", "lx-row-label", null, { "data-row": row, "data-faded": data.faded_rows.includes(row) });
  element("span", "lx-row-name", label, {}, name);
  for (const line of rest) element("span", "", label, {}, line);
  return label;
}

/**
 * Left of their rows, as wide as the widest; above them where that leaves the tiles too little.
 *
 * @param {Grid} g
 * @param {number} room  in pixels
 */
function roomBesideLabels(g, room) {
  g.root.dataset.labels = !g.labels.length ? "none" : room < NARROW_PX ? "above" : "left";
  if (g.root.dataset.labels !== "left") return room;
  const widest = Math.min(MOST_LABEL_PX, Math.ceil(Math.max(...g.labels.map((label) => label.scrollWidth))));
  g.root.style.setProperty("--lx-label", `${widest}px`);
  return room - widest - LABEL_GAP_PX;
}

/** @param {Grid} g */
function fit(g) {
  if (!g.root.clientWidth) return;
  const { across, gap, tile: [width, height], max_tile_px: most, min_tile_px: least, count } = g.drawn;
  const room = roomBesideLabels(g, g.root.clientWidth);
  const ratio = devicePixelRatio || 1;
  const keeps = g.labels.length > 0;
  const { columns, size } = rowOf(room, { across, count: Math.max(1, count), gap, least, most, ratio, keeps });
  g.across = columns;
  const style = g.root.style;
  style.setProperty("--lx-across", String(columns));
  style.setProperty("--lx-columns", String(g.drawn.columns));
  style.setProperty("--lx-gap", `${gap}px`);
  style.setProperty("--lx-tw", `${size}px`);
  style.setProperty("--lx-th", `${(size * height) / width}px`);
  style.setProperty("--lx-rendering", size * ratio < width ? "auto" : "pixelated"); // smaller than it is: smooth
}

/** @param {Grid} g */
function load(g) {
  return loadSheet(g, g.data.revision, () => {
    g.imageUrl = g.url;
    show(g);
  });
}

/** @param {Grid} g */
function show(g) {
  g.drawn = g.data;
  g.sheet.setAttribute("aria-label", g.drawn.label);
  build(g);
  fit(g);
  const { rings } = g.drawn;
  g.tiles.forEach((tile, index) => tile.toggleAttribute("data-ring", rings.includes(index)));
  ringSelected(g);
}

/** @param {Grid} g */
function ringSelected(g) {
  const selected = g.pending ? g.pending.index : g.data.selected;
  g.root.dataset.selected = String(selected ?? "");
  g.sheet.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  g.tiles[selected ?? -1]?.setAttribute("aria-selected", "true");
}

/**
 * @param {Grid} g
 * @param {HTMLElement | null} tile
 */
function pick(g, tile) {
  if (!tile || g.imageUrl !== g.url) return; // these pictures are about to be replaced
  const index = Number(tile.dataset.index);
  g.pending = { index, t: g.answers.tell("pick", { index, revision: g.imageUrl }) };
  makeActive(g, index);
  ringSelected(g);
}

/**
 * One tile is in the tab order; the arrow keys move which.
 *
 * @param {Grid} g
 * @param {number} index
 */
function makeActive(g, index) {
  const before = g.tiles[g.active];
  if (before) before.tabIndex = -1;
  g.active = index;
  const tile = g.tiles[index];
  if (tile) tile.tabIndex = 0;
  return tile;
}

/**
 * @param {Grid} g
 * @param {KeyboardEvent} event
 */
function onKey(g, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key } = event;
  if (key === "Enter" || key === " ") {
    event.preventDefault();
    pick(g, tileOf(event));
    return;
  }
  if (!KEYS.includes(key)) return;
  event.preventDefault(); // nor does the page scroll at the grid's edge
  const next = nextTile(key, { active: g.active, across: g.across, count: g.drawn.count });
  if (next !== null) makeActive(g, next).focus();
}

/**
 * @param {Grid} g
 * @param {HTMLElement | null} tile
 */
function showTip(g, tile) {
  const title = tile && g.drawn.titles?.[Number(tile.dataset.index)];
  g.tip.hidden = !title;
  if (!title) return;
  g.tipText.textContent = title;
  const { left, right } = g.root.getBoundingClientRect();
  const middle = tile.offsetLeft + (tile.offsetWidth - g.tip.offsetWidth) / 2;
  const last = Math.min(Math.max(right, left + g.tip.offsetWidth), innerWidth - TIP_GAP_PX) - left - g.tip.offsetWidth;
  const above = tile.offsetTop - g.tip.offsetHeight - TIP_GAP_PX;
  const top = above < 0 ? tile.offsetTop + tile.offsetHeight + TIP_GAP_PX : above;
  g.tip.style.transform = `translate(${Math.round(Math.min(Math.max(0, middle), last))}px, ${Math.round(top)}px)`;
}

/** @param {Grid} g */
function update(g) {
  if (g.pending && g.data.ack >= g.pending.t) g.pending = null; // Python has answered: its choice holds
  if (g.url !== g.data.revision) {
    if (!g.image) show(g); // the room is taken at once, so that nothing jumps
    load(g);
    ringSelected(g);
  } else if (g.root.dataset.state === "ready") {
    show(g);
  }
}

export default mount({
  selector: ".lx-tiles",
  create: createGrid,
  update,
  destroy: (g) => g.resizer.disconnect(),
});
