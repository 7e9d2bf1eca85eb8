// Assertions, without a package: Deno then needs no network.

/** How far numbers may be apart that should be the same but for rounding. */
const CLOSE = 1e-12;

/**
 * @param {unknown} found
 * @param {unknown} expected
 */
export function assertEquals(found, expected) {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
  }
}

/**
 * @param {ArrayLike<number>} found
 * @param {ArrayLike<number>} expected
 * @param {number} [most]
 */
export function assertClose(found, expected, most = CLOSE) {
  assertEquals(found.length, expected.length);
  for (let i = 0; i < found.length; i++) {
    if (!(Math.abs(found[i] - expected[i]) <= most)) {
      throw new Error(`number ${i}: expected ${expected[i]}, found ${found[i]}`);
    }
  }
}

/**
 * @param {boolean} holds
 * @param {string} what
 */
export function assert(holds, what) {
  if (!holds) throw new Error(`it does not hold: ${what}`);
}

/**
 * Numbers from 0 to 1 that are the same in every run: a linear congruential generator, by Numerical Recipes.
 *
 * @param {number} seed
 */
export function numbers(seed) {
  let state = seed;
  return () => {
    state = (1664525 * state + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
