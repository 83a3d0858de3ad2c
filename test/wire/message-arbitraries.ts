/** Arbitrary requests and responses of every kind; the compiler checks them against the schemas. */
import * as fc from "fast-check";
import type { RequestFields, RequestKind } from "../../src/wire/requests.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import type { DaemonResponse, ResponseFields, ResponseKind } from "../../src/wire/responses.js";

type Arbitraries<F> = { readonly [N in keyof F]: fc.Arbitrary<F[N]> };

const some = <T extends Uint8Array>(maxLength = 40): fc.Arbitrary<T> =>
  fc
    .uint8Array({ maxLength })
    .map((bytes) => Uint8Array.from(bytes)) as fc.Arbitrary<Uint8Array> as fc.Arbitrary<T>;
const exactly = <T extends Uint8Array>(length: number): fc.Arbitrary<T> =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => Uint8Array.from(bytes)) as fc.Arbitrary<Uint8Array> as fc.Arbitrary<T>;
const orNull = <T>(inner: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 4, arbitrary: inner });

type B = Uint8Array<ArrayBuffer>;
const bytes = orNull(some<B>());
const queryId = orNull(exactly<B>(16));
const flag = fc.boolean();
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom("", "\0", "grüße", "€", "\u{1f600}", "\ufffd", "\ufeffmark"),
);
const code = fc.nat(255);
const maybeByte = orNull(code);
const list = <T>(inner: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(inner, { maxLength: 3 });
const geometryMap = orNull(
  fc
    .dictionary(text, fc.oneof(fc.nat(5000), text))
    .map((object) => new Map(Object.entries(object))),
);

const plain = { noNullPrototype: true };
const destination = fc.record({ payload: bytes, writeCap: bytes, startIndex: bytes }, plain);

/** Arbitrary fields of each request. */
const requestFields: { readonly [K in RequestKind]: Arbitraries<RequestFields<K>> } = {
  thinClose: {},
  sessionToken: { clientInstanceToken: bytes },
  newKeypair: { queryId, seed: bytes },
  encryptRead: { queryId, readCap: bytes, messageBoxIndex: bytes },
  encryptWrite: { queryId, plaintext: bytes, writeCap: bytes, messageBoxIndex: bytes },
  cancelResendingEncryptedMessage: { queryId, envelopeHash: bytes },
  cancelResendingCopyCommand: { queryId, writeCapHash: bytes },
  nextMessageBoxIndex: { queryId, messageBoxIndex: bytes },
  getMessageBoxIndexCounter: { queryId, messageBoxIndex: bytes },
  getPkiDocument: { queryId, epoch: uint64 },
  getDirectoryAuthorities: { queryId },
  createCourierEnvelopesFromPayload: {
    queryId,
    payload: bytes,
    destWriteCap: bytes,
    destStartIndex: bytes,
    isStart: flag,
    isLast: flag,
  },
  createCourierEnvelopesFromMultiPayload: {
    queryId,
    destinations: orNull(list(destination)),
    isStart: flag,
    isLast: flag,
    buffer: bytes,
  },
  createCourierEnvelopesFromTombstoneRange: {
    queryId,
    destWriteCap: bytes,
    destStartIndex: bytes,
    maxCount: fc.nat(0xffff_ffff),
    isStart: flag,
    isLast: flag,
    buffer: bytes,
  },
  voucherMint: { queryId, messageWriteCap: bytes, displayName: orNull(text) },
  voucherInduct: { queryId, voucher: bytes, voucherPayload: bytes, whoReply: bytes },
  voucherOpen: { queryId, voucherSecretKey: bytes, sealedReply: bytes, messageWriteCap: bytes },
  voucherDeriveStream: { queryId, voucher: bytes },
  sendMessage: {
    id: bytes,
    withSurb: flag,
    surbId: orNull(some()),
    destinationIdHash: bytes,
    recipientQueueId: bytes,
    payload: bytes,
  },
  startResendingEncryptedMessage: {
    queryId,
    readCap: bytes,
    writeCap: bytes,
    messageBoxIndex: bytes,
    replyIndex: maybeByte,
    envelopeDescriptor: bytes,
    messageCiphertext: bytes,
    envelopeHash: bytes,
    noRetryOnBoxIdNotFound: flag,
    noIdempotentBoxAlreadyExists: flag,
  },
  startResendingCopyCommand: {
    queryId,
    writeCap: bytes,
    courierIdentityHash: bytes,
    courierQueueId: bytes,
  },
};

const boxIndex = orNull(exactly<never>(104));
const writeCap = orNull(exactly<never>(168));
const readCap = orNull(exactly<never>(136));
const surbId = orNull(exactly<never>(16));
const messageId = orNull(exactly<never>(16));
const envelopes = orNull(list(some<B>()));
const encrypted = {
  queryId,
  messageCiphertext: bytes,
  envelopeDescriptor: orNull(some<never>()),
  envelopeHash: orNull(exactly<never>(32)),
  nextMessageBoxIndex: boxIndex,
  errorCode: code,
};
const codeOnly = { queryId, errorCode: code };
const authority = fc.record(
  {
    identifier: text,
    pkiSignatureScheme: text,
    wireKemScheme: text,
    addresses: orNull(list(text)),
    identityPublicKeyPem: text,
    linkPublicKeyPem: text,
    identityKeyHash: exactly<B>(32),
  },
  plain,
);

/** Arbitrary fields of each response. */
const responseFields: { readonly [K in ResponseKind]: Arbitraries<ResponseFields<K>> } = {
  sessionTokenReply: { appId: orNull(exactly<B>(16)), resumed: flag },
  shutdownEvent: {},
  connectionStatusEvent: {
    isConnected: flag,
    err: orNull(text),
    instanceToken: orNull(exactly<B>(16)),
    sphinxGeometry: geometryMap,
    pigeonholeGeometry: geometryMap,
  },
  newPkiDocumentEvent: { payload: bytes },
  messageSentEvent: {
    messageId,
    surbId,
    sentAt: fc.nat(2 ** 31),
    replyEta: fc.nat(2 ** 31),
    err: orNull(text),
  },
  messageReplyEvent: { messageId, surbId, payload: bytes, replyIndex: maybeByte, errorCode: code },
  messageIdGarbageCollected: { messageId },
  newKeypairReply: { queryId, writeCap, readCap, firstMessageIndex: boxIndex, errorCode: code },
  encryptReadReply: encrypted,
  encryptWriteReply: encrypted,
  startResendingEncryptedMessageReply: {
    queryId,
    plaintext: bytes,
    errorCode: code,
    courierIdentityHash: orNull(exactly<never>(32)),
    courierQueueId: bytes,
  },
  cancelResendingEncryptedMessageReply: codeOnly,
  startResendingCopyCommandReply: {
    queryId,
    errorCode: code,
    replicaErrorCode: maybeByte,
    failedEnvelopeIndex: orNull(uint64),
  },
  cancelResendingCopyCommandReply: codeOnly,
  nextMessageBoxIndexReply: { queryId, nextMessageBoxIndex: boxIndex, errorCode: code },
  getMessageBoxIndexCounterReply: { queryId, counter: uint64, errorCode: code },
  getPkiDocumentReply: { queryId, payload: bytes, epoch: uint64, errorCode: code },
  getDirectoryAuthoritiesReply: { queryId, authorities: orNull(list(authority)), errorCode: code },
  createCourierEnvelopesFromPayloadReply: {
    queryId,
    envelopes,
    nextDestIndex: boxIndex,
    errorCode: code,
  },
  createCourierEnvelopesFromMultiPayloadReply: {
    queryId,
    envelopes,
    buffer: bytes,
    nextDestIndices: orNull(list(exactly<never>(104))),
    errorCode: code,
  },
  createCourierEnvelopesFromTombstoneRangeReply: {
    queryId,
    envelopes,
    buffer: bytes,
    nextDestIndex: boxIndex,
    errorCode: code,
  },
  voucherMintReply: {
    queryId,
    voucher: orNull(exactly<B>(32)),
    voucherPayload: bytes,
    voucherWriteCap: writeCap,
    voucherReadCap: readCap,
    voucherSecretKey: orNull(exactly<B>(162)),
    voucherPublicKey: orNull(exactly<B>(160)),
    errorCode: code,
  },
  voucherInductReply: {
    queryId,
    displayName: orNull(text),
    mutatedMessageReadCap: readCap,
    sealedReply: bytes,
    voucherWriteCap: writeCap,
    voucherReadCap: readCap,
    salt: orNull(exactly<B>(32)),
    errorCode: code,
  },
  voucherOpenReply: {
    queryId,
    whoReply: bytes,
    salt: orNull(exactly<B>(32)),
    mutatedMessageWriteCap: writeCap,
    errorCode: code,
  },
  voucherDeriveStreamReply: {
    queryId,
    voucherWriteCap: writeCap,
    voucherReadCap: readCap,
    errorCode: code,
  },
};

/** Every kind of request. */
export const requestKinds = Object.keys(requestFields) as RequestKind[];
/** Every kind of response. */
export const responseKinds = Object.keys(responseFields) as ResponseKind[];

/** Arbitrary requests of a kind. */
export function requestsOf(kind: RequestKind): fc.Arbitrary<DaemonRequest> {
  return fc
    .record(requestFields[kind] as Record<string, fc.Arbitrary<unknown>>)
    .map((fields) => ({ kind, ...fields }) as unknown as DaemonRequest);
}

/** Arbitrary responses of a kind. */
export function responsesOf(kind: ResponseKind): fc.Arbitrary<DaemonResponse> {
  return fc
    .record(responseFields[kind] as Record<string, fc.Arbitrary<unknown>>)
    .map((fields) => ({ kind, ...fields }) as unknown as DaemonResponse);
}
