/** What every Pigeonhole request of a daemon needs. */
import type { RandomSource } from "../bytes/bytes.js";
import type { RecentlyUsed } from "../bytes/recently-used.js";
import type { Breather } from "../clock/breather.js";
import type { Clock } from "../clock/clock.js";
import type { ClientEnvelope } from "../crypto/envelope/client-envelope.js";
import type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import { THIN_CLIENT_ERROR_INTERNAL_ERROR } from "../errors/codes.js";
import { ThinClientError } from "../errors/errors.js";
import type { Documents, KnownDocument } from "./documents.js";

/** How many sealed envelopes a daemon remembers. */
export const KEPT_SEALED_ENVELOPES = 1024;

/** What a daemon remembers of an envelope that it sealed. */
export type SealedEnvelope = Pick<ClientEnvelope, "envelopeDescriptor" | "replyKeys">;

/** Shared by the Pigeonhole parts of a daemon. */
export interface PigeonholeContext {
  readonly clock: Clock;
  /** Pauses long work of the whole daemon. */
  readonly breather: Breather;
  readonly random: RandomSource;
  readonly documents: Documents;
  readonly sizes: PigeonholeSizes;
  readonly scheme: NikeScheme;
  /** CTIDH1024-X25519, which all vouchers use, whatever the network's scheme is. */
  readonly voucherScheme: NikeScheme;
  /**
   * The envelopes that the daemon sealed last, by hash in hex. Their reply keys need not be computed
   * again, which takes seconds with CTIDH.
   */
  readonly sealed: RecentlyUsed<string, SealedEnvelope>;
  /** Length of an epoch in milliseconds, for the replica epoch of a document. */
  readonly epochPeriodMs: number;
  /** Called for unexpected errors: the request is answered with code 4, which says too little. */
  readonly onFault: (error: Error) => void;
}

/** A request that must be answered with an error code. */
export class RequestFailure extends Error {
  override readonly name = "RequestFailure";
  readonly errorCode: number;
  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

/**
 * Whether an error means that input from outside is invalid, as our checks and the protocol's
 * report it. Any other error, such as a primitive missing in the runtime, is a fault of this
 * daemon.
 */
export function isForeseen(error: unknown): error is Error {
  return (
    error instanceof RequestFailure ||
    error instanceof RangeError ||
    error instanceof ThinClientError
  );
}

/** Converts a thrown value to an error for `onFault`. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The current document. @throws RequestFailure with code 4 when there is none. */
export function requireDocument(context: PigeonholeContext): KnownDocument {
  const document = context.documents.current();
  if (document) return document;
  throw new RequestFailure(THIN_CLIENT_ERROR_INTERNAL_ERROR, "no PKI document");
}
