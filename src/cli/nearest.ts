/** Suggestions for a misspelled name. */

/** The most wrong characters, as with names of commands. */
const MOST_WRONG = 2;

/**
 * One wrong character is allowed for this many characters of a name, because two changes to a short
 * word make another word.
 */
const FOR_EACH = 3;

/** The names closest to a word, if any are close: for `did you mean …?`. */
export function nearest(word: string, names: readonly string[]): string[] {
  const near = names
    .map((name) => ({ name, wrong: distance(word, name) }))
    .filter(({ name, wrong }) => wrong <= MOST_WRONG && wrong * FOR_EACH <= name.length);
  const least = Math.min(...near.map(({ wrong }) => wrong));
  return near.filter(({ wrong }) => wrong === least).map(({ name }) => name);
}

/**
 * How many characters must be inserted, deleted, changed, or swapped with their neighbour (optimal
 * string alignment).
 */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  let twoAbove: number[] = [];
  let above: number[] = [];
  for (let i = 1; i <= from.length; i++) {
    [twoAbove, above, row] = [above, row, [i]];
    for (let j = 1; j <= to.length; j++) {
      const changed = above[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const exchanged =
        i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
          ? twoAbove[j - 2]! + 1
          : Infinity;
      row.push(Math.min(changed, exchanged, above[j]! + 1, row[j - 1]! + 1));
    }
  }
  return row[to.length]!;
}
