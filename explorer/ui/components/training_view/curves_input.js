// Pointer on the curves: a click goes to an epoch, a drag zooms into some (by touch it goes through them).

const DRAG_PX = 6;

function listenToCurves(v) {
  for (const chart of v.curves.charts) {
    let down = null; // {x, index, moved}
    const indexAt = (event) => {
      if (!chart.x || !v.history.epochs.length) return -1;
      const left = chart.svg.getBoundingClientRect().left;
      const [x0, x1] = v.curves.range;
      const share = (event.clientX - left - MARGIN.left) / (chart.right - MARGIN.left);
      return nearestIndex(v.history.epochs, x0 + share * (x1 - x0));
    };
    chart.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      const index = indexAt(event);
      if (index < 0) return;
      down = { x: event.clientX, index, moved: false };
      if (event.pointerType !== "touch") event.preventDefault(); // no text is selected
      chart.svg.setPointerCapture(event.pointerId);
    });
    chart.svg.addEventListener("pointermove", (event) => {
      const index = indexAt(event);
      if (index < 0) return;
      if (down && Math.abs(event.clientX - down.x) > DRAG_PX) down.moved = true;
      if (event.pointerType === "touch") {
        if (down?.moved) leap(v, index);
        return;
      }
      v.curves.hovered = { chart, index };
      drawBrush(v, chart, down?.moved ? [down.index, index] : null);
      drawMarkers(v);
    });
    chart.svg.addEventListener("pointerup", (event) => {
      if (!down) return;
      const index = indexAt(event);
      const { moved, index: from } = down;
      down = null;
      drawBrush(v, chart, null);
      if (!moved) leap(v, index);
      else if (event.pointerType !== "touch" && Math.abs(index - from) > 1) {
        const [low, high] = [Math.min(index, from), Math.max(index, from)];
        zoomTo(v, [v.history.epochs[low], v.history.epochs[high]]);
      }
    });
    chart.svg.addEventListener("pointercancel", () => {
      down = null;
      drawBrush(v, chart, null);
    });
    chart.svg.addEventListener("pointerleave", () => {
      v.curves.hovered = null;
      drawMarkers(v);
    });
    chart.svg.addEventListener("dblclick", () => zoomTo(v, null));
  }
}

function nearestIndex(epochs, epoch) {
  const before = indexOf(epochs, epoch);
  const after = Math.min(before + 1, epochs.length - 1);
  return epoch - epochs[before] <= epochs[after] - epoch ? before : after;
}

function leap(v, index) {
  pause(v);
  goTo(v, index);
}

function zoomTo(v, range) {
  v.curves.zoom = range;
  drawCurves(v);
}

function drawBrush(v, chart, indices) {
  chart.brush.setAttribute("visibility", indices ? "visible" : "hidden");
  if (!indices) return;
  const [a, b] = indices.map((index) => chart.x(v.history.epochs[index]));
  const top = MARGIN.top - 4;
  set(chart.brush, { x: Math.min(a, b), width: Math.abs(b - a), y: top, height: CHART_HEIGHT - MARGIN.bottom - top });
}
