// Pointer and keyboard. A click is told from a drag here, and the point under it found here, because plotly
// reports neither clicks on the empty plane nor, without its own hover, on points.

const MOVED_PX = 5;
const DOUBLE_MS = 350;
const KEY_DELAY_MS = 150;
const TOUCH_CARD_MS = 3000;
const KEY_STEP = 0.02; // of the view
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function listenToInput(m) {
  const { signal } = m.abort;
  let down = null;
  let last = null; // the click before, to know a double click

  m.gd.addEventListener("pointerdown", (event) => {
    down = null;
    m.held = true;
    m.shift = event.shiftKey;
    m.root.classList.add("lx-pointed"); // the focus ring is for the keyboard
    if (!event.isPrimary || event.button !== 0 || event.target.closest(".modebar, .lx-controls")) return;
    if (placeOf(m, event.clientX, event.clientY)) down = { x: event.clientX, y: event.clientY };
    hideCard(m);
  }, { signal, capture: true });

  // A lasso is closed where it began, and is no click for that.
  const strayed = (event) => Math.hypot(event.clientX - down.x, event.clientY - down.y) > MOVED_PX;
  window.addEventListener("pointermove", (event) => {
    if (down && event.isPrimary && strayed(event)) down = null;
  }, { signal, capture: true });

  // plotly lays a sheet over the page while it drags, so the release may land outside the plot.
  window.addEventListener("pointerup", (event) => {
    letGo(m);
    if (!down || !event.isPrimary) return;
    const moved = strayed(event);
    down = null;
    if (moved) return;
    const near = last && Math.hypot(event.clientX - last.x, event.clientY - last.y) < 2 * MOVED_PX;
    const again = near && event.timeStamp - last.at < DOUBLE_MS;
    last = again ? null : { at: event.timeStamp, x: event.clientX, y: event.clientY };
    if (again) onDouble(m);
    else onClick(m, event);
  }, { signal, capture: true });
  window.addEventListener("pointercancel", () => {
    letGo(m);
    down = null;
  }, { signal, capture: true });

  m.gd.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    if (event.buttons || event.target.closest(".modebar")) hideCard(m);
    else hoverAt(m, event.clientX, event.clientY);
  }, { signal });
  m.gd.addEventListener("pointerleave", () => m.pinned || hideCard(m), { signal });

  m.gd.addEventListener("keydown", (event) => onKey(m, event), { signal });
  m.gd.addEventListener("blur", () => {
    m.root.classList.remove("lx-pointed");
    if (m.pinned) hideCard(m);
  }, { signal });
  m.clear.addEventListener("click", () => clearSelection(m), { signal });
}

function letGo(m) {
  if (!m.held) return;
  m.held = false;
  requestTrails(m); // a film may have gone on
}

function onClick(m, event) {
  const place = placeOf(m, event.clientX, event.clientY);
  if (!place) return;
  const touch = event.pointerType === "touch";
  const row = rowNear(m, place, touch ? TOUCH_PX : HIT_PX);
  if (row >= 0) choose(m, m.figure.x[row], m.figure.y[row], Number(m.figure.ids[row]));
  else choose(m, place.x, place.y, null);
  m.gd.focus({ preventScroll: true });
  if (!touch) return;
  pinCard(m, place, row);
  clearTimeout(m.touchTimer);
  m.touchTimer = setTimeout(() => hideCard(m), TOUCH_CARD_MS);
}

function onDouble(m) {
  if (m.selected) clearSelection(m);
  else setView(m, null);
}

function onKey(m, event) {
  m.root.classList.remove("lx-pointed");
  if (!m.figure || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow) moveChosen(m, arrow, event.shiftKey ? 5 : 1);
  else if (event.key === "Escape" && m.selected) clearSelection(m);
  else if (event.key === "Escape") hideCard(m);
  else if (event.key === "+" || event.key === "=") zoomBy(m, 0.8);
  else if (event.key === "-") zoomBy(m, 1.25);
  else if (event.key === "0") setView(m, null);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// The mark and the atlas follow at once; Python hears of it when the keys rest.
function moveChosen(m, [dx, dy], steps) {
  const from = chosenPlace(m);
  const { x: [x0, x1], y: [y0, y1] } = viewNow(m);
  const x = Math.max(x0, Math.min(x1, from.x + dx * steps * KEY_STEP * (x1 - x0)));
  const y = Math.max(y0, Math.min(y1, from.y + dy * steps * KEY_STEP * (y1 - y0)));
  m.pending = { x, y, t: Infinity }; // not sent yet, so no answer may take it away
  drawMarks(m);
  pinCard(m, { x, y }, -1);
  clearTimeout(m.keyTimer);
  m.keyTimer = setTimeout(() => choose(m, x, y, null), KEY_DELAY_MS);
}
