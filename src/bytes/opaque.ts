/**
 * Opaque byte types: plain `Uint8Array`s at run time, but separate types for the compiler, so that
 * a WriteCap cannot be passed in place of a ReadCap. Sizes: spec/thin-protocol, "Fixed sizes".
 */
import {
  type Bytes,
  type Opaque,
  type PlainBytes,
  checkBytes,
  copyBytes,
  fromBase64,
  fromHex,
  isBytes,
  randomName,
  toBase64,
  toHex,
} from "./bytes.js";

export type { Opaque } from "./bytes.js";

/** The functions of each opaque type: checked construction and text forms. */
export interface OpaqueCompanion<T extends Bytes> {
  /** Size in bytes; null if it varies. */
  readonly length: number | null;
  /** A copy of `bytes` as this type. Throws TypeError or RangeError for wrong input. */
  from(bytes: T | PlainBytes): T;
  /** The same from hex. Throws as {@link from}. */
  fromHex(text: string): T;
  /** The same from base64. Throws as {@link from}. */
  fromBase64(text: string): T;
  /** Lower-case hex. For a capability this is a secret. */
  toHex(value: T): string;
  /** Base64. For a capability this is a secret. */
  toBase64(value: T): string;
}

const WRITE_CAP_LENGTH = 168;
const READ_CAP_LENGTH = 136;

/** @throws TypeError, RangeError when `value` is not a WriteCap of 168 bytes. */
export function checkWriteCap(name: string, value: unknown): asserts value is WriteCap {
  if (isBytes(value) && value.length === READ_CAP_LENGTH) {
    throw new RangeError(
      `\`${name}\` must be a WriteCap of ${WRITE_CAP_LENGTH} bytes, got ${READ_CAP_LENGTH}, ` +
        "the length of a ReadCap, which does not give the right to write",
    );
  }
  checkBytes(name, value, WRITE_CAP_LENGTH);
}

/** @throws TypeError, RangeError when `value` is not a ReadCap of 136 bytes. */
export function checkReadCap(name: string, value: unknown): asserts value is ReadCap {
  if (isBytes(value) && value.length === WRITE_CAP_LENGTH) {
    throw new RangeError(
      `\`${name}\` must be a ReadCap of ${READ_CAP_LENGTH} bytes, got ${WRITE_CAP_LENGTH}, ` +
        "the length of a WriteCap, which gives the right to write",
    );
  }
  checkBytes(name, value, READ_CAP_LENGTH);
}

function companion<T extends Bytes>(
  name: string,
  length: number | null,
  check: (name: string, value: unknown, length?: number) => void = checkBytes,
): OpaqueCompanion<T> {
  const from = (bytes: Uint8Array): T => {
    check(name, bytes, length ?? undefined);
    return copyBytes(bytes) as T;
  };
  return {
    length,
    from,
    fromHex: (text) => from(fromHex(text)),
    fromBase64: (text) => from(fromBase64(text)),
    toHex,
    toBase64,
  };
}

/** Right to write a stream of boxes: 168 bytes (root private key 64, then a MessageBoxIndex). */
export type WriteCap = Opaque<"WriteCap">;
/** Checked construction and text forms of {@link WriteCap}. */
export const WriteCap: OpaqueCompanion<WriteCap> = companion(
  "writeCap",
  WRITE_CAP_LENGTH,
  checkWriteCap,
);

/** Right to read a stream of boxes: 136 bytes (root public key 32, then a MessageBoxIndex). */
export type ReadCap = Opaque<"ReadCap">;
/** Checked construction and text forms of {@link ReadCap}. */
export const ReadCap: OpaqueCompanion<ReadCap> = companion(
  "readCap",
  READ_CAP_LENGTH,
  checkReadCap,
);

/**
 * Index of a box in a stream: 104 bytes (counter 8, blinding 32, encryption 32, ratchet state 32).
 */
export type MessageBoxIndex = Opaque<"MessageBoxIndex">;
/** Checked construction and text forms of {@link MessageBoxIndex}. */
export const MessageBoxIndex: OpaqueCompanion<MessageBoxIndex> = companion("messageBoxIndex", 104);

/** The daemon opens an envelope's reply with it; its contents are opaque. */
export type EnvelopeDescriptor = Opaque<"EnvelopeDescriptor">;
/** Checked construction and text forms of {@link EnvelopeDescriptor}. */
export const EnvelopeDescriptor: OpaqueCompanion<EnvelopeDescriptor> = companion(
  "envelopeDescriptor",
  null,
);

/** Hash of an envelope: 32 bytes, BLAKE2b-256 of its sender key and ciphertext. */
export type EnvelopeHash = Opaque<"EnvelopeHash">;
/** Checked construction and text forms of {@link EnvelopeHash}. */
export const EnvelopeHash: OpaqueCompanion<EnvelopeHash> = companion("envelopeHash", 32);

/** Hash of a copy command: 32 bytes, BLAKE2b-256 of the temporary stream's WriteCap. */
export type WriteCapHash = Opaque<"WriteCapHash">;
/** Checked construction and text forms of {@link WriteCapHash}. */
export const WriteCapHash: OpaqueCompanion<WriteCapHash> = companion("writeCapHash", 32);

/** Hash of a node: 32 bytes, BLAKE2b-256 of its identity public key. */
export type IdentityHash = Opaque<"IdentityHash">;
/** Checked construction and text forms of {@link IdentityHash}. */
export const IdentityHash: OpaqueCompanion<IdentityHash> = companion("identityHash", 32);

/** ID of a single-use reply block: 16 random bytes. */
export type SurbId = Opaque<"SurbId">;
/** Checked construction and text forms of {@link SurbId}. */
export const SurbId: OpaqueCompanion<SurbId> & {
  /** 16 fresh random bytes; a reply block is used once, and so is its ID. */
  random(): SurbId;
} = {
  ...companion<SurbId>("surbId", 16),
  random: () => randomName(16) as SurbId,
};

/** ID of a message: 16 random bytes. */
export type MessageId = Opaque<"MessageId">;
/** Checked construction and text forms of {@link MessageId}. */
export const MessageId: OpaqueCompanion<MessageId> & {
  /** 16 fresh random bytes. This client's own messages have none: their SURB ID identifies them. */
  random(): MessageId;
} = {
  ...companion<MessageId>("messageId", 16),
  random: () => randomName(16) as MessageId,
};

/** ID of a request on one connection: 16 random bytes. */
export type QueryId = Opaque<"QueryId">;
/** Checked construction and text forms of {@link QueryId}. */
export const QueryId: OpaqueCompanion<QueryId> & {
  /** 16 fresh random bytes; a request that is repeated after a reconnect gets a new one. */
  random(): QueryId;
} = {
  ...companion<QueryId>("queryId", 16),
  random: () => randomName(16) as QueryId,
};

/** Length of a {@link SurbId} in bytes. */
export const SURB_ID_SIZE = 16;
/** Length of a {@link MessageId} in bytes. */
export const MESSAGE_ID_SIZE = 16;
