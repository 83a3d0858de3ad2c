/** What a courier remembers over its own end. */
import type { MaybePromise } from "../../crypto/nike/scheme.js";

/**
 * What a record is about, and what its body holds:
 * - `envelope`: taken, no replica's answer yet; the serialized CourierEnvelope.
 * - `copy`: a copy command not finished; the write capability.
 * - `clear`: a copy command that succeeded and whose temporary boxes are not all deleted; the write
 *   capability, then the number of boxes (4 bytes, big-endian).
 * - `result`: a copy command's final answer; the serialized CopyCommandReply.
 */
export type CourierRecordKind = "envelope" | "copy" | "clear" | "result";

/** A record of a courier. Bodies of copy commands are secret. */
export interface CourierRecord {
  /** What it is about, and what `body` holds. */
  readonly kind: CourierRecordKind;
  /** Name of the envelope or copy command, 32 bytes. */
  readonly key: Uint8Array;
  /** Envelope, capability or answer, as {@link CourierRecordKind} says. */
  readonly body: Uint8Array;
}

/** Keeps a courier's records. */
export interface EnvelopeLog {
  /** Keeps a record, in place of another of the same key. Done means: it stays. */
  append(record: CourierRecord): MaybePromise<void>;
  /**
   * Forgets the record of a key. May take effect late: what is still there at the next start is
   * only done once more, which does no harm.
   */
  remove(key: Uint8Array): void;
  /** Everything that is kept, oldest first. */
  entries(): Iterable<CourierRecord> | AsyncIterable<CourierRecord>;
  /** Ends its work; what was asked before is finished first. Idempotent. */
  close(): MaybePromise<void>;
}
