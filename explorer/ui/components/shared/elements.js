// How the components make what they show: HTML elements, SVG shapes, and texts that are only touched when they change.

const SVG_NS = "http://www.w3.org/2000/svg";

function element(tag, className, parent, attributes = {}, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  return furnish(made, parent, attributes, text);
}

function shape(tag, parent, attributes = {}, text = "") {
  return furnish(document.createElementNS(SVG_NS, tag), parent, attributes, text);
}

// A picture of 16 x 16 units that says nothing to a screen reader: what it stands for is in the text beside it.
function icon(parent, ...paths) {
  const svg = shape("svg", parent, { viewBox: "0 0 16 16", "aria-hidden": "true" });
  for (const d of paths) shape("path", svg, { d });
  return svg;
}

function furnish(made, parent, attributes, text) {
  setAttributes(made, attributes);
  made.textContent = text;
  parent?.append(made);
  return made;
}

function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
}

// Streamlit may call every second: what has not changed is not touched, so that nothing flickers or is read out again.
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
