// The map's legend, and the name of the point under the pointer.

const NEAR_PX = 9;

function listenToMap(v) {
  const { canvas, legend } = v.map;
  canvas.addEventListener("pointermove", (event) => hoverPoint(v, event));
  canvas.addEventListener("pointerleave", () => hoverPoint(v, null));
  legend.addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (!chip) return;
    const id = Number(chip.dataset.class);
    v.map.only = v.map.only === id ? null : id;
    drawLegendChoice(v);
    drawMap(v);
  });
}

function drawClasses(v) {
  const { legend } = v.map;
  const classes = v.data.classes ?? [];
  const built = JSON.stringify(classes);
  legend.hidden = !classes.length;
  if (built === v.map.built) return;
  v.map.built = built;
  legend.replaceChildren(...classes.map(([id, name, color]) => {
    const chip = element("button", "lx-tv-class", null, { type: "button", "data-class": id, title: "Show this class alone" });
    element("span", "lx-tv-dot", chip).style.background = color;
    chip.append(name);
    return chip;
  }));
  drawLegendChoice(v);
}

function drawLegendChoice(v) {
  for (const chip of v.map.legend.children) {
    const on = Number(chip.dataset.class) === v.map.only;
    chip.setAttribute("aria-pressed", String(on));
    chip.dataset.faint = String(v.map.only !== null && !on);
  }
}

function hoverPoint(v, event) {
  const m = v.map;
  const before = m.hovered;
  m.hovered = -1;
  if (event && m.now && m.scale) {
    const box = m.canvas.getBoundingClientRect();
    m.hovered = pointNear(v, event.clientX - box.left, event.clientY - box.top);
  }
  m.tip.hidden = m.hovered < 0;
  if (m.hovered >= 0) {
    const { labels, index } = v.probe;
    const name = labels ? (v.data.classes ?? []).find(([id]) => id === labels[m.hovered])?.[1] : null;
    setText(m.tip, [name, index ? `test image ${index[m.hovered].toLocaleString("en")}` : null].filter(Boolean).join("\n"));
    const [x, y] = [m.scale.x(m.now[2 * m.hovered]), m.scale.y(m.now[2 * m.hovered + 1])];
    const left = x + 14 + m.tip.offsetWidth > m.size[0] ? x - 14 - m.tip.offsetWidth : x + 14;
    const top = clamp(y - m.tip.offsetHeight / 2, 2, m.size[1] - m.tip.offsetHeight - 2);
    m.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
  if (m.hovered !== before) drawMap(v);
}

function pointNear(v, x, y) {
  const { now, scale, only } = v.map;
  let best = -1;
  let nearest = NEAR_PX * NEAR_PX;
  for (let i = 0; i < now.length / 2; i++) {
    if (only !== null && v.probe.labels && v.probe.labels[i] !== only) continue;
    const [dx, dy] = [scale.x(now[2 * i]) - x, scale.y(now[2 * i + 1]) - y];
    const distance = dx * dx + dy * dy;
    if (distance <= nearest) [best, nearest] = [i, distance];
  }
  return best;
}
