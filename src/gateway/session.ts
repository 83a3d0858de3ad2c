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

/** The waits of a session in ms. spec/mixnet §2.4. */
export interface SessionTiming {
  /** For the four messages of the handshake together. */
  readonly handshakeMs: number;
  /** For the next command; gateways send one every ten seconds at least. */
  readonly readMs: number;
  /** For the gateway to take what is written. */
  readonly writeMs: number;
  /** For a whole consensus. */
  readonly consensusMs: number;
  /** After so long without sending a NoOp is sent: a gateway hangs up after two minutes. */
  readonly keepAliveMs: number;
}

/** Upstream's waits; upstream has no keep-alive, and is disconnected. */
const sessionTiming: SessionTiming = {
  handshakeMs: 60_000,
  readMs: 15_000,
  writeMs: 60_000,
  consensusMs: 30_000,
  keepAliveMs: 60_000,
};

/** What a session is made with. */
export interface SessionOptions {
  /** Dialled, and not opened. The session closes it. */
  readonly transport: Transport;
  readonly kem: KemScheme;
  readonly shape: CommandShape;
  readonly gateway: ServerIdentity;
  readonly clock: Clock;
  readonly timing?: SessionTiming | undefined;
  readonly random?: RandomSource | undefined;
  /**
   * A reply came: `surbId` (16 bytes) and ciphertext. It is acknowledged when this returns, so it
   * must have been taken over by then.
   */
  onReply(surbId: Bytes, ciphertext: Bytes): void;
  /** Any command came: the gateway is alive. */
  onActivity?(): void;
}

/** What a gateway answered to the question for a consensus. */
export type FetchedConsensus =
  | { readonly errorCode: 0; readonly signed: Bytes }
  /** Not there: 2 forever, anything else for now. */
  | { readonly errorCode: number; readonly signed: null };

interface PendingFetch {
  readonly assembler: ConsensusAssembler;
  readonly resolve: (answer: ConsensusAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** A link whose handshake is done and answered by the gateway's first NoOp. */
export class GatewaySession {
  /** The gateway at the other end. */
  readonly gateway: ServerIdentity;
  /** Under which replies are filed while this link lives: 32 bytes. */
  readonly queueId: Bytes;
  /** Our clock less the gateway's, in ms; one sample. */
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
   * Shakes hands, with a fresh key and a fresh queue ID, and waits for the gateway's NoOp.
   * @throws LinkError when the gateway is another, does not answer in time or hangs up;
   * ProtocolError when it does not speak the protocol; the signal's reason. The transport is closed
   * then.
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
   * Sends a Sphinx packet, after all earlier ones. When it may leave is the caller's business.
   * @throws Why the link ended, as a rejection.
   */
  sendPacket(sphinxPacket: Uint8Array): Promise<void> {
    return this.#send({ type: "SendPacket", sphinxPacket });
  }

  /**
   * Asks for the consensus of an epoch; one question at a time. A gateway that answers out of
   * order, beyond the bounds or not in time is disconnected.
   * @throws Why the link ended, as a rejection.
   */
  async fetchConsensus(epoch: number): Promise<FetchedConsensus> {
    if (this.#fetch !== null) throw new LinkError("a consensus is being fetched already");
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

  /** Ends the link. Idempotent; the first reason stays. */
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
        // The gateway sends the next when this one is acknowledged; one that does not wait is
        // slowed down by the socket, since nothing is read while an acknowledgement cannot be
        // written.
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
