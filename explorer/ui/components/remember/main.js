// A word that the browser remembers for a year.

import { mount } from "../shared/mount.js";
/** @import { Answers, Common } from "../shared/mount.js" */

/** @typedef {Common & { name: string, value: string }} RememberData */

const YEAR = 365 * 86_400; // seconds

/**
 * @param {HTMLElement} root
 * @param {RememberData} data
 * @param {Answers} answers
 */
function createRemember(root, data, answers) {
  document.cookie = `${data.name}=${data.value}; max-age=${YEAR}; path=/; SameSite=Lax`;
  return { root, data, answers };
}

export default mount({ selector: ".lx-remember", create: createRemember, update: () => {}, destroy: () => {} });
