/** What Pigeonhole calls take and give. spec/thin-protocol §4.3 to §4.9. */
import type { Bytes, PlainBytes } from "../bytes/bytes.js";
import type {
  EnvelopeDescriptor,
  EnvelopeHash,
  IdentityHash,
  MessageBoxIndex,
  ReadCap,
  WriteCap,
} from "../bytes/opaque.js";
import type { Destination } from "../pki/services.js";
import type { CallOptions } from "./call-options.js";

export type { TombstoneEnvelope, TombstoneRangeResult } from "../errors/partial-results.js";

/** A new stream of boxes. */
export interface KeypairResult {
  /** The right to write it: 168 bytes. Whoever has it can also read. */
  readonly writeCap: WriteCap;
  /** The right to read it: 136 bytes. To be given to readers. */
  readonly readCap: ReadCap;
  /** Its first box: 104 bytes. */
  readonly firstMessageIndex: MessageBoxIndex;
}

/** An envelope as the daemon made it: what goes to a courier, and what opens the answer. */
export interface SealedEnvelope {
  /** What is sent, as it is. */
  readonly messageCiphertext: Bytes;
  /** What the daemon opens the answer with. Holds a private key: keep it as a secret. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** Names the envelope: 32 bytes. */
  readonly envelopeHash: EnvelopeHash;
  /** The box after this one. */
  readonly nextMessageBoxIndex: MessageBoxIndex;
}

/** An envelope that reads a box; goes to `startResendingEncryptedMessage` as it is. */
export interface EncryptReadResult extends SealedEnvelope {
  /** Tells it from an {@link EncryptWriteResult}. */
  readonly kind: "read";
  /** A copy of the capability it was made with: 136 bytes. */
  readonly readCap: ReadCap;
  /** The box that it reads: 104 bytes. */
  readonly messageBoxIndex: MessageBoxIndex;
}

/** An envelope that writes a box; goes to `startResendingEncryptedMessage` as it is. */
export interface EncryptWriteResult extends SealedEnvelope {
  /** Tells it from an {@link EncryptReadResult}. */
  readonly kind: "write";
  /** A copy of the capability it was made with: 168 bytes. */
  readonly writeCap: WriteCap;
  /** The box that it writes: 104 bytes. */
  readonly messageBoxIndex: MessageBoxIndex;
}

interface ResendRequest {
  /** At least 1 byte; as the encrypt call gave it, for nothing else opens the answer. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** At least 1 byte. */
  readonly messageCiphertext: PlainBytes;
  /**
   * 32 bytes: the operation's name for cancels; daemons do not compare it with the ciphertext
   * (spec/thin-protocol §4.4).
   */
  readonly envelopeHash: EnvelopeHash;
  /** 0 to 255; daemons accept it and take no notice. */
  readonly replyIndex?: number | null | undefined;
  /** May be there because an encrypt result has it; not looked at. */
  readonly nextMessageBoxIndex?: MessageBoxIndex | undefined;
  /** May be there because a tombstone of a range has it; not looked at. */
  readonly boxIndex?: MessageBoxIndex | undefined;
}

/** An envelope to send until the box was read. */
export interface ReadRequest extends ResendRequest {
  /** May be left out: `readCap` tells. A `kind` that does not fit is a TypeError. */
  readonly kind?: "read" | undefined;
  /** 136 bytes; makes the request a read, and the daemon opens the box with it. */
  readonly readCap: ReadCap;
  /** 104 bytes: the index that was encrypted. Another one ends in BACAPDecryptionFailedError. */
  readonly messageBoxIndex: MessageBoxIndex;
  /** Whether an empty box is an error (`BoxIDNotFoundError`) instead of being asked for again. */
  readonly noRetryOnBoxIdNotFound?: boolean | undefined;
  /** Not in a read: with both capabilities the request is a TypeError. */
  readonly writeCap?: never;
  /** For writes; `true` in a read is a TypeError. */
  readonly noIdempotentBoxAlreadyExists?: never;
}

/** An envelope to send until the box was written. */
export interface WriteRequest extends ResendRequest {
  /** May be left out: `writeCap` tells. A `kind` that does not fit is a TypeError. */
  readonly kind?: "write" | undefined;
  /**
   * 168 bytes; only makes the request a write, for the envelope is signed already (
   * spec/thin-protocol §4.4).
   */
  readonly writeCap: WriteCap;
  /** 104 bytes; daemons take no notice of it in a write. */
  readonly messageBoxIndex?: MessageBoxIndex | undefined;
  /**
   * Whether to wait for the replicas' verdict, and a box that holds something else is an error
   * (`BoxAlreadyExistsError`). Without it a courier's receipt is success.
   */
  readonly noIdempotentBoxAlreadyExists?: boolean | undefined;
  /** Not in a write: with both capabilities the request is a TypeError. */
  readonly readCap?: never;
  /** For reads; `true` in a write is a TypeError. */
  readonly noRetryOnBoxIdNotFound?: never;
}

