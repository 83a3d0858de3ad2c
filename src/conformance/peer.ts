/** A connection to the daemon under test, which sends exactly what a case wants. */
import { type Bytes, equalBytes, randomBytes, toHex } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import type { Transport } from "../transport/transport.js";
import { FrameDecoder, LENGTH_PREFIX_SIZE } from "../wire/framing.js";
import { type DaemonRequest, encodeRequest } from "../wire/requests.js";
import {
  type DaemonResponse,
  type MalformedReply,
  type QueryFields,
  type QueryKind,
  type ReplyTo,
  type ResponseKind,
  decodeResponse,
} from "../wire/responses.js";
import { Violation, must } from "./verdict.js";

const broadcasts: readonly string[] = ["connectionStatusEvent", "newPkiDocumentEvent"];

/** One connection. */
export class Peer {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #decoder = new FrameDecoder();
  #inbox: (DaemonResponse | MalformedReply)[] = [];
  #wake: (() => void) | null = null;
  #closed = false;
  #broken: Violation | null = null;

  /** @param timeoutMs longest wait for an answer that needs no network, in milliseconds. */
  constructor(transport: Transport, clock: Clock, timeoutMs: number) {
    this.#transport = transport;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    transport.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: () => {
        this.#closed = true;
        this.#wake?.();
      },
    });
  }

  /** Sends a request. */
  send(request: DaemonRequest): void {
    this.sendBody(encodeRequest(request));
  }

  /** Sends a frame with any body; its length prefix may be wrong. */
  sendBody(body: Uint8Array, prefix: number = body.length): void {
    const frame = new Uint8Array(LENGTH_PREFIX_SIZE + body.length);
    new DataView(frame.buffer).setUint32(0, prefix);
    frame.set(body, LENGTH_PREFIX_SIZE);
    this.#transport.write(frame);
  }

  /** Sends bytes unchanged. */
  sendBytes(bytes: Uint8Array): void {
    this.#transport.write(bytes);
  }

  /** The next message of any kind. @throws Violation when none arrives in time. */
  async next(waitMs = this.#timeoutMs): Promise<DaemonResponse> {
    const message = await this.#take(() => true, waitMs);
    must(message !== null, "the daemon disconnected without sending anything");
    return message;
  }

  /**
   * The next message of that kind; others are kept. @throws Violation when none arrives in time.
   */
  async event<K extends ResponseKind>(kind: K, waitMs: number): Promise<DaemonResponse<K>> {
    const message = await this.#take((candidate) => candidate.kind === kind, waitMs);
    must(message !== null, `the daemon disconnected without sending ${kind}`);
    return message as DaemonResponse<K>;
  }

  /** Sends a request with its own query ID; returns the ID. */
  begin<K extends QueryKind>(kind: K, fields: QueryFields<K>): Bytes {
    const queryId = randomBytes(16);
    this.send({ kind, ...fields, queryId } as unknown as DaemonRequest);
    return queryId;
  }

  /** The answer to a request; null if the daemon disconnected. */
  async answerOrEnd<K extends QueryKind>(
    kind: K,
    queryId: Uint8Array,
    waitMs = this.#timeoutMs,
  ): Promise<ReplyTo<K> | null> {
    const message = await this.#take((candidate) => {
      const id = "queryId" in candidate ? candidate.queryId : null;
      return id !== null && equalBytes(id, queryId);
    }, waitMs);
    if (message === null) return null;
    must(message.kind === `${kind}Reply`, `${kind} was answered with ${message.kind}`);
    return message as never;
  }

  /** The first answer to any of these requests. @throws Violation when none arrives. */
  async firstAnswer(
    queryIds: readonly Uint8Array[],
    waitMs = this.#timeoutMs,
  ): Promise<DaemonResponse & { readonly queryId: Bytes }> {
    const message = await this.#take((candidate) => {
      const id = "queryId" in candidate ? candidate.queryId : null;
      return id !== null && queryIds.some((queryId) => equalBytes(id, queryId));
    }, waitMs);
    must(message !== null, "the daemon disconnected without answering");
    return message as never;
  }

  /** The answer to a request. @throws Violation when none arrives. */
  async answer<K extends QueryKind>(
    kind: K,
    queryId: Uint8Array,
    waitMs?: number,
  ): Promise<ReplyTo<K>> {
    const reply = await this.answerOrEnd(kind, queryId, waitMs);
    must(reply !== null, `the daemon disconnected after ${kind}`);
    return reply as ReplyTo<K>;
  }

  /** Sends a request and waits for the answer. */
  ask<K extends QueryKind>(kind: K, fields: QueryFields<K>, waitMs?: number): Promise<ReplyTo<K>> {
    return this.answer(kind, this.begin(kind, fields), waitMs);
  }

  /** Checks that the daemon still answers on this connection. @throws Violation. */
  async mustBeAlive(): Promise<void> {
    const reply = await this.ask("newKeypair", { seed: new Uint8Array(32) as Bytes });
    must(reply.errorCode === 0, `new_keypair was answered with code ${reply.errorCode}`);
  }

  /** Checks that the daemon disconnects. @throws Violation when it does not in time. */
  async mustHangUp(): Promise<void> {
    const message = await this.#take((candidate) => !broadcasts.includes(candidate.kind), null);
    must(message === null, `the daemon answered with ${message?.kind} and did not disconnect`);
  }

  /** Checks that no unrequested message arrived. @throws Violation. */
  mustBeQuiet(): void {
    const stray = this.#inbox.find(({ kind }) => !broadcasts.includes(kind));
    must(stray === undefined, `${stray?.kind} arrived, which was not requested`);
  }

  /** Disconnects without a goodbye: the daemon keeps the session. */
  drop(): void {
    this.#transport.destroy();
  }

  /** Says goodbye, so that the daemon keeps nothing of this connection. */
  leave(): void {
    this.send({ kind: "thinClose" });
    this.#transport.end();
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#decoder.push(chunk, (body) => {
        const message = decodeResponse(body);
        if (message) this.#inbox.push(message);
      });
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#broken ??= new Violation(`a frame of the daemon cannot be read: ${what}`);
    }
    this.#wake?.();
  }

  /** The first message that fits; null if the daemon disconnects. `waitMs` null: the usual wait. */
  async #take(
    fits: (message: DaemonResponse) => boolean,
    waitMs: number | null,
  ): Promise<DaemonResponse | null> {
    const limitMs = waitMs ?? this.#timeoutMs;
    let late = false;
    const timer = this.#clock.after(limitMs, () => {
      late = true;
      this.#wake?.();
    });
    try {
      for (;;) {
        const place = this.#inbox.findIndex(
          (message) => message.kind === "malformedReply" || fits(message),
        );
        if (place >= 0) {
          const message = this.#inbox.splice(place, 1)[0]!;
          if (message.kind !== "malformedReply") return message;
          throw new Violation(`the reply ${toHex(message.queryId)}: ${message.error.message}`);
        }
        if (this.#broken) throw this.#broken;
        if (this.#closed) return null;
        if (late) throw new Silence(`the daemon sent nothing within ${limitMs} ms`);
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      timer.cancel();
    }
  }
}

/** Nothing arrived in time. */
export class Silence extends Violation {}
