/** Names and sizes of NIKE schemes. spec/pigeonhole §3. */
import type { NikeScheme } from "./scheme.js";
import { x25519Nike } from "./x25519.js";

/** Name and key sizes of a scheme. */
export interface NikeSizes {
  /** Canonical name. */
  readonly name: string;
  /** Length of a public key in bytes. */
  readonly publicKeyLength: number;
  /** Length of a private key in bytes. */
  readonly privateKeyLength: number;
}

function sizes(name: string, publicKeyLength: number, privateKeyLength: number): NikeSizes {
  return { name, publicKeyLength, privateKeyLength };
}

/**
 * Every scheme that networks know. Sizes are all that geometries need, so those are here for all.
 */
export const nikeSizes: readonly NikeSizes[] = [
  sizes("x25519", 32, 32),
  sizes("x448", 56, 56),
  sizes("ctidh511", 64, 74),
  sizes("ctidh512", 64, 74),
  sizes("ctidh1024", 128, 130),
  sizes("ctidh2048", 256, 231),
  sizes("CTIDH512-X25519", 96, 106),
  sizes("CTIDH512-X448", 120, 130),
  sizes("CTIDH1024-X25519", 160, 162),
  sizes("X25519-CTIDH1024", 160, 162),
  sizes("CTIDH1024-X448", 184, 186),
  sizes("CTIDH2048-X448", 312, 287),
];

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
