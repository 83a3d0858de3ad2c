/** The verification part of a signature scheme (spec/mixnet §3.2). */
import type { Bytes } from "../bytes/bytes.js";

/** Called between two pieces of long work; it lets other work run before it resolves. */
export type Pause = () => Promise<void>;

/** A signature scheme, for verification only. */
export interface SignatureScheme {
  /** Registered spelling, e.g. `Ed25519`. */
  readonly name: string;
  /** Length of a public key in bytes. */
  readonly publicKeyLength: number;
  /** Length of a signature in bytes. */
  readonly signatureLength: number;
  /**
   * Whether the signature is valid for the message under the key. Never throws: a wrong length
   * gives `false`.
   * @param pause called now and then by a scheme that takes long; it then returns a promise.
   */
  verify(
    signature: Uint8Array,
    message: Uint8Array,
    publicKey: Uint8Array,
    pause: Pause,
  ): boolean | Promise<boolean>;
}

/**
 * The scheme whose keys and signatures are those of `first`, then those of `second`; both must
 * verify.
 */
export function hybridSignatures(
  name: string,
  first: SignatureScheme,
  second: SignatureScheme,
): SignatureScheme {
  const publicKeyLength = first.publicKeyLength + second.publicKeyLength;
  const signatureLength = first.signatureLength + second.signatureLength;
  const halves = (bytes: Uint8Array, at: number): [Bytes, Bytes] => [
    bytes.slice(0, at) as Bytes,
    bytes.slice(at) as Bytes,
  ];
  return {
    name,
    publicKeyLength,
    signatureLength,
    async verify(signature, message, publicKey, pause) {
      // Upstream's verifier crashes on a wrong length (spec/mixnet §12, row 6).
      if (signature.length !== signatureLength || publicKey.length !== publicKeyLength)
        return false;
      const signatures = halves(signature, first.signatureLength);
      const keys = halves(publicKey, first.publicKeyLength);
      // The second half may take long: skip it if the signature is already invalid.
      return (
        (await first.verify(signatures[0], message, keys[0], pause)) &&
        (await second.verify(signatures[1], message, keys[1], pause))
      );
    },
  };
}
