// One square for each place in the page. Streamlit calls the default export again with every rerun and theme.

const DRAWINGS = new WeakMap(); // parentElement -> drawing
const PACE_MS = 150; // between two that are sent during a stroke
const PATIENCE_MS = 4000; // after which an answer is taken for lost; twice that the next time
const MOST_PATIENCE_MS = 60000;

function changed(d) {
  d.changed = true;
  d.empty = d.stroke && !d.stroke.erase ? false : isEmpty(d);
  drawControls(d);
  send(d);
}

const pngOf = (d) => (isEmpty(d) ? "" : d.canvas.toDataURL("image/png").split(",")[1]);

// The newest drawing, once what was sent before is answered: a fast hand does not build a queue.
function send(d) {
  clearTimeout(d.timer);
  if (!d.changed || d.sent) return;
  const early = d.stroke ? d.last + PACE_MS - performance.now() : 0;
  if (early > 0) {
    d.timer = setTimeout(() => send(d), early);
    return;
  }
  d.clock = Math.max(Date.now(), d.clock + 1); // later than any before it, though two may share a millisecond
  d.sent = d.clock;
  d.last = performance.now();
  d.changed = false;
  clearTimeout(d.patience);
  d.patient = Math.min(2 * d.patient || PATIENCE_MS, MOST_PATIENCE_MS);
  d.patience = setTimeout(() => {
    d.sent = 0;
    d.changed = true;
    send(d);
  }, d.patient);
  d.component.setTriggerValue("drawn", { png: pngOf(d), revision: d.revision, t: d.sent });
  drawControls(d);
}

function answered(d) {
  d.sent = 0;
  d.patient = 0;
  clearTimeout(d.patience);
}

// Another revision, or a square that is built anew: what Python has kept of the drawing is the ground.
async function startAnew(d) {
  const { revision, start } = d.data;
  answered(d);
  clearTimeout(d.timer);
  if (d.pointer !== null) d.canvas.releasePointerCapture(d.pointer);
  Object.assign(d, { revision, acts: [], undone: [], stroke: null, pointer: null, changed: false, ready: false, empty: true });
  blacken(d.ground);
  repaint(d);
  if (start) {
    const image = new Image();
    image.src = `data:image/png;base64,${start}`;
    const whole = await image.decode().then(() => true, () => false);
    if (d.revision !== revision) return;
    if (whole) d.ground.drawImage(image, 0, 0, d.canvas.width, d.canvas.height);
    repaint(d);
  }
  d.empty = isEmpty(d);
  d.ready = true;
  drawControls(d);
}

// For tests and benchmarks.
function exposeHooks(d) {
  d.hooks ??= {
    get pending() { return !d.ready || d.sent > 0 || d.changed; },
    get empty() { return d.empty; },
    get strokes() { return d.acts.length; },
    get drawing() { return d.stroke !== null; },
    get at() { return [...d.at]; },
    get pixels() {
      const { data } = d.paint.getImageData(0, 0, d.canvas.width, d.canvas.height);
      return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
    },
    stroke: (points) => {
      begin(d, points[0], d.erasing);
      if (points.length > 1) extend(d, points.slice(1));
      end(d);
    },
    undo: () => undo(d),
    redo: () => redo(d),
    clear: () => clear(d),
  };
  (window.__draws ??= {})[d.data.key] = d.hooks;
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-draw");
  if (!root || !data) return undefined;
  let d = DRAWINGS.get(parentElement);
  if (!d || d.root !== root) {
    d?.destroy();
    d = createDrawing(root, data);
    DRAWINGS.set(parentElement, d);
    d.destroy = () => {
      clearTimeout(d.timer);
      clearTimeout(d.patience);
      if (window.__draws?.[d.data.key] === d.hooks) delete window.__draws[d.data.key];
      DRAWINGS.delete(parentElement);
    };
  }
  d.component = component;
  d.data = data;
  if (d.sent && data.ack >= d.sent) answered(d);
  exposeHooks(d);
  if (d.revision !== data.revision) startAnew(d);
  send(d);
  drawControls(d);
  return d.destroy;
}
