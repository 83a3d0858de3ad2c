/** The requests that start and cancel operations (spec/thin-protocol §4). */
import { toHex } from "../bytes/bytes.js";
import type { DaemonRequest } from "./requests.js";
import type { DaemonResponse } from "./responses.js";

/** A start of an operation. */
export type Start = DaemonRequest<"startResendingEncryptedMessage" | "startResendingCopyCommand">;
/** A cancel of an operation. */
export type Cancel = DaemonRequest<
  "cancelResendingEncryptedMessage" | "cancelResendingCopyCommand"
>;

/** Whether a request starts an operation. */
export function isStart(request: DaemonRequest): request is Start {
  return (
    request.kind === "startResendingEncryptedMessage" ||
    request.kind === "startResendingCopyCommand"
  );
}

/** Whether a request cancels an operation. */
export function isCancel(request: DaemonRequest): request is Cancel {
  return (
    request.kind === "cancelResendingEncryptedMessage" ||
    request.kind === "cancelResendingCopyCommand"
  );
}

/** The key of an envelope's operation, by its hash (32 bytes). Copy commands have other keys. */
export function envelopeKey(envelopeHash: Uint8Array): string {
  return `envelope:${toHex(envelopeHash)}`;
}

/** The key of a copy command, by the hash of its WriteCap (32 bytes). */
export function copyKey(writeCapHash: Uint8Array): string {
  return `copy:${toHex(writeCapHash)}`;
}

/** The reply to a start that did not become an operation, or was cancelled. */
export function failedStart({ kind, queryId }: Start, errorCode: number): DaemonResponse {
  if (kind === "startResendingCopyCommand") {
    return {
      kind: "startResendingCopyCommandReply",
      queryId,
      errorCode,
      replicaErrorCode: null,
      failedEnvelopeIndex: null,
    };
  }
  return {
    kind: "startResendingEncryptedMessageReply",
    queryId,
    plaintext: null,
    errorCode,
    courierIdentityHash: null,
    courierQueueId: null,
  };
}
