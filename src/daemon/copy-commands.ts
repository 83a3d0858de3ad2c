/** Copy commands: start, poll and judge them (spec/thin-protocol §4.6 and §7.3). */
import type { Bytes } from "../bytes/bytes.js";
import { CopyStatus, decodeCourierQueryReply } from "../crypto/envelope/courier-messages.js";
import { encodeCourierQuery } from "../crypto/envelope/courier-messages.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse } from "../wire/responses.js";
import type { Operation, Judgement } from "./arq.js";
import {
  THIN_CLIENT_ERROR_INTERNAL_ERROR as INTERNAL_ERROR,
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED as CANCELLED,
} from "../errors/codes.js";

const COPY_COMMAND_FAILED = 26;

/** One start of a copy command, which judges its answers. */
export class CopyExchange implements Operation {
  readonly session: Operation["session"];
  readonly key: string;
  readonly courier: Operation["courier"];
  readonly payload: Bytes;
  readonly queryId: Bytes | null;

  /** @param request a request whose capability was checked. */
  constructor(
    request: DaemonRequest<"startResendingCopyCommand">,
    place: Pick<Operation, "session" | "key" | "courier">,
  ) {
    this.session = place.session;
    this.key = place.key;
    this.courier = place.courier;
    this.payload = encodeCourierQuery({ kind: "copy", writeCap: request.writeCap! });
    this.queryId = request.queryId;
  }

  judge(payload: Uint8Array): Judgement {
    const reply = decodeCourierQueryReply(payload);
    if (reply.kind !== "copy") return this.#done(INTERNAL_ERROR);
    const { status, errorCode, failedEnvelopeIndex } = reply.reply;
    if (status === CopyStatus.IN_PROGRESS) return { kind: "again", wait: "copyPoll" };
    if (status === CopyStatus.SUCCEEDED) return this.#done(0);
    if (status !== CopyStatus.FAILED) return this.#done(INTERNAL_ERROR);
    return this.#done(COPY_COMMAND_FAILED, errorCode, failedEnvelopeIndex);
  }

  cancelled(): DaemonResponse {
    return this.#reply(CANCELLED, 0, 0n);
  }

  unreadable(): DaemonResponse {
    return this.#reply(INTERNAL_ERROR, 0, 0n);
  }

  failed(): DaemonResponse {
    return this.#reply(INTERNAL_ERROR, 0, 0n);
  }

  #done(errorCode: number, replicaErrorCode = 0, failedEnvelopeIndex = 0n): Judgement {
    return {
      kind: "done",
      response: this.#reply(errorCode, replicaErrorCode, failedEnvelopeIndex),
    };
  }

  #reply(
    errorCode: number,
    replicaErrorCode: number,
    failedEnvelopeIndex: bigint,
  ): DaemonResponse<"startResendingCopyCommandReply"> {
    return {
      kind: "startResendingCopyCommandReply",
      queryId: this.queryId,
      errorCode,
      // Go leaves both out if they are zero.
      replicaErrorCode: replicaErrorCode === 0 ? null : replicaErrorCode,
      failedEnvelopeIndex: failedEnvelopeIndex === 0n ? null : failedEnvelopeIndex,
    };
  }
}
