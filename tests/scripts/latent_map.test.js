// The map's pure functions, against what they are by definition.

import { blendOf } from "../../explorer/ui/components/latent_map/atlas.js";
import { decoded, extent, figureOf, levelsOf, shownRows } from "../../explorer/ui/components/latent_map/figure.js";
import { beside, formatted, signed, spriteOf } from "../../explorer/ui/components/latent_map/hover.js";
import { isolated, toggled } from "../../explorer/ui/components/latent_map/legend.js";
import { asText, placeLabels, shared } from "../../explorer/ui/components/latent_map/marks.js";
import { nearestRow } from "../../explorer/ui/components/latent_map/places.js";
import { missingParts } from "../../explorer/ui/components/latent_map/plotly_private.js";
import { cellsOf, countIn, layersOf, scaleOf } from "../../explorer/ui/components/latent_map/raster.js";
import { shortened } from "../../explorer/ui/components/latent_map/scale.js";
import { outlineOf, packed, rowsInside, unpacked } from "../../explorer/ui/components/latent_map/selection.js";
import { trailPaths } from "../../explorer/ui/components/latent_map/trails.js";
import { scaledRange } from "../../explorer/ui/components/latent_map/view.js";
import { assert, assertClose, assertEquals, numbers } from "./assert.js";
/** @import { PlotElement } from "../../explorer/ui/components/latent_map/plotly_private.js" */

const ATLAS = {
  columns: 5, rows: 4, x: /** @type {[number, number]} */ ([-2, 2]), y: /** @type {[number, number]} */ ([-3, 3]),
};

Deno.test("a blend of the atlas is the bilinear interpolation of its tiles", () => {
  // Tiles that are a bilinear function of their place are interpolated without an error.
  const f = (/** @type {number} */ x, /** @type {number} */ y) => 1 + 2 * x - 3 * y + 0.5 * x * y;
  const next = numbers(1);
  for (let i = 0; i < 200; i++) {
    const [x, y] = [4 * next() - 2, 6 * next() - 3];
    const parts = blendOf(ATLAS, { x, y }) ?? [];
    const blended = parts.reduce((sum, { column, row, weight }) => sum + weight * f(-2 + column, 3 - 2 * row), 0);
    assertClose([blended], [f(x, y)], 1e-9);
    assertClose([parts.reduce((sum, { weight }) => sum + weight, 0)], [1]);
  }
});

Deno.test("a blend at a tile's centre is that tile, and half a tile beyond the outermost there is nothing", () => {
  assertEquals(blendOf(ATLAS, { x: 1, y: -1 }), [{ column: 3, row: 2, weight: 1 }]);
  assertEquals(blendOf(ATLAS, { x: -2.49, y: 3.9 }), [{ column: 0, row: 0, weight: 1 }]);
  assertEquals(blendOf(ATLAS, { x: -2.51, y: 0 }), null);
  assertEquals(blendOf(ATLAS, { x: 0, y: -4.01 }), null);
  assertEquals(blendOf(ATLAS, { x: NaN, y: 0 }), null);
});

Deno.test("an atlas of one tile is that tile", () => {
  const one = { columns: 1, rows: 1, x: /** @type {[number, number]} */ ([0, 1]), y: ATLAS.y };
  assertEquals(blendOf(one, { x: 0.5, y: 0 }), [{ column: 0, row: 0, weight: 1 }]);
});

Deno.test("arrays in base64 become what NumPy had, and matrices and lists stay", () => {
  const floats = Float32Array.of(1.5, -2, 1e-7);
  const bdata = btoa(String.fromCharCode(...new Uint8Array(floats.buffer)));
  assertClose(decoded({ dtype: "f4", bdata }), floats, 0);
  assertClose(decoded([{ dtype: "i1", bdata: btoa("\xff\x01") }])[0], [-1, 1], 0);
  const matrix = { dtype: "u1", bdata: "AAAA", shape: "1, 3" };
  assertEquals(decoded({ z: matrix, text: ["a", null] }), { z: matrix, text: ["a", null] });
});

