// The brush, and the drawing as the list of what was done to it: strokes, and clearing.

const WIDTHS = { small: 16, medium: 28, large: 44 }; // of the brush, between its edges at half brightness
const UNDOABLE = 100; // what is older is part of the ground

// A disc with a soft rim on a square. Laid on by the brighter (the eraser's: darker) of two pixels, discs that
// overlap do not add up, so that a stroke is as soft at its rim as one disc, at any speed of the hand.
const SPRITES = new Map();

function spriteOf(width, erase) {
  const name = `${width}${erase}`;
  if (SPRITES.has(name)) return SPRITES.get(name);
  const radius = width / 1.6; // half bright at 0.8 of it
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 2 * Math.ceil(radius) + 4;
  const centre = canvas.width / 2;
  const paint = canvas.getContext("2d", { alpha: false });
  const [inside, outside] = erase ? ["#000", "#fff"] : ["#fff", "#000"];
  const gradient = paint.createRadialGradient(centre, centre, 0, centre, centre, radius);
  gradient.addColorStop(0.6, inside);
  gradient.addColorStop(1, outside);
  paint.fillStyle = gradient;
  paint.fillRect(0, 0, canvas.width, canvas.height);
  SPRITES.set(name, canvas);
  return canvas;
}

function stamp(paint, stroke, x, y) {
  const sprite = spriteOf(stroke.width, stroke.erase);
  paint.globalCompositeOperation = stroke.erase ? "darken" : "lighten";
  paint.drawImage(sprite, x - sprite.width / 2, y - sprite.height / 2);
  paint.globalCompositeOperation = "source-over";
}

// The stroke's part that ends at a point: a dot at the first one, from the one before it at others.
function paintTo(paint, stroke, index) {
  const [x, y] = stroke.points[index];
  if (index === 0) return stamp(paint, stroke, x, y);
  const [fromX, fromY] = stroke.points[index - 1];
  const steps = Math.ceil(Math.hypot(x - fromX, y - fromY) / (stroke.width / 10));
  for (let i = 1; i <= steps; i++) stamp(paint, stroke, fromX + ((x - fromX) * i) / steps, fromY + ((y - fromY) * i) / steps);
}

function blacken(paint) {
  paint.fillStyle = "#000";
  paint.fillRect(0, 0, paint.canvas.width, paint.canvas.height);
}

function perform(paint, act) {
  if (act.clear) blacken(paint);
  else act.points.forEach((_, index) => paintTo(paint, act, index));
}

function repaint(d) {
  d.paint.drawImage(d.ground.canvas, 0, 0);
  for (const act of d.acts) perform(d.paint, act);
}

function remember(d, act) {
  d.acts.push(act);
  d.undone = [];
  if (d.acts.length > UNDOABLE) perform(d.ground, d.acts.shift());
}

// Whether nothing can be seen: what an eraser leaves at its rim is no drawing.
function isEmpty(d) {
  const { data } = d.paint.getImageData(0, 0, d.canvas.width, d.canvas.height);
  for (let i = 0; i < data.length; i += 4) if (data[i] >= 32) return false;
  return true;
}
