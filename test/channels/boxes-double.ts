/**
 * A test double for thin client, daemon and replicas: boxes in a map, behind a connection that
 * delays and loses calls. The tests run 10,000 crash schedules against it on the virtual clock; the
 * embedded network with its cryptography is too slow for that. channels.test.ts tests the same
 * channels on the embedded network.
 */
import { equalBytes, toHex } from "../../src/bytes/bytes.js";
import type { MessageBoxIndex, ReadCap, WriteCap } from "../../src/bytes/opaque.js";
import { decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import type { ChannelClient } from "../../src/channels/index.js";
import type { CallOptions } from "../../src/client/call-options.js";
import type { EventHandler } from "../../src/client/event-hub.js";
import type { EventOf, EventType } from "../../src/config/events.js";
import type { PkiDocument } from "../../src/pki/document.js";
import type { Clock } from "../../src/clock/clock.js";
import {
  keypairFromSeed,
  nextMessageBoxIndex,
  parseWriteCap,
  readCapOf,
} from "../../src/bacap/index.js";
import type { Keypair } from "../../src/bacap/capabilities.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import {
  inductVoucher,
  mintVoucher,
  openVoucherReply,
  voucherStream,
} from "../../src/crypto/voucher/voucher.js";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  ConnectionLostError,
  CopyCommandFailedError,
  RequestTimeoutError,
  TombstoneError,
} from "../../src/errors/errors.js";

const streamOf = ({ writeCap, readCap }: Keypair) => ({
  voucherWriteCap: writeCap,
  voucherReadCap: readCap,
});

/** What happens to one call. */
export interface Fate {
  readonly delayMs: number;
  /**
   * `request`: the call fails without an effect; `reply`: the call has its effect, but fails;
   * `answer`: the daemon drops the call without an answer, so it fails only at its deadline.
   */
  readonly lost: "request" | "reply" | "answer" | null;
}

/** Longer than any test. */
const NEVER_MS = 1e12;

/** Number of bytes that a box holds. */
const BOX_LENGTH = 60;

