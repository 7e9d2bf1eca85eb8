// The slider through the epochs, play and live.

import { element, icon, setText, shape } from "../shared/elements.js";
import { epochNow, indexNow } from "./history.js";
/** @import { TrainingView } from "./view.js" */

const ICONS = {
  play: "M5 3.200v9.600c0 .6.7 1 1.200.6l7-4.800a.8.8 0 0 0 0-1.200l-7-4.800C5.700 2.200 5 2.600 5 3.200z",
  pause: "M4.500 3h2.200v10H4.500zM9.300 3h2.200v10H9.300z",
};

/** @param {Element} parent */
export function createPlayer(parent) {
  const box = element("div", "lx-tv-player", parent, { role: "group", "aria-label": "Epochs of the run" });
  const play = element("button", "lx-button lx-tv-play", box, { type: "button" });
  const sign = shape("path", icon(play));
  const slider = element("input", "lx-range lx-tv-slider", box, {
    type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Epoch",
  });
  const label = element("output", "lx-tv-epoch", box);
  const live = element("button", "lx-button lx-tv-live", box, { type: "button" });
  element("span", "lx-tv-pulse", live);
  const liveText = element("span", "", live);
  const leaving = hideWhereItLeaves(box, parent);
  return { box, play, sign, slider, label, live, liveText, leaving, timer: 0, playing: false };
}

/**
 * The end of the view pushes the slider out below the page's header: it is not seen there, half of it over what follows.
 *
 * @param {HTMLElement} box
 * @param {Element} view
 */
function hideWhereItLeaves(box, view) {
  const top = parseFloat(getComputedStyle(box).top) || 0; // none where the page has just replaced this part of itself
  const room = top + box.offsetHeight;
  const observer = new IntersectionObserver(
    ([{ isIntersecting }]) => (box.dataset.left = String(!isIntersecting)),
    { rootMargin: `${-Math.floor(room)}px 0px 100000px` },
  );
  observer.observe(view);
  return observer;
}

/** @param {TrainingView} v */
export function drawPlayer(v) {
  const { play, sign, slider, label, live, liveText, playing } = v.player;
  const last = v.history.epochs.length - 1;
  const index = indexNow(v);
  const epoch = epochNow(v);
  play.disabled = last < 1;
  play.setAttribute("aria-label", playing ? "Pause" : "Play the epochs");
  play.title = playing ? "Pause" : "Play the epochs";
  sign.setAttribute("d", playing ? ICONS.pause : ICONS.play);
  slider.disabled = last < 1;
  slider.max = String(Math.max(0, last));
  if (slider.value !== String(Math.max(0, index))) slider.value = String(Math.max(0, index));
  slider.style.setProperty("--lx-share", String(last > 0 ? index / last : 0));
  const { epochs: total, status } = v.data;
  const text = epoch === null ? "no epoch yet" : `epoch ${epoch.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  slider.setAttribute("aria-valuetext", text);
  setText(label, text);
  label.style.minWidth = `${`epoch ${total} of ${total}`.length}ch`;
  const following = v.following && !playing;
  live.hidden = epoch === null;
  live.setAttribute("aria-pressed", String(following));
  live.title = status.live ? "Follow the newest epoch" : "Go to the last epoch";
  setText(liveText, status.live ? "Live" : "Last");
  live.dataset.live = String(status.live);
}
