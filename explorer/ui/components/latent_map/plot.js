// The plot: the trace of the shown points, the layout, the view (what is zoomed to).

// Rows of `figure` whose class, or group, is not hidden.
function shownRows(m) {
  const { n, shades } = m.figure;
  const rows = new Int32Array(n);
  let count = 0;
  for (let i = 0; i < n; i++) {
    if (!shades || !m.hidden.has(shades[i])) rows[count++] = i;
  }
  return rows.subarray(0, count);
}

function take(values, rows) {
  if (rows.length === values.length) return values;
  const out = new Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = values[rows[i]];
  return out;
}

function traceOf(m) {
  const { figure, shown: rows, theme } = m;
  const ofRows = (value) => (isArray(value) && value.length === figure.n ? take(value, rows) : value);
  const { meta, text, hovertemplate, ...rest } = figure.trace; // hover and text are ours, not plotly's
  const marker = { ...rest.marker };
  if (m.legend && figure.shades) Object.assign(marker, shadeColours(m.legend, figure.shades));
  for (const name of Object.keys(marker)) marker[name] = ofRows(marker[name]);
  m.scaled = marker.showscale === true && !m.legend; // drawn by drawScale
  marker.showscale = false;
  return {
    ...rest,
    type: "scattergl", mode: "markers", hoverinfo: "skip",
    x: take(figure.x, rows), y: take(figure.y, rows), customdata: take(figure.ids, rows), marker,
    selectedpoints: selectedRows(m),
    selected: { marker: { opacity: 1 } },
    unselected: { marker: { opacity: theme.dark ? 0.14 : 0.1 } },
  };
}

const titleOf = (title) => (typeof title === "string" ? { text: title } : (title ?? {}));

// The legend's colours as a stepped colour scale: ten thousand numbers are parsed faster than as many names.
function shadeColours(legend, shades) {
  const position = new Map(legend.map((entry, i) => [entry.id, i]));
  const last = legend.length;
  const colorscale = legend.flatMap((entry, i) => [[i / last, entry.color], [(i + 1) / last, entry.color]]);
  const color = Array.from(shades, (id) => position.get(id) ?? 0);
  return { color, colorscale, cmin: -0.5, cmax: last - 0.5, cauto: false, showscale: false };
}

function axisOf(m, axis, range) {
  const { theme } = m;
  return {
    zeroline: true, ticks: "", nticks: m.width < 480 ? 5 : 8, ...axis,
    title: { ...titleOf(axis?.title), font: { color: theme.muted, size: 12 }, standoff: 8 },
    range: range.slice(), autorange: false, fixedrange: false,
    gridcolor: withAlpha(theme.border, theme.dark ? 0.55 : 0.7), zerolinecolor: theme.border, zerolinewidth: 1.5,
    linecolor: theme.border, tickfont: { color: theme.muted, size: 11 },
  };
}

function layoutOf(m) {
  const { figure, theme } = m;
  const titled = (axis) => Boolean(titleOf(axis?.title).text);
  return {
    ...figure.layout,
    autosize: true, width: undefined, height: undefined, title: undefined, showlegend: false, hovermode: false,
    clickmode: "none", dragmode: m.dragmode, uirevision: m.revision,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: theme.font, color: theme.text },
    // The modebar lies in the top margin, beside the plot, not on it.
    margin: {
      l: titled(figure.layout.yaxis) ? 52 : 36, r: 8, t: 34, b: titled(figure.layout.xaxis) ? 46 : 28, pad: 2,
    },
    xaxis: axisOf(m, figure.layout.xaxis, (m.view ?? figure.home).x),
    yaxis: axisOf(m, figure.layout.yaxis, (m.view ?? figure.home).y),
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.muted, activecolor: theme.primary, orientation: "h" },
    newselection: { mode: "immediate", line: { color: theme.primary, width: 1.5, dash: "solid" } },
    activeselection: { fillcolor: theme.primary, opacity: 0.06 },
    // Outlines are shapes of ours: plotly would select anew from its own, and does so wrongly after a redraw.
    selections: [],
    images: overlayImages(m.overlay),
    ...markLayout(m),
  };
}

function overlayImages(overlay) {
  if (!overlay) return [];
  const [x0, x1] = overlay.x;
  const [y0, y1] = overlay.y;
  return [{
    source: new URL(overlay.url, location.href).href, xref: "x", yref: "y", x: Math.min(x0, x1), y: Math.max(y0, y1),
    sizex: Math.abs(x1 - x0), sizey: Math.abs(y1 - y0), xanchor: "left", yanchor: "top",
    sizing: "stretch", layer: "below", opacity: overlay.opacity ?? 1,
  }];
}

// Builds the plot, or brings it up to date; the view, the drag mode and the selection stay.
async function draw(m) {
  m.theme = readTheme(m.root);
  m.shown = shownRows(m);
  if (!(await plotted(m, () => m.Plotly.react(m.gd, [traceOf(m)], layoutOf(m), configOf(m))))) return;
  drawScale(m);
  if (!m.listening) {
    m.listening = true;
    listenToPlot(m);
  }
  m.drawnMarks = "";
  drawMarks(m); // their labels, now that it is known where things are
}

