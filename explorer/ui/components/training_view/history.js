// The history in columns, and where in it an epoch is.

// {epochs, train: {elbo, …}, test: {…}, seconds, learning_rate, beta, …}: every column as long as `epochs`. Columns come
// in parts, in order; one that never changes within a part is a single value there.
function historyOf(parts) {
  const column = (pick) => parts.flatMap((part) => {
    const values = pick(part);
    return Array.isArray(values) ? values : new Array(part.epochs.length).fill(values ?? null);
  });
  const group = (name) => Object.fromEntries(
    METRICS.map((metric) => [metric, column((part) => part[name][metric])]),
  );
  const others = Object.fromEntries(COLUMNS.map((name) => [name, column((part) => part[name])]));
  return { train: group("train"), test: group("test"), ...others };
}

const METRICS = ["elbo", "reconstruction", "kl", "mse", "active_units"];
const COLUMNS = ["epochs", "seconds", "learning_rate", "beta", "noise_variance"];

// What was before the part that every update brings is fetched once in a hundred epochs.
async function loadPast(v, url) {
  v.pastWanted = url;
  try {
    const past = await jsonFrom(new URL(url, location.href).href, v.abort.signal);
    if (v.pastWanted !== url) return;
    [v.past, v.pastUrl] = [past, url];
    update(v, v.data);
  } catch (error) {
    if (v.abort.signal.aborted || v.pastWanted !== url) return;
    v.pastWanted = ""; // the next update tries again
    console.warn("training view: the history did not load:", error);
  }
}

// The history of this update, or null while its past is on its way.
function historyNow(v, data) {
  if (data.past_url && data.past_url !== v.pastUrl) {
    if (data.past_url !== v.pastWanted) loadPast(v, data.past_url);
    return null;
  }
  const made = `${data.past_url} ${data.recent}`;
  if (made === v.historyOf) return null;
  v.historyOf = made;
  return historyOf([...(data.past_url ? [v.past] : []), JSON.parse(data.recent)]);
}

// Index of the last epoch that is not after `epoch`, at least 0; -1 when there are none.
function indexOf(epochs, epoch) {
  let low = 0;
  let high = epochs.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (epochs[middle] <= epoch) low = middle;
    else high = middle - 1;
  }
  return low;
}

const hasValues = (column) => column.some((value) => value !== null);
const indexNow = (v) => indexOf(v.history.epochs, v.epoch);
const epochNow = (v) => v.history.epochs[indexNow(v)] ?? null;

// Go to an epoch; whoever goes to the newest while more is to come follows it from then on.
function goTo(v, index) {
  const last = v.history.epochs.length - 1;
  if (last < 0) return;
  const at = clamp(index, 0, last);
  v.epoch = v.history.epochs[at];
  v.following = at === last;
  remember(v);
  present(v);
}

// A view that is taken away, as by a switch of the page, comes back where it was.
const REMEMBERED = new Map(); // run -> {epoch, following}
const MOST_REMEMBERED = 50;

function remember(v) {
  REMEMBERED.delete(v.run);
  REMEMBERED.set(v.run, { epoch: v.epoch, following: v.following });
  if (REMEMBERED.size > MOST_REMEMBERED) REMEMBERED.delete(REMEMBERED.keys().next().value);
}
