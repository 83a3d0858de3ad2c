/**
 * Marks by which two copies of the package in one program, or in two realms, recognize each other's
 * objects: each copy has its own classes, so `instanceof` is false for the other's objects.
 */

/** The mark of a class; its number changes when older objects become incompatible. */
export function markOf(name: string): symbol {
  return Symbol.for(`katzenpost-thinclient.${name}/1`);
}

/** Whether `value` has a mark. */
export function isMarked(value: unknown, mark: symbol): boolean {
  return typeof value === "object" && value !== null && mark in value;
}
