/** The KEM schemes implemented here, by name (spec/mixnet §1). */
import { describeType } from "../bytes/bytes.js";
import { hybridKem } from "./hybrid.js";
import { kyber768, mlKem768 } from "./lattice.js";
import type { KemScheme } from "./scheme.js";
import { x25519Kem } from "./x25519.js";
import { xwingKem } from "./xwing.js";

/**
 * X25519 with Kyber768 of round 3, the public network's scheme. X25519 comes first, despite the
 * name.
 */
export const kyber768X25519Kem: KemScheme = hybridKem("Kyber768-X25519", x25519Kem, kyber768);

/** X25519 with ML-KEM-768. X25519 comes first, despite the name. */
export const mlKem768X25519Kem: KemScheme = hybridKem("MLKEM768-X25519", x25519Kem, mlKem768);

/** All schemes implemented here. */
export const kemSchemes: readonly KemScheme[] = [
  xwingKem,
  kyber768X25519Kem,
  mlKem768X25519Kem,
  mlKem768,
  x25519Kem,
];

/**
 * The scheme with that name.
 * @param name in any case, e.g. `xwing`.
 * @throws TypeError when it is not a string; RangeError, which lists the known schemes, when there
 * is none with that name.
 */
export function kemSchemeByName(name: string): KemScheme {
  if (typeof name !== "string") {
    throw new TypeError(`\`kemName\` must be a string, got ${describeType(name)}`);
  }
  const found = kemSchemes.find((scheme) => scheme.name.toLowerCase() === name.toLowerCase());
  if (found === undefined) {
    const known = kemSchemes.map((scheme) => scheme.name).join(", ");
    throw new RangeError(
      `there is no KEM scheme with the name ${JSON.stringify(name)} (known: ${known})`,
    );
  }
  return found;
}
