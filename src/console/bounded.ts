/** Maps for what may never be finished: their oldest entries are dropped. */

/** Returns `map` with room for one more entry, of `most` in all; the oldest ones are dropped. */
export function bounded<V>(map: Map<string, V>, most: number): Map<string, V> {
  for (const oldest of map.keys()) {
    if (map.size < most) break;
    map.delete(oldest);
  }
  return map;
}
