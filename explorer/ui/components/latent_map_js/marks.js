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

// Above its ring, else on another side where no label is yet: {xshift, yshift}. By the view of this moment.
function freeSide(m, mark, radius, taken) {
  const [width, height] = [6.5 * mark.label.length + 6, 18];
  const [aside, over] = [radius + 6 + width / 2, radius + 13];
  const sides = [[0, over], [0, -over], [aside, 0], [-aside, 0]];
  if (!m.gd._fullLayout?.xaxis) return { xshift: 0, yshift: over };
  const { x, y } = pixelOf(m, mark.x, mark.y);
  const boxes = sides.map(([dx, dy]) => ({ x: x + dx, y: y - dy, width, height, xshift: dx, yshift: dy }));
  const meets = (a, b) => 2 * Math.abs(a.x - b.x) < a.width + b.width && 2 * Math.abs(a.y - b.y) < a.height + b.height;
  const free = boxes.find((box) => !taken.some((other) => meets(box, other))) ?? boxes[0];
  taken.push(free);
  return { xshift: free.xshift, yshift: free.yshift };
}

function markLayout(m) {
  const { theme } = m;
  const shapes = [
    ...(m.figure.layout.shapes ?? []), ...m.outlines.map((outline) => outlineShape(m, outline)), ...trailShapes(m),
  ];
  const annotations = [...(m.figure.layout.annotations ?? [])];
  const taken = [];
  for (const mark of marksNow(m)) {
    const [radius, width] = RINGS[mark.kind] ?? MARK_RING;
    const chosen = mark.kind === "selected" || mark.kind === "result";
    shapes.push(ring(mark, radius, width + (chosen ? 3.5 : 3), theme.background));
    shapes.push(ring(mark, radius, width, chosen ? theme.text : theme.primary));
    if (mark.label) {
      annotations.push({
        x: mark.x, y: mark.y, xref: "x", yref: "y", text: asText(mark.label), showarrow: false,
        ...freeSide(m, mark, radius, taken), font: { color: theme.text, size: 12, family: theme.font },
        bgcolor: withAlpha(theme.background, 0.85), borderpad: 2,
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
  if (!m.figure || !m.listening || signature === m.drawnMarks) return;
  m.drawnMarks = signature;
  const change = markLayout(m);
  // Shapes alone are 2 ms; with annotations plotly draws everything anew, 50 ms.
  if (JSON.stringify(change.annotations) === JSON.stringify(m.gd.layout.annotations ?? [])) delete change.annotations;
  m.drawing += 1;
  Promise.resolve(m.Plotly.relayout(m.gd, change)).finally(() => (m.drawing -= 1));
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
