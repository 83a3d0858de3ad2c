/**
 * The contents of katzenqt's channels, byte for byte: the messages of a conversation, the list of
 * members that answers a voucher, and the boxes of a channel. With these and `format: "katzenqt"`,
 * its users and ours can share a conversation.
 *
 * A message is one CBOR map: definite lengths, text keys in a fixed order, absent fields left out.
 * The decoder accepts any order and ignores unknown keys.
 */
import {
  type Bytes,
  type PlainBytes,
  checkBytes,
  concatBytes,
  copyBytes,
  describeType,
  isBytes,
} from "../bytes/bytes.js";
import { ReadCap } from "../bytes/opaque.js";
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { ProtocolError } from "../errors/errors.js";
import { KATZENQT_BOX_LENGTH, framingLength } from "./framing.js";

/** The types of a conversation's messages, with their numbers. */
export const katzenqtTypes = {
  /** What people write. */
  text: 0,
  /** A new member: its name and ReadCap. */
  introduction: 1,
  /** A complete file. */
  file: 2,
  /** A question for the members. */
  who: 3,
  /** The answer to `who`. */
  replyWho: 4,
  /** A new poll, with its state. */
  tallyCreate: 5,
  /** Answers to a poll. */
  tallyVote: 6,
  /** The end of a poll. */
  tallyClose: 7,
  /** A request for changes in a poll. */
  syncRequest: 8,
  /** The answer to `syncRequest`. */
  syncResponse: 9,
} as const;

/** Name of a message's type. */
export type KatzenqtType = keyof typeof katzenqtTypes;

/**
 * The most bytes of a message that katzenqt puts into one box, 1,529; it also reads longer ones.
 */
export const KATZENQT_BOX_CONTENT: number = KATZENQT_BOX_LENGTH - framingLength("katzenqt");
/** The longest file that katzenqt accepts, in bytes: 200 MiB. */
export const KATZENQT_MAX_FILE = 200 * 1024 * 1024;
/** The longest name of a member, in characters. */
export const KATZENQT_MAX_DISPLAY_NAME = 30;
/** The most causes that are read of one message. One for each member is enough. */
const MOST_CAUSES = 1000;
/** Longest name of a received file that is passed to the application, in characters. */
const MAX_FILE_NAME = 200;

/** A constant, `t` 32 times, in the place of a future digest of the members. Nobody checks it. */
const membershipHash = new Uint8Array(32).fill(0x74);

/** A member: its name and the capability that reads its channel. */
export interface KatzenqtMember {
  /** 1 to 30 characters. Chosen by the member: show it with care. */
  readonly displayName: string;
  /** 136 bytes. */
  readonly readCap: ReadCap;
}

/** A file in a message. */
export interface KatzenqtFile {
  /** The file's content, at most 200 MiB. */
  readonly payload: Bytes;
  /** The kind of file, in the sender's words. */
  readonly filetype: string;
  /**
   * Its name: no slashes, colons, control or invisible characters, no leading dots, at most 200
   * characters. Chosen by the sender.
   */
  readonly basename: string;
}

/** A poll, as in katzenqt's tallies. */
export interface KatzenqtTally {
  /** Identifies the poll: 16 bytes, chosen by its maker. */
  readonly surveyId: Bytes;
  /** Increases with each vote of a member; the highest one counts. */
  readonly version: number;
  /** Answers by slot. */
  readonly choice?: ReadonlyMap<string, CborValue> | undefined;
  /** A Yjs update; in a `syncRequest`, a state vector. */
  readonly crdt?: Bytes | undefined;
}

/** An earlier message: the display name of its sender's channel, and its id there. */
export interface KatzenqtCause {
  /** The display name of the member who sent it. */
  readonly name: string;
  /** Its number in that member's channel: `Message.id`. */
  readonly id: bigint;
}

/** The fields that every message of a conversation may have. */
interface KatzenqtMessageBase {
  /** The last message of each channel that the sender had seen; katzenqt ignores them. */
  readonly after?: readonly KatzenqtCause[] | undefined;
}

/** A text: written by a person, or a question for the members or its answer. */
export interface KatzenqtTextMessage extends KatzenqtMessageBase {
  /** `text` is what people write. */
  readonly type: "text" | "who" | "replyWho";
  /** UTF-8 on the wire, of any length. */
  readonly text: string;
}

/** Announces a member. */
export interface KatzenqtIntroductionMessage extends KatzenqtMessageBase {
  /** Always `introduction`. */
  readonly type: "introduction";
  /** The member, with the capability that reads its channel. */
  readonly member: KatzenqtMember;
}

/** Carries a file. */
export interface KatzenqtFileMessage extends KatzenqtMessageBase {
  /** Always `file`. */
  readonly type: "file";
  /** Its content, kind and name. */
  readonly file: KatzenqtFile;
}

/** A step of a poll. */
export interface KatzenqtTallyMessage extends KatzenqtMessageBase {
  /** The step. */
  readonly type: "tallyCreate" | "tallyVote" | "tallyClose" | "syncRequest" | "syncResponse";
  /** The poll, and what changes in it. */
  readonly tally: KatzenqtTally;
}

