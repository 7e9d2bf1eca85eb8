// Back and Forward. Streamlit makes every change of the address a step of the browser's history, also what a screen
// fills in by itself. Here only the first change after something that a person did is one; any other takes its place.

const DEEDS = ["pointerdown", "keydown"];
const QUIET = "zoom"; // a parameter that is no step by itself: whoever has looked around wants to leave the place

/**
 * Whether two addresses differ in more than the part of the map that they show.
 *
 * @param {string} before
 * @param {string} after
 */
export function isElsewhere(before, after) {
  const [a, b] = [before, after].map((address) => {
    const url = new URL(address);
    url.searchParams.delete(QUIET);
    return url.href;
  });
  return a !== b;
}

/**
 * Lets a page's history have steps of people alone.
 *
 * @param {History} history
 * @param {EventTarget & { location: { href: string } }} page
 */
export function keepSteps(history, page) {
  const push = history.pushState.bind(history);
  let done = false; // something, since the last step
  for (const deed of DEEDS) page.addEventListener(deed, () => (done = true), { capture: true, passive: true });
  page.addEventListener("popstate", () => (done = false), { capture: true });
  history.pushState = (state, unused, url) => {
    const here = page.location.href;
    if (!done || !isElsewhere(here, new URL(url ?? "", here).href)) return history.replaceState(state, unused, url);
    done = false;
    push(state, unused, url);
  };
}

if ("document" in globalThis) keepSteps(history, window);
