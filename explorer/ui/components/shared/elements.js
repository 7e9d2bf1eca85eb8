// How the components make what they show: HTML elements, SVG shapes, and texts that are only touched when they change.

const SVG_NS = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean>} Attributes */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {Element | null} [parent]
 * @param {Attributes} [attributes]
 * @param {string} [text]
 */
export function element(tag, className, parent, attributes = {}, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  furnish(made, parent, attributes, text);
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Element | null} [parent]
 * @param {Attributes} [attributes]
 * @param {string | number} [text]
 */
export function shape(tag, parent, attributes = {}, text = "") {
  const made = document.createElementNS(SVG_NS, tag);
  furnish(made, parent, attributes, text);
  return made;
}

/**
 * A picture of 16 x 16 units that says nothing to a screen reader: what it stands for is in the text beside it.
 *
 * @param {Element} parent
 * @param {...string} paths
 */
export function icon(parent, ...paths) {
  const svg = shape("svg", parent, { viewBox: "0 0 16 16", "aria-hidden": "true" });
  for (const d of paths) shape("path", svg, { d });
  return svg;
}

/**
 * @param {Element} made
 * @param {Element | null | undefined} parent
 * @param {Attributes} attributes
 * @param {string | number} text
 */
function furnish(made, parent, attributes, text) {
  setAttributes(made, attributes);
  made.textContent = String(text);
  parent?.append(made);
}

/**
 * @param {Element} target
 * @param {Attributes} attributes
 */
export function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, String(value));
}

/**
 * Streamlit may call every second: what has not changed is not touched, so that nothing flickers or is read out again.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * The element around the place of an event that `selector` names, if any.
 *
 * @param {Event} event
 * @param {string} selector
 */
export function closest(event, selector) {
  const { target } = event;
  return target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest(selector)) : null;
}

/**
 * What paints on a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function paintOf(canvas, settings) {
  const paint = canvas.getContext("2d", settings);
  if (!paint) throw new Error("this browser gives no canvas to paint on");
  return paint;
}
