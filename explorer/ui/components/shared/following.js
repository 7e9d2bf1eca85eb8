// Where films, sliders and pointers over linked maps are, and what is selected on those, for the maps that follow them
// and that may come to the page after them.

const MOVED = "lx-moved"; // an event of the document's

/**
 * A film's step, the place of a code, the item under the pointer, or the items selected and the map they were on.
 *
 * @typedef {{ key: string, step?: number, place?: [number, number], id?: number | null,
 *   ids?: Set<number> | null, map?: HTMLElement }} Moved
 */

/** @type {Map<string, Moved>} */
const newest = new Map();

/** @param {string} key */
export const whereIs = (key) => newest.get(key);

/** @param {Moved} moved */
export function tellMoved(moved) {
  newest.set(moved.key, moved);
  document.dispatchEvent(new CustomEvent(MOVED, { detail: moved }));
}

/**
 * What has left the page is nowhere.
 *
 * @param {string} key
 */
export const forgetMoved = (key) => newest.delete(key);

/**
 * Calls `heard` with the key of whatever moves, until `signal` ends it.
 *
 * @param {(key: string) => void} heard
 * @param {AbortSignal} signal
 */
export function onMoved(heard, signal) {
  document.addEventListener(MOVED, (event) => heard(/** @type {CustomEvent<Moved>} */ (event).detail.key), { signal });
}
