// Loading: plotly.js once a page, and images once a URL.

import { keepNewest } from "../shared/cache.js";
import { jsonFrom } from "../shared/json.js";

/**
 * What is used of plotly.js.
 *
 * @typedef {object} Plotly
 * @property {(gd: HTMLElement, data: object[], layout: object, config: object) => Promise<unknown>} react
 * @property {(gd: HTMLElement, change: object) => Promise<unknown>} relayout
 * @property {(gd: HTMLElement) => void} purge
 * @property {{ resize: (gd: HTMLElement) => Promise<unknown> }} Plots
 * @property {{ home: object }} Icons
 */

/** @type {Promise<Plotly> | null} */
let loading = null;

/**
 * @param {string} url
 * @returns {Promise<Plotly>}
 */
export function loadPlotly(url) {
  loading ??= new Promise((resolve, reject) => {
    // The page's head asks for it (front_page.py): it may be there, or on its way.
    const early = /** @type {HTMLScriptElement | null} */ (document.querySelector(`script[src="${url}"]`));
    const script = early ?? document.createElement("script");
    const fail = () => {
      script.remove();
      loading = null; // so that Retry tries again
      reject(new Error("plotly.js did not load"));
    };
    const done = () => {
      const { Plotly } = /** @type {{ Plotly?: Plotly }} */ (globalThis);
      if (Plotly) resolve(Plotly);
      else fail();
    };
    if (early && "Plotly" in globalThis) return done();
    script.addEventListener("load", done);
    script.addEventListener("error", fail);
    if (!early) document.head.append(Object.assign(script, { src: url }));
  });
  return loading;
}

/** @type {Map<string, HTMLImageElement>} */
const images = new Map(); // by URL, newest last
const MAX_IMAGES = 48;

/**
 * The image when it is ready, else null; `then` is called once it is.
 *
 * @param {string} url
 * @param {() => void} [then]
 */
export function imageAt(url, then) {
  let image = images.get(url);
  if (!image) {
    image = new Image();
    image.decoding = "async";
    image.addEventListener("error", () => images.delete(url)); // asked for again on the next move
    image.src = url;
  }
  keepNewest(images, url, image, MAX_IMAGES);
  if (image.complete && image.naturalWidth) return image;
  if (then) image.addEventListener("load", then, { once: true });
  return null;
}

/** @type {Map<string, any>} */
const sheets = new Map(); // by URL, newest last; null while one is on its way

/**
 * The JSON when it is there, else null; `then` is called once it is.
 *
 * @param {string} url
 * @param {() => void} then
 * @returns {any}
 */
export function jsonAt(url, then) {
  const found = sheets.get(url);
  keepNewest(sheets, url, found ?? null, MAX_IMAGES);
  if (found === undefined) {
    jsonFrom(url).then((json) => {
      sheets.set(url, json);
      then();
    }, () => sheets.delete(url)); // asked for again on the next move
  }
  return found ?? null;
}
