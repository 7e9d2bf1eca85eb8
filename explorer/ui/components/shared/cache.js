// Maps that forget what was put into them first.

/**
 * Puts an entry in as the newest, and drops the oldest ones beyond `most`.
 *
 * @template K, V
 * @param {Map<K, V>} map
 * @param {K} key
 * @param {V} value
 * @param {number} most
 */
export function keepNewest(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  for (const old of map.keys()) {
    if (map.size <= most) return;
    map.delete(old);
  }
}
