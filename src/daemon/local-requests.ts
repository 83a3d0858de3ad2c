/** Requests that the daemon answers itself (spec/thin-protocol §4.3, §4.7 to §4.9). */
import { messageBoxCounter, nextMessageBoxIndex } from "../bacap/message-box-index.js";
import { keypairFromSeed } from "../bacap/capabilities.js";
import type { Bytes } from "../bytes/bytes.js";
import type { DaemonRequest, RequestKind } from "../wire/requests.js";
import type { AuthorityRecord, DaemonResponse } from "../wire/responses.js";
import * as copy from "./copy-builders.js";
import {
  readMessageFor,
  requireIndex,
  requireReadCap,
  requireWriteCap,
  sealEnvelope,
  writeMessageFor,
} from "./envelopes.js";
import {
  type PigeonholeContext,
  RequestFailure,
  asError,
  requireDocument,
} from "./pigeonhole-context.js";
import * as vouchers from "./vouchers.js";
import {
  THIN_CLIENT_ERROR_INVALID_REQUEST as INVALID_REQUEST,
  THIN_CLIENT_ERROR_INTERNAL_ERROR as INTERNAL_ERROR,
} from "../errors/codes.js";

/** The code for "not available" in document and authority replies (spec/thin-protocol §4.8). */
const UNAVAILABLE = 10;

/** What local requests need. */
export interface LocalContext extends PigeonholeContext {
  readonly authorities: readonly AuthorityRecord[];
}

/** Requests that {@link answerLocally} answers. */
export type LocalKind = Exclude<
  RequestKind,
  | "thinClose"
  | "sessionToken"
  | "sendMessage"
  | "startResendingEncryptedMessage"
  | "startResendingCopyCommand"
  | "cancelResendingEncryptedMessage"
  | "cancelResendingCopyCommand"
>;

type Reply<K extends LocalKind> = DaemonResponse<Extract<`${K}Reply`, DaemonResponse["kind"]>>;

/** A reply without kind and query ID. */
type Result<K extends LocalKind> = Omit<Reply<K>, "kind" | "queryId" | "errorCode">;

interface Answer<K extends LocalKind> {
  /** May throw {@link RequestFailure}; any other error becomes code 4 and is a fault. */
  answer(context: LocalContext, request: DaemonRequest<K>): Result<K> | Promise<Result<K>>;
  /** The fields of an error reply. */
  readonly nothing: Result<K>;
}

const noEnvelope = {
  messageCiphertext: null,
  envelopeDescriptor: null,
  envelopeHash: null,
  nextMessageBoxIndex: null,
};

const encryptRead: Answer<"encryptRead"> = {
  async answer(context, request) {
    const readCap = requireReadCap(request.readCap);
    const index = requireIndex(request.messageBoxIndex);
    const sealed = await sealEnvelope(context, readMessageFor(readCap, index));
    return {
      messageCiphertext: sealed.query,
      envelopeDescriptor: sealed.envelopeDescriptor,
      envelopeHash: sealed.envelopeHash,
      nextMessageBoxIndex: nextMessageBoxIndex(index),
    };
  },
  nothing: noEnvelope,
};

const encryptWrite: Answer<"encryptWrite"> = {
  async answer(context, request) {
    const writeCap = requireWriteCap(request.writeCap);
    const index = requireIndex(request.messageBoxIndex);
    const { plaintext } = request;
    if (!plaintext) throw new RequestFailure(INVALID_REQUEST, "plaintext is missing");
    requireDocument(context);
    const message = writeMessageFor(context, writeCap, index, plaintext);
    const sealed = await sealEnvelope(context, message);
    return {
      messageCiphertext: sealed.query,
      envelopeDescriptor: sealed.envelopeDescriptor,
      envelopeHash: sealed.envelopeHash,
      nextMessageBoxIndex: nextMessageBoxIndex(index),
    };
  },
  nothing: noEnvelope,
};

const newKeypair: Answer<"newKeypair"> = {
  answer(_context, request) {
    if (request.seed?.length !== 32) {
      throw new RequestFailure(INVALID_REQUEST, "seed must be 32 bytes");
    }
    const { writeCap, readCap, firstMessageIndex } = keypairFromSeed(request.seed);
    return { writeCap, readCap, firstMessageIndex };
  },
  nothing: { writeCap: null, readCap: null, firstMessageIndex: null },
};

