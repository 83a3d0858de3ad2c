/**
 * Marks by which two copies of the package in one program, or one in two realms, know each other's
 * objects: each copy has classes of its own, so that `instanceof` is false for the other's.
 */

/** The mark of a class; the number changes when objects of before can no longer be used. */
export function markOf(name: string): symbol {
  return Symbol.for(`katzenpost-thinclient.${name}/1`);
}

/** Whether `value` carries a mark. */
export function isMarked(value: unknown, mark: symbol): boolean {
  return typeof value === "object" && value !== null && mark in value;
}
