// Colours of the page's theme, read from Streamlit's CSS variables.

function readTheme(element) {
  const style = getComputedStyle(element);
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
    dark: luminance(background) < 0.4,
  };
}

const PROBE = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

// [r, g, b] of any CSS colour: the canvas parses it for us.
function rgbOf(colour) {
  PROBE.canvas.width = PROBE.canvas.height = 1;
  PROBE.fillStyle = colour;
  PROBE.fillRect(0, 0, 1, 1);
  return Array.from(PROBE.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

function withAlpha(colour, alpha) {
  return `rgba(${rgbOf(colour).join(",")},${alpha})`;
}

function luminance(colour) {
  const [r, g, b] = rgbOf(colour);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}