const getPkiDocument: Answer<"getPkiDocument"> = {
  answer({ documents }, request) {
    const { epoch } = request;
    const known = epoch === 0n ? documents.current() : documents.ofEpoch(Number(epoch));
    if (!known) throw new RequestFailure(UNAVAILABLE, "no document of that epoch");
    return {
      payload: known.certificate as Bytes,
      epoch: BigInt(known.epoch),
    };
  },
  // Rust's client cannot read null here; zero bytes mean the same to all clients
  // (spec/thin-protocol §2).
  nothing: { payload: new Uint8Array(0), epoch: 0n },
};

const answers: { readonly [K in LocalKind]: Answer<K> } = {
  newKeypair,
  encryptRead,
  encryptWrite,
  nextMessageBoxIndex: {
    answer: (_context, request) => ({
      nextMessageBoxIndex: nextMessageBoxIndex(requireIndex(request.messageBoxIndex)),
    }),
    nothing: { nextMessageBoxIndex: null },
  },
  getMessageBoxIndexCounter: {
    answer: (_context, request) => ({
      counter: messageBoxCounter(requireIndex(request.messageBoxIndex)),
    }),
    nothing: { counter: 0n },
  },
  getPkiDocument,
  getDirectoryAuthorities: {
    answer({ authorities }) {
      if (authorities.length === 0) throw new RequestFailure(UNAVAILABLE, "none configured");
      return { authorities: [...authorities] };
    },
    nothing: { authorities: [] },
  },
  createCourierEnvelopesFromPayload: {
    answer: copy.envelopesFromPayload,
    nothing: { envelopes: null, nextDestIndex: null },
  },
  createCourierEnvelopesFromMultiPayload: {
    answer: copy.envelopesFromMultiPayload,
    nothing: { envelopes: null, buffer: null, nextDestIndices: null },
  },
  createCourierEnvelopesFromTombstoneRange: {
    answer: copy.envelopesFromTombstoneRange,
    nothing: { envelopes: null, buffer: null, nextDestIndex: null },
  },
  voucherMint: { answer: vouchers.mint, nothing: vouchers.noMint },
  voucherInduct: { answer: vouchers.induct, nothing: vouchers.noInduct },
  voucherOpen: { answer: vouchers.open, nothing: vouchers.noOpen },
  voucherDeriveStream: { answer: vouchers.deriveStream, nothing: vouchers.noStream },
};

/** Answers a local request; a failure becomes a reply with its code. */
export function answerLocally<K extends LocalKind>(
  context: LocalContext,
  request: DaemonRequest<K>,
): Reply<K> | Promise<Reply<K>> {
  const kind = request.kind as K;
  const { answer, nothing } = answers[kind] as unknown as Answer<K>;
  const reply = (result: Result<K>, errorCode: number): Reply<K> =>
    ({
      kind: `${kind}Reply`,
      queryId: request.queryId,
      ...result,
      errorCode,
    }) as unknown as Reply<K>;
  const failed = (error: unknown): Reply<K> => {
    if (!(error instanceof RequestFailure)) context.onFault(asError(error));
    const errorCode = error instanceof RequestFailure ? error.errorCode : INTERNAL_ERROR;
    return reply(failureFields(context, request, nothing), errorCode);
  };
  try {
    const result = answer(context, request);
    if (!(result instanceof Promise)) return reply(result, 0);
    return result.then((fields) => reply(fields, 0), failed);
  } catch (error) {
    return failed(error);
  }
}

/** An error reply names the requested epoch; for "current", the current one. */
function failureFields<K extends LocalKind>(
  context: LocalContext,
  request: DaemonRequest<K>,
  nothing: Result<K>,
): Result<K> {
  if (request.kind !== "getPkiDocument") return nothing;
  const { epoch } = request as DaemonRequest<"getPkiDocument">;
  const named = epoch === 0n ? BigInt(context.documents.currentEpoch()) : epoch;
  return { ...nothing, epoch: named };
}
