/** What every Pigeonhole request of a daemon needs. */
import type { RandomSource } from "../bytes/bytes.js";
import type { Breather } from "../clock/breather.js";
import type { Clock } from "../clock/clock.js";
import type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import { THIN_CLIENT_ERROR_INTERNAL_ERROR } from "../errors/codes.js";
import { ThinClientError } from "../errors/errors.js";
import type { Documents, KnownDocument } from "./documents.js";
import type { ReplyKeys } from "./reply-keys.js";

/** Shared by the Pigeonhole parts of a daemon. */
export interface PigeonholeContext {
  readonly clock: Clock;
  /** Pauses long work of the whole daemon. */
  readonly breather: Breather;
  readonly random: RandomSource;
  readonly documents: Documents;
  readonly sizes: PigeonholeSizes;
  readonly scheme: NikeScheme;
  /** The keys of replies to envelopes that this daemon sealed. */
  readonly replyKeys: ReplyKeys;
  /** CTIDH1024-X25519, which all vouchers use, whatever the network's scheme is. */
  readonly voucherScheme: NikeScheme;
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
