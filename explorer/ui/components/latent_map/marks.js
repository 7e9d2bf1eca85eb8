// Marks: rings at chosen places. Python's are the truth; a click shows its own until Python has answered it.

import { whereIs } from "../shared/following.js";
import { textWidth, withAlpha } from "../shared/theme.js";
import { viewNow } from "./places.js";
import { axesOf } from "./plotly_private.js";
import { followers, followerShapes, ring, trailShapes } from "./trails.js";
import { isGone, plotted } from "./work.js";
/** @import { MapView, Mark, Outline } from "./layout.js" */
/** @import { Place } from "./places.js" */

/**
 * The selected ones last: on top, and in one order whoever says them.
 *
 * @param {MapView} m
 * @returns {Mark[]}
 */
export function marksNow(m) {
  const { marks } = m.data;
  const others = marks.filter(({ kind }) => kind !== "selected");
  if (!m.pending) return [...others, ...marks.filter(({ kind }) => kind === "selected")];
  const { x, y } = m.pending;
  return [...others, { x, y, label: "", kind: "selected" }];
}

/**
 * @param {Outline} outline
 * @param {string} color
 */
function outlineShape(outline, color) {
  const path = `M${outline.map(([x, y]) => `${x},${y}`).join("L")}Z`;
  return {
    type: "path", xref: "x", yref: "y", path, line: { color, width: 1.5 }, fillcolor: withAlpha(color, 0.06),
    layer: "above",
  };
}

/**
 * plotly reads a little HTML in annotations; a label is text and nothing else.
 *
 * @param {string} label
 */
export const asText = (label) => label.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const LABEL_PX = 12;

/** @type {Record<string, [number, number]>} */
const RINGS = { selected: [9, 2.5], result: [9, 2.5], ingredient: [5, 2] }; // radius and width in pixels
/** @type {[number, number]} */
const OTHER_RING = [7, 2.5];

/** @param {Mark} mark */
const isChosen = ({ kind }) => kind === "selected" || kind === "result";

/** @typedef {Place & { width: number, height: number }} Box  about its middle, in pixels */

/**
 * The pixels that two boxes share.
 *
 * @param {Box} a
 * @param {Box} b
 */
export function shared(a, b) {
  const across = (a.width + b.width) / 2 - Math.abs(a.x - b.x);
  const down = (a.height + b.height) / 2 - Math.abs(a.y - b.y);
  return across > 0 && down > 0 ? Math.min(across, a.width, b.width) * Math.min(down, a.height, b.height) : 0;
}

/**
 * The pixels of a box that are beyond the plot.
 *
 * @param {Box} box
 * @param {number} width
 * @param {number} height
 */
function outside(box, width, height) {
  return box.width * box.height - shared(box, { x: width / 2, y: height / 2, width, height });
}

/**
 * Where labels go, {xshift, yshift} of each middle; null for a mark without one. Beside its ring or a step further out,
 * where it covers no ring, no other label and no edge of the plot; else where it covers least.
 *
 * @param {(Place & { radius: number, width: number, first: boolean })[]} marks  in pixels; a width of 0: no label
 * @param {{ width: number, height: number }} plot
 */
export function placeLabels(marks, plot) {
  /** @type {Box[]} */
  const taken = marks.map(({ x, y, radius }) => ({ x, y, width: 2 * radius + 6, height: 2 * radius + 6 }));
  /** @type {({ xshift: number, yshift: number } | null)[]} */
  const found = marks.map(() => null);
  const order = marks.map((_, i) => i).sort((i, j) => Number(marks[j].first) - Number(marks[i].first));
  for (const i of order) {
    const mark = marks[i];
    if (!mark.width) continue;
    const [width, height] = [mark.width + 4, LABEL_PX + 4];
    const boxes = [0, 1, 2].flatMap((step) => {
      const aside = mark.radius + 5 + width / 2 + step * height;
      const over = mark.radius + 5 + height / 2 + step * height;
      const sides = [[aside, 0], [-aside, 0], [0, over], [0, -over]];
      return [...sides, [aside, over], [-aside, over], [aside, -over], [-aside, -over]];
    }).map(([right, up]) => ({ x: mark.x + right, y: mark.y - up, width, height, xshift: right, yshift: up }));
    /** @type {(box: Box) => number} */
    const cost = (box) => outside(box, plot.width, plot.height) + taken.reduce((sum, t) => sum + shared(box, t), 0);
    const best = boxes.reduce((least, box) => (cost(box) < cost(least) ? box : least));
    taken.push(best);
    found[i] = { xshift: best.xshift, yshift: best.yshift };
  }
  return found;
}

