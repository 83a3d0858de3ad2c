/** How long a daemon may work on a local request before it answers. spec/thin-protocol §4. */
import type { RequestKind } from "../wire/requests.js";

/** What needs neither keys nor documents is answered at once; but the machine may be busy. */
const AT_ONCE_MS = 60_000;
/**
 * A daemon without a PKI document tries five times, up to 30 s each, to get one, and the key
 * exchange of one envelope takes a slow machine ten seconds and more.
 */
const ONE_ENVELOPE_MS = 5 * 60_000;

const longest: { readonly [K in RequestKind]?: number } = {
  encryptRead: ONE_ENVELOPE_MS,
  encryptWrite: ONE_ENVELOPE_MS,
  getPkiDocument: ONE_ENVELOPE_MS,
  voucherMint: ONE_ENVELOPE_MS,
  voucherInduct: ONE_ENVELOPE_MS,
  voucherOpen: ONE_ENVELOPE_MS,
  voucherDeriveStream: ONE_ENVELOPE_MS,
  // Hundreds of envelopes, seconds for each.
  createCourierEnvelopesFromPayload: Infinity,
  createCourierEnvelopesFromMultiPayload: Infinity,
  createCourierEnvelopesFromTombstoneRange: Infinity,
};

/**
 * The longest that a daemon which is well may take over a local request, in milliseconds: it
 * answers those of a client one after the other. Infinity where its size decides.
 */
export function longestWorkMs(kind: RequestKind): number {
  return longest[kind] ?? AT_ONCE_MS;
}
