// The page's elements: panels with a title, a "?" that explains a term, and choices.

import { element, setText } from "../shared/elements.js";
import { nats, plain } from "./scales.js";

/** @type {Record<string, string>} */
export const HELP = {
  curves:
    "How well the model describes an image, after each epoch. The solid line is the test images, which it has never " +
    "trained on; the dashed one is the training images, averaged while the weights still moved. When the training " +
    "curve goes on rising and the test curve turns, the model learns its training images by heart.",
  elbo:
    "Evidence lower bound: the reconstruction term minus the KL. It is a lower bound on the log probability of an " +
    "image under the model, in nats an image. Higher is better.",
  reconstruction:
    "Log probability of an image given a code drawn from its posterior, summed over pixels, in nats an image " +
    "(1 nat = 1.44 bits). Higher is better.",
  kl:
    "How far the posterior of an image is from the prior, in nats: how much the code says about the image. The " +
    "ELBO is the reconstruction less this.",
  beta:
    "Weight of the KL in what is trained. 1 trains the ELBO itself; less gives sharper reconstructions, more a " +
    "tidier code. It grows over the first epochs when there is a warm-up.",
  learning_rate: "Step size of the optimiser, as its schedule sets it.",
  mse: "Squared error of a reconstruction, averaged over pixels that go from 0 to 1.",
  active_units:
    "Latents whose posterior mean differs between test images: its variance is above 0.01 (Burda et al. 2016).",
  noise_variance: "Variance of the likelihood's noise, which this model has learnt.",
  bars:
    "How many nats each latent carries on average over the test images. A latent under 0.01 nats says nothing: its " +
    "posterior is the prior for every image, and the decoder ignores it. That is posterior collapse. It is no fault " +
    "by itself: a model uses as many latents as save more nats of reconstruction than they cost.",
  map:
    "The probe map: the same test images after every epoch, each at the mean of its posterior. Two latents are shown " +
    "as they are. More are projected on their two principal components, turned to fit the epoch before, so that " +
    "points drift and do not jump. A click on a class shows it alone.",
  pictures: "The same test images after every epoch: the originals above, what comes back from their codes below.",
  samples_prior: "The same 64 draws from the prior, decoded after every epoch. A learnt prior takes them with it.",
  samples_fitted:
    "A plain autoencoder has no prior to draw from. These are decoded draws from a Gaussian fitted to the codes of " +
    "the probe images, from the same noise after every epoch.",
};

/** @param {string} name */
export const sentenceCase = (name) => name.charAt(0).toUpperCase() + name.slice(1);

/**
 * How numbers of a unit are written.
 *
 * @param {string} unit
 */
export const inUnit = (unit) => (unit === "nats" ? nats : plain);

/**
 * A native disclosure: works by pointer, touch and keyboard, and closes when the focus leaves it.
 *
 * @param {Element} parent
 * @param {string} name
 * @param {string} text
 */
export function helpFor(parent, name, text) {
  const box = element("details", "lx-tv-help", parent);
  const mark = element("summary", "", box, {}, "?");
  const words = element("p", "", box);
  const close = () => (box.open = false);
  box.addEventListener("focusout", ({ relatedTarget }) => {
    if (!box.contains(/** @type {Node | null} */ (relatedTarget))) close();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    event.stopPropagation();
    close();
    mark.focus();
  });
  const help = { mark, words };
  nameHelp(help, name, text);
  return help;
}

/**
 * @param {{ mark: HTMLElement, words: HTMLElement }} help
 * @param {string} name
 * @param {string} text
 */
export function nameHelp({ mark, words }, name, text) {
  mark.title = text;
  mark.setAttribute("aria-label", `What is ${name}?`);
  setText(words, text);
}

/**
 * A section of the grid.
 *
 * @param {Element} parent
 * @param {string} name
 * @param {string} title
 * @param {string} text  that explains it
 */
export function panelOf(parent, name, title, text) {
  const box = element("section", "lx-tv-panel", parent, { "data-panel": name, "aria-label": title });
  const head = element("div", "lx-tv-title", box);
  const heading = element("h4", "", head, {}, title);
  const help = helpFor(head, title, text);
  const tools = element("div", "lx-tv-tools", head);
  const body = element("div", "lx-tv-body", box);
  const note = element("p", "lx-tv-note", box);
  return { box, heading, help, tools, body, note };
}

/**
 * Two or more choices of which one holds; `chosen` is called with the name of the one that a person takes.
 *
 * @param {Element} parent
 * @param {string} label
 * @param {readonly (readonly [string, string])[]} options  names and texts
 * @param {string} chosen  the name of the one that holds at first
 */
export function segmented(parent, label, options, chosen) {
  const group = element("div", "lx-tv-segments", parent, { role: "group", "aria-label": label });
  const choice = {
    group,
    /** @type {(name: string) => void} */
    chosen: () => {},
  };
  for (const [name, text] of options) {
    const pressed = name === chosen;
    const button = element("button", "", group, { type: "button", "data-value": name, "aria-pressed": pressed }, text);
    button.addEventListener("click", () => {
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
      choice.chosen(name);
    });
  }
  return choice;
}

/**
 * The same as a list to unfold, for choices that would not stand side by side.
 *
 * @param {Element} parent
 * @param {string} label
 * @param {readonly (readonly [string, string])[]} options  names and texts
 * @param {string} chosen  the name of the one that holds at first
 */
export function menu(parent, label, options, chosen) {
  const group = element("select", "lx-tv-menu", parent, { "aria-label": label });
  const choice = {
    group,
    /** @type {(name: string) => void} */
    chosen: () => {},
  };
  for (const [name, text] of options) element("option", "", group, { value: name }, text).selected = name === chosen;
  group.addEventListener("change", () => choice.chosen(group.value));
  return choice;
}
