/**
 * A daemon and its couriers as measured on a real network (spec/thin-protocol §10, facts 27 to 32;
 * spec/pigeonhole §9.1), on a virtual clock. One start leaves per tick, and cancels take effect
 * when they are read. The daemon stops reading when 16 starts wait. A courier keeps the answer "no
 * such box" for five minutes.
 */
import { toHex } from "../../src/bytes/bytes.js";
import { EnvelopeHash, type MessageBoxIndex } from "../../src/bytes/opaque.js";
import type { VirtualClock } from "../../src/clock/virtual.js";
import type { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import {
  codeReply,
  copyReply,
  filled,
  numberOf,
  sealedReply,
  startReply,
} from "./pigeonhole-fixture.js";

type EnvelopeStart = DaemonRequest<"startResendingEncryptedMessage">;
type Start = EnvelopeStart | DaemonRequest<"startResendingCopyCommand">;

/** How many starts may wait before the daemon stops reading. */
const READ_AHEAD = 16;
/** How often a courier asks the replicas about one envelope. */
const DISPATCHES = 5;
const CACHED_MS = 300_000;

/** The times of the daemon and its network, in milliseconds. */
export interface MeasuredOptions {
  readonly clock: VirtualClock;
  /** Time between two packets. */
  readonly tickMs?: number;
  /** Time from a packet to its answer. */
  readonly roundTripMs?: number;
  /** Time to seal one envelope. */
  readonly sealMs?: number;
}

interface Running {
  readonly start: Start;
  ended: boolean;
}

/** The daemon and its network; it serves one connection at a time. */
export class MeasuredDaemon {
  /** When each packet of an operation left, by the monotonic clock. */
  readonly packets: number[] = [];
  /** All requests that the daemon has read. */
  readonly read: DaemonRequest[] = [];
  /** Plaintexts by box number. */
  readonly boxes = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #clock: VirtualClock;
  readonly #tickMs: number;
  readonly #roundTripMs: number;
  readonly #sealMs: number;
  readonly #fresh: (() => void)[] = [];
  readonly #again: (() => void)[] = [];
  readonly #running = new Map<string, Running>();
  /**
   * What couriers know about an envelope: since when, how often they asked the replicas, and
   * whether they saw the box.
   */
  readonly #cached = new Map<string, { since: number; dispatches: number; seen: boolean }>();
  #sealed = 0;
  #roomFor: (() => void) | null = null;
  #connection: ScriptedConnection | null = null;

  constructor({ clock, tickMs = 1000, roundTripMs = 3000, sealMs = 0 }: MeasuredOptions) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#roundTripMs = roundTripMs;
    this.#sealMs = sealMs;
    clock.after(tickMs, () => this.#tick());
  }

  /** How many operations are running. */
  get running(): number {
    return this.#running.size;
  }

  /** How many starts wait for their packet to leave. */
  get waiting(): number {
    return this.#fresh.length;
  }

  /**
   * Serves a connection. Starts that waited on the previous one are dropped; running operations
   * continue.
   */
  async serve(connection: ScriptedConnection): Promise<void> {
    this.#connection = connection;
    this.#fresh.length = 0;
    for (let request = await connection.next(); request; request = await connection.next()) {
      if (this.#connection !== connection || request.kind === "thinClose") return;
      this.read.push(request);
      await this.#take(request);
    }
  }

  async #take(request: DaemonRequest): Promise<void> {
    switch (request.kind) {
      case "encryptRead":
      case "encryptWrite": {
        if (this.#sealMs > 0) await this.#clock.sleep(this.#sealMs);
        const number = ++this.#sealed;
        const envelopeHash = EnvelopeHash.from(filled(32));
        new DataView(envelopeHash.buffer).setUint32(0, number);
        this.#send({ ...sealedReply(request), envelopeHash } as DaemonResponse);
        break;
      }
      case "newKeypair":
        break;
      case "nextMessageBoxIndex":
        this.#send({
          kind: "nextMessageBoxIndexReply",
          queryId: request.queryId,
          nextMessageBoxIndex: request.messageBoxIndex as MessageBoxIndex | null,
          errorCode: request.messageBoxIndex ? 0 : 3,
        });
        break;
      case "cancelResendingEncryptedMessage":
        this.#cancel(toHex(request.envelopeHash!));
        this.#send(codeReply(request));
        break;
      case "cancelResendingCopyCommand":
        this.#cancel(toHex(request.writeCapHash!));
        this.#send(codeReply(request));
        break;
      case "startResendingEncryptedMessage":
      case "startResendingCopyCommand":
        // A start that finds no room blocks every request behind it.
        while (this.#fresh.length >= READ_AHEAD) {
          await new Promise<void>((resolve) => (this.#roomFor = resolve));
        }
        this.#fresh.push(() => this.#begin(request));
        break;
      default:
    }
  }

  #send(response: DaemonResponse): void {
    if (this.#connection && !this.#connection.closed) this.#connection.send(response);
  }

  #tick(): void {
    this.#clock.after(this.#tickMs, () => this.#tick());
    const job = this.#again.shift() ?? this.#fresh.shift();
    if (!job) return;
    job();
    this.#roomFor?.();
    this.#roomFor = null;
  }

  #begin(start: Start): void {
    const key =
      start.kind === "startResendingEncryptedMessage"
        ? toHex(start.envelopeHash!)
        : toHex(start.queryId!);
    const running = { start, ended: false };
    this.#running.set(key, running);
    this.#transmit(key, running, true);
  }

  #transmit(key: string, running: Running, isFirst: boolean): void {
    if (running.ended) return;
    this.packets.push(this.#clock.monotonic());
    this.#clock.after(this.#roundTripMs / 2, () => this.#atCourier(key, running.start));
    this.#clock.after(this.#roundTripMs, () => this.#answered(key, running, isFirst));
  }

  #atCourier(key: string, start: Start): void {
    if (start.kind !== "startResendingEncryptedMessage" || !start.readCap) return;
    const now = this.#clock.monotonic();
    let entry = this.#cached.get(key);
    if (!entry || now - entry.since >= CACHED_MS) {
      this.#cached.set(key, (entry = { since: now, dispatches: 0, seen: false }));
    }
    if (entry.seen || entry.dispatches >= DISPATCHES) return;
    entry.dispatches++;
    entry.seen = this.boxes.has(numberOf(start.messageBoxIndex));
  }

  #answered(key: string, running: Running, isFirst: boolean): void {
    if (running.ended) return;
    const { start } = running;
    const end = (response: DaemonResponse): void => {
      running.ended = true;
      if (this.#running.get(key) === running) this.#running.delete(key);
      this.#send(response);
    };
    if (start.kind === "startResendingCopyCommand") {
      end(copyReply(start));
    } else if (!start.readCap) {
      end(startReply(start));
    } else if (!isFirst && this.#cached.get(key)!.seen) {
      end(startReply(start, { plaintext: this.boxes.get(numberOf(start.messageBoxIndex))! }));
    } else if (!isFirst && start.noRetryOnBoxIdNotFound) {
      end(startReply(start, { errorCode: 1 }));
    } else {
      this.#again.push(() => this.#transmit(key, running, false));
    }
  }

  #cancel(key: string): void {
    const running = this.#running.get(key);
    if (!running || running.start.kind !== "startResendingEncryptedMessage") return;
    running.ended = true;
    this.#running.delete(key);
    this.#send(startReply(running.start, { errorCode: 24 }));
  }
}