Deno.test("a figure takes what fits its points, and a range where it has none", () => {
  const trace = { x: [0, 10, 4], y: [1, 1, 1], customdata: [7, 8, 9], text: ["one"] };
  const layout = { meta: { classes: [0, 1, 0], groups: [2, 3], group_what: "patient", files: ["a", "b", "c"], uirevision: 5 }, template: {} };
  const figure = figureOf("/f", { data: [trace], layout });
  assertEquals([figure.n, figure.ids, figure.classes], [3, [7, 8, 9], [0, 1, 0]]);
  assertEquals([figure.groups, figure.text], [null, null]); // not one a point
  assertEquals(figure.files, ["a", "b", "c"]);
  assertEquals([figure.shades, figure.revision, figure.groupWhat], [[0, 1, 0], "5", "patient"]);
  assertEquals(figure.home, { x: [-0.5, 10.5], y: [0, 2] }); // a twentieth of the width; 1 where there is none
  assert(!("template" in figure.layout) && !("meta" in figure.layout), "the theme's colours come from the page");
  assertEquals(extent([]), [-1, 1]);
});

Deno.test("a packed figure's places are steps from its first", () => {
  const trace = { x: Uint16Array.of(0, 65535, 2), y: [1, 0, 3], meta: { x_steps: [-2, 0.5], y_steps: [1, 0.1], levels: [0, 39, 40] } };
  const figure = figureOf("/f", { data: [trace], layout: {} });
  assertClose(figure.x, [-2, 32765.5, -1], 1e-9);
  assertClose(figure.y, [1.1, 1, 1.3], 1e-9);
  assertEquals([figure.packed, figure.levels, figure.ids], [true, [0, 39, 40], Int32Array.of(0, 1, 2)]);
});

Deno.test("rows inside an outline are those whose angles to its corners go round once", () => {
  const next = numbers(7);
  const outline = /** @type {[number, number][]} */ ([[-3, -2], [4, -3], [1, 0], [3, 4], [-1, 1.5], [-4, 3]]);
  const x = Array.from({ length: 2000 }, () => 10 * next() - 5);
  const y = Array.from({ length: 2000 }, () => 10 * next() - 5);
  const turns = (/** @type {number} */ row) => outline.reduce((sum, corner, i) => {
    const other = outline[(i + 1) % outline.length];
    const [a, b] = [corner, other].map((c) => Math.atan2(c[1] - y[row], c[0] - x[row]));
    const turn = b - a;
    return sum + (turn > Math.PI ? turn - 2 * Math.PI : turn < -Math.PI ? turn + 2 * Math.PI : turn);
  }, 0);
  const rows = Int32Array.from({ length: 1000 }, (_, i) => 2 * i);
  assertEquals([...rowsInside({ x, y }, rows, outline)], [...rows].filter((row) => Math.abs(turns(row)) > 1));
});

Deno.test("many ids travel as bits, and come back", () => {
  const next = numbers(3);
  const few = new Set([5, 3, 70_000]);
  assertEquals(packed(few), [5, 3, 70_000]);
  const many = new Set(Array.from({ length: 30_000 }, () => Math.floor(900_000 * next())));
  const text = packed(many);
  assert(typeof text === "string" && text.length < 900_000 / 6 + 8, "a bit each");
  assertEquals([...unpacked(text)], [...many].sort((a, b) => a - b));
  assertEquals(packed(new Set([...Array(10_001).keys()])).slice(0, 4), "////"); // all bits from the first on
});

Deno.test("cells hold the mean colour of their points, and are stronger the more there are", () => {
  const [x, y] = [[0.5, 0.6, 0.7, 3.5, 9], [3.5, 3.5, 3.5, 0.5, 1]];
  const scale = scaleOf([0, 4], [0, 4], 4, 4);
  const rows = Int32Array.of(0, 1, 2, 3, 4);
  assertEquals(countIn({ x, y }, rows, scale, 1), 4); // the last is out of view
  assertEquals(countIn({ x, y }, rows, scale, 2), 2);
  const colors = Uint8Array.of(0, 0, 0, 30, 60, 90);
  const pixels = cellsOf({ x, y }, rows, scale, [0, 1, 1, 0, 0], colors, 1);
  assertEquals([...pixels.slice(0, 4)], [20, 40, 60, 255]); // three points, the fullest
  assertEquals([...pixels.slice(4 * 15)], [0, 0, 0, 128]); // below on the right, one point
  assertEquals(pixels.reduce((sum, value) => sum + value, 0), 20 + 40 + 60 + 255 + 128);
});