/** A message of a conversation. */
export type KatzenqtMessage =
  | KatzenqtTextMessage
  | KatzenqtIntroductionMessage
  | KatzenqtFileMessage
  | KatzenqtTallyMessage;

/**
 * Encodes a message.
 * @throws TypeError, RangeError for fields of a wrong type or length.
 */
export function encodeKatzenqtMessage(message: KatzenqtMessage): Bytes {
  if (
    typeof message !== "object" ||
    message === null ||
    !Object.hasOwn(katzenqtTypes, message.type)
  ) {
    throw new TypeError("`message` must be a message with a known `type`");
  }
  const fields: [string, Bytes][] = [
    ["version", encodeCbor(0)],
    ["membership_hash", encodeCbor(membershipHash)],
    ["msg_type", encodeCbor(katzenqtTypes[message.type])],
  ];
  switch (message.type) {
    case "text":
      fields.push(["text", encodeText("message.text", message.text)]);
      break;
    case "introduction":
      fields.push(["introduction", encodeMember("message.member", message.member)]);
      break;
    case "file":
      fields.push(["file_upload", encodeFile(message.file)]);
      break;
    case "who":
      fields.push(["who", encodeText("message.text", message.text)]);
      break;
    case "replyWho":
      fields.push(["reply_who", encodeText("message.text", message.text)]);
      break;
    default:
      fields.push(["tally", encodeTally(message.tally)]);
  }
  if (message.after && message.after.length > 0) {
    fields.push(["after", encodeCbor(message.after.map(({ name, id }) => [name, id]))]);
  }
  return orderedMap(fields);
}

function orderedMap(fields: readonly (readonly [string, Bytes])[]): Bytes {
  // At most 23 fields, so one byte holds the count.
  const head = Uint8Array.of(0xa0 + fields.length);
  return concatBytes(head, ...fields.flatMap(([key, value]) => [encodeCbor(key), value]));
}

function encodeText(name: string, text: unknown): Bytes {
  if (typeof text === "string") return encodeCbor(text);
  throw new TypeError(`\`${name}\` must be a string, got ${describeType(text)}`);
}

function encodeMember(name: string, member: KatzenqtMember): Bytes {
  checkDisplayName(`${name}.displayName`, member?.displayName);
  return orderedMap([
    ["display_name", encodeCbor(member.displayName)],
    ["read_cap", encodeCbor(ReadCap.from(member.readCap))],
  ]);
}

/** @throws TypeError, RangeError unless `value` is a text of 1 to 30 characters. */
export function checkDisplayName(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") {
    throw new TypeError(`\`${name}\` must be a string, got ${describeType(value)}`);
  }
  const length = Array.from(value).length;
  if (length >= 1 && length <= KATZENQT_MAX_DISPLAY_NAME) return;
  throw new RangeError(
    `\`${name}\` must be 1 to ${KATZENQT_MAX_DISPLAY_NAME} characters, got ${length}`,
  );
}

function encodeFile(file: KatzenqtFile): Bytes {
  checkBytes("message.file.payload", file?.payload);
  if (file.payload.length > KATZENQT_MAX_FILE) {
    throw new RangeError(
      `\`message.file.payload\` must be at most ${KATZENQT_MAX_FILE} bytes, got ${file.payload.length}`,
    );
  }
  return orderedMap([
    ["payload", encodeCbor(file.payload)],
    ["filetype", encodeText("message.file.filetype", file.filetype)],
    ["basename", encodeText("message.file.basename", file.basename)],
  ]);
}

function encodeTally(tally: KatzenqtTally): Bytes {
  checkBytes("message.tally.surveyId", tally?.surveyId);
  const fields: [string, Bytes][] = [
    ["survey_id", encodeCbor(tally.surveyId)],
    ["version", encodeCbor(tally.version)],
  ];
  if (tally.choice) fields.push(["choice", encodeCbor(tally.choice)]);
  if (tally.crdt) fields.push(["crdt", encodeCbor(tally.crdt)]);
  return orderedMap(fields);
}

/**
 * Reads a message.
 * @throws ProtocolError when it is not one. Its fields come from a stranger.
 */
export function decodeKatzenqtMessage(bytes: PlainBytes): KatzenqtMessage {
  const map = mapOf("message", decode(bytes));
  const number = map.get("msg_type") ?? katzenqtTypes.text;
  const type = (Object.keys(katzenqtTypes) as KatzenqtType[]).find(
    (name) => katzenqtTypes[name] === number,
  );
  if (!type) throw wrong("message.msg_type", "0 to 9");
  const after = causesOf(map.get("after"));
  const base = after.length > 0 ? { after } : {};
  switch (type) {
    case "text":
      return { ...base, type, text: textOf("message.text", map.get("text")) };
    case "introduction":
      return { ...base, type, member: memberOf("message.introduction", map.get("introduction")) };
    case "file":
      return { ...base, type, file: fileOf(map.get("file_upload")) };
    case "who":
      return { ...base, type, text: textOf("message.who", map.get("who")) };
    case "replyWho":
      return { ...base, type, text: textOf("message.reply_who", map.get("reply_who")) };
    default:
      return { ...base, type, tally: tallyOf(map.get("tally")) };
  }
}

