// The colour scale that takes the legend's place for a continuous colouring, above the plot so that it keeps its width.

import { minus } from "../shared/numbers.js";
import { titleOf } from "./figure.js";
import { resolvedMarker } from "./plotly_private.js";
/** @import { MapView } from "./layout.js" */

/** @param {MapView} m */
export function drawScale(m) {
  const { box, bar, name, low, high } = m.scale;
  const { colorscale, cmin, cmax, reversescale } = (m.scaled && resolvedMarker(m.gd)) || {};
  box.hidden = !colorscale;
  if (!colorscale) return;
  const stops = colorscale.map(([at, color]) => `${color} ${(100 * at).toFixed(2)}%`);
  bar.style.background = `linear-gradient(to ${reversescale ? "left" : "right"}, ${stops.join(", ")})`;
  name.textContent = titleOf(m.figure.trace.marker?.colorbar?.title).text ?? m.figure.valueName;
  low.textContent = shortened(Number(cmin));
  high.textContent = shortened(Number(cmax));
}

/** @param {number} value */
export const shortened = (value) => minus(String(Number(value.toPrecision(3))));
