// The square and what stands below it: brush widths, eraser, undo, redo, clear.

const ICONS = {
  eraser: "M9.300 2.600l4.100 4.100-6.300 6.300H4.600L2.500 10.900a1 1 0 0 1 0-1.400zM5.700 6.200l4.100 4.100M7.500 13h6",
  undo: "M5.500 2.800L2.800 5.500l2.700 2.700M2.800 5.500h6.700a3.700 3.700 0 0 1 0 7.400H6",
  redo: "M10.500 2.800l2.700 2.700-2.700 2.700M13.200 5.500H6.500a3.700 3.700 0 0 0 0 7.400H10",
  clear: "M2.800 4.200h10.400M6.200 4V2.600h3.600V4M4.200 4.200l.6 9.200h6.400l.6-9.200M6.700 6.700v4.200M9.300 6.700v4.200",
};
const DOTS = { small: 3, medium: 5.500, large: 8.500 };
const HELP = "Arrow keys move the brush, with Shift further. Space puts it down, and lifts it again.";

function buttonOf(parent, name, text, onClick) {
  const button = element("button", "lx-draw-button", parent, { type: "button", "aria-label": text, title: text });
  button.dataset.does = name;
  if (name in DOTS) shape("circle", icon(button), { cx: 8, cy: 8, r: DOTS[name] / 1.3, class: "lx-draw-dot" });
  else icon(button, ICONS[name]);
  button.addEventListener("click", onClick);
  return button;
}

function createDrawing(root, { side, key }) {
  root.replaceChildren();
  const help = `lx-draw-help-${key}`;
  const stage = element("div", "lx-draw-stage", root);
  const canvas = element("canvas", "lx-draw-canvas", stage, {
    tabindex: "0", role: "application", "aria-roledescription": "drawing", "aria-describedby": help,
  });
  canvas.width = canvas.height = side;
  const ground = element("canvas", "");
  ground.width = ground.height = side;
  const hint = element("div", "lx-draw-hint", stage, { "aria-hidden": "true" });
  const cursor = element("div", "lx-draw-cursor", stage);
  cursor.hidden = true;
  element("p", "lx-draw-help", stage, { id: help }, HELP);
  const tools = element("div", "lx-draw-tools", root, { role: "toolbar", "aria-label": "Drawing tools" });
  const d = {
    root, stage, canvas, hint, cursor, paint: canvas.getContext("2d", { alpha: false, willReadFrequently: true }),
    ground: ground.getContext("2d", { alpha: false, willReadFrequently: true }),
    live: element("div", "lx-draw-live", root, { role: "status" }),
    problem: element("p", "lx-draw-problem", root, { role: "alert" }),
    component: null, data: null, revision: null, acts: [], undone: [], stroke: null, pointer: null,
    width: WIDTHS.medium, erasing: false, at: [side / 2, side / 2], ready: false, empty: true,
    changed: false, clock: 0, sent: 0, last: 0, timer: 0, patience: 0, patient: 0,
  };
  const widths = element("div", "lx-draw-group", tools, { role: "group", "aria-label": "Brush width" });
  const inks = element("div", "lx-draw-group", tools);
  d.buttons = {
    ...Object.fromEntries(Object.keys(WIDTHS).map((name) => [
      name, buttonOf(widths, name, `${name[0].toUpperCase()}${name.slice(1)} brush`, () => {
        d.width = WIDTHS[name];
        drawControls(d);
      }),
    ])),
    eraser: buttonOf(inks, "eraser", "Eraser", () => {
      d.erasing = !d.erasing;
      drawControls(d);
    }),
    undo: buttonOf(inks, "undo", "Undo (Ctrl+Z)", () => undo(d)),
    redo: buttonOf(inks, "redo", "Redo (Ctrl+Y)", () => redo(d)),
    clear: buttonOf(inks, "clear", "Clear", () => clear(d)),
  };
  listenToHand(d);
  return d;
}

// A button that is disabled under the focus would lose it to the page.
function disable(d, button, disabled) {
  if (disabled && document.activeElement === button) d.canvas.focus({ preventScroll: true });
  button.disabled = disabled;
}

function drawControls(d) {
  for (const [name, width] of Object.entries(WIDTHS)) d.buttons[name].setAttribute("aria-pressed", String(d.width === width));
  d.buttons.eraser.setAttribute("aria-pressed", String(d.erasing));
  disable(d, d.buttons.undo, !d.acts.length);
  disable(d, d.buttons.redo, !d.undone.length);
  disable(d, d.buttons.clear, d.empty);
  d.hint.textContent = d.data.label;
  d.hint.hidden = !d.empty || d.stroke !== null;
  d.canvas.setAttribute("aria-label", d.data.label);
  d.problem.textContent = d.data.problem;
  d.problem.hidden = !d.data.problem;
  d.root.dataset.empty = String(d.empty);
  d.root.dataset.state = !d.ready ? "loading" : d.sent || d.changed ? "sending" : "ready";
  drawCursor(d);
}

// A ring as wide as the brush, in parts of the square, which may be shown smaller than it is.
function drawCursor(d) {
  const share = (value) => `${(100 * value) / d.canvas.width}%`;
  d.cursor.style.left = share(d.at[0]);
  d.cursor.style.top = share(d.at[1]);
  d.cursor.style.width = share(d.width);
  d.cursor.dataset.down = String(d.stroke !== null);
}
