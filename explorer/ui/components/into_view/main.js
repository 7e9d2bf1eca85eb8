// A part of the page is scrolled below what covers the page's top, and again for a moment while what is above it still
// grows. A person who does anything meanwhile has the page to themselves.

import { mount } from "../shared/mount.js";
import { busy } from "../shared/script_state.js";
/** @import { Answers, Common } from "../shared/mount.js" */

/** @typedef {Common & { part: string, below: string }} IntoViewData */

const LOOK_MS = 100;
const LOOKS = 20; // once the page's script has come to rest
const DEEDS = ["wheel", "touchmove", "pointerdown", "keydown"];
const GAP = 8; // pixels

/** @param {string} key */
const placeOf = (key) => /** @type {HTMLElement | null} */ (document.querySelector(`.st-key-${key}`));

/** @param {IntoViewData} data */
function scroll({ part, below }) {
  const place = placeOf(part);
  if (!place) return;
  const top = (placeOf(below)?.getBoundingClientRect().bottom ?? 0) + GAP;
  const now = place.getBoundingClientRect();
  if (now.top >= top && now.bottom <= innerHeight) return;
  place.style.scrollMarginTop = `${top}px`;
  place.scrollIntoView();
}

/**
 * @param {HTMLElement} root
 * @param {IntoViewData} data
 * @param {Answers} answers
 */
function createIntoView(root, data, answers) {
  let looks = 0;
  const look = () => {
    if (busy()) return;
    scroll(data);
    if (++looks === LOOKS) stop();
  };
  const timer = setInterval(look, LOOK_MS);
  const stop = () => {
    clearInterval(timer);
    for (const deed of DEEDS) removeEventListener(deed, stop, true);
  };
  for (const deed of DEEDS) addEventListener(deed, stop, { capture: true, passive: true });
  return { root, data, answers, stop };
}

export default mount({
  selector: ".lx-into-view",
  create: createIntoView,
  update: () => {},
  destroy: (view) => view.stop(),
});