/** What came of sending an envelope. */
export interface StartResendingResult {
  /** What the box holds; no bytes for a write. */
  readonly plaintext: Bytes;
  /** The node whose courier brought the answer: 32 bytes; null when the daemon does not say. */
  readonly courierIdentityHash: IdentityHash | null;
  /** The courier's endpoint on that node; null when the daemon does not say. */
  readonly courierQueueId: Bytes | null;
}

/** Options of `startResendingCopyCommand`. */
export interface CopyCommandOptions extends CallOptions {
  /**
   * The courier to use; one at random by default, which is what keeps the copy and the writes
   * before it from being tied together by whoever runs couriers.
   */
  readonly courier?: Destination | undefined;
}

/** What `createCourierEnvelopesFromPayload` takes. */
export interface PayloadEnvelopesRequest {
  /** At most 10 MiB. Must not be changed before the call settles. */
  readonly payload: PlainBytes;
  /** The right to write the destination's stream: 168 bytes. */
  readonly destWriteCap: WriteCap;
  /**
   * The first box to write: 104 bytes; for a later call of the stream, the `nextDestIndex` before.
   */
  readonly destStartIndex: MessageBoxIndex;
  /** Whether this call begins the stream. */
  readonly isStart: boolean;
  /** Whether it ends it. An empty payload makes no element, so it cannot end a stream. */
  readonly isLast: boolean;
}

/** One destination of `createCourierEnvelopesFromMultiPayload`. */
export interface DestinationPayload {
  /** At most 10 MiB, and 30 MiB in all of a call. Must not be changed before the call settles. */
  readonly payload: PlainBytes;
  /** The right to write the destination's stream: 168 bytes. */
  readonly writeCap: WriteCap;
  /**
   * The first box to write: 104 bytes; for a later call, its place in the `nextDestIndices` before.
   */
  readonly startIndex: MessageBoxIndex;
}

/** What `createCourierEnvelopesFromMultiPayload` takes. */
export interface MultiPayloadEnvelopesRequest {
  /** At least one. */
  readonly destinations: readonly DestinationPayload[];
  /** Whether this call begins the stream: its first element is marked so. */
  readonly isStart: boolean;
  /**
   * Whether it ends the stream: the rest goes into a last element, marked so, and `buffer` is
   * empty. Without payload and buffer there is no element that could be.
   */
  readonly isLast: boolean;
  /** The `buffer` of the call before for the same stream; none for the first call. */
  readonly buffer?: PlainBytes | null | undefined;
}

/** What `createCourierEnvelopesFromTombstoneRange` takes. */
export interface TombstoneEnvelopesRequest {
  /** The right to write, and so to delete from, the destination's stream: 168 bytes. */
  readonly destWriteCap: WriteCap;
  /** The first box to delete: 104 bytes; for a later call, the `nextDestIndex` before. */
  readonly destStartIndex: MessageBoxIndex;
  /** How many boxes to delete: 0 to 2^32 - 1. */
  readonly maxCount: number;
  /** Whether this call begins the stream: its first element is marked so. */
  readonly isStart: boolean;
  /**
   * Whether it ends the stream. With `maxCount` 0 daemons of v0.0.99 lose the `buffer`, so no
   * element can be the last: ProtocolError (spec/thin-protocol §10, defect 20).
   */
  readonly isLast: boolean;
  /** The `buffer` of the call before for the same stream; none for the first call. */
  readonly buffer?: PlainBytes | null | undefined;
}

interface StreamElements {
  /** Elements of a copy stream, each the plaintext of one box of the temporary stream. */
  readonly envelopes: Bytes[];
  /** What the next call for the same stream needs; no bytes after the last. */
  readonly buffer: Bytes;
}

/** Elements made for one destination. */
export interface SingleDestEnvelopes extends StreamElements {
  /** The destination's box after the last one written. */
  readonly nextDestIndex: MessageBoxIndex;
  /** Null: there is one destination, see `nextDestIndex`. */
  readonly nextDestIndices: null;
}

/** Elements made for several destinations. */
export interface MultiDestEnvelopes extends StreamElements {
  /** Null: there may be several destinations, see `nextDestIndices`. */
  readonly nextDestIndex: null;
  /** Each destination's box after the last one written, in the order of the request. */
  readonly nextDestIndices: MessageBoxIndex[];
}

/** What the three builders give. */
export type CreateEnvelopesResult = SingleDestEnvelopes | MultiDestEnvelopes;
