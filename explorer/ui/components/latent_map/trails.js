// Trails: lines with a dot at each point, and a larger dot that follows a film. All of a trail's dots are one shape,
// of lines without length whose round ends (the style sheet's) are seen: sixty-four circles would be as many shapes.

const isPlace = ([x, y]) => Number.isFinite(x) && Number.isFinite(y);

function listenToFilms(m) {
  document.addEventListener("lx-step", ({ detail: { key, step } }) => {
    m.steps.set(key, step);
    if (m.trails.some((trail) => trail.player === key)) requestTrails(m);
  }, { signal: m.abort.signal });
}

function listenToSliders(m) {
  document.addEventListener("lx-place", ({ detail: { key, x, y } }) => {
    if (m.follows !== key) return;
    m.followed = [x, y];
    requestTrails(m);
  }, { signal: m.abort.signal });
}

// Once an animation frame, and not while a person drags: plotly then works on the shapes itself.
function requestTrails(m) {
  if (m.trailFrame) return;
  m.trailFrame = requestAnimationFrame(() => {
    m.trailFrame = 0;
    if (!m.held) drawMarks(m);
  });
}

// [{x, y}], where films are on their trails, and where sliders have moved a code.
function followers(m) {
  const found = [];
  for (const { points, player } of m.trails) {
    const step = player ? (m.steps.get(player) ?? window.__films?.[player]?.step) : undefined;
    const point = points[step];
    if (point && isPlace(point)) found.push({ x: point[0], y: point[1] });
  }
  if (m.follows) {
    const place = m.followed ?? window.__codeSliders?.[m.follows]?.place;
    if (place && isPlace(place)) found.push({ x: place[0], y: place[1] });
  }
  return found;
}

function pathShape(path, line) {
  return { type: "path", xref: "x", yref: "y", path, line, fillcolor: "rgba(0,0,0,0)", layer: "above" };
}

function trailShapes(m) {
  const { text, background } = m.theme;
  const halo = withAlpha(background, 0.85);
  return m.trails.flatMap(({ points, dashed }) => {
    const places = points.filter(isPlace);
    if (!places.length) return [];
    const line = `M${places.map(([x, y]) => `${x},${y}`).join("L")}`;
    const dots = places.map(([x, y]) => `M${x},${y}L${x},${y}`).join("");
    return [
      pathShape(line, { color: halo, width: 4.5 }),
      pathShape(dots, { color: halo, width: 8 }),
      pathShape(line, { color: text, width: 1.75, dash: dashed ? "4px,5px" : "solid" }),
      pathShape(dots, { color: text, width: 5 }),
    ];
  });
}

function followerShapes(m) {
  const { primary, background, text } = m.theme;
  return followers(m).flatMap(({ x, y }) => [
    { ...ring({ x, y }, 8, 2, text), fillcolor: background },
    { ...ring({ x, y }, 5, 0, primary), fillcolor: primary },
  ]);
}
