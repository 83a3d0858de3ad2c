/** Contact vouchers for an application (spec/thin-protocol §4.9). */
import { parseWriteCap } from "../bacap/capabilities.js";
import {
  inductVoucher,
  mintVoucher,
  openVoucherReply,
  voucherStream,
} from "../crypto/voucher/voucher.js";
import { ThinClientError } from "../errors/errors.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { ResponseFields, ResponseKind } from "../wire/responses.js";
import { type PigeonholeContext, RequestFailure, isForeseen } from "./pigeonhole-context.js";
import { THIN_CLIENT_ERROR_INVALID_REQUEST as INVALID_REQUEST } from "../errors/codes.js";

type VoucherReplyKind = Extract<ResponseKind, `voucher${string}Reply`>;
type Fields<K extends VoucherReplyKind> = Omit<ResponseFields<K>, "queryId" | "errorCode">;

/** The fields of a failed mint reply. */
export const noMint: Fields<"voucherMintReply"> = {
  voucher: null,
  voucherPayload: null,
  voucherWriteCap: null,
  voucherReadCap: null,
  voucherSecretKey: null,
  voucherPublicKey: null,
};

/** The fields of a failed induct reply. */
export const noInduct: Fields<"voucherInductReply"> = {
  displayName: "",
  mutatedMessageReadCap: null,
  sealedReply: null,
  voucherWriteCap: null,
  voucherReadCap: null,
  salt: null,
};

/** The fields of a failed open reply. */
export const noOpen: Fields<"voucherOpenReply"> = {
  whoReply: null,
  salt: null,
  mutatedMessageWriteCap: null,
};

/** The fields of a failed derive reply. */
export const noStream: Fields<"voucherDeriveStreamReply"> = {
  voucherWriteCap: null,
  voucherReadCap: null,
};

/** Runs `work` and turns its errors into the codes of spec/thin-protocol §4.9. */
async function coded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isForeseen(error)) throw error;
    const known = error instanceof ThinClientError && error.errorCode !== null;
    throw new RequestFailure(known ? error.errorCode! : INVALID_REQUEST, "voucher");
  }
}

/** voucher_mint. */
export function mint(
  context: PigeonholeContext,
  request: DaemonRequest<"voucherMint">,
): Promise<Fields<"voucherMintReply">> {
  return coded(async () => {
    const minted = await mintVoucher({
      scheme: context.voucherScheme,
      messageWriteCap: parseWriteCap(request.messageWriteCap ?? new Uint8Array(0)),
      displayName: request.displayName ?? "",
      random: context.random,
    });
    return {
      voucher: minted.voucher,
      voucherPayload: minted.voucherPayload,
      voucherWriteCap: minted.stream.writeCap,
      voucherReadCap: minted.stream.readCap,
      voucherSecretKey: minted.voucherSecretKey,
      voucherPublicKey: minted.voucherPublicKey,
    };
  });
}

/** voucher_induct. */
export function induct(
  context: PigeonholeContext,
  request: DaemonRequest<"voucherInduct">,
): Promise<Fields<"voucherInductReply">> {
  return coded(async () => {
    const induction = await inductVoucher({
      scheme: context.voucherScheme,
      voucher: request.voucher ?? new Uint8Array(0),
      voucherPayload: request.voucherPayload ?? new Uint8Array(0),
      whoReply: request.whoReply ?? new Uint8Array(0),
      random: context.random,
    });
    return {
      displayName: induction.displayName,
      mutatedMessageReadCap: induction.messageReadCap,
      sealedReply: induction.sealedReply,
      voucherWriteCap: induction.stream.writeCap,
      voucherReadCap: induction.stream.readCap,
      salt: induction.salt,
    };
  });
}

/** voucher_open. */
export function open(
  context: PigeonholeContext,
  request: DaemonRequest<"voucherOpen">,
): Promise<Fields<"voucherOpenReply">> {
  return coded(async () => {
    const opened = await openVoucherReply({
      scheme: context.voucherScheme,
      voucherSecretKey: request.voucherSecretKey ?? new Uint8Array(0),
      sealedReply: request.sealedReply ?? new Uint8Array(0),
      messageWriteCap: parseWriteCap(request.messageWriteCap ?? new Uint8Array(0)),
    });
    return {
      whoReply: opened.whoReply,
      salt: opened.salt,
      mutatedMessageWriteCap: opened.messageWriteCap,
    };
  });
}

/** voucher_derive_stream. */
export function deriveStream(
  _context: PigeonholeContext,
  request: DaemonRequest<"voucherDeriveStream">,
): Promise<Fields<"voucherDeriveStreamReply">> {
  return coded(async () => {
    const stream = voucherStream(request.voucher ?? new Uint8Array(0));
    return { voucherWriteCap: stream.writeCap, voucherReadCap: stream.readCap };
  });
}
