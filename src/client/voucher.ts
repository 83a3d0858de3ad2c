/** Contact vouchers. spec/thin-protocol §4.9; spec/pigeonhole §10. */
import {
  type Bytes,
  type PlainBytes,
  checkBytes,
  copyBytes,
  describeType,
} from "../bytes/bytes.js";
import { type ReadCap, type WriteCap, checkWriteCap } from "../bytes/opaque.js";
import { checkSomeBytes } from "./argument-checks.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import { required, type Calls } from "./calls.js";

const VOUCHER_LENGTH = 32;
const VOUCHER_SECRET_KEY_LENGTH = 162;

/** The stream through which a voucher's two sides talk: payload in box 0, sealed reply in box 1. */
export interface VoucherDeriveStreamResult {
  /** 168 bytes, derived from the voucher: anyone who has the voucher can write here. */
  readonly voucherWriteCap: WriteCap;
  /** 136 bytes, derived from the voucher: anyone who has the voucher can read here. */
  readonly voucherReadCap: ReadCap;
}

/** A new voucher. */
export interface VoucherMintResult extends VoucherDeriveStreamResult {
  /** 32 bytes, to hand to a member by some other way. */
  readonly voucher: Bytes;
  /** The content for box 0 of the voucher's stream. */
  readonly voucherPayload: Bytes;
  /** Opens the sealed reply: 162 bytes. Secret. */
  readonly voucherSecretKey: Bytes;
  /** 160 bytes, part of the payload. */
  readonly voucherPublicKey: Bytes;
}

/** An admitted newcomer. */
export interface VoucherInductResult extends VoucherDeriveStreamResult {
  /** The newcomer's name, chosen by the newcomer: show it with care. */
  readonly displayName: string;
  /** The capability that reads the newcomer's messages: 136 bytes. */
  readonly mutatedMessageReadCap: ReadCap;
  /** The content for box 1 of the voucher's stream. */
  readonly sealedReply: Bytes;
  /** 32 bytes that changed the newcomer's stream. */
  readonly salt: Bytes;
}

/** A member's answer. */
export interface VoucherOpenResult {
  /** The member's message, as passed to `voucherInduct`. */
  readonly whoReply: Bytes;
  /** 32 bytes that changed the stream. */
  readonly salt: Bytes;
  /** Writes the messages that the member reads from this point on: 168 bytes. */
  readonly mutatedMessageWriteCap: WriteCap;
}

/** Makes a voucher for the stream that `messageWriteCap` writes. */
export async function voucherMint(
  calls: Calls,
  messageWriteCap: WriteCap,
  displayName: string,
  options?: CallOptions,
): Promise<VoucherMintResult> {
  const operation = "voucherMint";
  checkCallOptions(options);
  checkWriteCap("messageWriteCap", messageWriteCap);
  if (typeof displayName !== "string") {
    throw new TypeError(`\`displayName\` must be a string, got ${describeType(displayName)}`);
  }
  const fields = { messageWriteCap: copyBytes(messageWriteCap), displayName };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await calls.ask(operation, fields, settings);
  return {
    voucher: required(reply.voucher, "voucher", operation),
    voucherPayload: required(reply.voucherPayload, "voucher_payload", operation),
    ...stream(reply, operation),
    voucherSecretKey: required(reply.voucherSecretKey, "voucher_secret_key", operation),
    voucherPublicKey: required(reply.voucherPublicKey, "voucher_public_key", operation),
  };
}

/** Admits the newcomer who published `voucherPayload`. */
export async function voucherInduct(
  calls: Calls,
  voucher: PlainBytes,
  voucherPayload: PlainBytes,
  whoReply: PlainBytes,
  options?: CallOptions,
): Promise<VoucherInductResult> {
  const operation = "voucherInduct";
  checkCallOptions(options);
  checkBytes("voucher", voucher, VOUCHER_LENGTH);
  checkSomeBytes("voucherPayload", voucherPayload);
  checkBytes("whoReply", whoReply);
  const fields = {
    voucher: copyBytes(voucher),
    voucherPayload: copyBytes(voucherPayload),
    whoReply: copyBytes(whoReply),
  };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await calls.ask(operation, fields, settings);
  const readCap = reply.mutatedMessageReadCap;
  return {
    displayName: required(reply.displayName, "display_name", operation),
    mutatedMessageReadCap: required(readCap, "mutated_message_read_cap", operation),
    sealedReply: required(reply.sealedReply, "sealed_reply", operation),
    ...stream(reply, operation),
    salt: required(reply.salt, "salt", operation),
  };
}

/** Opens a member's answer. */
export async function voucherOpen(
  calls: Calls,
  voucherSecretKey: PlainBytes,
  sealedReply: PlainBytes,
  messageWriteCap: WriteCap,
  options?: CallOptions,
): Promise<VoucherOpenResult> {
  const operation = "voucherOpen";
  checkCallOptions(options);
  checkBytes("voucherSecretKey", voucherSecretKey, VOUCHER_SECRET_KEY_LENGTH);
  checkSomeBytes("sealedReply", sealedReply);
  checkWriteCap("messageWriteCap", messageWriteCap);
  const fields = {
    voucherSecretKey: copyBytes(voucherSecretKey),
    sealedReply: copyBytes(sealedReply),
    messageWriteCap: copyBytes(messageWriteCap),
  };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await calls.ask(operation, fields, settings);
  const writeCap = reply.mutatedMessageWriteCap;
  return {
    whoReply: required(reply.whoReply, "who_reply", operation),
    salt: required(reply.salt, "salt", operation),
    mutatedMessageWriteCap: required(writeCap, "mutated_message_write_cap", operation),
  };
}

/** The stream that belongs to a voucher. */
export async function voucherDeriveStream(
  calls: Calls,
  voucher: PlainBytes,
  options?: CallOptions,
): Promise<VoucherDeriveStreamResult> {
  const operation = "voucherDeriveStream";
  checkCallOptions(options);
  checkBytes("voucher", voucher, VOUCHER_LENGTH);
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await calls.ask(operation, { voucher: copyBytes(voucher) }, settings);
  return stream(reply, operation);
}

function stream(
  reply: { readonly voucherWriteCap: WriteCap | null; readonly voucherReadCap: ReadCap | null },
  operation: string,
): VoucherDeriveStreamResult {
  return {
    voucherWriteCap: required(reply.voucherWriteCap, "voucher_write_cap", operation),
    voucherReadCap: required(reply.voucherReadCap, "voucher_read_cap", operation),
  };
}
