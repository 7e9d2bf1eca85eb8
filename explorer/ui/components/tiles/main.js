// A grid of pictures from one sheet. Each tile shows its part of the sheet as a background, so that 1,600 tiles
// are one decoded image; resizing sets a few CSS variables on the grid, not a style a tile.

const GRIDS = new WeakMap(); // parentElement -> grid
const NARROW_PX = 480;
const LABEL_GAP_PX = 12;
const MOST_LABEL_PX = 176;
const TIP_GAP_PX = 6;

function createGrid(root) {
  root.replaceChildren();
  const sheet = element("div", "lx-sheet", root);
  sheet.setAttribute("role", "listbox");
  const tip = element("div", "lx-tip", root);
  tip.hidden = true;
  const tipText = element("span", "", tip);
  const problem = element("div", "lx-tiles-problem", root);
  problem.setAttribute("role", "status");
  element("p", "", problem).textContent = "The pictures could not be loaded.";
  const retry = element("button", "", problem);
  retry.type = "button";
  retry.textContent = "Retry";
  problem.hidden = true;
  const g = {
    root, sheet, tip, tipText, problem, component: null, data: null, shown: null, built: "", url: "", across: 1, active: 0,
    pending: null, tiles: [], labels: [],
  };
  retry.addEventListener("click", () => loadSheet(g, g.data.sheet_url));
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
  g.resizer = new ResizeObserver(() => fit(g));
  g.resizer.observe(root);
  return g;
}

const tileOf = (event) => event.target.closest(".lx-tile");

function build(g) {
  const { count, columns, across, titles, captions, ids, row_labels: names, faded_rows: faded } = g.data;
  const signature = JSON.stringify([count, columns, across, titles, captions, ids, names, faded]);
  if (signature === g.built) return;
  g.built = signature;
  g.active = Math.min(g.active, Math.max(0, count - 1));
  g.tiles = Array.from({ length: count }, (_, index) => {
    const tile = document.createElement("div");
    tile.className = "lx-tile";
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-label", titles?.[index] ?? captions?.[index] ?? `Picture ${index + 1}`);
    tile.tabIndex = index === g.active ? 0 : -1;
    tile.dataset.index = String(index);
    if (ids) tile.dataset.id = String(ids[index]);
    const face = element("div", "lx-face", tile);
    face.style.setProperty("--c", String(index % columns));
    face.style.setProperty("--r", String(Math.floor(index / columns)));
    if (captions) element("div", "lx-caption", tile).textContent = captions[index];
    if (faded.includes(Math.floor(index / across))) tile.dataset.faded = "true";
    return tile;
  });
  g.labels = names ? Array.from({ length: Math.ceil(count / across) }, (_, row) => labelOf(g, row)) : [];
  const rows = g.labels.map((name, row) => [name, ...g.tiles.slice(row * across, (row + 1) * across)]);
  g.sheet.replaceChildren(...(names ? rows.flat() : g.tiles));
  g.tip.hidden = true;
}

// A label's first line is the name; what follows is quieter.
function labelOf(g, row) {
  const [name, ...rest] = (g.data.row_labels[row] ?? "").split("\n");
  const label = document.createElement("div");
  label.className = "lx-row-label";
  label.dataset.row = String(row);
  label.dataset.faded = String(g.data.faded_rows.includes(row));
  element("span", "lx-row-name", label).textContent = name;
  for (const line of rest) element("span", "", label).textContent = line;
  return label;
}

// Left of their rows, as wide as the widest; above them where that leaves the tiles too little.
function roomBesideLabels(g, room) {
  g.root.dataset.labels = !g.labels.length ? "none" : room < NARROW_PX ? "above" : "left";
  if (g.root.dataset.labels !== "left") return room;
  const widest = Math.min(MOST_LABEL_PX, Math.ceil(Math.max(...g.labels.map((label) => label.scrollWidth))));
  g.root.style.setProperty("--lx-label", `${widest}px`);
  return room - widest - LABEL_GAP_PX;
}