/** The replicas, which all clients of this double share. */
export class BoxesDouble {
  readonly clock: Clock;
  readonly #boxes = new Map<string, { bytes: Uint8Array; at: number }>();
  /** Decides what happens to the next call. */
  fate: () => Fate = () => ({ delayMs: 10, lost: null });
  /** How long a box lives, in ms. */
  lifetimeMs = Infinity;
  /** How many reads asked for a box that did not exist. */
  misses = 0;
  /** How many calls reached the replicas. */
  reads = 0;
  writes = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  #key(root: Uint8Array, index: MessageBoxIndex): string {
    return toHex(root.subarray(0, 8)) + toHex(index.subarray(0, 40));
  }

  get(readCap: ReadCap, index: MessageBoxIndex): Uint8Array | null {
    const box = this.#boxes.get(this.#key(readCap.subarray(0, 32), index));
    if (!box || this.clock.now() - box.at > this.lifetimeMs) return null;
    return box.bytes;
  }

  /** Stores a box; returns false if the box holds other bytes. */
  put(writeCap: WriteCap, index: MessageBoxIndex, bytes: Uint8Array): boolean {
    const before = this.get(readCapOf(writeCap), index);
    if (bytes.length > 0 && before) return equalBytes(before, bytes);
    this.#boxes.set(this.#key(writeCap.subarray(32, 64), index), {
      bytes,
      at: this.clock.now(),
    });
    return true;
  }

  /** The same boxes on another clock, whose time is at least that of this one. */
  copy(clock: Clock): BoxesDouble {
    const copy = new BoxesDouble(clock);
    for (const [key, box] of this.#boxes) copy.#boxes.set(key, box);
    return copy;
  }

  /** The replicas lose one box. */
  lose(readCap: ReadCap, index: MessageBoxIndex): void {
    this.#boxes.delete(this.#key(readCap.subarray(0, 32), index));
  }

  /**
   * The daemon ends and is back after `downMs`. Calls in progress fail, with or without their
   * effect, and so do new ones until it is back. This is harsher than a thin client, which makes its
   * calls again.
   */
  restart(downMs: number): void {
    this.#downUntil = this.clock.now() + downMs;
    for (const fail of this.#inProgress) fail();
    this.#inProgress.clear();
  }

  /** The daemon is replaced by another one, whose network has none of the boxes. */
  forget(): void {
    this.#boxes.clear();
    this.replaceDaemon();
  }

  /** The daemon is replaced by another one, of the same network. */
  replaceDaemon(): void {
    this.#emit({ type: "reconnected", resumed: false, newInstance: true });
  }

  /** The daemon has a document again. */
  announceDocument(): void {
    this.#emit({ type: "newPkiDocument", payload: null, document: {} as PkiDocument });
  }

  #emit(event: EventOf<"reconnected" | "newPkiDocument">): void {
    for (const { type, handler } of this.#handlers) {
      if (type === event.type) void (handler as EventHandler<EventType>)(event);
    }
  }

  readonly #handlers = new Set<{ readonly type: EventType; readonly handler: unknown }>();
  #downUntil = -Infinity;
  readonly #inProgress = new Set<() => void>();

  /** Runs `work`, unless the daemon restarts meanwhile. */
  #unlessRestarted<T>(isDead: () => boolean, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        if (!isDead()) reject(new ConnectionLostError("the daemon restarts"));
      };
      this.#inProgress.add(fail);
      const done = (): void => void this.#inProgress.delete(fail);
      work.then(resolve, reject).finally(done);
    });
  }

  /** A client. Once `isDead` returns true, its calls never settle, as in a killed process. */
  client(isDead: () => boolean = () => false, onEffect: () => void = () => {}): ChannelClient {
    const call = <T>(options: CallOptions | undefined, effect: () => T): Promise<T> =>
      this.#unlessRestarted(isDead, attempt(options, effect));
    const attempt = async <T>(options: CallOptions | undefined, effect: () => T): Promise<T> => {
      const { signal, timeoutMs = Infinity } = options ?? {};
      const { delayMs, lost } = this.fate();
      await this.clock.sleep(delayMs / 2, signal);
      if (this.clock.now() < this.#downUntil) throw new ConnectionLostError("no daemon");
      if (isDead()) return new Promise(() => {});
      if (lost === "answer") {
        await this.clock.sleep(Math.min(timeoutMs, NEVER_MS), signal);
        throw new RequestTimeoutError("dropped");
      }
      if (lost === "request") {
        await this.clock.sleep(5 * delayMs, signal);
        throw new RequestTimeoutError("lost");
      }
      let result: T | null = null;
      let failure: unknown = null;
      try {
        result = effect();
      } catch (error) {
        failure = error;
      }
      onEffect();
      if (isDead()) return new Promise(() => {});
      await this.clock.sleep(lost === "reply" ? 5 * delayMs : delayMs / 2, signal);
      if (isDead()) return new Promise(() => {});
      if (lost === "reply") throw new RequestTimeoutError("lost");
      if (failure) throw failure;
      return result!;
    };
    const client: Partial<ChannelClient> = {
      read: (readCap, index, options) =>
        call(options, () => {
          this.reads++;
          const found = this.get(readCap, index);
          if (!found) this.misses++;
          if (!found) throw new BoxIDNotFoundError();
          if (found.length === 0) throw new TombstoneError();
          return { plaintext: found.slice(), nextMessageBoxIndex: nextMessageBoxIndex(index) };
        }),
      write: (writeCap, index, plaintext, options) =>
        call(options, () => {
          this.writes++;
          if (!this.put(writeCap, index, (plaintext as Uint8Array).slice())) {
            if (options?.ifExists === "error") throw new BoxAlreadyExistsError();
          }
          return { nextMessageBoxIndex: nextMessageBoxIndex(index) };
        }),
      tombstone: (writeCap, index, options) =>
        call(options, () => {
          this.put(writeCap, index, new Uint8Array(0));
          return { nextMessageBoxIndex: nextMessageBoxIndex(index) };
        }),
      newKeypair: (seed, options) => call(options, () => keypairFromSeed(seed as Uint8Array)),
      createCourierEnvelopesFromMultiPayload: (request, options) =>
        call(options, () => ({
          // There is one element for each box; the courier below decodes them.
          envelopes: request.destinations.flatMap(({ payload, writeCap, startIndex }) => {
            const elements: Uint8Array<ArrayBuffer>[] = [];
            let index = startIndex;
            for (let at = 0; at < payload.length; at += BOX_LENGTH - 4) {
              const bytes = payload.subarray(at, at + BOX_LENGTH - 4);
              elements.push(encodeCbor([writeCap, index, bytes, request.isLast]));
              index = nextMessageBoxIndex(index);
            }
            return elements;
          }),
          buffer: new Uint8Array(0),
          nextDestIndex: null,
          nextDestIndices: request.destinations.map(({ startIndex }) => startIndex),
        })),
      startResendingCopyCommand: (writeCap, options) => call(options, () => this.#copy(writeCap)),
      // The daemon computes vouchers the same way. This double uses X25519 alone, because CTIDH
      // takes seconds.
      voucherMint: async (messageWriteCap, displayName, options) => {
        await call(options, () => {});
        const minted = await mintVoucher({ scheme: x25519Nike, messageWriteCap, displayName });
        return { ...minted, ...streamOf(minted.stream) };
      },
      voucherDeriveStream: async (voucher, options) => {
        await call(options, () => {});
        return streamOf(voucherStream(voucher));
      },
      voucherInduct: async (voucher, voucherPayload, whoReply, options) => {
        await call(options, () => {});
        const request = { scheme: x25519Nike, voucher, voucherPayload, whoReply };
        const inducted = await inductVoucher(request);
        return {
          ...inducted,
          ...streamOf(inducted.stream),
          mutatedMessageReadCap: inducted.messageReadCap,
        };
      },
      voucherOpen: async (voucherSecretKey, sealedReply, messageWriteCap, options) => {
        await call(options, () => {});
        const request = { scheme: x25519Nike, voucherSecretKey, sealedReply, messageWriteCap };
        const opened = await openVoucherReply(request);
        return { ...opened, mutatedMessageWriteCap: opened.messageWriteCap };
      },
      pkiDocument: () => ({ lambdaP: 0.1 }) as never,
      isState: () => false,
      on: ((type: EventType, handler: (event: unknown) => void) => {
        const entry = { type, handler: (event: unknown) => void (isDead() || handler(event)) };
        this.#handlers.add(entry);
        const end = (): void => void this.#handlers.delete(entry);
        return Object.assign(end, { [Symbol.dispose]: end });
      }) as ChannelClient["on"],
      closed: new Promise(() => {}),
    };
    Object.defineProperty(client, "pigeonholeGeometry", {
      value: { maxPlaintextPayloadLength: BOX_LENGTH },
    });
    return client as ChannelClient;
  }

  #copy(temporary: WriteCap): void {
    const readCap = readCapOf(temporary);
    let index = temporary.slice(64) as MessageBoxIndex;
    for (let place = 1n; ; place++) {
      const element = this.get(readCap, index);
      if (!element) return;
      const [cap, at, bytes] = decodeCbor(element) as [Uint8Array, MessageBoxIndex, Uint8Array];
      if (!this.put(parseWriteCap(cap), at, bytes)) throw new CopyCommandFailedError(10, place);
      index = nextMessageBoxIndex(index);
    }
  }
}
