// Pictures of a component, which are decoded before they take the place of what is shown.

import { element } from "./elements.js";

/**
 * @param {string} url
 */
export async function decodedImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/**
 * A picture's address as a value of CSS. A style sheet would take a relative one as relative to itself.
 *
 * @param {string} url
 */
const styleUrl = (url) => `url(${JSON.stringify(new URL(url, document.baseURI).href)})`;

/**
 * What shows tiles of a sheet: `url` is the one that it wants, `image` the one that is there, held, or the browser may
 * decode it again.
 *
 * @typedef {{ root: HTMLElement, url: string, image: HTMLImageElement | null, problem: HTMLElement }} OfSheet
 */

/**
 * Shows another sheet. The old one stays until the new one is decoded; where that fails a line offers to try again.
 *
 * @param {OfSheet} view
 * @param {string} url
 * @param {() => void} show
 */
export async function loadSheet(view, url, show) {
  const { root, problem } = view;
  view.url = url;
  problem.hidden = true;
  root.dataset.state = view.image ? "updating" : "loading";
  try {
    const image = await decodedImage(url);
    if (view.url !== url) return;
    view.image = image;
    root.style.setProperty("--lx-sheet", styleUrl(url));
    show();
    root.dataset.state = "ready";
  } catch {
    if (view.url !== url) return;
    view.url = "";
    problem.hidden = false;
    root.dataset.state = "failed";
  }
}

/**
 * The line that says so, hidden at first.
 *
 * @param {Element} parent
 * @param {() => void} retry
 */
export function sheetProblem(parent, retry) {
  const line = element("div", "lx-problem", parent, { role: "status" });
  element("p", "", line, {}, "The pictures could not be loaded.");
  element("button", "lx-button", line, { type: "button" }, "Retry").addEventListener("click", retry);
  line.hidden = true;
  return line;
}

/**
 * A tile of the sheet, as the background of an element: so many tiles are one decoded image.
 *
 * @param {Element} parent
 * @param {number} index
 * @param {number} columns  of the sheet
 */
export function faceOf(parent, index, columns) {
  const face = element("div", "lx-face", parent);
  face.style.setProperty("--c", String(index % columns));
  face.style.setProperty("--r", String(Math.floor(index / columns)));
}

/**
 * How much larger than it is a picture is shown: by a whole number, so that its pixels stay square, or smaller where it
 * has no room.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} room  for the longer side, in CSS pixels
 */
export function scaleFor(width, height, room) {
  const longer = Math.max(width, height);
  return longer > room ? room / longer : Math.floor(room / longer);
}
