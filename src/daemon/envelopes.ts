/** Makes envelopes for couriers and judges the answers (spec/pigeonhole §7). */
import { type Bytes, copyBytes, equalBytes, toHex } from "../bytes/bytes.js";
import {
  type EnvelopeDescriptor,
  MessageBoxIndex,
  type ReadCap,
  type WriteCap,
} from "../bytes/opaque.js";
import { parseReadCap, parseWriteCap } from "../bacap/capabilities.js";
import { parseMessageBoxIndex } from "../bacap/message-box-index.js";
import {
  makeReadMessage,
  makeWriteMessage,
  openReadReply,
} from "../crypto/envelope/box-messages.js";
import {
  type ClientEnvelope,
  createCourierEnvelope,
  openEnvelopeReply,
} from "../crypto/envelope/client-envelope.js";
import {
  CourierErrorCode,
  askingForReply,
  decodeCourierQueryReply,
} from "../crypto/envelope/courier-messages.js";
import type { ReplicaInnerMessage } from "../crypto/envelope/replica-messages.js";
import { chooseIntermediates } from "../crypto/sharding.js";
import { ThinClientError } from "../errors/errors.js";
import { replicaEpoch } from "../pki/epoch.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse } from "../wire/responses.js";
import type { Operation, Judgement } from "./arq.js";
import {
  type PigeonholeContext,
  RequestFailure,
  asError,
  isForeseen,
  requireDocument,
} from "./pigeonhole-context.js";
import {
  REPLICA_ERROR_BOX_ALREADY_EXISTS,
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED as BACAP_DECRYPTION_FAILED,
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION,
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE,
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH,
  THIN_CLIENT_ERROR_INTERNAL_ERROR as INTERNAL_ERROR,
  THIN_CLIENT_ERROR_INVALID_REQUEST as INVALID_REQUEST,
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED as MKEM_DECRYPTION_FAILED,
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED as CANCELLED,
  THIN_CLIENT_PROPAGATION_ERROR,
} from "../errors/codes.js";

/** From courier error codes to those of the thin client (spec/thin-protocol §5.3). */
const courierCodes: Readonly<Record<number, number>> = {
  [CourierErrorCode.INVALID_ENVELOPE]: THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE,
  [CourierErrorCode.CACHE_CORRUPTION]: THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION,
  [CourierErrorCode.PROPAGATION_ERROR]: THIN_CLIENT_PROPAGATION_ERROR,
  [CourierErrorCode.INVALID_EPOCH]: THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH,
};

/** Longest envelope descriptor in bytes; with the largest keys in use they have 201. */
const longestDescriptor = 1024;
const noBytes = new Uint8Array(0);

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isForeseen(error)) throw error;
    throw new RequestFailure(INVALID_REQUEST, error.message);
  }
}

/** Checks a WriteCap from outside. @throws RequestFailure with code 3. */
export function requireWriteCap(bytes: Uint8Array | null): WriteCap {
  if (!bytes) throw new RequestFailure(INVALID_REQUEST, "write cap is missing");
  return parse(() => parseWriteCap(bytes));
}

/** Checks a ReadCap from outside. @throws RequestFailure with code 3. */
export function requireReadCap(bytes: Uint8Array | null): ReadCap {
  if (!bytes) throw new RequestFailure(INVALID_REQUEST, "read cap is missing");
  return parse(() => parseReadCap(bytes));
}

/** Checks a MessageBoxIndex from outside. @throws RequestFailure with code 3. */
export function requireIndex(bytes: Uint8Array | null): MessageBoxIndex {
  if (!bytes) throw new RequestFailure(INVALID_REQUEST, "message box index is missing");
  return parse(() => parseMessageBoxIndex(bytes));
}

/**
 * Seals an envelope around `message` for the box that it concerns. @throws RequestFailure with code
 * 4.
 */
