// Pure functions of the film, the sliders, the square to draw on, tiles, pastes, and of what all of them share.

import { numberIn, numberText, shareOf, valueAfterKey } from "../../explorer/ui/components/code_sliders/knobs.js";
import { pointsBetween } from "../../explorer/ui/components/draw/brush.js";
import { chartY, runsOf } from "../../explorer/ui/components/film/chart.js";
import { nextStep } from "../../explorer/ui/components/film/player.js";
import { lineOf, nameRooms } from "../../explorer/ui/components/film/strip.js";
import { droppedPath, namePaths } from "../../explorer/ui/components/folder_drop/main.js";
import { countThatFit } from "../../explorer/ui/components/picture_drop/main.js";
import { keepNewest } from "../../explorer/ui/components/shared/cache.js";
import { keepSteps } from "../../explorer/ui/components/shared/history.js";
import { scaleFor } from "../../explorer/ui/components/shared/images.js";
import { Answers, mount } from "../../explorer/ui/components/shared/mount.js";
import { luminance } from "../../explorer/ui/components/shared/theme.js";
import { nextTile, rowOf } from "../../explorer/ui/components/tiles/geometry.js";
import { assert, assertClose, assertEquals, numbers } from "./assert.js";

Deno.test("a row of tiles fits its room in whole device pixels", () => {
  const next = numbers(1);
  for (let i = 0; i < 500; i++) {
    const [room, across, gap] = [200 + 1000 * next(), 1 + Math.floor(40 * next()), Math.floor(4 * next())];
    const ratio = [1, 1.5, 2][Math.floor(3 * next())];
    const { columns, size } = rowOf(room, { across, count: 50, gap, least: 20, most: 112, ratio, keeps: false });
    assert(columns * size + (columns - 1) * gap <= room + 1e-9, `${columns} of ${size} in ${room}`);
    assert(Number.isInteger(Math.round(size * ratio * 1e6) / 1e6), `${size} at ${ratio} is whole`);
    assert(columns === across || size >= 20 || columns === 1, "a row is only shorter so that tiles are wide enough");
    assert(size <= 112, "no wider than asked for");
  }
});

Deno.test("a row with a label keeps its length, and one is no longer than there are tiles", () => {
  const wish = { across: 11, count: 50, gap: 0, least: 60, most: 112, ratio: 1, keeps: true };
  assertEquals(rowOf(330, wish), { columns: 11, size: 30 });
  assertEquals(rowOf(330, { ...wish, keeps: false }), { columns: 5, size: 66 });
  assertEquals(rowOf(330, { ...wish, count: 2 }), { columns: 2, size: 112 });
});

Deno.test("keys go through the tiles and stop at the edges", () => {
  const grid = { active: 5, across: 4, count: 10 };
  const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "a"];
  assertEquals(keys.map((key) => nextTile(key, grid)), [4, 6, 1, 9, 0, 9, null]);
  assertEquals(nextTile("ArrowDown", { ...grid, active: 6 }), null);
  assertEquals(nextTile("ArrowLeft", { ...grid, active: 0 }), null);
});

Deno.test("the film's strip is one line where there is little room, else lines that fit", () => {
  assertEquals(lineOf(390, 64, 2), { across: 64, size: 44 });
  for (const [room, count] of [[600, 24], [1200, 64], [1200, 3], [480, 64]]) {
    const { across, size } = lineOf(room, count, 1);
    assert(across * size + (across - 1) * 3 <= room, `${across} of ${size} in ${room}`);
    assert(across * Math.ceil(count / across) >= count && size <= 64, "all of them, no wider than 64");
  }
});

Deno.test("the names of stops cover no other name", () => {
  const [across, pitch] = [24, 47];
  const steps = [0, 12, 23];
  const rooms = nameRooms(steps, across, pitch);
  assertEquals(rooms.map(({ end }) => end), [false, false, true]);
  const spans = rooms.map(({ room, end }, i) => {
    const left = steps[i] * pitch;
    return end ? [left + pitch - room, left + pitch] : [left, left + room];
  });
  for (let i = 1; i < spans.length; i++) assert(spans[i - 1][1] <= spans[i][0] + 1e-9, `${spans}`);
  assert(spans[2][1] <= across * pitch, "none beyond the line's end");
  assertEquals(nameRooms([0, 24], 24, 47), [{ room: 24 * 47, end: false }, { room: 24 * 47, end: false }]);
});

Deno.test("a film goes on by one, and turns at its ends where it goes back and forth", () => {
  assertEquals(nextStep(3, 1, 9, false), [4, 1]);
  assertEquals(nextStep(9, 1, 9, false), [9, 1]);
  assertEquals(nextStep(9, 1, 9, true), [8, -1]);
  assertEquals(nextStep(0, -1, 9, true), [1, 1]);
  const seen = [];
  for (let step = 0, way = 1, i = 0; i < 8; i++) {
    [step, way] = nextStep(step, way, 3, true);
    seen.push(step);
  }
  assertEquals(seen, [1, 2, 3, 2, 1, 0, 1, 2]);
});