Deno.test("what is selected lies over the rest", () => {
  const ids = [7, 8, 9];
  const shown = Int32Array.of(0, 2);
  assertEquals(layersOf(shown, ids, null).map(({ rows }) => [...rows]), [[0, 2]]);
  const layers = layersOf(shown, ids, new Set([9, 8]));
  assertEquals(layers.map(({ rows }) => [...rows]), [[0], [2]]);
  assert(layers[0].opacity < layers[1].opacity, "and is stronger");
});

Deno.test("rows of hidden classes are not shown", () => {
  const shades = [0, 1, 2, 1, 0];
  assertEquals([...shownRows(5, shades, new Set([1]))], [0, 2, 4]);
  assertEquals([...shownRows(5, shades, new Set())], [0, 1, 2, 3, 4]);
  assertEquals([...shownRows(3, null, new Set([1]))], [0, 1, 2]);
});

Deno.test("the legend hides, shows, and isolates a class", () => {
  assertEquals([...toggled(new Set([1, 2]), 2)], [1]);
  assertEquals([...toggled(new Set([1]), 2)], [1, 2]);
  assertEquals([...isolated(new Set(), 2, [1, 2, 3])], [1, 3]);
  assertEquals([...isolated(new Set([1, 3]), 2, [1, 2, 3])], []); // it is alone already: all of them
  assertEquals([...isolated(new Set([2, 3]), 2, [1, 2, 3])], [1, 3]);
});

Deno.test("a number has its share of the colour scale, within its ends, and what is not known a level of its own", () => {
  const color = [-1, 0, 1, 2, 9, NaN, null]; // plotly.py writes NaN of a list as null
  assertEquals([...levelsOf({ color, cmin: 0, cmax: 2 }) ?? []], [0, 0, 20, 39, 39, 40, 40]);
  assertEquals([...levelsOf({ color: [3, 3], cmin: 3, cmax: 3 }) ?? []], [0, 0]);
  assertEquals(levelsOf({ color: "red" }), null);
  assertEquals(levelsOf(undefined), null);
});

Deno.test("an outline is the lasso's corners, or the box's in turn", () => {
  assertEquals(outlineOf({ lassoPoints: { x: [1, 2, 3], y: [4, 5, 6] } }), [[1, 4], [2, 5], [3, 6]]);
  assertEquals(outlineOf({ range: { x: [0, 2], y: [5, 7] } }), [[0, 5], [2, 5], [2, 7], [0, 7]]);
});

Deno.test("the nearest point is the one that a search by definition finds", () => {
  const next = numbers(2);
  const points = {
    x: Array.from({ length: 300 }, next), y: Array.from({ length: 300 }, next),
    rows: Array.from({ length: 150 }, (_, i) => 2 * i),
  };
  const scale = { ax: 400, bx: 10, ay: -300, by: 310 };
  for (let i = 0; i < 100; i++) {
    const spot = { px: 10 + 400 * next(), py: 10 + 300 * next() };
    const distances = points.rows.map((row) => (
      Math.hypot(400 * points.x[row] + 10 - spot.px, -300 * points.y[row] + 310 - spot.py)
    ));
    const least = Math.min(...distances);
    assertEquals(nearestRow(points, scale, spot, 12), least <= 12 ? points.rows[distances.indexOf(least)] : -1);
  }
});

Deno.test("a point that is not shown is not found, and of two in one place the upper is", () => {
  const scale = { ax: 1, bx: 0, ay: 1, by: 0 };
  assertEquals(nearestRow({ x: [0, 0, 5], y: [0, 0, 5], rows: [0, 1] }, scale, { px: 0, py: 0 }, 1), 1);
  assertEquals(nearestRow({ x: [0, 0, 5], y: [0, 0, 5], rows: [0, 1] }, scale, { px: 5, py: 5 }, 1), -1);
});

