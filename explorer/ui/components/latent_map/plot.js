// The plot: what plotly has of it, and the layout around the points.

import { readTheme, withAlpha } from "../shared/theme.js";
import { shownRows, titleOf } from "./figure.js";
import { drawMarks, markLayout } from "./marks.js";
import { prepareRaster } from "./raster.js";
import { drawScale } from "./scale.js";
import { setView } from "./view.js";
import { plotted } from "./work.js";
/** @import { AxisLayout } from "./figure.js" */
/** @import { MapView, Overlay } from "./layout.js" */

/**
 * One point that nobody sees, with the marker whose scale the map shows: plotly has the axes and the tools, and
 * `raster.js` draws the points.
 *
 * @param {MapView} m
 */
function unseenTrace(m) {
  const { trace, x, y } = m.figure;
  m.scaled = trace.marker?.showscale === true && !m.about.legend; // drawn by drawScale
  const color = m.scaled ? [trace.marker?.cmin] : undefined;
  const marker = { ...trace.marker, color, opacity: 0, showscale: false };
  return { type: "scatter", mode: "markers", hoverinfo: "skip", x: [x[0]], y: [y[0]], marker };
}

/**
 * @param {MapView} m
 * @param {AxisLayout | undefined} axis
 * @param {number[]} range
 */
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

/** @param {MapView} m */
function layoutOf(m) {
  const { figure, theme } = m;
  const { xaxis, yaxis } = figure.layout;
  /** @type {(axis: AxisLayout | undefined) => boolean} */
  const titled = (axis) => Boolean(titleOf(axis?.title).text);
  const { x, y } = m.view ?? figure.home;
  return {
    ...figure.layout,
    autosize: true, width: undefined, height: undefined, title: undefined, showlegend: false, hovermode: false,
    clickmode: "none", dragmode: m.dragmode, uirevision: m.revision,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: theme.font, color: theme.text },
    // The modebar lies in the top margin, beside the plot, not on it.
    margin: { l: titled(yaxis) ? 52 : 36, r: 8, t: 34, b: titled(xaxis) ? 46 : 28, pad: 2 },
    xaxis: axisOf(m, xaxis, x),
    yaxis: axisOf(m, yaxis, y),
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.muted, activecolor: theme.primary, orientation: "h" },
    newselection: { mode: "immediate", line: { color: theme.primary, width: 1.5, dash: "solid" } },
    activeselection: { fillcolor: theme.primary, opacity: 0.06 },
    // Outlines are shapes of ours: plotly would select anew from its own, and does so wrongly after a redraw.
    selections: [],
    images: overlayImages(m.about.overlay),
    ...markLayout(m),
  };
}

/** @param {Overlay | null} overlay */
function overlayImages(overlay) {
  if (!overlay) return [];
  const [x0, x1] = overlay.x;
  const [y0, y1] = overlay.y;
  return [{
    source: new URL(overlay.url, location.href).href, xref: "x", yref: "y", x: Math.min(x0, x1), y: Math.max(y0, y1),
    sizex: Math.abs(x1 - x0), sizey: Math.abs(y1 - y0), xanchor: "left", yanchor: "top",
    sizing: "stretch", layer: "below", opacity: overlay.opacity,
  }];
}

/** @param {MapView} m */
function configOf(m) {
  const reset = { name: "lxReset", title: "Reset view", icon: m.Plotly.Icons.home, click: () => setView(m, null) };
  return {
    displaylogo: false, displayModeBar: true, scrollZoom: true, doubleClick: false, responsive: false,
    showTips: false, showAxisDragHandles: false, showAxisRangeEntryBoxes: false,
    modeBarButtons: [["zoom2d", "pan2d", "lasso2d", "select2d"], [reset]],
  };
}

/**
 * Builds the plot, or brings it up to date; the view, the drag mode and the selection stay.
 *
 * @param {MapView} m
 */
export async function draw(m) {
  m.theme = readTheme(m.root);
  m.shown = shownRows(m.figure.n, m.figure.shades, m.hidden);
  if (!(await plotted(m, () => m.Plotly.react(m.gd, [unseenTrace(m)], layoutOf(m), configOf(m))))) return;
  drawScale(m);
  m.drawn = true;
  prepareRaster(m);
  m.drawnMarks = "";
  drawMarks(m); // their labels, now that it is known where things are
}