Deno.test("the density's axis goes by the square root", () => {
  const [floor, quarter, top] = [chartY(0), chartY(0.25), chartY(1)];
  assertClose([(floor - quarter) / (floor - top)], [0.5]);
  assertEquals([chartY(-1), chartY(2)], [floor, top]);
});

Deno.test("stretches of known shares", () => {
  assertEquals(runsOf([0.1, 0.2, null, null, 0.3]), [[[0, 0.1], [1, 0.2]], [[4, 0.3]]]);
  assertEquals(runsOf([null, null]), []);
  assertEquals(runsOf([null, 0]), [[[1, 0]]]);
});

Deno.test("a knob's keys move it by a sixtieth of its range, with Shift six times as far, not beyond its ends", () => {
  const knob = { id: 0, name: "", value: 0, low: -3, high: 3, home: 0.5, hint: "", faded: false, digits: 2 };
  const after = (/** @type {string} */ key, value = 0, shiftKey = false) => (
    valueAfterKey({ key, shiftKey }, value, knob) ?? NaN
  );
  assertClose([after("ArrowRight"), after("ArrowDown"), after("ArrowUp", 0, true)], [0.1, -0.1, 0.6]);
  assertClose([after("PageUp"), after("ArrowRight", 2.95), after("Home")], [0.6, 3, -3]);
  assertClose([after("End"), after("Delete"), after("Backspace")], [3, 0.5, 0.5]);
  assertEquals(valueAfterKey({ key: "a", shiftKey: false }, 0, knob), null);
});

Deno.test("a knob's numbers", () => {
  assertEquals([numberIn(" −1,5 "), numberIn("2e-1")], [-1.5, 0.2]);
  assert(Number.isNaN(numberIn(" ")) && Number.isNaN(numberIn("1.2.3")), "no number");
  assertEquals([numberText(-0.001, 2), numberText(123.456, 2), numberText(99.999, 2)], ["0.00", "123.5", "100.00"]);
  assertEquals([shareOf({ low: -1, high: 3 }, 0), shareOf({ low: 2, high: 2 }, 2)], [0.25, 0]);
  assertEquals(shareOf({ low: 0, high: 1 }, 9), 1);
});

Deno.test("a stroke's stamps are evenly spaced, near enough, and end where it ends", () => {
  const points = pointsBetween([0, 0], [30, 40], 3);
  assertEquals(points.length, Math.ceil(50 / 3));
  assertClose(points[points.length - 1], [30, 40]);
  let before = [0, 0];
  for (const point of points) {
    assertClose([Math.hypot(point[0] - before[0], point[1] - before[1])], [50 / 17], 1e-9);
    before = point;
  }
  assertEquals(pointsBetween([5, 5], [5, 5], 3), []);
});

Deno.test("as many files go in one answer as fit", () => {
  assertEquals(countThatFit([5, 5, 5], 50, 10), 2);
  assertEquals(countThatFit([1, 1, 1], 2, 10), 2);
  assertEquals(countThatFit([], 2, 10), 0);
});

Deno.test("a picture is enlarged by a whole number, and only shrunk where it has no room", () => {
  assertEquals([scaleFor(28, 28, 240), scaleFor(64, 20, 240), scaleFor(240, 240, 240)], [8, 3, 1]);
  assertEquals(scaleFor(480, 100, 240), 0.5);
});

Deno.test("a cache forgets the oldest", () => {
  const map = new Map([["a", 1], ["b", 2]]);
  keepNewest(map, "a", 3, 2); // now the newest
  keepNewest(map, "c", 4, 2);
  assertEquals([...map], [["a", 3], ["c", 4]]);
});

Deno.test("luminance is 0 for black, 1 for white, and greenest for green", () => {
  assertClose([luminance([0, 0, 0]), luminance([255, 255, 255])], [0, 1]);
  const [red, green, blue] = [luminance([255, 0, 0]), luminance([0, 255, 0]), luminance([0, 0, 255])];
  assert(green > red && red > blue, "by the eye's weights");
});

/** A component that keeps what is told. */
function component() {
  /** @type {[string, any][]} */
  const told = [];
  const data = { key: "k", revision: "r", ack: 0, problem: "" };
  const setTriggerValue = (/** @type {string} */ name, /** @type {unknown} */ value) => told.push([name, value]);
  const parentElement = /** @type {HTMLElement} */ (/** @type {unknown} */ ({}));
  return { told, component: { data, parentElement, setTriggerValue } };
}

