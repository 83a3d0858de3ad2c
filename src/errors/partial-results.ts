/** Errors of calls that failed after a part of their work, with that part. */
import type { EnvelopeDescriptor, EnvelopeHash, MessageBoxIndex } from "../bytes/opaque.js";
import type { Bytes } from "../bytes/bytes.js";
import { type ErrorDetails, ThinClientError } from "./errors.js";

/** One tombstone, ready for `startResendingEncryptedMessage`. */
export interface TombstoneEnvelope {
  /** The bytes for a courier, unchanged: `pigeonholeGeometry.courierQueryWriteLength` bytes. */
  readonly messageCiphertext: Bytes;
  /** The daemon opens the answer with it. It holds a private key: keep it secret. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** Identifies the envelope: 32 bytes. */
  readonly envelopeHash: EnvelopeHash;
  /** The box that it deletes. */
  readonly boxIndex: MessageBoxIndex;
}

/** Tombstones for consecutive boxes. */
export interface TombstoneRangeResult {
  /** One for each box, in the order of the boxes. */
  readonly envelopes: readonly TombstoneEnvelope[];
  /** The index after the last of them. */
  readonly next: MessageBoxIndex;
}

/**
 * `tombstoneRange` failed after it had made some of the tombstones; `cause` says why. When it is
 * printed or converted to JSON, it does not show `partial`, which holds secrets.
 */
export class TombstoneRangeError extends ThinClientError {
  override name = "TombstoneRangeError";
  readonly code = "ERR_TOMBSTONE_RANGE";
  readonly retryable: boolean;
  /**
   * The finished tombstones; continue at `next`. Not enumerable, because loggers print the fields
   * of an error, and an envelope's descriptor holds a private key.
   */
  declare readonly partial: TombstoneRangeResult;
  /** Why the next one could not be made; `errorCode` and `retryable` come from it. */
  override readonly cause: ThinClientError;

  constructor(cause: ThinClientError, partial: TombstoneRangeResult, details?: ErrorDetails) {
    const made = partial.envelopes.length;
    super(
      `tombstone range failed after ${made}: ${cause.message}`,
      { ...details, cause },
      cause.errorCode,
    );
    this.cause = cause;
    this.retryable = cause.retryable;
    Object.defineProperty(this, "partial", { value: partial });
  }
}

/** The progress of a failed copy. */
export interface CopyFailurePlace {
  /** `write`: boxes of the temporary stream were still being written; `copy`: being copied. */
  readonly phase: "write" | "copy";
  /** Index of the failed destination; null if unknown. */
  readonly destination: number | null;
  /**
   * Boxes that were written at each destination and stay written; null if unknown. At the failed
   * destination this is also the number, from 0, of the failed box.
   */
  readonly boxesCopied: readonly number[] | null;
}

/**
 * `copy` failed; `cause` says why. Copies are not atomic: the boxes counted in `boxesCopied` stay
 * written.
 */
export class CopyFailedError extends ThinClientError implements CopyFailurePlace {
  override name = "CopyFailedError";
  readonly code = "ERR_COPY_FAILED";
  readonly retryable: boolean;
  readonly phase: "write" | "copy";
  readonly destination: number | null;
  readonly boxesCopied: readonly number[] | null;
  /** What went wrong; `errorCode` and `retryable` come from it. */
  override readonly cause: ThinClientError;

  constructor(cause: ThinClientError, place: CopyFailurePlace, details?: ErrorDetails) {
    super(`${describePlace(place)}: ${cause.message}`, { ...details, cause }, cause.errorCode);
    this.cause = cause;
    this.retryable = cause.retryable;
    this.phase = place.phase;
    this.destination = place.destination;
    this.boxesCopied = place.boxesCopied;
  }
}

function describePlace({ phase, destination, boxesCopied }: CopyFailurePlace): string {
  if (phase === "write") return "copy failed before anything was copied";
  if (destination === null || boxesCopied === null) {
    return "copy failed; some boxes may have been written";
  }
  const stay = boxesCopied.reduce((sum, boxes) => sum + boxes, 0);
  return (
    `copy failed at box ${boxesCopied[destination]} of destination ${destination}, ` +
    `${stay} boxes before it stay written`
  );
}