// Whole pixels a tile: fractions would let neighbours in the sheet show at the edges.
function fit(g) {
  if (!g.data || !g.root.clientWidth) return;
  const { across, gap, tile: [width, height], max_tile_px: most, min_tile_px: least, count } = g.data;
  const room = roomBesideLabels(g, g.root.clientWidth);
  const ratio = devicePixelRatio || 1;
  const fitting = (n) => Math.floor(((room - gap * (n - 1)) / n) * ratio) / ratio;
  let columns = Math.max(1, Math.min(across, count));
  while (columns > 1 && fitting(columns) < least && !g.labels.length) columns -= 1;
  const size = Math.max(1, Math.min(fitting(columns), most));
  g.across = columns;
  const style = g.root.style;
  style.setProperty("--lx-across", String(columns));
  style.setProperty("--lx-columns", String(g.data.columns));
  style.setProperty("--lx-gap", `${gap}px`);
  style.setProperty("--lx-tw", `${size}px`);
  style.setProperty("--lx-th", `${(size * height) / width}px`);
  style.setProperty("--lx-rendering", size * ratio < width ? "auto" : "pixelated"); // smaller than it is: smooth
}

// The old sheet stays until the new one is decoded.
async function loadSheet(g, url) {
  g.url = url;
  g.problem.hidden = true;
  g.root.dataset.state = g.shown ? "updating" : "loading";
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    if (g.url !== url) return;
    g.shown = image; // held, or the browser may decode it again
    g.shownUrl = url;
    g.root.style.setProperty("--lx-sheet", `url(${JSON.stringify(url)})`);
    show(g);
    g.root.dataset.state = "ready";
  } catch {
    if (g.url !== url) return;
    g.url = "";
    g.problem.hidden = false;
    g.root.dataset.state = "failed";
  }
}

function show(g) {
  g.data = g.component.data;
  g.sheet.setAttribute("aria-label", g.data.label);
  build(g);
  fit(g);
  const { rings } = g.data;
  g.tiles.forEach((tile, index) => tile.toggleAttribute("data-ring", rings.includes(index)));
  ringSelected(g);
}

function ringSelected(g) {
  const selected = g.pending ? g.pending.index : g.component.data.selected;
  g.root.dataset.selected = selected ?? "";
  g.sheet.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  g.tiles[selected ?? -1]?.setAttribute("aria-selected", "true");
}

function pick(g, tile) {
  if (!tile || g.shownUrl !== g.url) return; // these pictures are about to be replaced
  const index = Number(tile.dataset.index);
  g.pending = { index, t: Date.now() };
  makeActive(g, index);
  ringSelected(g);
  // With the sheet that was clicked on: Python may have sent another one that is not decoded yet.
  g.component.setTriggerValue("pick", { index, sheet: g.shownUrl, t: g.pending.t });
}

// One tile is in the tab order; the arrow keys move which.
function makeActive(g, index) {
  const before = g.tiles[g.active];
  if (before) before.tabIndex = -1;
  g.active = index;
  const tile = g.tiles[index];
  if (tile) tile.tabIndex = 0;
  return tile;
}

function onKey(g, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key } = event;
  if (key === "Enter" || key === " ") {
    event.preventDefault();
    pick(g, tileOf(event));
    return;
  }
  const last = g.data.count - 1;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -g.across, ArrowDown: g.across, Home: -last, End: last };
  if (!(key in steps)) return;
  event.preventDefault();
  let next = g.active + steps[key];
  if (key === "Home" || key === "End") next = Math.max(0, Math.min(last, next));
  if (next >= 0 && next <= last) makeActive(g, next).focus();
}

function showTip(g, tile) {
  const title = tile && g.data.titles?.[Number(tile.dataset.index)];
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

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-tiles");
  if (!root || !data) return undefined;
  let g = GRIDS.get(parentElement);
  if (!g || g.root !== root) {
    g?.resizer.disconnect();
    g = createGrid(root);
    GRIDS.set(parentElement, g);
  }
  g.component = component;
  if (g.pending && data.ack >= g.pending.t) g.pending = null; // Python has answered: its choice holds
  if (g.url !== data.sheet_url) {
    if (!g.shown) show(g); // the room is taken at once, so that nothing jumps
    loadSheet(g, data.sheet_url);
    ringSelected(g);
  } else if (g.root.dataset.state === "ready") {
    show(g);
  }
  return () => {
    g.resizer.disconnect();
    GRIDS.delete(parentElement);
  };
}
