// One film for each place in the page. Streamlit calls the default export again with every rerun and theme.

const FILMS = new WeakMap(); // parentElement -> film
const REMEMBERED = new Map(); // key -> what a person chose: kept while the page's place is built anew
const PICTURE_PX = 240;

function remember(f) {
  REMEMBERED.set(f.key, { revision: f.shown?.revision, step: f.step, back: f.back, speed: f.speed });
}

// The old sheet stays until the new one is decoded.
async function load(f, data) {
  f.url = data.sheet_url;
  f.problem.hidden = true;
  f.root.dataset.state = f.image ? "updating" : "loading";
  const image = new Image();
  image.src = data.sheet_url;
  try {
    await image.decode();
    if (f.url !== data.sheet_url) return;
    f.image = image;
    f.strip.style.setProperty("--lx-sheet", `url(${JSON.stringify(data.sheet_url)})`);
    show(f);
    f.root.dataset.state = "ready";
    tell(f);
  } catch {
    if (f.url !== data.sheet_url) return;
    f.url = "";
    f.problem.hidden = false;
    f.root.dataset.state = "failed";
  }
}

function show(f) {
  const { data } = f.component;
  if (f.shown && f.shown.revision !== data.revision) {
    pause(f);
    f.step = 0;
    f.direction = 1;
  }
  f.shown = data;
  f.step = Math.max(0, Math.min(f.step, data.count - 1));
  if (data.count < 2) f.playing = false;
  remember(f);
  f.body.setAttribute("aria-label", data.label);
  sizePicture(f);
  buildStrip(f);
  drawChoices(f);
  fit(f);
  drawStep(f);
}

function sizePicture(f) {
  const [width, height] = f.shown.tile;
  const longer = Math.max(width, height);
  const scale = longer > PICTURE_PX ? PICTURE_PX / longer : Math.floor(PICTURE_PX / longer);
  if (f.canvas.width !== width || f.canvas.height !== height) Object.assign(f.canvas, { width, height });
  f.canvas.style.width = `${Math.round(width * scale)}px`;
  f.canvas.style.height = `${Math.round(height * scale)}px`;
  f.canvas.style.imageRendering = scale < 1 ? "auto" : "pixelated";
}

function drawStep(f) {
  drawPicture(f);
  drawPlayer(f);
  drawFrame(f);
  drawMarker(f);
  f.root.dataset.step = String(f.step);
}

function drawPicture(f) {
  const { tile: [width, height], columns, captions, label } = f.shown;
  f.paint.clearRect(0, 0, width, height);
  if (f.image) {
    const left = (f.step % columns) * width;
    const top = Math.floor(f.step / columns) * height;
    f.paint.drawImage(f.image, left, top, width, height, 0, 0, width, height);
  }
  f.canvas.setAttribute("aria-label", `${label}: ${captions?.[f.step] ?? `step ${f.step + 1}`}`);
}

// For tests, and for the dot on a map that is there before the film's next step.
function exposeHooks(f) {
  f.hooks ??= {
    get step() { return f.step; },
    get count() { return f.shown?.count ?? 0; },
    get playing() { return f.playing; },
    get url() { return f.image ? f.shown.sheet_url : null; },
    get pixels() { return Array.from(f.paint.getImageData(0, 0, f.canvas.width, f.canvas.height).data); }, // RGBA
    seek: (step) => seek(f, step),
  };
  (window.__films ??= {})[f.key] = f.hooks;
}

function isDark(root) {
  const [r, g, b] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number); // text is light on dark
  return r + g + b > 384;
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-film");
  if (!root || !data) return undefined;
  let f = FILMS.get(parentElement);
  if (!f || f.root !== root) {
    f?.destroy();
    f = createFilm(root);
    FILMS.set(parentElement, f);
    const { revision, step, back, speed } = REMEMBERED.get(data.key) ?? {};
    Object.assign(f, { step: revision === data.revision ? step : 0, back: back ?? false, speed: speed ?? "normal" });
    f.destroy = () => {
      cancelAnimationFrame(f.frame);
      f.playing = false;
      f.resizer.disconnect();
      if (window.__films?.[f.key] === f.hooks) delete window.__films[f.key];
      FILMS.delete(parentElement);
    };
  }
  f.component = component;
  f.key = data.key;
  root.dataset.dark = String(isDark(root));
  exposeHooks(f);
  if (f.url !== data.sheet_url) {
    if (!f.shown) show(f); // the room is taken at once, so that nothing jumps
    load(f, data);
  } else if (root.dataset.state === "ready") {
    show(f);
  }
  return f.destroy;
}
