// The page's elements: panels with a title, a "?" that explains a term, and room that is taken before there is anything.

const HELP = {
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
    "ELBO pays for it.",
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
    "posterior is the prior for every image, and the decoder ignores it. That is posterior collapse. It is no fault by " +
    "itself: a model has as many active latents as pay for their KL.",
  map:
    "The probe map: the same test images after every epoch, each at the mean of its posterior. Two latents are shown " +
    "as they are. More are projected on their two principal components, turned to fit the epoch before, so that " +
    "points drift and do not jump. A click on a class shows it alone.",
  pictures: "The same test images after every epoch: the originals above, what comes back from their codes below.",
  samples_prior: "The same 64 codes, drawn once from the prior N(0, I), decoded after every epoch.",
  samples_fitted:
    "A plain autoencoder has no prior to draw from. These are decoded draws from a Gaussian fitted to the codes of the " +
    "probe images, from the same noise after every epoch.",
};

// A native disclosure: works by pointer, touch and keyboard, and closes when the focus leaves it.
function helpFor(parent, name, text) {
  const box = element("details", "lx-tv-help", parent);
  const mark = element("summary", "", box, { "aria-label": `What is ${name}?`, title: text }, "?");
  element("p", "", box, {}, text);
  const close = () => (box.open = false);
  box.addEventListener("focusout", (event) => box.contains(event.relatedTarget) || close());
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    event.stopPropagation();
    close();
    mark.focus();
  });
  return box;
}

// {box, head, title, body, note}: a section of the grid.
function panelOf(parent, name, title, help) {
  const box = element("section", "lx-tv-panel", parent, { "data-panel": name, "aria-label": title });
  const head = element("div", "lx-tv-title", box);
  const heading = element("h4", "", head, {}, title);
  helpFor(head, title, help);
  const tools = element("div", "lx-tv-tools", head);
  const body = element("div", "lx-tv-body", box);
  const note = element("p", "lx-tv-note", box);
  return { box, head, heading, tools, body, note };
}

// Two or more choices of which one holds. `chosen` is called with its value.
function segmented(parent, label, options, value, chosen) {
  const group = element("div", "lx-tv-segments", parent, { role: "group", "aria-label": label });
  const buttons = new Map();
  const set = (now) => {
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === now));
  };
  for (const [name, text] of options) {
    const button = element("button", "", group, { type: "button", "data-value": name }, text);
    button.addEventListener("click", () => {
      set(name);
      chosen(name);
    });
    buttons.set(name, button);
  }
  set(value);
  return { group, set };
}

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

// Once for the page: it stays while other views come and go.
function addStyle() {
  const id = "lx-tv-style";
  const present = document.getElementById(id);
  if (present?.textContent === CSS) return;
  const style = present ?? element("style", "", document.head, { id });
  style.textContent = CSS;
}
