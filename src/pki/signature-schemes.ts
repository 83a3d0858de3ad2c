/** The signature schemes that this package can verify, by name (spec/mixnet §3.2). */
import { ed25519Verify } from "#platform";
import { falcon512padded, falcon1024padded } from "@noble/post-quantum/falcon.js";
import { describeType } from "../bytes/bytes.js";
import { type SignatureScheme, hybridSignatures } from "./signature-scheme.js";
import { sphincsSignatures } from "./sphincs.js";

/** `Ed25519`: keys of 32 bytes, signatures of 64. */
const ed25519Signatures: SignatureScheme = {
  name: "Ed25519",
  publicKeyLength: 32,
  signatureLength: 64,
  verify: ed25519Verify,
};

function falcon(
  name: string,
  publicKeyLength: number,
  signatureLength: number,
  library: typeof falcon512padded,
): SignatureScheme {
  return {
    name,
    publicKeyLength,
    signatureLength,
    verify(signature, message, publicKey) {
      if (signature.length !== signatureLength || publicKey.length !== publicKeyLength) {
        return false;
      }
      try {
        return library.verify(signature, message, publicKey);
      } catch {
        // The key or the signature cannot be decoded.
        return false;
      }
    },
  };
}

const falcon512 = falcon("Falcon-padded-512", 897, 666, falcon512padded);
const falcon1024 = falcon("Falcon-padded-1024", 1793, 1280, falcon1024padded);

/**
 * All schemes that can be verified here. A hybrid's name implies the order of its halves: with
 * SPHINCS+, Ed25519 comes first; with Falcon, it comes second.
 */
export const signatureSchemes: readonly SignatureScheme[] = [
  ed25519Signatures,
  hybridSignatures("Ed25519 Sphincs+", ed25519Signatures, sphincsSignatures),
  hybridSignatures("Ed25519-Sphincs+", ed25519Signatures, sphincsSignatures),
  sphincsSignatures,
  hybridSignatures("Falcon-padded-512-Ed25519", falcon512, ed25519Signatures),
  hybridSignatures("Falcon-padded-1024-Ed25519", falcon1024, ed25519Signatures),
  falcon512,
  falcon1024,
];

/** The scheme with that name, in any case; undefined if it cannot be verified here. */
export function findSignatureScheme(name: string): SignatureScheme | undefined {
  const wanted = name.toLowerCase();
  return signatureSchemes.find((scheme) => scheme.name.toLowerCase() === wanted);
}

/**
 * The scheme with that name.
 * @param name in any case, e.g. `ED25519 SPHINCS+` as in a PEM.
 * @throws TypeError when it is not a string; RangeError, which lists the known schemes, when there
 * is none with that name.
 */
export function signatureSchemeByName(name: string): SignatureScheme {
  if (typeof name !== "string") {
    throw new TypeError(`\`schemeName\` must be a string, got ${describeType(name)}`);
  }
  const found = findSignatureScheme(name);
  if (found === undefined) {
    const known = signatureSchemes.map((scheme) => scheme.name).join(", ");
    throw new RangeError(
      `there is no signature scheme with the name ${JSON.stringify(name)} (known: ${known})`,
    );
  }
  return found;
}
