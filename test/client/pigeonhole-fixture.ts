/**
 * Shared parts of the tests of Pigeonhole calls: values of the right lengths, and a daemon's
 * replies.
 */
import type { Bytes } from "../../src/bytes/bytes.js";
import {
  EnvelopeDescriptor,
  EnvelopeHash,
  IdentityHash,
  MessageBoxIndex,
  ReadCap,
  WriteCap,
} from "../../src/bytes/opaque.js";
import type { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import type { DaemonResponse } from "../../src/wire/responses.js";

/** `length` bytes with the value `value`. */
export function filled(length: number, value = 1): Bytes {
  return new Uint8Array(length).fill(value);
}

export const writeCap = WriteCap.from(filled(168, 0xa1));
export const readCap = ReadCap.from(filled(136, 0xa2));

/** The index of box number `n` in the tests. */
export function indexOf(n: number): MessageBoxIndex {
  const index = filled(104, 0xa3);
  new DataView(index.buffer).setUint32(0, n);
  return MessageBoxIndex.from(index);
}

/** The box number that {@link indexOf} wrote into an index. */
export function numberOf(index: Uint8Array | null | undefined): number {
  return new DataView(index!.buffer, index!.byteOffset).getUint32(0);
}

export const index = indexOf(7);
export const nextIndex = indexOf(8);
export const descriptor = EnvelopeDescriptor.from(filled(90, 0xa4));
export const ciphertext = filled(1872, 0xa5);
export const courier = [IdentityHash.from(filled(32, 0xa7)), filled(7, 0xa8)] as const;

/** A hash that differs between envelopes. */
export function hashOf(n: number): EnvelopeHash {
  return EnvelopeHash.from(filled(32, n));
}

/** A read as `encryptRead` returns it. */
export const sealedRead = {
  kind: "read",
  readCap,
  messageBoxIndex: index,
  messageCiphertext: ciphertext,
  envelopeDescriptor: descriptor,
  envelopeHash: hashOf(1),
  nextMessageBoxIndex: nextIndex,
} as const;

/** A write as `encryptWrite` returns it. */
export const sealedWrite = {
  kind: "write",
  writeCap,
  messageBoxIndex: index,
  messageCiphertext: ciphertext,
  envelopeDescriptor: descriptor,
  envelopeHash: hashOf(2),
  nextMessageBoxIndex: nextIndex,
} as const;

/** A daemon's reply to an encrypt request. */
export function sealedReply(
  request: DaemonRequest<"encryptRead" | "encryptWrite">,
  hash = 1,
): DaemonResponse {
  return {
    kind: `${request.kind}Reply`,
    queryId: request.queryId,
    messageCiphertext: ciphertext,
    envelopeDescriptor: descriptor,
    envelopeHash: hashOf(hash),
    nextMessageBoxIndex: indexOf(numberOf(request.messageBoxIndex) + 1),
    errorCode: 0,
  };
}

/**
 * A daemon's reply to a start; it names a courier, as replies based on a courier's or replica's
 * answer do.
 */
export function startReply(
  request: DaemonRequest<"startResendingEncryptedMessage">,
  members: Partial<DaemonResponse<"startResendingEncryptedMessageReply">> = {},
): DaemonResponse {
  return {
    kind: "startResendingEncryptedMessageReply",
    queryId: request.queryId,
    plaintext: null,
    errorCode: 0,
    courierIdentityHash: courier[0],
    courierQueueId: courier[1],
    ...members,
  };
}

/** A daemon's reply to a copy command. */
export function copyReply(
  request: DaemonRequest<"startResendingCopyCommand">,
  members: Partial<DaemonResponse<"startResendingCopyCommandReply">> = {},
): DaemonResponse {
  return {
    kind: "startResendingCopyCommandReply",
    queryId: request.queryId,
    errorCode: 0,
    replicaErrorCode: null,
    failedEnvelopeIndex: null,
    ...members,
  };
}

/** A reply that only has a code. */
export function codeReply(
  request: DaemonRequest<"cancelResendingEncryptedMessage" | "cancelResendingCopyCommand">,
  errorCode = 0,
): DaemonResponse {
  return { kind: `${request.kind}Reply`, queryId: request.queryId, errorCode };
}

/**
 * Answers every request of a connection with `answer` until the client disconnects; null leaves a
 * request unanswered. Returns all requests in the order in which they arrived.
 */
export function serve(
  connection: ScriptedConnection,
  answer: (request: DaemonRequest) => DaemonResponse | null,
): DaemonRequest[] {
  const seen: DaemonRequest[] = [];
  void (async () => {
    for (let request = await connection.next(); request; request = await connection.next()) {
      if (request.kind === "thinClose") break;
      seen.push(request);
      const response = answer(request);
      if (response) connection.send(response);
    }
  })();
  return seen;
}
