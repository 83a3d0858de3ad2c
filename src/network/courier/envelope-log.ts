/** What a courier remembers across restarts. */
import type { MaybePromise } from "../../crypto/nike/scheme.js";

/**
 * The subject of a record, and the content of its body:
 * - `envelope`: an envelope without a replica's answer; the serialized CourierEnvelope.
 * - `copy`: an unfinished copy command; the write capability.
 * - `clear`: a copy command that succeeded but whose temporary boxes are not all deleted; the write
 *   capability, then the number of boxes (4 bytes, big-endian).
 * - `result`: the final answer to a copy command; the serialized CopyCommandReply.
 */
export type CourierRecordKind = "envelope" | "copy" | "clear" | "result";

/** A record of a courier. The bodies of copy commands are secret. */
export interface CourierRecord {
  /** What it is about, and what `body` holds. */
  readonly kind: CourierRecordKind;
  /** Hash of the envelope or copy command, 32 bytes. */
  readonly key: Uint8Array;
  /** Envelope, capability or answer: see {@link CourierRecordKind}. */
  readonly body: Uint8Array;
}

/** Stores a courier's records. */
export interface EnvelopeLog {
  /** Stores a record, replacing one with the same key. When it is done, the record is durable. */
  append(record: CourierRecord): MaybePromise<void>;
  /**
   * Removes the record with that key. This may take effect late: a record that is still there at
   * the next start only causes harmless repeated work.
   */
  remove(key: Uint8Array): void;
  /** All records, oldest first. */
  entries(): Iterable<CourierRecord> | AsyncIterable<CourierRecord>;
  /** Finishes pending work and closes. Idempotent. */
  close(): MaybePromise<void>;
}