function decode(bytes: PlainBytes): CborValue {
  checkBytes("bytes", bytes);
  return decodeCbor(bytes);
}

function wrong(name: string, wanted: string): ProtocolError {
  return new ProtocolError(`katzenqt ${name}: must be ${wanted}`);
}

function mapOf(name: string, value: CborValue): CborMap {
  if (value instanceof Map) return value;
  throw wrong(name, "a map");
}

function textOf(name: string, value: CborValue): string {
  if (typeof value === "string") return value;
  throw wrong(name, "a text");
}

function bytesOf(name: string, value: CborValue, length?: number): Bytes {
  if (isBytes(value) && (length === undefined || value.length === length)) return copyBytes(value);
  throw wrong(name, length === undefined ? "bytes" : `${length} bytes`);
}

function memberOf(name: string, value: CborValue): KatzenqtMember {
  const map = mapOf(name, value);
  const displayName = textOf(`${name}.display_name`, map.get("display_name"));
  const length = Array.from(displayName).length;
  if (length < 1 || length > KATZENQT_MAX_DISPLAY_NAME) {
    throw wrong(`${name}.display_name`, `1 to ${KATZENQT_MAX_DISPLAY_NAME} characters`);
  }
  const readCap = bytesOf(`${name}.read_cap`, map.get("read_cap"), ReadCap.length!);
  return { displayName, readCap: readCap as ReadCap };
}

function fileOf(value: CborValue): KatzenqtFile {
  const map = mapOf("message.file_upload", value);
  return {
    payload: bytesOf("message.file_upload.payload", map.get("payload")),
    filetype: textOf("message.file_upload.filetype", map.get("filetype")),
    basename: safeBasename(textOf("message.file_upload.basename", map.get("basename"))),
  };
}

/** Makes a stranger's file name safe to use within one folder. */
function safeBasename(name: string): string {
  // Control characters could send commands to a terminal, and invisible ones reverse the name; slashes,
  // dots and Windows' colons (C:name) lead out of the folder.
  const plain = name.replaceAll(/[/\\:\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").replace(/^\.+/, "");
  return Array.from(plain).slice(0, MAX_FILE_NAME).join("") || "file";
}

function tallyOf(value: CborValue): KatzenqtTally {
  const map = mapOf("message.tally", value);
  const version = map.get("version") ?? 0;
  if (typeof version !== "number") throw wrong("message.tally.version", "an integer");
  const choice = map.get("choice") ?? null;
  const crdt = map.get("crdt") ?? null;
  return {
    surveyId: bytesOf("message.tally.survey_id", map.get("survey_id")),
    version,
    ...(choice === null
      ? {}
      : { choice: mapOf("message.tally.choice", choice) as Map<string, CborValue> }),
    ...(crdt === null ? {} : { crdt: bytesOf("message.tally.crdt", crdt) }),
  };
}

/** The first well-formed causes. Others are left out, because nothing depends on them. */
function causesOf(value: CborValue): KatzenqtCause[] {
  if (!Array.isArray(value)) return [];
  const causes: KatzenqtCause[] = [];
  for (const pair of value) {
    if (causes.length === MOST_CAUSES) break;
    if (!Array.isArray(pair)) continue;
    const [name, id] = pair;
    if (typeof name !== "string") continue;
    if (typeof id !== "number" && typeof id !== "bigint") continue;
    if (Number.isInteger(id) || typeof id === "bigint") causes.push({ name, id: BigInt(id) });
  }
  return causes;
}

/**
 * Encodes the answer to a voucher: the members whom the newcomer reads, first the one who answers.
 * @throws TypeError, RangeError for malformed members.
 */
export function encodeKatzenqtMembers(members: readonly KatzenqtMember[]): Bytes {
  // A list of fewer than 24 has its length in the head byte; longer lists have a longer head.
  const listHead = encodeCbor(members.map(() => 0)).subarray(0, headLength(members.length));
  const list = members.map((member, i) => encodeMember(`members[${i}]`, member));
  return orderedMap([["please_adds", concatBytes(listHead, ...list)]]);
}

function headLength(count: number): number {
  return count < 24 ? 1 : count < 256 ? 2 : 3;
}

/** Reads the answer to a voucher. @throws ProtocolError when it is not a list of members. */
export function decodeKatzenqtMembers(bytes: PlainBytes): KatzenqtMember[] {
  const list = mapOf("answer", decode(bytes)).get("please_adds");
  if (!Array.isArray(list)) throw wrong("answer.please_adds", "a list");
  return list.map((member, i) => memberOf(`answer.please_adds[${i}]`, member));
}
