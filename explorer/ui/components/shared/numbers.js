// Numbers within bounds, and as text.

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/**
 * True minus signs in place of hyphens.
 *
 * @param {string} text
 */
export const minus = (text) => text.replaceAll("-", "−");
