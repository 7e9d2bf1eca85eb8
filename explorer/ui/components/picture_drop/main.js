// Files from the clipboard, by Ctrl+V anywhere on the page or by the button. A few megabytes go to Python at a time,
// the next when it has heard of those.

const PASTES = new WeakMap(); // parentElement -> paste
const PATIENCE_MS = 60000; // after which what was sent is taken for lost
const IS_MAC = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform ?? navigator.platform);
const KEYS = IS_MAC ? "⌘V" : "Ctrl+V";
const HINT = `or press ${KEYS} anywhere on the page`;
const ICON =
  "M5.500 3.200H4a1 1 0 0 0-1 1v8.800a1 1 0 0 0 1 1h8a1 1 0 0 0 1-1V4.200a1 1 0 0 0-1-1h-1.500" +
  "M6.300 2h3.400a.8.8 0 0 1 .8.8v.9a.8.8 0 0 1-.8.8H6.300a.8.8 0 0 1-.8-.8v-.9a.8.8 0 0 1 .8-.8z";
const NO_FIELD = new Set(["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"]);

function createPaste(root) {
  root.replaceChildren();
  const button = element("button", "lx-paste-button", root, { type: "button" });
  icon(button, ICON);
  const p = {
    root, button, text: element("span", "", button), said: element("span", "lx-paste-said", root, { role: "status" }),
    component: null, data: null, hooks: null, queue: [], refused: [], note: "", sent: 0, clock: 0, patience: 0, reading: 0,
    abort: new AbortController(),
  };
  button.addEventListener("click", () => pasteByButton(p));
  document.addEventListener("paste", (event) => onPaste(p, event), { signal: p.abort.signal });
  return p;
}

function isTextField(target) {
  const field = target instanceof Element ? target.closest("input, textarea, [contenteditable]") : null;
  if (!field) return false;
  return field.matches("input") ? !NO_FIELD.has(field.type) : field.matches("textarea") || field.isContentEditable;
}

// A field of plain text can do nothing with a picture alone; one of rich text can.
function isTheFields(event) {
  if (!isTextField(event.target)) return false;
  return event.target.isContentEditable || event.clipboardData.types.some((type) => type.startsWith("text/"));
}

function onPaste(p, event) {
  if (event.defaultPrevented || !event.clipboardData || isTheFields(event)) return;
  const files = [...event.clipboardData.files];
  if (!files.length) {
    say(p, "There is no picture in the clipboard.", "problem");
    return;
  }
  event.preventDefault();
  take(p, files);
}

async function pasteByButton(p) {
  const instead = `The browser does not let a button paste here: press ${KEYS} instead, or choose a file.`;
  if (!navigator.clipboard?.read) return say(p, instead, "problem");
  try {
    const files = [];
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (type) files.push(new File([await item.getType(type)], `pasted picture.${type.slice(6).split("+")[0]}`));
    }
    if (files.length) await take(p, files);
    else say(p, "There is no picture in the clipboard.", "problem");
  } catch {
    say(p, instead, "problem");
  }
}

function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

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

function send(p) {
  if (p.sent || !p.queue.length) return;
  const pictures = [];
  let size = 0;
  while (p.queue.length && pictures.length < p.data.most_at_once && size + p.queue[0].size <= p.data.most_bytes) {
    const { name, data, size: own } = p.queue.shift();
    pictures.push({ name, data });
    size += own;
  }
  p.clock = Math.max(Date.now(), p.clock + 1);
  p.sent = p.clock;
  clearTimeout(p.patience);
  p.patience = setTimeout(() => {
    p.sent = 0;
    p.queue = [];
    say(p, "The pasted picture did not arrive: paste it again.", "problem");
  }, PATIENCE_MS);
  p.component.setTriggerValue("pasted", { pictures, t: p.sent });
}

function say(p, text, kind = "") {
  p.note = text && { text, kind };
  show(p);
}

function show(p) {
  const busy = p.reading > 0 || p.sent > 0;
  const problem = [p.note?.text, ...p.refused, p.data.problem].filter(Boolean).join(" ");
  p.text.textContent = p.data.label;
  p.button.disabled = busy;
  p.said.textContent = problem || (busy ? "Reading the picture…" : HINT);
  p.said.dataset.kind = problem ? "problem" : "hint";
  p.root.dataset.state = busy ? "sending" : "ready";
}

// For tests and benchmarks.
function exposeHooks(p) {
  p.hooks ??= {
    get pending() { return p.reading > 0 || p.sent > 0 || p.queue.length > 0; },
    get said() { return p.said.textContent; },
  };
  (window.__pastes ??= {})[p.data.key] = p.hooks;
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".lx-paste");
  if (!root || !data) return undefined;
  let p = PASTES.get(parentElement);
  if (!p || p.root !== root) {
    p?.destroy();
    p = createPaste(root);
    PASTES.set(parentElement, p);
    p.destroy = () => {
      p.abort.abort();
      clearTimeout(p.patience);
      if (window.__pastes?.[p.data.key] === p.hooks) delete window.__pastes[p.data.key];
      PASTES.delete(parentElement);
    };
  }
  p.component = component;
  p.data = data;
  if (p.sent && data.ack >= p.sent) {
    p.sent = 0;
    clearTimeout(p.patience);
  }
  exposeHooks(p);
  send(p);
  show(p);
  return p.destroy;
}
