/**
 * Capabilities without a daemon: making, deriving, sealing, verifying and opening the boxes of a
 * stream. BACAP (blinded and capability) as in spec/pigeonhole §1. Runs in Node and in
 * browsers; nothing here goes to the network.
 *
 * A stream has a {@link WriteCap} and a {@link ReadCap}. Each of its boxes has a
 * {@link MessageBoxIndex}, which leads to the next index but not back to earlier ones. To everybody
 * else the boxes of one stream look unrelated.
 *
 * @example
 * const { writeCap, readCap, firstMessageIndex } = generateKeypair();
 * const box = encryptBox(writeCap, firstMessageIndex, new TextEncoder().encode("hello"));
 * const opened = openBox(readCap, firstMessageIndex, box); // { kind: "message", plaintext }
 * const next = nextMessageBoxIndex(firstMessageIndex);
 */
export type { Bytes, PlainBytes, RandomSource } from "../bytes/bytes.js";
export { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
export { BACAPDecryptionFailedError } from "../errors/errors.js";
export {
  type Keypair,
  firstIndexOf,
  generateKeypair,
  keypairFromSeed,
  mutateCap,
  parseReadCap,
  parseWriteCap,
  readCapOf,
} from "./capabilities.js";
export {
  advanceMessageBoxIndex,
  messageBoxCounter,
  mutateMessageBoxIndex,
  nextMessageBoxIndex,
  parseMessageBoxIndex,
} from "./message-box-index.js";
export {
  BOX_ID_LENGTH,
  BOX_OVERHEAD,
  BOX_SIGNATURE_LENGTH,
  type Box,
  type OpenedBox,
  PIGEONHOLE_CONTEXT,
  boxIdFor,
  decryptBox,
  encryptBox,
  openBox,
  signBox,
  signTombstone,
  verifyBox,
} from "./box.js";
