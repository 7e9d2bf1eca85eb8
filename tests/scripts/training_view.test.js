// The training view's pure functions, against what they are by definition.

import { collapseText, latentsBy } from "../../explorer/ui/components/training_view/bars.js";
import { framesOf } from "../../explorer/ui/components/training_view/frames.js";
import { clock } from "../../explorer/ui/components/training_view/head.js";
import { historyOf, indexOf, nearestIndex } from "../../explorer/ui/components/training_view/history.js";
import { inUnit, sentenceCase } from "../../explorer/ui/components/training_view/layout.js";
import { pixelsOf, scaleOf, sceneBetween } from "../../explorer/ui/components/training_view/map.js";
import { nearestPixel } from "../../explorer/ui/components/training_view/map_input.js";
import { tileGrid } from "../../explorer/ui/components/training_view/pictures.js";
import {
  curvePath, epochRange, epochTicks, nats, plain, rangeOf, tickText, ticksOf, whole,
} from "../../explorer/ui/components/training_view/scales.js";
import { assert, assertClose, assertEquals, numbers } from "./assert.js";

Deno.test("ticks are round, evenly spaced, inside the range, and about as many as asked for", () => {
  const next = numbers(1);
  for (let i = 0; i < 500; i++) {
    const low = (next() - 0.5) * 10 ** Math.floor(8 * next() - 4);
    const high = low + next() * 10 ** Math.floor(8 * next() - 4) + 1e-9;
    const ticks = ticksOf(low, high, 4);
    assert(ticks.length >= 1 && ticks.length <= 6, `${ticks.length} ticks from ${low} to ${high}`);
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 0;
    ticks.forEach((tick, k) => {
      assert(tick >= low - 1e-9 * step && tick <= high + 1e-9 * step, `${tick} is in [${low}, ${high}]`);
      if (k) assertClose([(tick - ticks[k - 1]) / step], [1], 1e-6);
    });
    if (!step) continue;
    const first = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
    assert([1, 2, 5, 10].some((factor) => Math.abs(first - factor) < 1e-6), `a step of ${step} is round`);
  }
});

Deno.test("ticks of ranges by hand", () => {
  assertClose(ticksOf(0, 1, 4), [0, 0.5, 1]);
  assertClose(ticksOf(-120, -80, 4), [-120, -110, -100, -90, -80]);
  assertEquals(ticksOf(3, 3, 4), [3]);
  assert(Object.is(ticksOf(-1, 1, 2)[1], 0), "no minus zero");
  assertEquals(epochTicks(1, 5, 8), [1, 2, 3, 4, 5]); // halves are no epochs
  assertEquals(epochTicks(0.5, 1.5, 2), [1]);
});

Deno.test("ticks have as many decimals as their step needs", () => {
  assertEquals([0, 0.02, 0.04].map(tickText([0, 0.02, 0.04])), ["0.00", "0.02", "0.04"]);
  assertEquals([-100, -50].map(tickText([-100, -50])), ["−100", "−50"]);
  assertEquals([0, 2e-5, 4e-5].map(tickText([0, 2e-5, 4e-5])), ["0", "2e−5", "4e−5"]);
});

Deno.test("numbers as text", () => {
  assertEquals([nats(-98.765), nats(1234.56), nats(null), nats(0)], ["−98.77", "1,234.6", "–", "0.00"]);
  const numbersOf = [plain(0.00123456), plain(-2), plain(1.5e-6), plain(undefined)];
  assertEquals(numbersOf, ["0.001235", "−2", "1.5 e−6", "–"]);
  assertEquals([whole(12.5), whole(1e4), whole(null)], ["13", "10,000", "–"]);
  assertEquals([clock(59.6), clock(3599), clock(3661)], ["1:00", "59:59", "1:01:01"]);
});

Deno.test("a range takes in all values with a margin, but not a first epoch far off", () => {
  assertClose(rangeOf([0, null, 10]) ?? [], [-0.8, 10.8]);
  assertClose(rangeOf([5]) ?? [], [2.5, 7.5]);
  assertEquals(rangeOf([null, undefined]), null);
  const late = Array.from({ length: 20 }, (_, i) => -100 + i);
  const [low, high] = rangeOf([-5000, ...late]) ?? [0, 0];
  assert(low > -200 && low < -100 && high > -81 && high < -70, `[${low}, ${high}]`);
});

Deno.test("the axis of a run that goes on has room in steps, and never beyond its end", () => {
  assertEquals(epochRange([1, 2, 3], 100, true), [1, 10]);
  assertEquals(epochRange([1, 31], 100, true), [1, 64]); // 31 x 1.05 > 32
  assertEquals(epochRange([1, 90], 100, true), [1, 100]);
  assertEquals(epochRange([1, 2, 3], 100, false), [1, 3]);
  assertEquals(epochRange([4], 4, false), [3.5, 4.5]);
  assertEquals(epochRange([], 5, true), [1, 5]);
});

Deno.test("a curve has a gap where there is no value", () => {
  const scale = { x: (/** @type {number} */ epoch) => 10 * epoch, y: (/** @type {number} */ value) => -value };
  assertEquals(curvePath(scale, [1, 2, 3, 4], [5, null, 6, 7]), "M10.0 -5.0M30.0 -6.0L40.0 -7.0");
  assertEquals(curvePath(scale, [1, 2], [null, null]), "");
});

