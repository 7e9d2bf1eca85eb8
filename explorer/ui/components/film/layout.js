// The film's elements.

const SHAPES = {
  play: ["M5 3.200v9.600c0 .6.7 1 1.200.6l7-4.800a.8.8 0 0 0 0-1.200l-7-4.800C5.700 2.200 5 2.600 5 3.200z"],
  pause: ["M4.300 3h2.400v10H4.300zM9.300 3h2.400v10H9.300z"],
  back: ["M2.500 5.500h10M10 3l2.500 2.500L10 8", "M13.500 10.500h-10M6 8l-2.500 2.500L6 13"],
};

function drawIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.dataset.icon = name;
  svg.replaceChildren();
  for (const d of SHAPES[name]) shape("path", svg, { d });
}

function buttonOf(parent, className, text, picture, attributes = {}) {
  const button = element("button", `lx-film-button ${className}`, parent, { type: "button", ...attributes });
  const svg = picture ? icon(button) : null;
  if (svg) drawIcon(svg, picture);
  if (text) element("span", "", button, {}, text);
  return { button, svg };
}

function createFilm(root) {
  root.replaceChildren();
  const body = element("div", "lx-film-body", root, { role: "group" });
  const stage = element("div", "lx-film-stage", body);
  const canvas = element("canvas", "lx-film-picture", stage, { role: "img" });
  const side = element("div", "lx-film-side", body);
  const f = {
    root, body, stage, canvas, paint: canvas.getContext("2d"), side,
    component: null, shown: null, url: "", key: "", step: 0, playing: false, direction: 1, back: false, speed: "normal",
    frame: 0, due: 0, across: 1, built: "",
  };
  createPlayer(f);
  createChart(f);
  createFoot(f);
  createStrip(f);
  f.problem = element("div", "lx-film-problem", body, { role: "status" });
  element("p", "", f.problem, {}, "The pictures could not be loaded.");
  buttonOf(f.problem, "", "Retry").button.addEventListener("click", () => load(f, f.component.data));
  f.problem.hidden = true;
  root.addEventListener("keydown", (event) => onKey(f, event));
  f.resizer = new ResizeObserver(() => f.shown && fit(f));
  f.resizer.observe(root);
  return f;
}