/**
 * By the view of this moment.
 *
 * @param {MapView} m
 * @param {Mark[]} marks
 */
function labelsOf(m, marks) {
  const axes = axesOf(m.gd);
  if (!axes) return [];
  const font = `${LABEL_PX}px ${m.theme.font}`;
  const boxes = marks.map((mark) => ({
    x: axes.x.d2p(mark.x), y: axes.y.d2p(mark.y), radius: (RINGS[mark.kind] ?? OTHER_RING)[0],
    width: mark.label ? textWidth(mark.label, font) : 0, first: isChosen(mark),
  }));
  return placeLabels(boxes, { width: axes.x._length, height: axes.y._length });
}

/** @param {MapView} m */
export function followersNow(m) {
  const found = followers(m.data.trails, m.data.follows);
  const id = m.data.link && m.hovered === null ? whereIs(m.data.link)?.id ?? null : null; // it has a card of its own
  const row = id === null ? undefined : m.shown.find((shown) => Number(m.figure.ids[shown]) === id);
  return row === undefined ? found : [...found, { x: m.figure.x[row], y: m.figure.y[row] }];
}

/** @param {MapView} m */
export function markLayout(m) {
  const { theme, figure: { layout } } = m;
  const shapes = [
    ...(layout.shapes ?? []), ...m.outlines.map((outline) => outlineShape(outline, theme.primary)),
    ...trailShapes(m.data.trails, theme),
  ];
  const annotations = [...(layout.annotations ?? [])];
  const marks = marksNow(m);
  const labels = labelsOf(m, marks);
  marks.forEach((mark, i) => {
    // In the text's colour (or the accent's) on a halo in the page's: visible on points of any colour.
    const [radius, width] = RINGS[mark.kind] ?? OTHER_RING;
    shapes.push(ring(mark, radius, width + (isChosen(mark) ? 3.5 : 3), theme.background));
    shapes.push(ring(mark, radius, width, isChosen(mark) ? theme.text : theme.primary));
    if (labels[i]) {
      annotations.push({
        x: mark.x, y: mark.y, xref: "x", yref: "y", text: asText(mark.label), showarrow: false, ...labels[i],
        font: { color: theme.text, size: LABEL_PX, family: theme.font }, borderpad: 0,
      });
    }
  });
  shapes.push(...followerShapes(followersNow(m), theme));
  return { shapes, annotations };
}

/** @param {MapView} m */
export const markSignature = (m) => JSON.stringify([marksNow(m), m.outlines, m.data.trails, followersNow(m)]);

/** @param {MapView} m */
export function drawMarks(m) {
  m.root.dataset.marks = JSON.stringify(marksNow(m));
  const signature = markSignature(m);
  if (isGone(m) || !m.drawn || signature === m.drawnMarks) return;
  m.drawnMarks = signature;
  const { shapes, annotations } = markLayout(m);
  // Shapes alone are 2 ms; with annotations plotly draws everything anew, 50 ms.
  const same = JSON.stringify(annotations) === JSON.stringify(m.gd.layout.annotations ?? []);
  // Outlines are shapes of ours, so that plotly's own have to go.
  const selections = m.gd.layout.selections?.length ? { selections: [] } : {};
  plotted(m, () => m.Plotly.relayout(m.gd, { shapes, ...(same ? {} : { annotations }), ...selections }));
}

/**
 * Once an animation frame, and not while a person drags: plotly then works on the shapes itself.
 *
 * @param {MapView} m
 */
export function requestMarks(m) {
  if (m.marksFrame) return;
  m.marksFrame = requestAnimationFrame(() => {
    m.marksFrame = 0;
    if (!m.held) drawMarks(m);
  });
}

/**
 * The view has changed: labels may now cover what they did not.
 *
 * @param {MapView} m
 */
export function moveLabels(m) {
  m.drawnMarks = "";
  requestMarks(m);
}

/**
 * The place that the arrow keys move: the last one clicked or marked, else the middle of the view.
 *
 * @param {MapView} m
 * @returns {Place}
 */
export function chosenPlace(m) {
  const mark = marksNow(m).findLast(({ kind }) => kind === "selected");
  if (mark) return { x: mark.x, y: mark.y };
  const { x, y } = viewNow(m);
  return { x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2 };
}

/**
 * @param {MapView} m
 * @param {Place} place
 * @param {number | null} id
 */
export function choose(m, { x, y }, id) {
  // Told first: Python works while plotly draws.
  m.pending = { x, y, t: m.answers.tell("click", { x, y, id, revision: m.revision }) };
  drawMarks(m);
}
