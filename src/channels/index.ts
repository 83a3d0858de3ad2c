/**
 * Durable channels: messages that survive crashes, restarts and lost replies, in order, exactly
 * once.
 *
 * @example
 * await using channels = await openChannels(client, "chat-data");
 * const writer = await channels.create("to Bob");
 * await writer.send("hello Bob");
 * // On Bob's side, with the result of writer.invitation():
 * const reader = await channels.import("from Alice", invitation);
 * for await (const message of reader) console.log(utf8ToText(message.bytes));
 * @module
 */
export {
  type Batch,
  type ChannelInfo,
  type ChannelOptions,
  type ChannelStatistics,
  type Channels,
  type WriterOptions,
  openChannels,
} from "./channels.js";
export type {
  BoxWrittenDiagnostic,
  ChannelClient,
  ChannelDiagnostic,
  DiagnosticsHook,
  ForkedDiagnostic,
  GapDiagnostic,
  PolledDiagnostic,
  ReadFailedDiagnostic,
  WriteFailedDiagnostic,
} from "./channel-client.js";
export type { Delivery, DeliveryState } from "./delivery.js";
export type { Invitation, Writer } from "./writer.js";
export type { MessageKind } from "./message-assembly.js";
export type { Message, MessagesOptions, Reader } from "./reader.js";
export type { Contact, ContactInfo, ContactOptions, Contacts } from "./contacts.js";
export type { Group, GroupInfo, GroupOptions, Groups, Induction } from "./groups.js";
export type { GroupMember, GroupMessage } from "./message-order.js";
export type { VoucherRole, VoucherState } from "./voucher-exchange.js";
export {
  KATZENQT_BOX_CONTENT,
  KATZENQT_MAX_DISPLAY_NAME,
  KATZENQT_MAX_FILE,
  type KatzenqtCause,
  type KatzenqtFile,
  type KatzenqtFileMessage,
  type KatzenqtIntroductionMessage,
  type KatzenqtMember,
  type KatzenqtMessage,
  type KatzenqtTally,
  type KatzenqtTallyMessage,
  type KatzenqtTextMessage,
  type KatzenqtType,
  decodeKatzenqtMembers,
  decodeKatzenqtMessage,
  encodeKatzenqtMembers,
  encodeKatzenqtMessage,
  katzenqtTypes,
} from "./katzenqt.js";
export type { ChannelFormat } from "./framing.js";
export type { ChannelDatabase } from "./store.js";
export {
  ChannelExistsError,
  ChannelForkedError,
  ChannelNotFoundError,
  ChannelStoreError,
} from "../errors/channel-errors.js";

// What a database of your own has to offer.
export type {
  LevelDatabase,
  LevelDelete,
  LevelEncodings,
  LevelKeyEncoding,
  LevelMark,
  LevelOperation,
  LevelPut,
  LevelRange,
} from "../platform/level-contract.js";
