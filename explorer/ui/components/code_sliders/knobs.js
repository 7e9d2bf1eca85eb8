// A knob: its name, its number and its slider. What is typed outside the slider's range goes to its end.

const RESET_ICON = "M3.200 6.400A5.200 5.200 0 1 1 2.800 9.200M3 2.800v3.800h3.800"; // an arrow that turns back

// {id, value, touched: when a person last moved it, held: whether a pointer holds it, ...its elements}
function createKnob(k, id) {
  const box = element("div", "lx-knob", null, { "data-id": String(id), role: "group" });
  const head = element("div", "lx-knob-head", box);
  const name = element("span", "lx-knob-name", head);
  const hint = element("span", "lx-knob-hint", head);
  const reset = element("button", "lx-knob-reset", head, { type: "button" });
  icon(reset, RESET_ICON);
  const number = element("input", "lx-knob-number", head, { type: "text", inputmode: "decimal", autocomplete: "off" });
  const track = element("div", "lx-knob-track", box);
  const home = element("div", "lx-knob-home", track);
  const range = element("input", "lx-knob-range", track, { type: "range", step: "any" });
  const knob = { id, box, name, hint, reset, number, track, home, range, said: null, value: 0, touched: 0, held: false };
  range.addEventListener("input", () => moveKnob(k, knob, snapped(knob, Number(range.value))));
  range.addEventListener("keydown", (event) => onKnobKey(k, knob, event));
  range.addEventListener("pointerdown", () => (knob.held = true));
  const release = () => {
    knob.held = false;
    settle(k, knob);
  };
  range.addEventListener("pointerup", release);
  range.addEventListener("pointercancel", release);
  range.addEventListener("lostpointercapture", release);
  range.addEventListener("dblclick", () => moveKnob(k, knob, knob.said.home));
  reset.addEventListener("click", () => {
    range.focus({ preventScroll: true }); // the button hides itself
    moveKnob(k, knob, knob.said.home);
  });
  number.addEventListener("input", () => {
    const value = numberIn(number.value);
    number.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value)) moveKnob(k, knob, Math.max(knob.said.low, Math.min(knob.said.high, value)));
  });
  number.addEventListener("keydown", (event) => {
    if (event.key === "Enter") number.blur();
    event.stopPropagation(); // no shortcut of the page's
  });
  number.addEventListener("blur", () => {
    number.setAttribute("aria-invalid", "false");
    drawKnob(knob);
  });
  return knob;
}

function onKnobKey(k, knob, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { low, high, home } = knob.said;
  const step = (high - low) / 60;
  const moves = {
    ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -6 * step, PageUp: 6 * step,
  };
  const ends = { Home: low, End: high, Delete: home, Backspace: home };
  if (event.key in moves) {
    const scale = event.shiftKey ? 6 : 1;
    moveKnob(k, knob, Math.max(low, Math.min(high, knob.value + scale * moves[event.key])));
  } else if (event.key in ends) {
    moveKnob(k, knob, ends[event.key]);
  } else {
    return;
  }
  event.preventDefault();
}

// Home is easy to hit with a pointer.
function snapped(knob, value) {
  const { low, high, home } = knob.said;
  return knob.held && Math.abs(value - home) < (high - low) / 120 ? home : value;
}

const shareOf = (knob, value) => {
  const { low, high } = knob.said;
  return high > low ? Math.max(0, Math.min(1, (value - low) / (high - low))) : 0;
};

// What a person types: a decimal comma is a point, and nothing is no number.
const numberIn = (text) => (text.trim() ? Number(text.trim().replace("−", "-").replace(",", ".")) : NaN);

function numberText({ digits }, value) {
  const text = value.toFixed(Math.abs(value) < 100 ? digits : Math.min(digits, 1));
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

function describeKnob(knob, said) {
  knob.said = said;
  knob.name.textContent = said.name;
  knob.name.title = said.hint || said.name;
  knob.hint.textContent = said.hint;
  knob.hint.title = said.hint;
  knob.track.title = said.hint;
  knob.box.dataset.faded = String(said.faded);
  knob.box.setAttribute("aria-label", said.name);
  knob.range.setAttribute("aria-label", said.name);
  knob.number.setAttribute("aria-label", `${said.name}, value`);
  const resetText = `Set ${said.name} back to ${numberText(said, said.home).replace("-", "−")}`;
  knob.reset.setAttribute("aria-label", resetText);
  knob.reset.title = resetText;
  knob.range.min = String(said.low);
  knob.range.max = String(said.high);
  knob.home.style.setProperty("--lx-home", String(shareOf(knob, said.home)));
}

function drawKnob(knob) {
  const { value, range, number } = knob;
  const [at, home] = [shareOf(knob, value), shareOf(knob, knob.said.home)];
  const text = numberText(knob.said, value);
  if (!knob.held) range.value = String(value);
  range.setAttribute("aria-valuetext", text.replace("-", "−"));
  range.style.setProperty("--lx-low", String(Math.min(at, home)));
  range.style.setProperty("--lx-high", String(Math.max(at, home)));
  if (document.activeElement !== number) number.value = text;
  knob.reset.disabled = Math.abs(value - knob.said.home) < 1e-9;
  knob.box.dataset.value = String(value);
}
