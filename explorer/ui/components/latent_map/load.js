// Loading: plotly.js once a page, images once a URL, and the figure's JSON into plain and typed arrays.

function loadPlotly(url) {
  if (!window.__lxPlotly) {
    window.__lxPlotly = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const fail = () => {
        script.remove();
        window.__lxPlotly = undefined; // so that Retry tries again
        reject(new Error("plotly.js did not load"));
      };
      script.src = url;
      script.onload = () => (window.Plotly ? resolve(window.Plotly) : fail());
      script.onerror = fail;
      document.head.appendChild(script);
    });
  }
  return window.__lxPlotly;
}

const IMAGES = new Map(); // url -> HTMLImageElement, newest last
const MAX_IMAGES = 48;

// The image when it is ready, else null; `then` is called once it is.
function imageAt(url, then) {
  let image = IMAGES.get(url);
  if (image) {
    IMAGES.delete(url);
  } else {
    image = new Image();
    image.decoding = "async";
    image.addEventListener("error", () => IMAGES.delete(url)); // asked for again on the next move
    image.src = url;
  }
  IMAGES.set(url, image);
  if (IMAGES.size > MAX_IMAGES) IMAGES.delete(IMAGES.keys().next().value);
  if (image.complete && image.naturalWidth) return image;
  if (then) image.addEventListener("load", then, { once: true });
  return null;
}

const ARRAY_TYPES = {
  i1: Int8Array, u1: Uint8Array, u1c: Uint8ClampedArray, uint8c: Uint8ClampedArray,
  i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};

// plotly.py writes a NumPy array as {dtype, bdata: base64}; ours are all one-dimensional.
function decoded(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(decoded) : value;
  if (typeof value.bdata === "string" && ARRAY_TYPES[value.dtype]) {
    if (value.shape && String(value.shape).includes(",")) return value; // plotly reads matrices itself
    const bytes = Uint8Array.from(atob(value.bdata), (char) => char.charCodeAt(0));
    return new ARRAY_TYPES[value.dtype](bytes.buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, decoded(item)]));
}

const isArray = (value) => Array.isArray(value) || ArrayBuffer.isView(value);

// {url, n, x, y, ids, classes, groups, groupNames, groupWhat, shades, values, valueName, text, trace, layout, revision,
// home: {x, y}}; `shades` are the classes or the groups: the ids of what the legend shows, colours and hides.
async function loadFigure(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const { data, layout } = decoded(await answer.json());
  const trace = data[0];
  const meta = { ...(layout.meta ?? {}), ...(trace.meta ?? {}) };
  const n = trace.x.length;
  const perPoint = (value) => (isArray(value) && value.length === n ? value : null);
  const figure = {
    url, n, trace, layout: { ...layout },
    x: Float64Array.from(trace.x),
    y: Float64Array.from(trace.y),
    ids: perPoint(trace.customdata) ?? Int32Array.from({ length: n }, (_, i) => i),
    classes: perPoint(meta.classes),
    groups: perPoint(meta.groups),
    groupNames: meta.group_names ?? [],
    groupWhat: meta.group_what ?? "",
    values: perPoint(meta.values),
    valueName: typeof meta.value_name === "string" ? meta.value_name : "",
    text: perPoint(trace.text),
    revision: String(layout.meta?.uirevision ?? layout.uirevision ?? ""),
  };
  figure.shades = meta.by_group ? figure.groups : figure.classes;
  figure.home = {
    x: layout.xaxis?.range ? Array.from(layout.xaxis.range) : extent(figure.x),
    y: layout.yaxis?.range ? Array.from(layout.yaxis.range) : extent(figure.y),
  };
  delete figure.layout.template; // the theme's colours come from the page
  delete figure.layout.meta;
  return figure;
}

// A fixed range, so that hiding a class does not move the view.
function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return [-1, 1];
  const pad = (high - low) * 0.05 || 1;
  return [low - pad, high + pad];
}
