// How Streamlit shows a component, and how a component answers Python: the one way for all of them.

/**
 * What Streamlit calls a component with: at first, after every run that changes its data, and with every theme.
 *
 * @template D
 * @typedef {object} Component
 * @property {D} data  what Python sends
 * @property {HTMLElement} parentElement  the component's place in the page
 * @property {(name: string, value: unknown) => void} setTriggerValue
 */

/**
 * What every component's data has: `key` is its own in the page, `ack` the newest of its answers that Python has heard,
 * `problem` is a sentence on why Python refused the last one.
 *
 * @typedef {{ key: string, revision: string, ack: number, problem: string }} Common
 */

/**
 * What a component keeps of its place in the page, beside what is its own.
 *
 * @template {Common} D
 * @typedef {object} View
 * @property {HTMLElement} root
 * @property {D} data
 * @property {Answers} answers
 */

/**
 * Where tests and benchmarks find a component, `window[name][key]`: only in a browser that a program drives.
 *
 * @template V
 * @typedef {{ name: string, of: (view: V) => object }} Hooks
 */

const FIRST_PATIENCE_MS = 4000; // after which an answer is taken for lost; twice that the next time
const LONGEST_PATIENCE_MS = 60_000;

/** What a component tells Python. Whoever must not build a queue waits until `waiting` is over. */
export class Answers {
  #component; // the newest: an old one's functions are of an old run
  #clock = 0;
  #sent = 0;
  #patience = 0;
  #timer = 0;

  /** @param {Component<any>} component */
  constructor(component) {
    this.#component = component;
  }

  /** Milliseconds by the browser's clock, later than everything before it though two may share one. */
  now() {
    this.#clock = Math.max(Date.now(), this.#clock + 1);
    return this.#clock;
  }

  /**
   * Tells Python of something that happened to what is shown, or to another `revision` if the answer says so. Returns
   * its time, which `ack` reaches once Python has heard it.
   *
   * @param {string} name
   * @param {object} [answer]
   */
  tell(name, answer = {}) {
    const t = this.now();
    this.#component.setTriggerValue(name, { revision: this.#component.data.revision, ...answer, t });
    return t;
  }

  /**
   * Tells Python, and is `waiting` until it has heard; `onLost` is called where that takes too long.
   *
   * @param {string} name
   * @param {object} answer
   * @param {() => void} onLost
   * @param {number} [patience]  in milliseconds
   */
  ask(name, answer, onLost, patience) {
    this.#patience = patience ?? Math.min(2 * this.#patience || FIRST_PATIENCE_MS, LONGEST_PATIENCE_MS);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#sent = 0;
      onLost();
    }, this.#patience);
    this.#sent = this.tell(name, answer);
    return this.#sent;
  }

  get waiting() {
    return this.#sent > 0;
  }

  /** Waits no more: for what is not wanted any longer. */
  forget() {
    clearTimeout(this.#timer);
    this.#sent = this.#patience = 0;
  }

  /** @param {Component<any>} component */
  update(component) {
    this.#component = component;
    if (this.waiting && component.data.ack >= this.#sent) this.forget();
  }
}

/**
 * The function that Streamlit calls, of a component with one view for each of its places in the page.
 *
 * @template {Common} D
 * @template {View<D>} V
 * @param {object} parts
 * @param {string} parts.selector  of the component's root
 * @param {(root: HTMLElement, data: D, answers: Answers) => V} parts.create
 * @param {(view: V) => void} parts.update  brings it up to date with `view.data`
 * @param {(view: V) => void} parts.destroy
 * @param {Hooks<V>} [parts.hooks]
 * @returns {(component: Component<D>) => (() => void) | undefined}
 */
export function mount({ selector, create, update, destroy, hooks }) {
  /** @type {Map<HTMLElement, Place<D, V>>} */
  const places = new Map();
  return (component) => {
    const { data, parentElement } = component;
    const root = /** @type {HTMLElement | null} */ (parentElement.querySelector(selector));
    // A component's files may arrive when its place has left the page: a view there would never be seen.
    if (!root?.isConnected || !data) return undefined;
    let place = places.get(parentElement);
    if (place?.view.root !== root) {
      place?.leave();
      const view = create(root, data, new Answers(component));
      const conceal = expose(hooks, data.key, view);
      const leave = () => {
        view.answers.forget();
        conceal();
        destroy(view);
        places.delete(parentElement);
      };
      place = { view, component, leave };
      places.set(parentElement, place);
    }
    const { view, leave } = place;
    place.component = component;
    view.data = data;
    view.answers.update(component);
    update(view);
    return () => {
      // Streamlit calls this of an old call, too, where an update came before the component's files did.
      if (places.get(parentElement)?.component === component) leave();
    };
  };
}

/**
 * @template D, V
 * @typedef {{ view: V, component: Component<D>, leave: () => void }} Place
 */

/**
 * @template V
 * @param {Hooks<V> | undefined} hooks
 * @param {string} key
 * @param {V} view
 */
function expose(hooks, key, view) {
  if (!hooks || !navigator.webdriver) return () => {};
  const page = /** @type {Record<string, Record<string, object>>} */ (/** @type {unknown} */ (globalThis));
  const shown = (page[hooks.name] ??= {});
  const made = (shown[key] = hooks.of(view));
  return () => {
    if (shown[key] === made) delete shown[key];
  };
}
