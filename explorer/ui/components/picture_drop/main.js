// Files from the clipboard, by Ctrl+V anywhere on the page or by the button. A few megabytes go to Python at a time,
// the next when it has heard of those.

import { element, icon } from "../shared/elements.js";
import { mount } from "../shared/mount.js";
/** @import { Answers, Common } from "../shared/mount.js" */

/**
 * @typedef {object} Limits
 * @property {number} most_bytes  of a file, and of an answer
 * @property {number} most_at_once
 */

/** @typedef {Common & Limits} PasteData */

/** @typedef {{ name: string, data: string }} Picture  a file, in base64 */

/** @typedef {{ pictures: Picture[] }} Pasted  the browser's answer */

/** @typedef {ReturnType<typeof createPaste>} Paste */

const PATIENCE_MS = 60_000; // after which what was sent is taken for lost
const ICON =
  "M5.500 3.200H4a1 1 0 0 0-1 1v8.800a1 1 0 0 0 1 1h8a1 1 0 0 0 1-1V4.200a1 1 0 0 0-1-1h-1.500" +
  "M6.300 2h3.400a.8.8 0 0 1 .8.8v.9a.8.8 0 0 1-.8.8H6.300a.8.8 0 0 1-.8-.8v-.9a.8.8 0 0 1 .8-.8z";
const NO_FIELD = new Set(["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"]);

function pasteKeys() {
  const { userAgentData } = /** @type {{ userAgentData?: { platform: string } }} */ (navigator); // Chromium's
  return /mac|iphone|ipad/i.test(userAgentData?.platform ?? navigator.platform) ? "⌘V" : "Ctrl+V";
}

/**
 * @param {HTMLElement} root
 * @param {PasteData} data
 * @param {Answers} answers
 */
function createPaste(root, data, answers) {
  root.replaceChildren();
  const button = element("button", "lx-paste-button", root, { type: "button" });
  icon(button, ICON);
  element("span", "", button, {}, "Paste a picture");
  const p = {
    root, data, answers, button, keys: pasteKeys(),
    said: element("span", "lx-paste-said", root, { role: "status" }),
    queue: /** @type {(Picture & { size: number })[]} */ ([]), refused: /** @type {string[]} */ ([]),
    note: "", reading: 0, abort: new AbortController(),
  };
  button.addEventListener("click", () => pasteByButton(p));
  document.addEventListener("paste", (event) => onPaste(p, event), { signal: p.abort.signal });
  return p;
}

/** @param {EventTarget | null} target */
function textField(target) {
  const field = target instanceof HTMLElement ? target.closest("input, textarea, [contenteditable]") : null;
  if (field instanceof HTMLInputElement) return NO_FIELD.has(field.type) ? null : field;
  if (field instanceof HTMLTextAreaElement) return field;
  return field instanceof HTMLElement && field.isContentEditable ? field : null;
}

/**
 * A field of plain text can do nothing with a picture alone; one of rich text can.
 *
 * @param {EventTarget | null} target
 * @param {readonly string[]} types  of what is in the clipboard
 */
function isTheFields(target, types) {
  const field = textField(target);
  return field !== null && (field.isContentEditable || types.some((type) => type.startsWith("text/")));
}

/**
 * @param {Paste} p
 * @param {ClipboardEvent} event
 */
function onPaste(p, event) {
  const { clipboardData } = event;
  if (event.defaultPrevented || !clipboardData || isTheFields(event.target, clipboardData.types)) return;
  const files = [...clipboardData.files];
  if (!files.length) {
    say(p, "There is no picture in the clipboard.");
    return;
  }
  event.preventDefault();
  take(p, files);
}

/** @param {Paste} p */
async function pasteByButton(p) {
  const instead = `The browser does not let a button paste here: press ${p.keys} instead, or choose a file.`;
  if (!navigator.clipboard?.read) return say(p, instead);
  try {
    const files = [];
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (type) files.push(new File([await item.getType(type)], `pasted picture.${type.slice(6).split("+")[0]}`));
    }
    if (files.length) await take(p, files);
    else say(p, "There is no picture in the clipboard.");
  } catch {
    say(p, instead);
  }
}

/**
 * @param {File} file
 * @returns {Promise<string>}
 */
function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

/**
 * @param {Paste} p
 * @param {File[]} files
 */
async function take(p, files) {
  const { most_at_once: many, most_bytes: most } = p.data;
  p.refused = [];
  if (files.length > many) p.refused.push(`Only the first ${many} of ${files.length} pictures were taken.`);
  p.reading += 1;
  say(p, "");
  for (const file of files.slice(0, many)) {
    const name = file.name || "The pasted picture";
    if (file.size > most) {
      p.refused.push(`${name} has ${megabytes(file.size)}, more than the ${most >> 20} MB that are allowed.`);
      continue;
    }
    try {
      p.queue.push({ name: file.name, data: await base64Of(file), size: file.size });
    } catch {
      p.refused.push(`${name} could not be read.`); // a folder, or a file that is gone
    }
  }
  p.reading -= 1;
  if (p.abort.signal.aborted) return;
  send(p);
  show(p);
}

/**
 * How many of the first files fit into one answer.
 *
 * @param {number[]} sizes  in bytes
 * @param {number} mostFiles
 * @param {number} mostBytes
 */
export function countThatFit(sizes, mostFiles, mostBytes) {
  let [count, size] = [0, 0];
  while (count < sizes.length && count < mostFiles && size + sizes[count] <= mostBytes) size += sizes[count++];
  return count;
}

/** @param {Paste} p */
function send(p) {
  if (p.answers.waiting || !p.queue.length) return;
  const sizes = p.queue.map(({ size }) => size);
  const taken = p.queue.splice(0, countThatFit(sizes, p.data.most_at_once, p.data.most_bytes));
  const lost = () => {
    p.queue = [];
    say(p, "The pasted picture did not arrive: paste it again.");
  };
  p.answers.ask("pasted", { pictures: taken.map(({ name, data }) => ({ name, data })) }, lost, PATIENCE_MS);
}

/**
 * @param {Paste} p
 * @param {string} text
 */
function say(p, text) {
  p.note = text;
  show(p);
}

/** @param {Paste} p */
function show(p) {
  const busy = p.reading > 0 || p.answers.waiting;
  const problem = [p.note, ...p.refused, p.data.problem].filter(Boolean).join(" ");
  p.button.disabled = busy;
  p.said.textContent = problem || (busy ? "Reading the picture…" : `or press ${p.keys} anywhere on the page`);
  p.said.dataset.kind = problem ? "problem" : "hint";
  p.root.dataset.state = busy ? "sending" : "ready";
}

export default mount({
  selector: ".lx-paste",
  create: createPaste,
  update: (p) => {
    send(p);
    show(p);
  },
  destroy: (p) => p.abort.abort(),
});
