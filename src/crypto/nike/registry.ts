/** NIKE schemes by their names. spec/pigeonhole §3. */
import type { NikeScheme } from "./scheme.js";
import { x25519Nike } from "./x25519.js";
import { type NikeSizes, nikeSizes } from "../../pki/scheme-names.js";

function byName<T extends { readonly name: string }>(name: string, all: readonly T[]): T {
  if (typeof name !== "string") throw new TypeError("`nikeName` must be a string");
  const wanted = name.toLowerCase();
  const found = all.find((scheme) => scheme.name.toLowerCase() === wanted);
  if (found === undefined) {
    const known = all.map((scheme) => scheme.name).join(", ");
    throw new RangeError(`unknown NIKE scheme: ${name} (known: ${known})`);
  }
  return found;
}

/**
 * Canonical name and sizes of a scheme, whether or not it can be computed here.
 * @param name in any case.
 * @throws RangeError when there is none of that name.
 */
export function nikeSizesByName(name: string): NikeSizes {
  return byName(name, nikeSizes);
}

/**
 * The scheme of that name.
 * @param name in any case.
 * @param available the schemes to choose from: x25519 alone, unless the caller has more to offer.
 * @throws RangeError when none of them has that name.
 */
export function nikeSchemeByName(
  name: string,
  available: readonly NikeScheme[] = [x25519Nike],
): NikeScheme {
  return byName(name, available);
}
