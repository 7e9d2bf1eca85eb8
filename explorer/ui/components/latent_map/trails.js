// Trails: lines with a dot at each point, and a larger dot that follows a film. All of a trail's dots are one shape,
// of lines without length whose round ends (the style sheet's) are seen: sixty-four circles would be as many shapes.

import { whereIs } from "../shared/following.js";
import { withAlpha } from "../shared/theme.js";
/** @import { Theme } from "../shared/theme.js" */
/** @import { Trail } from "./layout.js" */

/** @typedef {object} Shape  of plotly's layout */

/**
 * @param {[number | null, number | null]} point
 * @returns {point is [number, number]}
 */
export const isPlace = ([x, y]) => Number.isFinite(x) && Number.isFinite(y);

/**
 * Where films are on their trails, and where sliders have moved a code.
 *
 * @param {Trail[]} trails
 * @param {string} follows  the sliders' key
 */
export function followers(trails, follows) {
  /** @type {([number | null, number | null] | undefined)[]} */
  const places = trails.map(({ points, player }) => (player ? points[whereIs(player)?.step ?? -1] : undefined));
  if (follows) places.push(whereIs(follows)?.place);
  /** @type {{ x: number, y: number }[]} */
  const found = [];
  for (const place of places) {
    const [x, y] = place ?? [null, null];
    if (x !== null && y !== null) found.push({ x, y });
  }
  return found;
}

/**
 * @param {string} path
 * @param {object} line
 * @returns {Shape}
 */
function pathShape(path, line) {
  return { type: "path", xref: "x", yref: "y", path, line, fillcolor: "rgba(0,0,0,0)", layer: "above" };
}

/**
 * A circle of so many pixels around a place.
 *
 * @param {{ x: number, y: number }} place
 * @param {number} radius
 * @param {number} width  of its line
 * @param {string} color
 */
export function ring({ x, y }, radius, width, color) {
  return {
    type: "circle", xref: "x", yref: "y", xsizemode: "pixel", ysizemode: "pixel", xanchor: x, yanchor: y,
    x0: -radius, x1: radius, y0: -radius, y1: radius, line: { color, width }, fillcolor: "rgba(0,0,0,0)",
    layer: "above",
  };
}

/**
 * The paths of a trail, as SVG writes them: its line, and a line without length at each of its points.
 *
 * @param {Trail["points"]} points
 */
export function trailPaths(points) {
  const places = points.filter(isPlace);
  if (!places.length) return null;
  return {
    line: `M${places.map(([x, y]) => `${x},${y}`).join("L")}`,
    dots: places.map(([x, y]) => `M${x},${y}L${x},${y}`).join(""),
  };
}

/**
 * @param {Trail[]} trails
 * @param {Theme} theme
 * @returns {Shape[]}
 */
export function trailShapes(trails, { text, background }) {
  const halo = withAlpha(background, 0.85);
  return trails.flatMap(({ points, dashed }) => {
    const paths = trailPaths(points);
    if (!paths) return [];
    return [
      pathShape(paths.line, { color: halo, width: 4.5 }),
      pathShape(paths.dots, { color: halo, width: 8 }),
      pathShape(paths.line, { color: text, width: 1.75, dash: dashed ? "4px,5px" : "solid" }),
      pathShape(paths.dots, { color: text, width: 5 }),
    ];
  });
}

/**
 * @param {{ x: number, y: number }[]} places
 * @param {Theme} theme
 * @returns {Shape[]}
 */
export function followerShapes(places, { primary, background, text }) {
  return places.flatMap((place) => [
    { ...ring(place, 8, 2, text), fillcolor: background },
    { ...ring(place, 5, 0, primary), fillcolor: primary },
  ]);
}
