/** What every Pigeonhole request of a daemon works with. */
import type { RandomSource } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import type { PigeonholeSizes } from "../crypto/geometry.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import type { Documents, KnownDocument } from "./documents.js";

/** Shared by the Pigeonhole parts of a daemon. */
export interface PigeonholeContext {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly documents: Documents;
  readonly sizes: PigeonholeSizes;
  readonly scheme: NikeScheme;
  /** CTIDH1024-X25519, which all vouchers use whatever the network's scheme is. */
  readonly voucherScheme: NikeScheme;
  /** Length of an epoch in milliseconds, for the replica epoch of a document. */
  readonly epochPeriodMs: number;
}

/** A request that must be answered with a code instead of a result. */
export class RequestFailure extends Error {
  override readonly name = "RequestFailure";
  readonly errorCode: number;
  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

/** The current document. @throws RequestFailure with code 4 when there is none. */
export function requireDocument(context: PigeonholeContext): KnownDocument {
  const document = context.documents.current();
  if (document) return document;
  throw new RequestFailure(4, "no PKI document");
}
