/** Passes each request to the code that serves it (spec/thin-protocol §4, "Dispatch classes"). */
import { hash256 } from "../bytes/hash.js";
import type { Bytes } from "../bytes/bytes.js";
import type { IdentityHash } from "../bytes/opaque.js";
import { uniformBelow } from "../crypto/sharding.js";
import { type TraceHook, shortId } from "../mixnet/trace.js";
import { findServices } from "../pki/services.js";
import { type Start, copyKey, envelopeKey, failedStart } from "../wire/operations.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse } from "../wire/responses.js";
import type { AppSession } from "./app-session.js";
import type { Arq, Operation } from "./arq.js";
import type { DocumentSchedule } from "./document-schedule.js";
import { CopyExchange } from "./copy-commands.js";
import { EnvelopeExchange, requireWriteCap } from "./envelopes.js";
import { type LocalContext, type LocalKind, answerLocally } from "./local-requests.js";
import { RequestFailure, asError, requireDocument } from "./pigeonhole-context.js";
import type { PlainMessages } from "./plain-messages.js";
import type { DaemonTrace, TraceOperation } from "./trace.js";
import {
  THIN_CLIENT_ERROR_INVALID_REQUEST as INVALID_REQUEST,
  THIN_CLIENT_ERROR_INTERNAL_ERROR as INTERNAL_ERROR,
} from "../errors/codes.js";

/**
 * How many requests of a client may wait for the send schedule before the daemon stops reading from
 * that client, including cancels and goodbyes. With kind reading the number is higher: at 2 kB each
 * (a longer one is refused before it waits) they fill 64 MiB. With a packet rate, the number is
 * limited to what leaves within an hour.
 */
const MAX_WAITING_SENDS = 16;
const MAX_WAITING_SENDS_IF_KIND = 32_768;

/** The longest time that a client's last packet may wait, in ms: an hour. */
const LONGEST_QUEUE_MS = 3_600_000;

/** Local requests that seal: with CTIDH each takes seconds, mostly in workers. */
const sealing: ReadonlySet<DaemonRequest["kind"]> = new Set<DaemonRequest["kind"]>([
  "encryptRead",
  "encryptWrite",
  "createCourierEnvelopesFromPayload",
  "createCourierEnvelopesFromMultiPayload",
  "createCourierEnvelopesFromTombstoneRange",
  "voucherMint",
  "voucherInduct",
  "voucherOpen",
]);

/** Local requests that wait a while for a document if there is none (spec/thin-protocol §4). */
const needDocument: ReadonlySet<DaemonRequest["kind"]> = new Set<DaemonRequest["kind"]>([
  "encryptRead",
  "encryptWrite",
  "createCourierEnvelopesFromPayload",
  "createCourierEnvelopesFromMultiPayload",
  "createCourierEnvelopesFromTombstoneRange",
]);

/** What a dispatcher needs. */
export interface DispatcherOptions {
  readonly arq: Arq;
  readonly plain: PlainMessages;
  readonly documents: DocumentSchedule;
  readonly context: LocalContext;
  /** See {@link Kindness.kindCancels}. */
  readonly kindCancels: boolean;
  /** See {@link Kindness.kindReading}. */
  readonly kindReading: boolean;
  /** Mean time between two packets in ms; 0 if they leave at once. */
  readonly meanMs: () => number;
  /** See {@link DaemonOptions.sealingsAtOnce}. */
  readonly sealingsAtOnce: number;
  /** Receives a trace of requests and waits; null for no trace. */
  readonly onTrace: TraceHook<DaemonTrace> | null;
}