Deno.test("answers have times that grow, and the revision that they are about", () => {
  const { told, component: at } = component();
  const answers = new Answers(at);
  const times = [answers.tell("pick", { index: 1 }), answers.now(), answers.tell("pick", { revision: "old" })];
  assert(times[0] < times[1] && times[1] < times[2], "later than everything before it");
  assertEquals(told, [
    ["pick", { revision: "r", index: 1, t: times[0] }],
    ["pick", { revision: "old", t: times[2] }],
  ]);
});

Deno.test("an answer is waited for until Python has heard of it, or of a later one", () => {
  const { component: at } = component();
  const answers = new Answers(at);
  const t = answers.ask("move", {}, () => {});
  assert(answers.waiting, "it is on its way");
  answers.update({ ...at, data: { ...at.data, ack: t - 1 } });
  assert(answers.waiting, "an older one was heard");
  answers.update({ ...at, data: { ...at.data, ack: t } });
  assert(!answers.waiting, "it was heard");
});

Deno.test("an answer that is lost is told to whoever asked", async () => {
  const { component: at } = component();
  const answers = new Answers(at);
  await new Promise((lost) => answers.ask("move", {}, () => lost(null), 5));
  assert(!answers.waiting, "not waited for any more");
});

Deno.test("a component whose files come when its place has left the page is not made", () => {
  /** @type {string[]} */
  const done = [];
  const show = mount({
    selector: ".lx",
    create: (root, data, answers) => ({ root, data, answers, made: done.push("create") }),
    update: () => done.push("update"),
    destroy: () => done.push("destroy"),
  });
  const { component: at } = component();
  const place = (/** @type {boolean} */ isConnected) => {
    const root = { isConnected };
    const parentElement = /** @type {HTMLElement} */ (/** @type {unknown} */ ({ querySelector: () => root }));
    return { ...at, parentElement };
  };
  assertEquals([show(place(false)), done], [undefined, []]);
  const leave = show(place(true));
  assertEquals(done, ["create", "update"]);
  leave?.();
  assertEquals(done, ["create", "update", "destroy"]);
});

/** A history and its page, as a browser has them. */
function browsing() {
  const page = Object.assign(new EventTarget(), { location: { href: "http://localhost/?model=a" } });
  const steps = [page.location.href];
  /** @param {(url: string) => unknown} keep */
  const going = (keep) => (/** @type {any} */ _state, /** @type {string} */ _unused, /** @type {any} */ url) => {
    page.location.href = new URL(url, page.location.href).href;
    keep(page.location.href);
  };
  const history = /** @type {History} */ (/** @type {unknown} */ ({
    pushState: going((url) => steps.push(url)), replaceState: going((url) => steps.splice(-1, 1, url)),
  }));
  keepSteps(history, page);
  return { page, steps, go: (/** @type {string} */ url) => history.pushState({}, "", url) };
}

Deno.test("a step of the history is what a person did, and the address that follows it", () => {
  const { page, steps, go } = browsing();
  go("/?model=b"); // filled in
  assertEquals(steps.map((url) => url.slice(16)), ["/?model=b"]);
  page.dispatchEvent(new Event("pointerdown"));
  go("/train?model=b");
  go("/train?run=c");
  assertEquals(steps.map((url) => url.slice(16)), ["/?model=b", "/train?run=c"]);
  page.dispatchEvent(new Event("keydown"));
  page.dispatchEvent(new Event("popstate")); // Alt and an arrow: the browser itself goes back
  go("/train?run=d");
  assertEquals(steps.length, 2);
});

Deno.test("to look around on a map is no step, and what is done next is one", () => {
  const { page, steps, go } = browsing();
  page.dispatchEvent(new Event("pointerdown"));
  go("/?model=a&zoom=1");
  go("/?model=a&index=3&zoom=1");
  assertEquals(steps.map((url) => url.slice(16)), ["/?model=a&zoom=1", "/?model=a&index=3&zoom=1"]);
});

Deno.test("files of a folder that is dropped are named by their paths, others as ever", () => {
  /** @param {string} name @param {string} path */
  const file = (name, path) => Object.assign(new File([], name), { path });
  assertEquals(["/pics/cats/0.png", "./0.png", "/0.png"].map((path) => droppedPath(file("0.png", path))), ["pics/cats/0.png", "", ""]);
  class Chosen {
    path = "/elsewhere/0.png";
    said = "";
    get webkitRelativePath() {
      return this.said;
    }
  }
  namePaths(Chosen.prototype);
  namePaths(Chosen.prototype);
  const dropped = new Chosen();
  assertEquals(dropped.webkitRelativePath, "elsewhere/0.png");
  dropped.said = "chosen/1.png";
  assertEquals(dropped.webkitRelativePath, "chosen/1.png");
});