export async function sealEnvelope(
  context: PigeonholeContext,
  message: ReplicaInnerMessage,
): Promise<ClientEnvelope> {
  const { decoded } = requireDocument(context);
  const epoch = replicaEpoch(decoded.epoch, context.epochPeriodMs);
  try {
    const pair = chooseIntermediates(decoded, message.boxId, context.random);
    const [first, second] = pair.map((replica) => {
      const publicKey = replica.envelopeKeys.get(epoch);
      if (!publicKey) throw new RangeError(`replica ${replica.replicaId} has no key of the epoch`);
      return { replicaId: replica.replicaId, publicKey };
    });
    const made = await createCourierEnvelope({
      scheme: context.scheme,
      sizes: context.sizes,
      message,
      recipients: [first!, second!],
      epoch,
      random: context.random,
    });
    const { envelopeDescriptor, replyKeys } = made;
    context.sealed.set(toHex(made.envelopeHash), { envelopeDescriptor, replyKeys });
    return made;
  } catch (error) {
    if (error instanceof RequestFailure || !isForeseen(error)) throw error;
    throw new RequestFailure(INTERNAL_ERROR, error.message);
  }
}

/** The message that writes `plaintext` at `index`. @throws RequestFailure with code 3. */
export function writeMessageFor(
  context: PigeonholeContext,
  writeCap: WriteCap,
  index: MessageBoxIndex,
  plaintext: Uint8Array,
): ReplicaInnerMessage {
  return parse(() => makeWriteMessage(context.sizes, writeCap, index, plaintext));
}

/** The message that reads at `index`. @throws RequestFailure with code 3. */
export function readMessageFor(readCap: ReadCap, index: MessageBoxIndex): ReplicaInnerMessage {
  return parse(() => makeReadMessage(readCap, index));
}

type StartRequest = DaemonRequest<"startResendingEncryptedMessage">;
type StartReply = DaemonResponse<"startResendingEncryptedMessageReply">;

/** One start of resending an envelope, which judges its answers (spec/thin-protocol §7.2). */
export class EnvelopeExchange implements Operation {
  readonly session: Operation["session"];
  readonly key: string;
  readonly queryId: Uint8Array | null;
  readonly courier: Operation["courier"];
  readonly payload: Bytes;
  readonly #request: StartRequest;
  readonly #context: PigeonholeContext;
  #acknowledged = false;
  /** The last sealed reply that said that the box is empty. */
  #miss: Uint8Array | null = null;

  constructor(
    context: PigeonholeContext,
    request: StartRequest,
    place: Pick<Operation, "session" | "key" | "courier">,
  ) {
    this.#context = context;
    this.#request = request;
    this.session = place.session;
    this.key = place.key;
    this.queryId = request.queryId;
    this.courier = place.courier;
    const { messageCiphertext, replyIndex } = request;
    // The application chooses which replica's reply it wants (upstream ignores it,
    // spec/thin-protocol §10, defect 19).
    this.payload =
      replyIndex === null ? messageCiphertext! : askingForReply(messageCiphertext!, replyIndex);
  }

  /** A checked request without parts that are not needed and may be as long as a frame. */
  static bounded(request: StartRequest): StartRequest {
    const { messageBoxIndex } = request;
    // Of an index with a wrong length, it only matters at the end that it is not missing.
    const isIndex = messageBoxIndex === null || messageBoxIndex.length === MessageBoxIndex.length;
    return isIndex ? request : { ...request, messageBoxIndex: noBytes };
  }

  /** The checks of spec/thin-protocol §4.4. @throws RequestFailure with code 3. */
  static check(request: StartRequest): void {
    const wrong = (what: string): never => {
      throw new RequestFailure(INVALID_REQUEST, what);
    };
    if (!request.queryId) wrong("query ID is missing");
    if (request.envelopeHash?.length !== 32) wrong("envelope hash must be 32 bytes");
    if (!request.messageCiphertext?.length) wrong("message ciphertext is missing");
    if (!request.envelopeDescriptor?.length) wrong("envelope descriptor is missing");
    if (request.envelopeDescriptor!.length > longestDescriptor)
      wrong("envelope descriptor is too long");
    if (!request.readCap === !request.writeCap) wrong("exactly one capability is wanted");
    if (request.readCap) requireReadCap(request.readCap);
    // The write cap only marks the request as a write, but the protocol still fixes its length.
    if (request.writeCap && request.writeCap.length !== 168) wrong("write cap must be 168 bytes");
  }

  async judge(payload: Uint8Array): Promise<Judgement> {
    const reply = decodeCourierQueryReply(payload);
    if (reply.kind !== "envelope") return this.#done(INTERNAL_ERROR);
    const { errorCode, replyType, payload: sealed } = reply.reply;
    if (errorCode !== CourierErrorCode.SUCCESS) {
      return this.#done(courierCodes[errorCode] ?? THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE);
    }
    if (replyType === "payload") return this.#judgePayload(sealed);
    if (!this.#acknowledged) {
      // An idempotent write is done when a courier has taken it: one round trip.
      if (this.#request.writeCap && !this.#request.noIdempotentBoxAlreadyExists) {
        return this.#done(0);
      }
      this.#acknowledged = true;
    }
    return { kind: "again", wait: "followUp" };
  }

