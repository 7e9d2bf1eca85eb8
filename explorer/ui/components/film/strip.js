// The strip of all steps. Each shows its part of the sheet as a background, so that all are one decoded image. Where
// there is room it wraps, so that the whole walk is seen; else it is one line that scrolls.

const NARROW_PX = 480;
const FRAME_PX = 44; // a tile's width on the screen, more where the lines come out even
const MOST_PX = 64;
const GAP_PX = 3;
const LABEL_PX = 16;

function createStrip(f) {
  f.strip = element("div", "lx-film-strip", f.body, { "aria-hidden": "true" }); // the scrubber says all of it
  f.strip.addEventListener("click", (event) => {
    const frame = event.target.closest(".lx-film-frame");
    if (!frame) return;
    pause(f);
    seek(f, Number(frame.dataset.step));
  });
}

function buildStrip(f) {
  const { count, columns, captions, stops } = f.shown;
  const signature = JSON.stringify([count, columns, captions, stops]);
  if (signature === f.built) return;
  f.built = signature;
  f.current = null;
  const frames = Array.from({ length: count }, (_, step) => {
    const frame = element("div", "lx-film-frame", null, { "data-step": String(step) });
    frame.title = captions?.[step] ?? `Step ${step + 1}`;
    const face = element("div", "lx-film-face", frame);
    face.style.setProperty("--c", String(step % columns));
    face.style.setProperty("--r", String(Math.floor(step / columns)));
    return frame;
  });
  for (const { step, name } of stops) {
    if (!frames[step]) continue;
    frames[step].dataset.stop = name;
    element("span", "lx-film-stop", frames[step], { title: name }, name);
  }
  f.strip.replaceChildren(...frames);
}

// Whole device pixels a tile: fractions would let neighbours in the sheet show at the edges.
function fit(f) {
  const room = f.root.clientWidth;
  if (!room) return;
  const { count, columns, tile: [width, height], stops } = f.shown;
  const ratio = devicePixelRatio || 1;
  let [across, size] = [count, FRAME_PX];
  if (room >= NARROW_PX) {
    const lines = Math.max(1, Math.ceil((count * (FRAME_PX + GAP_PX) - GAP_PX) / room));
    across = Math.ceil(count / lines);
    size = Math.min(MOST_PX, Math.floor(((room - GAP_PX * (across - 1)) / across) * ratio) / ratio);
  }
  f.across = across;
  f.pitch = size + GAP_PX;
  const style = f.strip.style;
  style.setProperty("--lx-across", String(across));
  style.setProperty("--lx-columns", String(columns));
  style.setProperty("--lx-gap", `${GAP_PX}px`);
  style.setProperty("--lx-tw", `${size}px`);
  style.setProperty("--lx-th", `${(size * height) / width}px`);
  style.setProperty("--lx-label", `${stops.length ? LABEL_PX : 2}px`);
  style.setProperty("--lx-rendering", size * ratio < width ? "auto" : "pixelated"); // smaller than it is: smooth
  placeNames(f);
  sizeChart(f);
  follow(f);
}

// A name takes the room up to the next stop or the line's end; the last ones of a line end with their tile.
function placeNames(f) {
  const stops = f.shown.stops.filter(({ step }) => step < f.shown.count).sort((a, b) => a.step - b.step);
  const lineOf = (stop) => (stop ? Math.floor(stop.step / f.across) : -1);
  const ends = (stop) => stop.step > 0 && (f.across - 1 - (stop.step % f.across)) * f.pitch < 48;
  stops.forEach((stop, i) => {
    const [before, after] = [stops[i - 1], stops[i + 1]];
    let reach = (f.across - (stop.step % f.across)) * f.pitch;
    if (lineOf(after) === lineOf(stop)) reach = (after.step - stop.step) * f.pitch * (ends(after) ? 0.5 : 1);
    const end = ends(stop) && lineOf(after) !== lineOf(stop);
    if (end) {
      reach = ((stop.step % f.across) + 1) * f.pitch;
      if (lineOf(before) === lineOf(stop)) reach = (stop.step - before.step) * f.pitch * 0.5 + f.pitch;
    }
    const name = f.strip.children[stop.step].querySelector(".lx-film-stop");
    name.style.setProperty("--lx-reach", `${Math.max(f.pitch, reach) - 4}px`);
    name.dataset.end = String(end);
  });
}

function drawFrame(f) {
  f.current?.removeAttribute("aria-current");
  f.current = f.strip.children[f.step];
  f.current?.setAttribute("aria-current", "true");
  follow(f);
}

// The line scrolls, the page does not.
function follow(f) {
  const { strip, current } = f;
  if (!current || strip.scrollWidth <= strip.clientWidth) return;
  const [left, right] = [current.offsetLeft - f.pitch, current.offsetLeft + 2 * f.pitch];
  if (left < strip.scrollLeft) strip.scrollLeft = left;
  else if (right > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = right - strip.clientWidth;
}