Deno.test("a trail goes on past what is not finite, and has no dot there", () => {
  assertEquals(trailPaths([[0, 1], [null, 2], [3, 4]]), { line: "M0,1L3,4", dots: "M0,1L0,1M3,4L3,4" });
  assertEquals(trailPaths([[null, null]]), null);
});

Deno.test("boxes share the area of their overlap", () => {
  const box = (/** @type {number[]} */ [x, y, width, height]) => ({ x, y, width, height });
  assertEquals(shared(box([0, 0, 4, 2]), box([3, 0, 4, 2])), 2); // 1 x 2
  assertEquals(shared(box([0, 0, 4, 2]), box([1, 0, 1, 1])), 1); // inside
  assertEquals(shared(box([0, 0, 4, 2]), box([4, 0, 4, 2])), 0); // side by side
});

Deno.test("labels cover no ring, no other label and no edge while there is room", () => {
  const plot = { width: 500, height: 400 };
  const next = numbers(3);
  const marks = Array.from({ length: 6 }, (_, i) => (
    { x: 40 + 420 * next(), y: 40 + 320 * next(), radius: 7, width: 60, first: i === 5 }
  ));
  const labels = placeLabels(marks, plot);
  const boxes = labels.map((label, i) => (
    { x: marks[i].x + (label?.xshift ?? 0), y: marks[i].y - (label?.yshift ?? 0), width: 64, height: 16 }
  ));
  boxes.forEach((box, i) => {
    assert(box.x - 32 >= 0 && box.x + 32 <= 500 && box.y - 8 >= 0 && box.y + 8 <= 400, `label ${i} is inside`);
    for (const other of boxes.slice(i + 1)) assertEquals(shared(box, other), 0);
    for (const { x, y, radius } of marks) {
      assertEquals(shared(box, { x, y, width: 2 * radius, height: 2 * radius }), 0);
    }
  });
  assertEquals(placeLabels([{ ...marks[0], width: 0 }], plot), [null]);
});

Deno.test("a card stands after the pointer, before it where there is no room, and never outside", () => {
  assertEquals(beside(100, 50, 400), 118);
  assertEquals(beside(380, 50, 400), 312);
  assertEquals(beside(20, 390, 400), 4);
});

Deno.test("a sprite is in the sheet and the tile that its id says", () => {
  const tile = /** @type {[number, number]} */ ([28, 20]);
  const sprites = { url: "/s-{sheet}.webp", columns: 10, tile, per_sheet: 100 };
  assertEquals(spriteOf(sprites, 0), { url: "/s-0.webp", left: 0, top: 0 });
  assertEquals(spriteOf(sprites, 237), { url: "/s-2.webp", left: 7 * 28, top: 3 * 20 });
});

Deno.test("a zoom keeps the middle", () => {
  assertClose(scaledRange([2, 6], 0.5), [3, 5]);
  assertClose(scaledRange(scaledRange([-1, 4], 0.8), 1.25), [-1, 4]);
});

Deno.test("numbers on the card and the colour scale", () => {
  assertEquals([signed(-0.004), signed(-1.237), signed(2)], ["0.00", "−1.24", "2.00"]);
  assertEquals([formatted(-3), formatted(3.14159)], ["−3", "3.142"]);
  assertEquals([shortened(-1234), shortened(0.00123456)], ["−1230", "0.00123"]);
  assertEquals(asText('a<b> & "c"'), 'a&lt;b&gt; &amp; "c"');
});

Deno.test("what plotly.js no longer has is named", () => {
  const axis = { range: [0, 1], _offset: 3, _length: 100, d2p: Number, p2d: Number };
  const whole = { _fullLayout: { xaxis: axis, yaxis: axis, dragmode: "pan" }, _fullData: [{ marker: {} }], emit() {},
    querySelector: () => ({}) };
  const gd = /** @type {PlotElement} */ (/** @type {unknown} */ (whole));
  assertEquals(missingParts(gd), []);
  const { p2d: _p2d, ...moved } = axis;
  Object.assign(whole._fullLayout, { yaxis: { ...moved, _offset: undefined } });
  Object.assign(whole, { _fullData: undefined });
  assertEquals(missingParts(gd), ["_fullLayout.yaxis._offset", "_fullLayout.yaxis.p2d", "_fullData[0].marker"]);
});
