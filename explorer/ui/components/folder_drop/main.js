// Streamlit's uploader names a file of a folder that is chosen by its path in the folder, and one of a folder that is
// dropped by its own name alone: all would be of one class, and the same names of different files. The path is there,
// in a property that its library for drops adds to files; this says it where Streamlit looks for it.

import { mount } from "../shared/mount.js";
/** @import { Common } from "../shared/mount.js" */

/** @typedef {Common} FolderDropData */

const property = "webkitRelativePath";
const marked = Symbol.for("latent-explorer-paths");

/** @param {File & { path?: unknown }} file */
export function droppedPath(file) {
  const path = typeof file.path === "string" ? file.path.replace(/^\.?\//, "") : "";
  return path.includes("/") ? path : "";
}

/** @param {any} prototype of files; changed once for as long as the page is open */
export function namePaths(prototype) {
  const own = Object.getOwnPropertyDescriptor(prototype, property);
  if (own?.get === undefined || prototype[marked]) return;
  const said = own.get;
  prototype[marked] = true;
  Object.defineProperty(prototype, property, {
    ...own,
    /** @this {File} */
    get() {
      return said.call(this) || droppedPath(this);
    },
  });
}

export default mount({
  selector: ".lx-folder-drop",
  /**
   * @param {HTMLElement} root
   * @param {Common} data
   */
  create: (root, data, answers) => {
    namePaths(File.prototype);
    return { root, data, answers };
  },
  update: () => {},
  destroy: () => {},
});
