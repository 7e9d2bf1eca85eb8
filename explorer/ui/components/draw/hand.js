// Mouse, pen, finger and keys.

function begin(d, point, erase) {
  d.stroke = { width: d.width, erase, points: [] };
  extend(d, [point]);
}

function extend(d, points) {
  for (const point of points) {
    d.stroke.points.push(point);
    paintTo(d.paint, d.stroke, d.stroke.points.length - 1);
  }
  d.at = points.at(-1);
  changed(d);
}

function end(d) {
  d.pointer = null;
  if (!d.stroke) return;
  remember(d, d.stroke);
  d.stroke = null;
  changed(d);
}

function undo(d) {
  end(d);
  if (!d.acts.length) return;
  d.undone.push(d.acts.pop());
  repaint(d);
  say(d, "Undone.");
  changed(d);
}

function redo(d) {
  end(d);
  if (!d.undone.length) return;
  d.acts.push(d.undone.pop());
  perform(d.paint, d.acts.at(-1));
  say(d, "Redone.");
  changed(d);
}

function clear(d) {
  end(d);
  if (d.empty) return;
  remember(d, { clear: true });
  repaint(d);
  say(d, "Cleared.");
  changed(d);
}

function say(d, text) {
  d.live.textContent = text;
}

// In the square's own pixels, also outside it: a captured pointer may leave and come back.
function pointOf(d, event) {
  const { left, top, width } = d.canvas.getBoundingClientRect();
  const scale = d.canvas.width / width;
  return [(event.clientX - left) * scale, (event.clientY - top) * scale];
}

const PEN_ERASER = 32; // among a pointer's buttons

function listenToHand(d) {
  const { canvas } = d;
  canvas.addEventListener("pointerdown", (event) => {
    const eraser = (event.buttons & PEN_ERASER) > 0;
    if (!d.ready || d.pointer !== null || !(event.button === 0 || eraser)) return;
    end(d); // the keys' stroke
    d.pointer = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    event.preventDefault();
    begin(d, pointOf(d, event), d.erasing || eraser);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId === d.pointer && d.stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      extend(d, (events.length ? events : [event]).map((each) => pointOf(d, each)));
    } else if (d.pointer === null && event.pointerType !== "touch" && !d.stroke) {
      d.at = pointOf(d, event);
      d.cursor.hidden = false;
      drawCursor(d);
    }
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(name, (event) => event.pointerId === d.pointer && end(d));
  }
  canvas.addEventListener("pointerleave", () => (d.cursor.hidden = !canvas.matches(":focus-visible")));
  canvas.addEventListener("focus", () => {
    if (!canvas.matches(":focus-visible")) return;
    d.at = d.at.map((value) => Math.max(0, Math.min(canvas.width, value)));
    d.cursor.hidden = false;
    drawCursor(d);
  });
  canvas.addEventListener("blur", () => {
    d.cursor.hidden = true;
    if (d.pointer === null) end(d);
  });
  canvas.addEventListener("keydown", (event) => d.ready && onCanvasKey(d, event));
  d.root.addEventListener("keydown", (event) => d.ready && onShortcut(d, event));
}

function onCanvasKey(d, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || d.pointer !== null) return;
  const step = (d.canvas.width / d.data.size) * (event.shiftKey ? 4 : 1);
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (event.key in moves) {
    const place = d.at.map((value, axis) => Math.max(0, Math.min(d.canvas.width, value + moves[event.key][axis])));
    if (d.stroke) extend(d, [place]);
    d.at = place;
  } else if (event.key === " " && !event.repeat) {
    if (d.stroke) end(d);
    else begin(d, d.at, d.erasing);
    say(d, d.stroke ? "Brush down." : "Brush lifted.");
  } else if (event.key === "Escape" && d.stroke) {
    end(d);
    say(d, "Brush lifted.");
  } else if (event.key !== " ") {
    return;
  }
  d.cursor.hidden = false;
  drawCursor(d);
  event.preventDefault();
  event.stopPropagation();
}

function onShortcut(d, event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) undo(d);
  else if (key === "y" || key === "z") redo(d);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
