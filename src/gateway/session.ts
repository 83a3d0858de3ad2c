/** A client's link to one gateway, from the handshake to its end. spec/mixnet §2 and §7. */
import type { Bytes, RandomSource } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";
import { ProtocolError } from "../errors/errors.js";
import type { KemScheme } from "../kem/scheme.js";
import { LinkError } from "../mixnet/link.js";
import { newQueueId } from "../mixnet/queue-id.js";
import type { Transport } from "../transport/transport.js";
import { CommandCodec, type CommandShape, type WireCommand } from "./commands.js";
import { type ConsensusAnswer, ConsensusAssembler, unpackConsensus } from "./consensus-chunks.js";
import { type ServerIdentity, shakeHandsAsClient } from "./shake-hands.js";
import { WireLink } from "./wire-link.js";

/** The time limits of a session in ms (spec/mixnet §2.4). */
export interface SessionTiming {
  /** For all four messages of the handshake together. */
  readonly handshakeMs: number;
  /** For the next command; gateways send one at least every ten seconds. */
  readonly readMs: number;
  /** For the gateway to accept what is written. */
  readonly writeMs: number;
  /** For a whole consensus. */
  readonly consensusMs: number;
  /**
   * After this time without sending, a NoOp is sent, because a gateway disconnects after two
   * minutes.
   */
  readonly keepAliveMs: number;
}

/** Upstream's limits; upstream has no keep-alive, and gets disconnected. */
const sessionTiming: SessionTiming = {
  handshakeMs: 60_000,
  readMs: 15_000,
  writeMs: 60_000,
  consensusMs: 30_000,
  keepAliveMs: 60_000,
};

/** Options of a session. */
export interface SessionOptions {
  /** Dialled but not opened. The session closes it. */
  readonly transport: Transport;
  readonly kem: KemScheme;
  readonly shape: CommandShape;
  readonly gateway: ServerIdentity;
  readonly clock: Clock;
  readonly timing?: SessionTiming | undefined;
  readonly random?: RandomSource | undefined;
  /**
   * A reply arrived: `surbId` (16 bytes) and ciphertext. It is acknowledged when this returns, so
   * it must be stored by then.
   */
  onReply(surbId: Bytes, ciphertext: Bytes): void;
  /** A command arrived: the gateway is alive. */
  onActivity?(): void;
}

/** The gateway's answer to a request for a consensus. */
export type FetchedConsensus =
  | { readonly errorCode: 0; readonly signed: Bytes }
  /** Not available: 2 means never, any other code means not yet. */
  | { readonly errorCode: number; readonly signed: null };

