// The lines above the panels: where the run stands, how fast it is, and the figures of the chosen epoch.

function createHead(v, parent) {
  const box = element("header", "lx-tv-head", parent);
  const line = element("div", "lx-tv-state", box);
  const dot = element("span", "lx-tv-dot", line, { "aria-hidden": "true" });
  const text = element("strong", "", line, { role: "status" });
  const facts = element("dl", "lx-tv-facts", line);
  const note = element("p", "lx-tv-note", box);
  const bar = element("div", "lx-tv-progress", box, { role: "progressbar", "aria-label": "Training", "aria-valuemin": "0" });
  bar.setAttribute("aria-valuemax", "100");
  const fill = element("i", "", bar);
  v.head = { box, dot, text, facts, note, bar, fill, factsText: "" };
}

function drawHead(v, status) {
  const { dot, text, facts, note, bar, fill } = v.head;
  v.root.dataset.run = status.state;
  dot.dataset.state = status.state;
  setText(text, status.text);
  setText(note, status.note);
  note.hidden = !status.note;
  const share = status.share === null ? null : Math.round(1000 * status.share) / 10;
  bar.style.visibility = share === null ? "hidden" : "visible"; // its room stays
  bar.setAttribute("aria-valuenow", String(share ?? 100));
  fill.style.width = `${share ?? 100}%`;
  fillFacts(v.head, facts, status.facts);
}

// Names stay in place, only values change, so that nothing moves while numbers do.
function fillFacts(owner, list, pairs) {
  const names = pairs.map(([name]) => name).join("|");
  if (names !== owner.factsText) {
    owner.factsText = names;
    list.replaceChildren(...pairs.map(([name]) => {
      const pair = element("div", "", null);
      element("dt", "", pair, {}, name);
      element("dd", "", pair);
      return pair;
    }));
  }
  pairs.forEach(([, value], i) => setText(list.children[i].lastChild, value));
}

// Name of the figure, column, whether it is of the test metrics, format.
const FIGURES = [
  ["ELBO", "elbo", true, nats], ["Reconstruction", "reconstruction", true, nats], ["KL", "kl", true, nats],
  ["Squared error", "mse", true, plain], ["Active units", "active_units", true, whole],
  ["Beta", "beta", false, plain], ["Noise variance", "noise_variance", false, plain],
];

function createFigures(v, parent) {
  const box = element("section", "lx-tv-figures", parent, { "aria-label": "Figures of the chosen epoch" });
  const caption = element("p", "lx-tv-caption", box);
  const list = element("dl", "lx-tv-numbers", box);
  v.figures = { box, caption, list, built: "", shown: {} };
}

const UNITS = { elbo: "nats", reconstruction: "nats", kl: "nats" };

function drawFigures(v) {
  const { history, figures } = v;
  const index = indexNow(v);
  let pairs;
  if (index < 0) {
    const soFar = v.data.status.so_far;
    setText(figures.caption, soFar.length ? "So far in the first epoch, training images, nats an image" : "Test images");
    const names = v.hasPrior ? ["ELBO", "Reconstruction", "KL"] : ["Reconstruction"];
    const values = new Map(soFar);
    pairs = names.map((name) => [name, name.toLowerCase(), values.get(name) ?? "–"]);
  } else {
    setText(figures.caption, `Test images after epoch ${epochNow(v).toLocaleString("en")}`);
    pairs = FIGURES.map(([name, column, test, format]) => {
      const values = test ? history.test[column] : history[column];
      return values && hasValues(values) ? [name, column, format(values[index])] : null;
    }).filter((pair) => pair && (v.hasPrior || !["beta", "active_units"].includes(pair[1])));
    if (history.seconds[index] !== null) pairs.push(["Trained for", "seconds", clock(history.seconds[index])]);
  }
  const built = pairs.map(([, column]) => column).join();
  if (built !== figures.built) {
    figures.built = built;
    figures.list.replaceChildren(...pairs.map(figureOf));
  }
  pairs.forEach(([, , text], i) => {
    const [, value] = figures.list.children[i].children;
    setText(value.firstChild, text);
    if (value.lastChild !== value.firstChild) value.lastChild.hidden = text === "–";
  });
  figures.shown = Object.fromEntries(pairs.map(([, column, text]) => [column, text]));
}

function figureOf([name, column]) {
  const pair = element("div", "", null, { "data-figure": column });
  const term = element("dt", "", pair, {}, name);
  if (HELP[column]) helpFor(term, name, HELP[column]);
  const value = element("dd", "", pair);
  element("b", "", value);
  if (UNITS[column]) element("span", "lx-tv-unit", value, {}, ` ${UNITS[column]}`);
  return pair;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
