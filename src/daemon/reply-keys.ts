/** The keys of replies to envelopes that this daemon sealed for its applications. */
import { type Bytes, toHex } from "../bytes/bytes.js";
import { RecentlyUsed } from "../bytes/recently-used.js";

/** For how many envelopes the keys are kept: more than are usually unanswered. */
const keptEnvelopes = 1024;

/**
 * Keeps the reply keys from sealing an envelope to opening its reply. Otherwise they are computed
 * again from the envelope's descriptor, and with CTIDH this takes about a second of processor time
 * per key. They are found by the whole descriptor, which contains the private key from which they
 * were computed, so nobody gets a key that they could not compute.
 */
export class ReplyKeys {
  readonly #kept = new RecentlyUsed<string, readonly Bytes[]>(keptEnvelopes);

  /** Keeps the keys of an envelope. */
  keep(envelopeDescriptor: Uint8Array, keys: readonly Bytes[]): void {
    this.#kept.set(toHex(envelopeDescriptor), keys);
  }

  /** The keys of an envelope (32 bytes each, secret), if they are kept. */
  of(envelopeDescriptor: Uint8Array): readonly Bytes[] | undefined {
    return this.#kept.get(toHex(envelopeDescriptor));
  }

  /** Forgets the keys of an envelope whose final reply was opened. */
  forget(envelopeDescriptor: Uint8Array): void {
    this.#kept.delete(toHex(envelopeDescriptor));
  }
}
