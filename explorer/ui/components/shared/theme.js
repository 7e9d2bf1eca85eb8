// Colours of the page's theme, read from Streamlit's CSS variables.

/** @typedef {ReturnType<typeof readTheme>} Theme */

/** @param {Element} element */
export function readTheme(element) {
  const style = getComputedStyle(element);
  /** @type {(name: string, fallback: string) => string} */
  const read = (name, fallback) => {
    const value = style.getPropertyValue(name).trim();
    return value && value !== "unset" ? value : fallback;
  };
  const background = read("--st-background-color", "#ffffff");
  const text = read("--st-text-color", "#222222");
  return {
    background,
    text,
    primary: read("--st-primary-color", "#0f766e"),
    border: read("--st-border-color", "#d8d8d8"),
    font: read("--st-font", "sans-serif"),
    muted: withAlpha(text, 0.66),
    dark: luminance(rgbOf(background)) < 0.4,
  };
}

/** @type {CanvasRenderingContext2D | null} */
let made = null;

function probe() {
  made ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  return /** @type {CanvasRenderingContext2D} */ (made);
}

/**
 * [r, g, b] of any CSS colour: the canvas parses it for us.
 *
 * @param {string} color
 */
export function rgbOf(color) {
  const paint = probe();
  paint.canvas.width = paint.canvas.height = 1;
  paint.fillStyle = color;
  paint.fillRect(0, 0, 1, 1);
  return Array.from(paint.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/**
 * @param {string} color
 * @param {number} alpha
 */
export function withAlpha(color, alpha) {
  return `rgba(${rgbOf(color).join(",")},${alpha})`;
}

/**
 * Relative luminance by the weights of ITU-R BT.709, 0 to 1, without gamma.
 *
 * @param {number[]} rgb  0 to 255
 */
export function luminance([r, g, b]) {
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/**
 * Pixels.
 *
 * @param {string} text
 * @param {string} font  as CSS has it
 */
export function textWidth(text, font) {
  const paint = probe();
  paint.font = font;
  return paint.measureText(text).width;
}