Deno.test("a history of parts is their columns, one after another", () => {
  const part = (/** @type {number[]} */ epochs, /** @type {number[] | number} */ elbo) => (
    { epochs, test: { elbo, mse: 0.5 }, train: { elbo: null }, beta: 2, seconds: epochs.map((e) => e / 2) }
  );
  const history = historyOf([part([1, 2], [-9, -8]), part([5], -7)]);
  assertEquals(history.epochs, [1, 2, 5]);
  assertEquals(history.test.elbo, [-9, -8, -7]);
  assertEquals(history.test.mse, [0.5, 0.5, 0.5]);
  assertEquals(history.train.elbo, [null, null, null]);
  assertEquals([history.beta, history.seconds], [[2, 2, 2], [0.5, 1, 2.5]]);
  assertEquals([history.noise_variance, history.test.active_units], [[null, null, null], [null, null, null]]);
  assertEquals(historyOf([]).epochs, []);
});

Deno.test("the index of an epoch is that of the last one not after it, as a search by definition finds it", () => {
  const epochs = [1, 2, 5, 9, 10, 40];
  for (let epoch = 0; epoch <= 45; epoch += 0.5) {
    assertEquals(indexOf(epochs, epoch), Math.max(0, epochs.filter((other) => other <= epoch).length - 1));
    const distances = epochs.map((other) => Math.abs(other - epoch));
    assertEquals(nearestIndex(epochs, epoch), distances.indexOf(Math.min(...distances)));
  }
  assertEquals(indexOf([], 3), -1);
  assertEquals(indexOf(epochs, Infinity), 5);
});

Deno.test("frames have their numbers in turn", () => {
  assertEquals(framesOf("3-ab 12-cd", "-1 1 -2 2 0.5 -3 3 -4 4 7"), [
    { name: "3-ab", epoch: 3, box: [-1, 1, -2, 2], klTop: 0.5 },
    { name: "12-cd", epoch: 12, box: [-3, 3, -4, 4], klTop: 7 },
  ]);
  assertEquals(framesOf("", ""), []);
});

Deno.test("the box of a map is inside its canvas, the middle in the middle, upwards up", () => {
  const scale = scaleOf([-2, 6, 0, 4], [424, 224], true);
  assertClose([scale.x(2), scale.y(2)], [212, 112]);
  assertEquals(scale.sx, scale.sy); // a unit is as long on both axes
  assertClose([scale.x(6), scale.y(4)], [412, 12]); // 12 pixels from the edge: both fit exactly here
  const free = scaleOf([0, 1, 0, 100], [124, 224], false);
  assertClose([free.x(0), free.x(1), free.y(0), free.y(100)], [12, 112, 212, 12]);
});

Deno.test("a scene between two begins at one, ends at the other and is half-way in the middle", () => {
  const scene = (/** @type {number} */ at) => {
    const box = /** @type {[number, number, number, number]} */ ([at, at + 1, at, at + 2]);
    return { points: Float64Array.of(at, 2 * at), box };
  };
  for (const [t, at] of [[0, 0], [0.5, 4], [1, 8]]) {
    const { points, box } = sceneBetween(scene(0), scene(8), t);
    assertClose(points, [at, 2 * at]);
    assertClose(box, [at, at + 1, at, at + 2]);
  }
  const nowhere = { ...scene(0), points: Float64Array.of(NaN, 0) };
  assertClose([sceneBetween(nowhere, scene(8), 0.1).points[0]], [8]);
  // Smoothstep: its slope at both ends is zero.
  const moved = (/** @type {number} */ t) => sceneBetween(scene(0), scene(1), t).points[0];
  assert(moved(0.001) < 4e-6 && 1 - moved(0.999) < 4e-6, "slow at both ends");
});

Deno.test("the nearest point of the map that is shown", () => {
  const scale = scaleOf([0, 10, 0, 10], [124, 124], true);
  const pixels = pixelsOf(Float64Array.of(0, 0, 5, 5, 5.1, 5, NaN, 0), scale);
  assertEquals(nearestPixel(pixels, [scale.x(5.1), scale.y(5)], () => true), 2);
  assertEquals(nearestPixel(pixels, [scale.x(5.1), scale.y(5)], (i) => i !== 2), 1);
  assertEquals(nearestPixel(pixels, [scale.x(2.5), scale.y(2.5)], () => true), -1);
});

Deno.test("bars in order", () => {
  assertEquals(latentsBy("size", [0.1, 3, 0, 3]), [1, 3, 0, 2]);
  assertEquals(latentsBy("index", [0.1, 3, 0]), [0, 1, 2]);
});

Deno.test("the sentence on collapse counts", () => {
  assertEquals(collapseText(1, 1), "The only latent is in use.");
  assert(collapseText(2, 2).startsWith("Both latents are in use"), "both");
  assert(collapseText(16, 16).startsWith("All 16 latents are in use"), "all");
  assert(collapseText(0, 8).startsWith("No latent is in use: every one carries under 0.01 nats"), "none");
  assert(collapseText(7, 8).startsWith("7 of 8 latents are in use: the other carries under"), "one");
  assert(collapseText(1, 8).startsWith("1 of 8 latents is in use: the others carry under"), "most");
});

Deno.test("tiles stand eight in a row, and none covers another", () => {
  const { at, size } = tileGrid([28, 14]);
  assertEquals([at(0), at(7), at(8)], [{ x: 0, y: 0 }, { x: 210, y: 0 }, { x: 0, y: 16 }]);
  assertEquals(size(64), [8 * 30 - 2, 8 * 16 - 2]);
  assertEquals(size(5), [8 * 30 - 2, 14]);
});

Deno.test("a family's figures are written in their unit", () => {
  assertEquals([inUnit("nats")(1.23456), inUnit("entries")(137.234), inUnit("")(0.5)], ["1.23", "137.2", "0.5"]);
  assertEquals(sentenceCase("total correlation"), "Total correlation");
});
