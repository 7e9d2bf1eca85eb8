// Marks: rings at chosen places. Python's are the truth; a click shows its own until Python has answered it.

// The selected ones last: on top, and in one order whoever says them.
function marksNow(m) {
  const chosen = (mark) => mark.kind === "selected";
  const others = m.marks.filter((mark) => !chosen(mark));
  if (!m.pending) return [...others, ...m.marks.filter(chosen)];
  const { x, y } = m.pending;
  return [...others, { x, y, label: "", kind: "selected" }];
}

// A ring in the text's colour (or the accent's) on a halo in the page's: visible on points of any colour.
function ring(mark, radius, width, color) {
  return {
    type: "circle", xref: "x", yref: "y", xsizemode: "pixel", ysizemode: "pixel", xanchor: mark.x, yanchor: mark.y,
    x0: -radius, x1: radius, y0: -radius, y1: radius, line: { color, width }, fillcolor: "rgba(0,0,0,0)",
    layer: "above",
  };
}

function outlineShape(m, outline) {
  const path = `M${outline.map(([x, y]) => `${x},${y}`).join("L")}Z`;
  const { primary } = m.theme;
  return {
    type: "path", xref: "x", yref: "y", path, line: { color: primary, width: 1.5 }, fillcolor: withAlpha(primary, 0.06),
    layer: "above",
  };
}

// plotly reads a little HTML in annotations; a label is text and nothing else.
const asText = (label) => label.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const RINGS = { selected: [9, 2.5], result: [9, 2.5], ingredient: [5, 2] }; // radius and width in pixels
const MARK_RING = [7, 2.5];

// Where labels go, by mark: {xshift, yshift} of each middle. Beside its ring or a step further out, where it covers no
// ring, no other label and no edge of the plot; else where it covers least. By the view of this moment.
function placeLabels(m, marks) {
  const { xaxis, yaxis } = m.gd._fullLayout ?? {};
  if (!xaxis) return new Map();
  const spot = ({ x, y }) => ({ x: xaxis.d2p(x), y: yaxis.d2p(y) });
  const taken = marks.map((mark) => ({ ...spot(mark), width: 2 * radiusOf(mark) + 6, height: 2 * radiusOf(mark) + 6 }));
  const placed = new Map();
  for (const mark of marks.toSorted((a, b) => isChosen(b) - isChosen(a))) {
    if (!mark.label) continue;
    const [width, height] = [labelWidth(m, mark.label) + 4, LABEL_PX + 4];
    const { x, y } = spot(mark);
    const boxes = [0, 1, 2].flatMap((step) => {
      const aside = radiusOf(mark) + 5 + width / 2 + step * height;
      const over = radiusOf(mark) + 5 + height / 2 + step * height;
      const sides = [[aside, 0], [-aside, 0], [0, over], [0, -over]];
      return [...sides, [aside, over], [-aside, over], [aside, -over], [-aside, -over]];
    }).map(([right, up]) => ({ x: x + right, y: y - up, width, height, xshift: right, yshift: up }));
    const cost = (box) => outside(box, xaxis._length, yaxis._length) + taken.reduce((sum, t) => sum + shared(box, t), 0);
    const best = boxes.reduce((least, box) => (cost(box) < cost(least) ? box : least));
    taken.push(best);
    placed.set(mark, { xshift: best.xshift, yshift: best.yshift });
  }
  return placed;
}

const LABEL_PX = 12;
const isChosen = (mark) => mark.kind === "selected" || mark.kind === "result";
const radiusOf = (mark) => (RINGS[mark.kind] ?? MARK_RING)[0];

function labelWidth(m, text) {
  PROBE.font = `${LABEL_PX}px ${m.theme.font}`;
  return PROBE.measureText(text).width;
}

// Areas in pixels: what two boxes share, and what of a box is beyond the plot.
function shared(a, b) {
  const across = (a.width + b.width) / 2 - Math.abs(a.x - b.x);
  const down = (a.height + b.height) / 2 - Math.abs(a.y - b.y);
  return across > 0 && down > 0 ? Math.min(across, a.width) * Math.min(down, a.height) : 0;
}

function outside(box, width, height) {
  return box.width * box.height - shared(box, { x: width / 2, y: height / 2, width, height });
}

function markLayout(m) {
  const { theme } = m;
  const shapes = [
    ...(m.figure.layout.shapes ?? []), ...m.outlines.map((outline) => outlineShape(m, outline)), ...trailShapes(m),
  ];
  const annotations = [...(m.figure.layout.annotations ?? [])];
  const marks = marksNow(m);
  const labels = placeLabels(m, marks);
  for (const mark of marks) {
    const [radius, width] = RINGS[mark.kind] ?? MARK_RING;
    shapes.push(ring(mark, radius, width + (isChosen(mark) ? 3.5 : 3), theme.background));
    shapes.push(ring(mark, radius, width, isChosen(mark) ? theme.text : theme.primary));
    if (labels.has(mark)) {
      annotations.push({
        x: mark.x, y: mark.y, xref: "x", yref: "y", text: asText(mark.label), showarrow: false, ...labels.get(mark),
        font: { color: theme.text, size: LABEL_PX, family: theme.font }, borderpad: 0,
      });
    }
  }
  shapes.push(...followerShapes(m));
  return { shapes, annotations };
}

const markSignature = (m) => JSON.stringify([marksNow(m), m.trails, followers(m)]);

function drawMarks(m) {
  m.root.dataset.marks = JSON.stringify(marksNow(m));
  const signature = markSignature(m);
  if (isGone(m) || !m.figure || !m.listening || signature === m.drawnMarks) return;
  m.drawnMarks = signature;
  const change = markLayout(m);
  // Shapes alone are 2 ms; with annotations plotly draws everything anew, 50 ms.
  if (JSON.stringify(change.annotations) === JSON.stringify(m.gd.layout.annotations ?? [])) delete change.annotations;
  plotted(m, () => m.Plotly.relayout(m.gd, change));
}

// The view has changed: labels may now cover what they did not.
function moveLabels(m) {
  m.drawnMarks = "";
  requestTrails(m);
}

// The place that the arrow keys move: the last one clicked or marked, else the middle of the view.
function chosenPlace(m) {
  const mark = marksNow(m).findLast((candidate) => candidate.kind === "selected");
  if (mark) return { x: mark.x, y: mark.y };
  const { x, y } = viewNow(m);
  return { x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2 };
}

function choose(m, x, y, id) {
  m.pending = { x, y, t: Date.now() };
  m.component.setTriggerValue("click", { x, y, id, t: m.pending.t }); // first: Python works while plotly draws
  drawMarks(m);
}
