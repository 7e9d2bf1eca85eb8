// The frames: which there are, those that are here, and fetching the wanted one before its neighbours.

const MOST_PIXELS = 16e6; // of the sheets that are kept: 64 MB
const AT_ONCE = 3; // requests
const AHEAD = [1, -1, 2, -2, 3]; // neighbours that are fetched when nothing else is wanted

function listFrames(v, names, reaches) {
  if (names === v.frameNames) return;
  v.frameNames = names;
  const five = reaches.split(" ").map(Number); // a frame
  v.frames = (names ? names.split(" ") : []).map((name, i) => {
    const reach = five.slice(5 * i, 5 * i + 5);
    return { name, epoch: Number(name.split("-")[0]), box: reach.slice(0, 4), klTop: reach[4] };
  });
  v.frameEpochs = v.frames.map((frame) => frame.epoch);
  const here = new Set(v.frames.map((frame) => frame.name));
  for (const name of v.loaded.keys()) if (!here.has(name)) v.loaded.delete(name);
  for (const frame of v.frames) if (v.loaded.has(frame.name)) Object.assign(v.loaded.get(frame.name), frame);
  v.failed.clear();
}

// The frame of an epoch or the nearest before it; null when there is none so early.
function frameFor(v, epoch) {
  const at = indexOf(v.frameEpochs, epoch);
  return at >= 0 && v.frames[at].epoch <= epoch ? v.frames[at] : null;
}

const urlOf = (v, file) => new URL(v.framesUrl + file, location.href).href;

function imageFrom(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image);
}

async function jsonFrom(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

// Fetches what is wanted most, until all of it is here; tells `present` of the one that is waited for.
function pump(v) {
  while (v.loading.size < AT_ONCE) {
    const frame = nextFrame(v);
    if (!frame) return;
    v.loading.add(frame.name);
    fetchFrame(v, frame).finally(() => {
      v.loading.delete(frame.name);
      if (v.abort.signal.aborted) return;
      showFrame(v);
      pump(v);
    });
  }
}

function nextFrame(v) {
  const free = (frame) => frame && !v.loaded.has(frame.name) && !v.loading.has(frame.name) && !v.failed.has(frame.name);
  const wanted = frameFor(v, v.epoch);
  if (!wanted) return null;
  if (free(wanted)) return wanted;
  if (!v.loaded.has(wanted.name)) return null; // it is on its way: its neighbours wait
  const at = v.frames.indexOf(wanted);
  return AHEAD.map((step) => v.frames[at + step]).find(free) ?? null;
}

async function fetchFrame(v, frame) {
  try {
    const [image, { points, kl }] = await Promise.all([
      imageFrom(urlOf(v, `${frame.name}.webp`)),
      jsonFrom(urlOf(v, `${frame.name}.json`), v.abort.signal),
    ]);
    keepFrame(v, { ...frame, image, points: Float64Array.from(points, (value) => value ?? NaN), kl });
  } catch (error) {
    if (v.abort.signal.aborted) return;
    v.failed.add(frame.name); // until the list of frames changes: it may have been thinned out
    console.warn("training view: a frame did not load:", error);
  }
}

function keepFrame(v, frame) {
  if (!v.frames.some(({ name }) => name === frame.name)) return; // thinned out meanwhile
  v.loaded.set(frame.name, frame);
  const most = Math.max(8, Math.floor(MOST_PIXELS / (frame.image.naturalWidth * frame.image.naturalHeight)));
  const at = (name) => v.frames.findIndex((other) => other.name === name);
  const here = at(frameFor(v, v.epoch)?.name);
  while (v.loaded.size > most) {
    const distance = (name) => Math.abs(at(name) - here);
    const far = [...v.loaded.keys()].reduce((a, b) => (distance(a) >= distance(b) ? a : b));
    v.loaded.delete(far);
  }
}

// What the frames share: the originals, and which class a point has.
async function loadProbe(v, probe) {
  if (!probe || probe.name === v.probeName) return;
  v.probeName = probe.name;
  try {
    const [originals, { labels, index }] = await Promise.all([
      imageFrom(urlOf(v, `${probe.name}.webp`)),
      jsonFrom(urlOf(v, `${probe.name}.json`), v.abort.signal),
    ]);
    if (v.probeName !== probe.name) return;
    Object.assign(v.probe, { originals, labels, index });
    drawOriginals(v);
    drawMap(v);
  } catch (error) {
    if (v.abort.signal.aborted) return;
    v.probeName = ""; // the next update tries again
    console.warn("training view: the probe set did not load:", error);
  }
}