  cancelled(): StartReply {
    return this.#reply(CANCELLED, null);
  }

  unreadable(): StartReply {
    return this.#reply(INTERNAL_ERROR, null);
  }

  failed(): StartReply {
    // Nothing went to a courier, so none is named (spec/thin-protocol §4.4).
    return {
      ...this.#reply(INTERNAL_ERROR, null),
      courierIdentityHash: null,
      courierQueueId: null,
    };
  }

  async #judgePayload(sealedReply: Uint8Array): Promise<Judgement> {
    const { scheme, sealed } = this.#context;
    // Couriers repeat their reply until they have another one. Opening it again would cost a key
    // exchange each time, for as long as a reader waits.
    if (this.#miss && equalBytes(this.#miss, sealedReply))
      return { kind: "again", wait: "followUp" };
    const envelopeDescriptor = this.#request.envelopeDescriptor as EnvelopeDescriptor;
    const made = sealed.get(toHex(this.#request.envelopeHash!));
    const isOurs = made && equalBytes(made.envelopeDescriptor, envelopeDescriptor);
    let inner: Awaited<ReturnType<typeof openEnvelopeReply>>;
    try {
      inner = await openEnvelopeReply({
        scheme,
        sealedReply,
        envelopeDescriptor,
        replyKeys: isOurs ? made.replyKeys : undefined,
        publicKeyOf: (replicaId, epoch) => this.#envelopeKey(replicaId, Number(epoch)),
      });
    } catch (error) {
      return this.#failed(error, MKEM_DECRYPTION_FAILED);
    }
    const { readCap, messageBoxIndex } = this.#request;
    if (inner.kind === "write") {
      // A reply to a write says nothing about a read; upstream takes it for a tombstone.
      if (readCap) return this.#done(INTERNAL_ERROR);
      const taken =
        inner.errorCode === REPLICA_ERROR_BOX_ALREADY_EXISTS &&
        !this.#request.noIdempotentBoxAlreadyExists;
      return this.#done(taken ? 0 : inner.errorCode);
    }
    if (!readCap) return this.#done(INTERNAL_ERROR);
    if (
      inner.errorCode === REPLICA_ERROR_BOX_ID_NOT_FOUND &&
      !this.#request.noRetryOnBoxIdNotFound
    ) {
      this.#acknowledged = false;
      this.#miss = copyBytes(sealedReply);
      return { kind: "again", wait: "followUp" };
    }
    if (!messageBoxIndex) return this.#done(INTERNAL_ERROR);
    if (messageBoxIndex.length !== 104) return this.#done(BACAP_DECRYPTION_FAILED);
    try {
      const index = parseMessageBoxIndex(messageBoxIndex);
      return this.#done(0, openReadReply(parseReadCap(readCap), index, inner));
    } catch (error) {
      return this.#failed(error, INTERNAL_ERROR);
    }
  }

  #envelopeKey(replicaId: number, epoch: number): Uint8Array | undefined {
    for (const known of this.#context.documents.all()) {
      const replica = known.decoded.storageReplicas.find((one) => one.replicaId === replicaId);
      const key = replica?.envelopeKeys.get(epoch);
      if (key) return key;
    }
    return undefined;
  }

  /** Ends with the error's code or the given one; an unexpected error is also a fault. */
  #failed(error: unknown, foreseen: number): Judgement {
    if (!isForeseen(error)) {
      this.#context.onFault(asError(error));
      return this.#done(INTERNAL_ERROR);
    }
    const code = error instanceof ThinClientError ? error.errorCode : null;
    return this.#done(code ?? foreseen);
  }

  #done(errorCode: number, plaintext: Uint8Array | null = null): Judgement {
    return { kind: "done", response: this.#reply(errorCode, plaintext) };
  }

  #reply(errorCode: number, plaintext: Uint8Array | null): StartReply {
    return {
      kind: "startResendingEncryptedMessageReply",
      queryId: this.#request.queryId,
      plaintext: plaintext ? copyBytes(plaintext) : null,
      errorCode,
      courierIdentityHash: this.courier[0],
      courierQueueId: copyBytes(this.courier[1]),
    };
  }
}
