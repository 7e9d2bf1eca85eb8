// Work that plotly does, and the end of a map that was taken away while it was at it.

import { axesOf, silence } from "./plotly_private.js";
/** @import { MapView } from "./layout.js" */

/** @param {MapView} m */
export const isGone = (m) => m.abort.signal.aborted;

/**
 * Whether plotly did its work and the map is still there. Plotly reports our own changes as if a person had made them.
 *
 * @param {MapView} m
 * @param {() => Promise<unknown> | void} work
 */
export async function plotted(m, work) {
  m.drawing += 1;
  try {
    await atWork(m, work);
  } finally {
    m.drawing -= 1;
  }
  return !isGone(m);
}

/**
 * @param {MapView} m
 * @param {() => Promise<unknown> | void} work
 */
export async function atWork(m, work) {
  m.works += 1;
  try {
    await work();
  } catch (error) {
    if (!isGone(m)) throw error;
  } finally {
    m.works -= 1;
    putAway(m);
  }
}

/**
 * Frees what plotly holds, once it is done with a map that is gone.
 *
 * @param {MapView} m
 */
export function putAway(m) {
  if (!isGone(m) || m.works || !axesOf(m.gd)) return;
  m.drawn = false;
  m.Plotly.purge(m.gd);
  silence(m.gd);
}
