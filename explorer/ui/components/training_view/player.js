// The slider through the epochs, play and live.

const PLAY_MS = 10_000; // for a whole run, within the bounds of a step
const STEP_MS = [60, 450];
const ICONS = {
  play: "M5 3.2v9.6c0 .6.7 1 1.2.6l7-4.8a.8.8 0 0 0 0-1.2l-7-4.8C5.7 2.200 5 2.600 5 3.200z",
  pause: "M4.500 3h2.200v10H4.500zM9.300 3h2.200v10H9.300z",
};

function createPlayer(v, parent) {
  const box = element("div", "lx-tv-player", parent, { role: "group", "aria-label": "Epochs of the run" });
  const play = element("button", "lx-tv-button lx-tv-play", box, { type: "button" });
  const sign = icon(play, ICONS.play).firstChild;
  const slider = element("input", "lx-tv-slider", box, { type: "range", min: "0", max: "0", step: "1", value: "0" });
  slider.setAttribute("aria-label", "Epoch");
  const label = element("output", "lx-tv-epoch", box);
  const live = element("button", "lx-tv-button lx-tv-live", box, { type: "button" });
  element("span", "lx-tv-pulse", live);
  const liveText = element("span", "", live);
  v.player = { box, play, sign, slider, label, live, liveText, timer: 0, playing: false };
  play.addEventListener("click", () => (v.player.playing ? pause(v) : startPlaying(v)));
  slider.addEventListener("input", () => {
    const index = Number(slider.value); // before `pause` draws the slider where it was
    pause(v);
    goTo(v, index);
  });
  live.addEventListener("click", () => {
    pause(v);
    goTo(v, v.history.epochs.length - 1);
  });
}

function startPlaying(v) {
  const last = v.history.epochs.length - 1;
  if (last < 1) return;
  v.player.playing = true;
  if (indexNow(v) >= last) goTo(v, 0);
  v.following = false;
  drawPlayer(v);
  schedule(v);
}

function pause(v) {
  clearTimeout(v.player.timer);
  v.player.playing = false;
  drawPlayer(v);
}

// One epoch on, once the pictures of this one are here.
function schedule(v) {
  clearTimeout(v.player.timer);
  const last = v.history.epochs.length - 1;
  const wait = clamp(PLAY_MS / last, ...STEP_MS);
  v.player.timer = setTimeout(() => {
    if (!v.player.playing) return;
    const wanted = frameFor(v, v.epoch);
    if (!wanted || v.loaded.has(wanted.name) || v.failed.has(wanted.name)) goTo(v, indexNow(v) + 1);
    if (indexNow(v) >= v.history.epochs.length - 1) pause(v);
    else schedule(v);
  }, wait);
}

function drawPlayer(v) {
  const { play, sign, slider, label, live, liveText, playing } = v.player;
  const { epochs } = v.history;
  const last = epochs.length - 1;
  const index = indexNow(v);
  const epoch = epochNow(v);
  const none = last < 0;
  play.disabled = last < 1;
  play.setAttribute("aria-label", playing ? "Pause" : "Play the epochs");
  play.title = playing ? "Pause" : "Play the epochs";
  sign.setAttribute("d", playing ? ICONS.pause : ICONS.play);
  slider.disabled = last < 1;
  slider.max = String(Math.max(0, last));
  if (slider.value !== String(Math.max(0, index))) slider.value = String(Math.max(0, index));
  slider.style.setProperty("--lx-share", String(last > 0 ? index / last : 0));
  const text = none ? "no epoch yet" : `epoch ${epoch.toLocaleString("en")} of ${v.total.toLocaleString("en")}`;
  slider.setAttribute("aria-valuetext", text);
  setText(label, text);
  label.style.minWidth = `${`epoch ${v.total} of ${v.total}`.length}ch`;
  const following = v.following && !playing;
  live.hidden = none;
  live.setAttribute("aria-pressed", String(following));
  live.title = v.live ? "Follow the newest epoch" : "Go to the last epoch";
  setText(liveText, v.live ? "Live" : "Last");
  live.dataset.live = String(v.live);
}
