// Reconstructions under their originals, and samples: tiles of a frame's sheet on canvases of the sheet's own pixels.

const ACROSS = 8; // tiles in a row of a sheet
const SAMPLES = 64;

function createPictures(v, parent) {
  const panel = panelOf(parent, "pictures", "Reconstructions", HELP.pictures);
  v.pictures = {
    ...panel,
    epoch: element("span", "lx-tv-caption", panel.tools),
    originals: canvasOf(panel.body, "The original test images"),
    reconstructions: canvasOf(panel.body, "Their reconstructions"),
  };
  for (const canvas of [v.pictures.originals, v.pictures.reconstructions]) {
    canvas.addEventListener("pointermove", (event) => markShown(v, canvas, event));
    canvas.addEventListener("pointerleave", () => markShown(v, canvas, null));
  }
}

function createSamples(v, parent) {
  const panel = panelOf(parent, "samples", "Samples", "");
  v.samples = { ...panel, epoch: element("span", "lx-tv-caption", panel.tools), canvas: canvasOf(panel.body, "Samples") };
}

function canvasOf(parent, label) {
  return element("canvas", "lx-tv-picture", parent, { role: "img", "aria-label": label, width: "8", height: "1" });
}

// `count` tiles of a sheet from tile `first` on, with clear gaps between them.
function drawTiles(canvas, image, tile, first, count) {
  const [width, height] = tile;
  const gap = Math.max(1, Math.round(width / 14));
  const rows = Math.ceil(count / ACROSS);
  const size = [ACROSS * (width + gap) - gap, rows * (height + gap) - gap];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const paint = canvas.getContext("2d");
  paint.imageSmoothingEnabled = false;
  paint.clearRect(0, 0, ...size);
  for (let i = 0; image && i < count; i++) {
    const from = first + i;
    const [sx, sy] = [(from % ACROSS) * width, Math.floor(from / ACROSS) * height];
    const [x, y] = [(i % ACROSS) * (width + gap), Math.floor(i / ACROSS) * (height + gap)];
    paint.drawImage(image, sx, sy, width, height, x, y, width, height);
  }
  sharpen(canvas);
}

// Enlarged pixels stay square; a sheet that is larger than its place is smoothed.
function sharpen(canvas) {
  const shown = canvas.clientWidth * (devicePixelRatio || 1);
  canvas.style.imageRendering = shown && shown < canvas.width ? "auto" : "pixelated";
}

function drawOriginals(v) {
  const { tile, shown, originals } = v.probe;
  if (tile) drawTiles(v.pictures.originals, originals ?? null, tile, 0, shown);
}

function drawPictures(v) {
  const { tile, shown } = v.probe;
  const ready = Boolean(tile);
  for (const panel of [v.pictures, v.samples]) panel.box.dataset.empty = String(!v.shown);
  if (!ready) return;
  const image = v.shown?.image ?? null;
  drawTiles(v.pictures.reconstructions, image, tile, 0, shown);
  drawTiles(v.samples.canvas, image, tile, ACROSS, SAMPLES);
}

// Of which epoch they are, and if so that there is no frame of the chosen one: not while it is on its way.
function drawFrameNames(v) {
  const epoch = epochNow(v);
  let text = "";
  if (v.shown) {
    const nearest = v.shown.epoch !== epoch && frameFor(v, epoch)?.epoch === v.shown.epoch;
    text = `epoch ${v.shown.epoch}${nearest ? `, the nearest before ${epoch}` : ""}`;
  }
  else if (epoch !== null && v.frames.length && !frameFor(v, epoch)) text = `none as early as epoch ${epoch}`;
  for (const panel of [v.pictures, v.samples, v.map, v.bars]) setText(panel.epoch, text);
}

function nameSamples(v) {
  const { heading, box } = v.samples;
  const title = v.hasPrior ? "Samples from the prior" : "Draws from a fitted Gaussian";
  setText(heading, title);
  box.setAttribute("aria-label", title);
  const help = box.querySelector(".lx-tv-help");
  const text = v.hasPrior ? HELP.samples_prior : HELP.samples_fitted;
  setText(help.querySelector("p"), text);
  const mark = help.querySelector("summary");
  mark.title = text;
  mark.setAttribute("aria-label", `What is ${title}?`);
  v.samples.canvas.setAttribute("aria-label", `${title}: 64 decoded codes`);
  setText(v.samples.note, v.hasPrior ? "" : "A plain autoencoder has no prior: a Gaussian fitted to its codes stands in.");
  v.samples.note.hidden = v.hasPrior;
}

// The image under the pointer is ringed on the map: the first points of the probe set are the images shown.
function markShown(v, canvas, event) {
  let marked = null;
  if (event && v.probe.tile) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * ACROSS);
    if (column >= 0 && column < v.probe.shown) marked = column;
  }
  if (marked === v.map.marked) return;
  v.map.marked = marked;
  drawMap(v);
}
