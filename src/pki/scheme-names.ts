/**
 * Names and sizes of the NIKE and KEM schemes that a network may use (spec/mixnet §1 and §4.1).
 * Look-ups ignore case, as the network's own do.
 */

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

/** All schemes that networks know. Geometries need only the sizes, so all schemes are listed. */
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

const nikePublicKeyLengths: ReadonlyMap<string, number> = lowerCased(
  nikeSizes.map(({ name, publicKeyLength }) => [name, publicKeyLength]),
);

/** The KEM schemes whose ciphertext length in bytes is known here. */
const kemCiphertextLengths: ReadonlyMap<string, number> = lowerCased([
  ["x25519", 32],
  ["x448", 56],
  ["MLKEM768", 1088],
  ["XWING", 1120],
  ["Kyber768-X25519", 1120],
  ["MLKEM768-X25519", 1120],
  ["MLKEM768-X448", 1144],
]);

const mcelieceVariants = [
  "348864",
  "348864f",
  "460896",
  "460896f",
  "6688128",
  "6688128f",
  "6960119",
  "6960119f",
  "8192128",
  "8192128f",
];

/** All KEM schemes that a network may name. */
const kemNames: ReadonlySet<string> = new Set(
  [
    ...kemCiphertextLengths.keys(),
    "sntrup4591761",
    "sntrup4591761-X448",
    "HQC-128",
    "HQC-192",
    "HQC-256",
    "HQC-128-X25519",
    "HQC-192-X25519",
    "HQC-256-X25519",
    "HQC-256-X448",
    "FrodoKEM-640-SHAKE",
    "FrodoKEM-640-SHAKE-X448",
    "ctidh511",
    "ctidh512",
    "ctidh1024",
    "ctidh2048",
    "CTIDH512-X25519",
    "CTIDH1024-X448",
    ...mcelieceVariants.flatMap((name) => [`mceliece${name}`, `mceliece${name}-X25519`]),
  ].map((name) => name.toLowerCase()),
);

/**
 * The signature schemes that this package can verify, as they are registered. Their code is in
 * `signature-schemes.ts`; with this list the synchronous functions can name them without it.
 */
export const signatureSchemeNames: readonly string[] = [
  "Ed25519",
  "Ed25519 Sphincs+",
  "Ed25519-Sphincs+",
  "Sphincs+",
  "Falcon-padded-512-Ed25519",
  "Falcon-padded-1024-Ed25519",
  "Falcon-padded-512",
  "Falcon-padded-1024",
];

function lowerCased(rows: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  return new Map(rows.map(([name, length]) => [name.toLowerCase(), length]));
}

/**
 * The NIKE scheme with that name in `all`.
 * @param name in any case.
 * @throws TypeError when `name` is not a string; RangeError when there is none with that name.
 */
export function nikeByName<T extends { readonly name: string }>(
  name: string,
  all: readonly T[],
): T {
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
 * Canonical name and sizes of a scheme, whether or not this package implements it.
 * @param name in any case.
 * @throws as {@link nikeByName}.
 */
export function nikeSizesByName(name: string): NikeSizes {
  return nikeByName(name, nikeSizes);
}

/** Whether `name` is a NIKE scheme that a network may name. */
export function isNikeScheme(name: string): boolean {
  return nikePublicKeyLengths.has(name.toLowerCase());
}

/** Whether `name` is a KEM scheme that a network may name. */
export function isKemScheme(name: string): boolean {
  return kemNames.has(name.toLowerCase());
}

/**
 * Length in bytes of a public key of the NIKE scheme `name`.
 * @throws RangeError when there is no such scheme.
 */
export function nikePublicKeyLength(name: string): number {
  const length = nikePublicKeyLengths.get(name.toLowerCase());
  if (length === undefined) {
    throw new RangeError(`\`nike\` must be a known NIKE scheme, got ${JSON.stringify(name)}`);
  }
  return length;
}

/**
 * Length in bytes of a ciphertext of the KEM scheme `name`.
 * @throws RangeError when there is no such scheme, or its sizes are not known here.
 */
export function kemCiphertextLength(name: string): number {
  const length = kemCiphertextLengths.get(name.toLowerCase());
  if (length === undefined) {
    throw new RangeError(
      `\`kem\` must be a KEM scheme of known sizes, got ${JSON.stringify(name)}`,
    );
  }
  return length;
}