// Whether plotly did its work and the map is still there. Plotly reports our own changes as if a person had made them.
async function plotted(m, work) {
  m.drawing += 1;
  try {
    await atWork(m, work);
  } finally {
    m.drawing -= 1;
  }
  return !isGone(m);
}

async function atWork(m, work) {
  m.works += 1;
  try {
    await work();
  } catch (error) {
    if (!isGone(m)) throw error;
  } finally {
    m.works -= 1;
    putAway(m);
  }
}

const isGone = (m) => m.abort.signal.aborted;

// Of a map that was taken away, once plotly is done with it. What its timers still report, nobody need hear: a purge
// removes the function that they call.
function putAway(m) {
  if (!isGone(m) || m.works || !m.gd._fullLayout) return;
  m.listening = false;
  m.Plotly.purge(m.gd);
  m.gd.emit = () => undefined;
}

function configOf(m) {
  const reset = {
    name: "lxReset", title: "Reset view", icon: m.Plotly.Icons.home, click: () => setView(m, null),
  };
  return {
    displaylogo: false, displayModeBar: true, scrollZoom: true, doubleClick: false, responsive: false,
    showTips: false, showAxisDragHandles: false, showAxisRangeEntryBoxes: false,
    modeBarButtons: [["zoom2d", "pan2d", "lasso2d", "select2d"], [reset]],
  };
}

function listenToPlot(m) {
  m.gd.on("plotly_relayout", (change) => {
    const names = Object.keys(change ?? {});
    if (names.includes("dragmode")) m.dragmode = m.gd._fullLayout.dragmode;
    if (!m.drawing && names.some((name) => name.includes("axis.range"))) {
      m.view = viewNow(m);
      moveLabels(m);
    }
    if (!m.drawing) hideCard(m);
  });
  m.gd.on("plotly_selected", (event) => {
    if (m.drawing || !event || !(event.lassoPoints || event.range)) return;
    takeSelection(m, event);
  });
  m.gd.on("plotly_deselect", () => {
    if (!m.drawing) clearSelection(m);
  });
}

// What is on the screen: with equal scales plotly widens one of the ranges that were asked for.
function viewNow(m) {
  const { xaxis, yaxis } = m.gd._fullLayout;
  return { x: xaxis.range.slice(), y: yaxis.range.slice() };
}

// null: all of the map. A range that nobody asked for is not kept, so that a resize fits it anew.
async function setView(m, view) {
  const { x, y } = view ?? m.figure.home;
  const ranges = { "xaxis.range": x.slice(), "yaxis.range": y.slice() };
  if (!(await plotted(m, () => m.Plotly.relayout(m.gd, ranges)))) return;
  m.view = view && viewNow(m);
  moveLabels(m);
}

function zoomBy(m, factor) {
  const scaled = ([low, high]) => {
    const middle = (low + high) / 2;
    return [middle + (low - middle) * factor, middle + (high - middle) * factor];
  };
  const { x, y } = viewNow(m);
  return setView(m, { x: scaled(x), y: scaled(y) });
}

// Pixels of the page for a place in the plane.
function pixelOf(m, x, y) {
  const { xaxis, yaxis } = m.gd._fullLayout;
  const box = m.gd.getBoundingClientRect();
  return { x: box.left + xaxis._offset + xaxis.d2p(x), y: box.top + yaxis._offset + yaxis.d2p(y) };
}

// The place in the plane under pixels of the page; null outside the axes.
function placeOf(m, clientX, clientY) {
  if (!m.gd._fullLayout?.xaxis) return null;
  const { xaxis, yaxis } = m.gd._fullLayout;
  const box = m.gd.getBoundingClientRect();
  const px = clientX - box.left - xaxis._offset;
  const py = clientY - box.top - yaxis._offset;
  if (px < 0 || py < 0 || px > xaxis._length || py > yaxis._length) return null;
  return { x: xaxis.p2d(px), y: yaxis.p2d(py), px, py };
}

// The row of the shown point nearest to a place, within `radius` pixels, else -1. A pass over 70,000 points
// takes a fifth of a millisecond, so no index is kept.
function rowNear(m, place, radius) {
  const { xaxis, yaxis } = m.gd._fullLayout;
  const { x, y } = m.figure;
  const bx = xaxis.d2p(0);
  const by = yaxis.d2p(0);
  const ax = xaxis.d2p(1) - bx;
  const ay = yaxis.d2p(1) - by;
  let best = -1;
  let nearest = radius * radius;
  for (let i = 0; i < m.shown.length; i++) {
    const row = m.shown[i];
    const dx = x[row] * ax + bx - place.px;
    const dy = y[row] * ay + by - place.py;
    const distance = dx * dx + dy * dy;
    if (distance <= nearest) {
      nearest = distance;
      best = row;
    }
  }
  return best;
}