interface PendingFetch {
  readonly assembler: ConsensusAssembler;
  readonly resolve: (answer: ConsensusAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** A link whose handshake is done and confirmed by the gateway's first NoOp. */
export class GatewaySession {
  /** The connected gateway. */
  readonly gateway: ServerIdentity;
  /** The queue ID for replies while this link is up: 32 bytes. */
  readonly queueId: Bytes;
  /** Our clock minus the gateway's, in ms; one sample. */
  readonly clockSkewMs: number;
  /** Resolves with the reason when the link has ended; never rejects. */
  readonly ended: Promise<Error>;
  readonly #link: WireLink;
  readonly #clock: Clock;
  readonly #timing: SessionTiming;
  readonly #codec: CommandCodec;
  #fetch: PendingFetch | null = null;
  #keepAlive: Timer | null = null;

  private constructor(
    link: WireLink,
    codec: CommandCodec,
    options: SessionOptions,
    queueId: Bytes,
    clockSkewMs: number,
  ) {
    this.gateway = options.gateway;
    this.queueId = queueId;
    this.clockSkewMs = clockSkewMs;
    this.#link = link;
    this.#codec = codec;
    this.#clock = options.clock;
    this.#timing = options.timing ?? sessionTiming;
    this.ended = link.ended.then((error) => {
      this.#keepAlive?.cancel();
      this.#fetch?.reject(error);
      this.#fetch = null;
      return error;
    });
  }

  /**
   * Runs the handshake, with a fresh key and a fresh queue ID, and waits for the gateway's NoOp.
   * @throws LinkError when the gateway is another one, does not answer in time or disconnects;
   * ProtocolError when it does not speak the protocol; the signal's reason. The transport is then
   * closed.
   */
  static async connect(options: SessionOptions, signal?: AbortSignal): Promise<GatewaySession> {
    const { transport, kem, clock, gateway, random } = options;
    const timing = options.timing ?? sessionTiming;
    const link = new WireLink(transport, clock);
    const leave = signal && onAbort(signal, () => link.close(signal.reason as Error));
    const timer = clock.after(timing.handshakeMs, () =>
      link.close(new LinkError(`${gateway.name}: no handshake within ${timing.handshakeMs} ms`)),
    );
    try {
      signal?.throwIfAborted();
      const queueId = newQueueId(random);
      const { keys, clockSkewMs } = await shakeHandsAsClient(link, {
        kem,
        server: gateway,
        additionalData: queueId,
        clock,
        random,
      });
      timer.cancel();
      const codec = new CommandCodec(options.shape);
      const session = new GatewaySession(link, codec, options, queueId, clockSkewMs);
      await new Promise<void>((resolve, reject) => {
        let isFirst = true;
        void link.ended.then(reject);
        link.beginCommands({
          codec,
          sealKey: keys.initiatorToResponder,
          openKey: keys.responderToInitiator,
          longestCommand: codec.longestFromGateway,
          readTimeoutMs: timing.readMs,
          writeTimeoutMs: timing.writeMs,
          onCommand: (command) => {
            options.onActivity?.();
            if (!isFirst) {
              session.#onCommand(command, options);
              return;
            }
            isFirst = false;
            if (command.type !== "NoOp") {
              throw new ProtocolError(`${gateway.name}: ${command.type} at the handshake's end`);
            }
            resolve();
          },
        });
      });
      session.#restartKeepAlive();
      return session;
    } catch (error) {
      link.close(error instanceof Error ? error : new LinkError(String(error)));
      throw link.error ?? error;
    } finally {
      timer.cancel();
      leave?.();
    }
  }

  /**
   * Sends a Sphinx packet after all earlier ones. The caller decides when it may leave.
   * @throws The reason why the link ended, as a rejection.
   */
  sendPacket(sphinxPacket: Uint8Array): Promise<void> {
    return this.#send({ type: "SendPacket", sphinxPacket });
  }

  /**
   * Asks for the consensus of an epoch; one request at a time. A gateway that answers out of order,
   * beyond the limits or too late is disconnected.
   * @throws (rejects) LinkError while another request is open; the reason why the link ended.
   */
  async fetchConsensus(epoch: number): Promise<FetchedConsensus> {
    if (this.#fetch !== null) throw new LinkError("a consensus is already being fetched");
    if (this.#link.error !== null) throw this.#link.error;
    const { consensusMs } = this.#timing;
    const assembler = new ConsensusAssembler(this.#codec.chunkLength);
    const timer = this.#clock.after(consensusMs, () =>
      this.close(new LinkError(`${this.gateway.name}: no consensus within ${consensusMs} ms`)),
    );
    try {
      const answer = await new Promise<ConsensusAnswer>((resolve, reject) => {
        this.#fetch = { assembler, resolve, reject };
        this.#send({ type: "GetConsensus2", epoch: BigInt(epoch) }).catch(reject);
      });
      if (answer.packed === null) return { errorCode: answer.errorCode, signed: null };
      return { errorCode: 0, signed: await unpackConsensus(answer.packed) };
    } catch (error) {
      this.close(error as Error);
      throw this.#link.error!;
    } finally {
      timer.cancel();
    }
  }

  /** Ends the link. Idempotent; the first reason is kept. */
  close(reason: Error = new LinkError("the link was closed")): void {
    this.#link.close(reason);
  }

  async #send(command: WireCommand): Promise<void> {
    this.#restartKeepAlive();
    await this.#link.send(command);
  }

  #restartKeepAlive(): void {
    this.#keepAlive?.cancel();
    if (this.#link.error !== null) return;
    this.#keepAlive = this.#clock.after(
      this.#timing.keepAliveMs,
      () => void this.#send({ type: "NoOp" }).catch(() => {}),
      { background: true },
    );
  }

  #onCommand(command: WireCommand, { onReply }: SessionOptions): void {
    switch (command.type) {
      case "NoOp":
        return;
      case "Message": {
        onReply(command.surbId as Bytes, command.ciphertext as Bytes);
        // The gateway sends the next reply when this one is acknowledged. If a gateway does not
        // wait, the socket slows it down, because nothing is read while an acknowledgement cannot
        // be written.
        const { sequence } = command;
        this.#link.acknowledge({ type: "MessageDelivered", sequence });
        this.#restartKeepAlive();
        return;
      }
      case "Consensus2": {
        if (this.#fetch === null) throw new ProtocolError("unsolicited Consensus2");
        const answer = this.#fetch.assembler.add(command);
        if (answer === null) return;
        this.#fetch.resolve(answer);
        this.#fetch = null;
        return;
      }
      case "Disconnect":
        throw new LinkError(`${this.gateway.name} disconnected`);
      default:
        throw new ProtocolError(`${command.type} from a gateway`);
    }
  }
}
