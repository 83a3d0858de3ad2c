/** Errors of calls that had done a part when they failed, and what that part is. */
import type { EnvelopeDescriptor, EnvelopeHash, MessageBoxIndex } from "../bytes/opaque.js";
import type { Bytes } from "../bytes/bytes.js";
import { type ErrorDetails, ThinClientError } from "./errors.js";

/** One tombstone, ready to be sent with `startResendingEncryptedMessage`. */
export interface TombstoneEnvelope {
  /** What goes to a courier, as it is: `pigeonholeGeometry.courierQueryWriteLength` bytes. */
  readonly messageCiphertext: Bytes;
  /** What the daemon opens the answer with. Holds a private key: keep it as a secret. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** Names the envelope: 32 bytes. */
  readonly envelopeHash: EnvelopeHash;
  /** The box it deletes. */
  readonly boxIndex: MessageBoxIndex;
}

/** Tombstones for boxes that follow each other. */
export interface TombstoneRangeResult {
  /** One for each box, in the order of the boxes. */
  readonly envelopes: readonly TombstoneEnvelope[];
  /** The box after the last of them. */
  readonly next: MessageBoxIndex;
}

/**
 * `tombstoneRange` failed after it had made some of the tombstones; `cause` says why. Printed or
 * turned into JSON it shows no `partial`, which holds secrets.
 */
export class TombstoneRangeError extends ThinClientError {
  readonly code = "ERR_TOMBSTONE_RANGE";
  readonly retryable: boolean;
  /**
   * The tombstones that were made; `next` is where to go on. Not enumerable: loggers print what
   * they find in an error, and an envelope's descriptor holds a private key.
   */
  declare readonly partial: TombstoneRangeResult;
  /** Why the next one could not be made; `errorCode` and `retryable` are this one's. */
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

/** How far a copy had come. */
export interface CopyFailurePlace {
  /** `write`: boxes of the temporary stream were still being written; `copy`: being copied. */
  readonly phase: "write" | "copy";
  /** Which of the destinations failed, from 0; null where that is not known. */
  readonly destination: number | null;
  /**
   * Boxes that were written at each destination and stay written; null where that is not known. At
   * the failing destination this is also the number, from 0, of the box that failed.
   */
  readonly boxesCopied: readonly number[] | null;
}

/**
 * `copy` failed; `cause` says why. Copying is not atomic: the boxes counted in `boxesCopied` stay
 * written.
 */
export class CopyFailedError extends ThinClientError implements CopyFailurePlace {
  readonly code = "ERR_COPY_FAILED";
  readonly retryable: boolean;
  readonly phase: "write" | "copy";
  readonly destination: number | null;
  readonly boxesCopied: readonly number[] | null;
  /** What went wrong; `errorCode` and `retryable` are this one's. */
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
    return "copy failed, some boxes may have been written";
  }
  const stay = boxesCopied.reduce((sum, boxes) => sum + boxes, 0);
  return (
    `copy failed at box ${boxesCopied[destination]} of destination ${destination}, ` +
    `${stay} boxes before it stay written`
  );
}
