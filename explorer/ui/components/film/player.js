// Play, pause, scrub, step; nothing plays of itself.

const SPEEDS = { slow: 1 / 3, normal: 1, fast: 2 }; // times the film's steps a second

function createPlayer(f) {
  const head = element("div", "lx-film-head", f.side);
  const { button, svg } = buttonOf(head, "lx-film-play", "", "play");
  const words = element("div", "lx-film-words", head);
  const count = element("span", "lx-film-count", words);
  const caption = element("span", "lx-film-caption", words);
  const use = buttonOf(head, "lx-film-use", "Use this code", "").button;
  const scrubber = element("input", "lx-film-scrubber", f.side, { type: "range", min: "0", step: "1", value: "0" });
  scrubber.setAttribute("aria-label", "Step");
  Object.assign(f, { play: button, playIcon: svg, count, caption, use, scrubber });
  button.addEventListener("click", () => toggle(f));
  f.canvas.addEventListener("click", () => toggle(f));
  scrubber.addEventListener("input", () => {
    const step = Number(scrubber.value); // before `pause` draws the scrubber where it was
    pause(f);
    seek(f, step);
  });
  use.addEventListener("click", () => {
    pause(f);
    f.component.setTriggerValue("use", { step: f.step, revision: f.shown.revision, t: Date.now() });
  });
}

function createFoot(f) {
  const foot = element("div", "lx-film-foot", f.side);
  const back = buttonOf(foot, "lx-film-back", "There and back", "back", { "aria-pressed": "false" }).button;
  back.title = "Play to the end, then back to the start, again and again";
  const speeds = element("div", "lx-film-speeds", foot, { role: "group", "aria-label": "Speed" });
  f.backButton = back;
  f.speeds = new Map();
  back.addEventListener("click", () => {
    f.back = !f.back;
    f.direction = 1;
    remember(f);
    drawChoices(f);
  });
  for (const [name, text] of [["slow", "Slow"], ["normal", "Normal"], ["fast", "Fast"]]) {
    const button = element("button", "", speeds, { type: "button", "data-speed": name }, text);
    f.speeds.set(name, button);
    button.addEventListener("click", () => {
      f.speed = name;
      remember(f);
      drawChoices(f);
    });
  }
}

function drawChoices(f) {
  f.backButton.setAttribute("aria-pressed", String(f.back));
  for (const [name, button] of f.speeds) button.setAttribute("aria-pressed", String(name === f.speed));
}

function toggle(f) {
  if (f.playing) pause(f);
  else play(f);
}

function play(f) {
  if (!f.shown || f.shown.count < 2) return;
  f.playing = true;
  if (!f.back || f.step === 0) f.direction = 1;
  if (f.step === f.shown.count - 1) {
    if (f.back) f.direction = -1;
    else seek(f, 0);
  }
  f.due = performance.now() + pace(f);
  drawPlayer(f);
  f.frame = requestAnimationFrame((now) => advance(f, now));
}

function pause(f) {
  cancelAnimationFrame(f.frame);
  f.playing = false;
  drawPlayer(f);
}

const pace = (f) => 1000 / (f.shown.fps * SPEEDS[f.speed]);

// One step at a time, however late the browser is: none is left out.
function advance(f, now) {
  if (!f.playing) return;
  if (now >= f.due) {
    f.due = Math.max(f.due + pace(f), now);
    const last = f.shown.count - 1;
    if (f.back && (f.step + f.direction < 0 || f.step + f.direction > last)) f.direction = -f.direction;
    seek(f, f.step + f.direction);
    if (!f.back && f.step === last) {
      pause(f);
      return;
    }
  }
  f.frame = requestAnimationFrame((later) => advance(f, later));
}

function seek(f, step) {
  if (!f.shown) return;
  const next = Math.max(0, Math.min(f.shown.count - 1, Math.round(step)));
  if (next === f.step) return;
  f.step = next;
  remember(f);
  drawStep(f);
  tell(f);
}

// For what follows the film elsewhere in the page, such as the dot on a map.
function tell(f) {
  document.dispatchEvent(new CustomEvent("lx-step", { detail: { key: f.key, step: f.step, count: f.shown.count } }));
}

function onKey(f, event) {
  if (!f.shown || event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = {
    ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity,
  };
  if (event.key === " ") {
    if (event.target.closest("button")) return; // the button's own
    toggle(f);
  } else if (event.key in moves) {
    pause(f);
    seek(f, f.step + moves[event.key]);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function drawPlayer(f) {
  const { count, captions, usable } = f.shown;
  const said = f.playing ? "Pause" : "Play";
  f.play.setAttribute("aria-label", said);
  f.play.title = `${said} (Space)`;
  f.play.disabled = count < 2;
  drawIcon(f.playIcon, f.playing ? "pause" : "play");
  const caption = captions?.[f.step] ?? "";
  setText(f.count, `${f.step + 1} / ${count}`);
  setText(f.caption, caption);
  f.caption.title = caption;
  f.use.hidden = !usable;
  f.scrubber.disabled = count < 2;
  f.scrubber.max = String(Math.max(0, count - 1));
  f.scrubber.value = String(f.step);
  f.scrubber.setAttribute("aria-valuetext", `step ${f.step + 1} of ${count}${caption ? `, ${caption}` : ""}`);
  f.scrubber.style.setProperty("--lx-share", String(count > 1 ? f.step / (count - 1) : 0));
}
