// The legend: a chip a class, or a group, which hides or shows it; a double click, or Shift and a click, shows it alone.
// For a continuous colouring a colour scale takes its place, above the plot so that the plot keeps its width.

function drawLegend(m) {
  const { legend } = m;
  m.legendBox.hidden = !legend;
  if (!legend) {
    m.legendSignature = "";
    return;
  }
  const signature = JSON.stringify([m.legendOf, legend]);
  if (signature !== m.legendSignature) {
    m.legendSignature = signature;
    m.legendBox.setAttribute("aria-label", `Legend: each ${m.legendOf}`);
    m.chips.replaceChildren(...legend.map((entry) => chipOf(entry, m.legendOf)));
  }
  for (const chip of m.chips.children) {
    chip.setAttribute("aria-pressed", String(!m.hidden.has(Number(chip.dataset.class))));
  }
  m.all.hidden = m.hidden.size === 0;
}

function chipOf(entry, what) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "lx-chip";
  chip.dataset.class = String(entry.id);
  chip.title = `Click hides or shows this ${what}; a double click shows it alone`;
  const dot = document.createElement("span");
  dot.className = "lx-dot";
  dot.style.background = entry.color;
  const name = document.createElement("span");
  name.textContent = entry.name;
  const count = document.createElement("span");
  count.className = "lx-count";
  count.textContent = entry.count.toLocaleString("en");
  chip.append(dot, name, count);
  return chip;
}

function listenToLegend(m) {
  m.chips.addEventListener("click", (event) => {
    const chip = event.target.closest(".lx-chip");
    if (!chip) return;
    const id = Number(chip.dataset.class);
    if (event.shiftKey) isolate(m, id);
    else if (m.hidden.delete(id) || m.hidden.add(id)) refilter(m);
  });
  m.chips.addEventListener("dblclick", (event) => {
    const chip = event.target.closest(".lx-chip");
    if (chip && !event.shiftKey) isolate(m, Number(chip.dataset.class));
  });
  m.all.addEventListener("click", () => {
    m.hidden.clear();
    refilter(m);
  });
}

// Only this class; when it is the only one already, all of them.
function isolate(m, id) {
  const others = m.legend.map((entry) => entry.id).filter((other) => other !== id);
  const alone = !m.hidden.has(id) && others.every((other) => m.hidden.has(other));
  m.hidden = new Set(alone ? [] : others);
  refilter(m);
}

function refilter(m) {
  drawLegend(m);
  hideCard(m);
  if (m.listening) draw(m);
}

// The colours and their range as plotly resolved them.
function drawScale(m) {
  const marker = m.scaled ? m.gd._fullData[0]?.marker : null;
  m.scale.box.hidden = !marker?.colorscale;
  if (m.scale.box.hidden) return;
  const { colorscale, cmin, cmax, reversescale } = marker;
  const stops = colorscale.map(([at, color]) => `${color} ${(100 * at).toFixed(2)}%`);
  m.scale.bar.style.background = `linear-gradient(to ${reversescale ? "left" : "right"}, ${stops.join(", ")})`;
  m.scale.name.textContent = titleOf(m.figure.trace.marker.colorbar?.title).text ?? m.figure.valueName;
  m.scale.low.textContent = shortened(cmin);
  m.scale.high.textContent = shortened(cmax);
}

const shortened = (value) => String(Number(Number(value).toPrecision(3))).replace("-", "−");