/** Serves the requests of sessions. */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Serves a request. If it returns a promise, the client's next request waits for it. */
  dispatch(
    session: AppSession,
    request: Exclude<DaemonRequest, { kind: "thinClose" | "sessionToken" }>,
  ): void | Promise<void> {
    const { arq, plain, context, onTrace } = this.#options;
    if (onTrace !== null) this.#traceRequest(onTrace, session, request);
    switch (request.kind) {
      case "sendMessage": {
        const message = plain.prepare(request);
        session.queue.add(() => void plain.send(session, message));
        if (onTrace !== null) this.#traceQueued(onTrace, session, request);
        return this.#slowDown(session);
      }
      case "startResendingEncryptedMessage":
      case "startResendingCopyCommand":
        return this.#start(session, request);
      case "cancelResendingEncryptedMessage":
        return this.#cancel(session, request, request.envelopeHash, (hash) =>
          arq.cancel(session, envelopeKey(hash)),
        );
      case "cancelResendingCopyCommand":
        return this.#cancel(session, request, request.writeCapHash, (hash) =>
          arq.cancel(session, copyKey(hash)),
        );
      default:
        if (!needDocument.has(request.kind) || context.documents.current() !== null) {
          return this.#answer(session, request);
        }
        return this.#options.documents.whenKnown().then(() => this.#answer(session, request));
    }
  }

  #traceRequest(
    onTrace: TraceHook<DaemonTrace>,
    session: AppSession,
    request: Parameters<Dispatcher["dispatch"]>[1],
  ): void {
    const { kind } = request;
    onTrace({
      source: "daemon",
      event: "request",
      at: this.#options.context.clock.now(),
      kind,
      ...named(session, request),
    });
  }

  #traceQueued(
    onTrace: TraceHook<DaemonTrace>,
    session: AppSession,
    request: Start | DaemonRequest<"sendMessage">,
  ): void {
    onTrace({
      source: "daemon",
      event: "queued",
      at: this.#options.context.clock.now(),
      operation: operationOf(request),
      waiting: session.queue.length,
      meanMs: this.#options.meanMs(),
      ...named(session, request),
    });
  }

  #answer(session: AppSession, request: DaemonRequest<LocalKind>): void | Promise<void> {
    const reply = answerLocally<LocalKind>(this.#options.context, request);
    if (!(reply instanceof Promise)) {
      session.deliver(reply);
      return undefined;
    }
    const done = reply.then((response) => session.deliver(response));
    return sealing.has(request.kind) ? this.#aside(session, done) : done;
  }

  /** Lets a client's further requests be served meanwhile, unless it has too many sealings. */
  #aside(session: AppSession, done: Promise<void>): void | Promise<void> {
    const { sealingsAtOnce } = this.#options;
    const under = session.sealings;
    const entry = done.finally(() => under.delete(entry));
    under.add(entry);
    if (under.size < sealingsAtOnce) {
      entry.catch((error: unknown) => this.#options.context.onFault(asError(error)));
      return undefined;
    }
    return sealingsAtOnce <= 1 ? entry : Promise.race(under);
  }

  #cancel(
    session: AppSession,
    request: DaemonRequest<"cancelResendingEncryptedMessage" | "cancelResendingCopyCommand">,
    hash: Bytes | null,
    cancel: (hash: Bytes) => void,
  ): void {
    const valid = request.queryId !== null && hash?.length === 32;
    // The start's answer first, then the cancel's (spec/thin-protocol §4.5).
    if (valid) cancel(hash);
    session.deliver({
      kind: `${request.kind}Reply`,
      queryId: request.queryId,
      errorCode: valid ? 0 : INVALID_REQUEST,
    });
  }

  /**
   * A start is checked, and refused or begun, when its tick comes (spec/thin-protocol §4, "Dispatch
   * classes"). A cancel that is read before that finds nothing, unless cancels are kind.
   */
  #start(session: AppSession, request: Start): void | Promise<void> {
    const { arq, kindCancels } = this.#options;
    const prepared = this.#prepare(session, request);
    if (kindCancels) {
      const operation = prepared();
      if ("judge" in operation) arq.startLater(operation);
      else session.deliver(operation);
    } else {
      const begin = (): void => {
        const operation = prepared();
        if ("judge" in operation) arq.start(operation);
        else session.deliver(operation);
      };
      session.queue.add(() => {
        if (this.#options.context.documents.current() !== null) begin();
        else void this.#options.documents.whenKnown().then(begin);
      });
    }
    const { onTrace } = this.#options;
    if (onTrace !== null) this.#traceQueued(onTrace, session, request);
    return this.#slowDown(session);
  }

  /**
   * Returns a function that makes the operation or the refusal. A request that is refused for good
   * is recognized now and not kept until then, because it may be as long as a frame.
   */
  #prepare(session: AppSession, request: Start): () => Operation | DaemonResponse {
    const { arq } = this.#options;
    const refusal = (error: unknown): DaemonResponse => {
      if (!(error instanceof RequestFailure)) this.#options.context.onFault(asError(error));
      return failedStart(
        request,
        error instanceof RequestFailure ? error.errorCode : INTERNAL_ERROR,
      );
    };
    let make: () => Operation;
    try {
      make = this.#operation(session, request);
    } catch (error) {
      const refused = refusal(error);
      return () => refused;
    }
    return () => {
      try {
        if (!arq.hasRoom(session)) {
          throw new RequestFailure(INTERNAL_ERROR, "too many unanswered operations");
        }
        return make();
      } catch (error) {
        return refusal(error);
      }
    };
  }

  /**
   * Checks a start; returns a function that makes its operation, with its courier, when its turn
   * comes.
   */
  #operation(session: AppSession, request: Start): () => Operation {
    const { context } = this.#options;
    if (request.kind === "startResendingCopyCommand") {
      if (!request.queryId) throw new RequestFailure(INVALID_REQUEST, "query ID is missing");
      const writeCap = requireWriteCap(request.writeCap);
      const key = copyKey(hash256(writeCap));
      const named = this.#namedCourier(request);
      return () =>
        new CopyExchange(request, { session, key, courier: named ?? this.#anyCourier() });
    }
    EnvelopeExchange.check(request);
    const maximum = context.sizes.courierQueryWriteLength;
    if (request.messageCiphertext!.length > maximum) {
      throw new RequestFailure(INTERNAL_ERROR, `ciphertext is longer than ${maximum} bytes`);
    }
    const kept = EnvelopeExchange.bounded(request);
    const key = envelopeKey(request.envelopeHash!);
    return () => new EnvelopeExchange(context, kept, { session, key, courier: this.#anyCourier() });
  }

  /** The courier that a copy command names. Half a name is an error, not silently ignored. */
  #namedCourier(request: DaemonRequest<"startResendingCopyCommand">): Operation["courier"] | null {
    const { courierIdentityHash: node, courierQueueId: queue } = request;
    if (!node && !queue) return null;
    if (node?.length !== 32 || !queue || queue.length < 1 || queue.length > 32) {
      throw new RequestFailure(INVALID_REQUEST, "courier needs both identity hash and queue ID");
    }
    return [node as IdentityHash, queue];
  }

  /** A random courier. All packets of one operation use it; the next operation gets another. */
  #anyCourier(): Operation["courier"] {
    const { context } = this.#options;
    const couriers = findServices("courier", requireDocument(context).decoded);
    if (couriers.length === 0) throw new RequestFailure(INTERNAL_ERROR, "no courier");
    return couriers[uniformBelow(couriers.length, context.random)]!.toDestination();
  }

  /** Stops reading a client's further requests while too many of its packets wait. */
  #slowDown(session: AppSession): void | Promise<void> {
    const { kindReading, meanMs } = this.#options;
    const inAnHour = Math.ceil(LONGEST_QUEUE_MS / Math.max(meanMs(), 1));
    const most = kindReading ? Math.min(MAX_WAITING_SENDS_IF_KIND, inAnHour) : MAX_WAITING_SENDS;
    if (session.queue.fresh <= most) return undefined;
    return session.queue.below(most);
  }
}

/** A request's name in traces. */
function named(
  session: AppSession,
  request: Parameters<Dispatcher["dispatch"]>[1],
): { readonly session: string; readonly request: string | null; readonly envelope: string | null } {
  const id = "queryId" in request ? request.queryId : (request.id ?? request.surbId);
  const envelope = "envelopeHash" in request ? request.envelopeHash : null;
  return {
    session: shortId(session.appId),
    request: id ? shortId(id) : null,
    envelope: envelope ? shortId(envelope) : null,
  };
}

function operationOf(request: Start | DaemonRequest<"sendMessage">): TraceOperation {
  if (request.kind === "sendMessage") return "message";
  if (request.kind === "startResendingCopyCommand") return "copy";
  return request.readCap ? "read" : "write";
}
