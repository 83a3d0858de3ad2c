/** One client at a gateway's port, from its handshake to its end (spec/mixnet §7.1, §7.2, §7.5). */
import type { Bytes } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import { ProtocolError } from "../errors/errors.js";
import type { CommandCodec, WireCommand } from "../gateway/commands.js";
import type { ServerHandshake } from "../gateway/shake-hands.js";
import type { WireLink } from "../gateway/wire-link.js";
import { LinkError } from "../mixnet/link.js";
import type { NetworkGateway } from "../network/network-gateway.js";
import type { StoredReply } from "../network/spool.js";

/** How long a client may be silent, in ms; our heartbeats do not count. */
const readTimeoutMs = 120_000;
/** How long a client may read nothing, in ms. */
const writeTimeoutMs = 60_000;
/** After this time without a reply or a NoOp, in ms, a client gets a NoOp. */
const heartbeatMs = 10_000;
/** How long a reply waits for its acknowledgement, in ms. */
const acknowledgementMs = 60_000;
/** Replies are stored only under queue IDs of this length, in bytes. */
const queueIdLength = 32;

/** How many packets a client may send: a tenth above its rate, with a reserve for bursts. */
const overRate = 1.1;
const mostTokens = 256;
const firstTokens = 1;

/** What serving a client needs. */
export interface ServedClientOptions {
  readonly clock: Clock;
  readonly link: WireLink;
  readonly codec: CommandCodec;
  readonly hands: ServerHandshake;
  readonly gateway: NetworkGateway;
  readonly packetLength: number;
  /** The rate of a client's packets in this network, per ms. */
  readonly clientRate: number;
  /** The answers to a request for a consensus. */
  readonly consensus: (
    command: WireCommand & { readonly type: "GetConsensus" | "GetConsensus2" },
  ) => Promise<readonly WireCommand[]>;
}

/**
 * Takes a client's packets, and pushes its replies one at a time, each after the last was
 * acknowledged.
 */
export class ServedClient {
  readonly #options: ServedClientOptions;
  readonly #queueId: Bytes | null;
  #tokens = firstTokens;
  #countedAt: number;
  #sequence = 0;
  /** The reply that is not acknowledged yet. */
  #awaited: { readonly sequence: number; readonly reply: StoredReply } | null = null;
  /** The timer for the next NoOp, or for a missing acknowledgement. */
  #timer: Timer | null = null;
  /**
   * Set if the client did not acknowledge a reply: then it gets no more replies or NoOps on this
   * link.
   */
  #isMute = false;

  constructor(options: ServedClientOptions) {
    this.#options = options;
    const { additionalData } = options.hands;
    this.#queueId = additionalData.length === queueIdLength ? additionalData : null;
    this.#countedAt = options.clock.monotonic();
  }

  /** Begins to serve: after its first NoOp the client counts as connected. */
  open(): void {
    const { link, codec, hands, gateway } = this.#options;
    const leaveQueue =
      this.#queueId === null ? null : gateway.spool.attach(this.#queueId, () => this.#push());
    void link.ended.then(() => {
      this.#timer?.cancel();
      leaveQueue?.();
    });
    link.beginCommands({
      codec,
      sealKey: hands.keys.responderToInitiator,
      openKey: hands.keys.initiatorToResponder,
      longestCommand: codec.clientLength,
      readTimeoutMs,
      writeTimeoutMs,
      onCommand: (command) => this.#onCommand(command),
    });
    this.#say({ type: "NoOp" });
    this.#restartHeartbeat();
    this.#push();
  }

  /** Disconnects. Idempotent. */
  close(reason: Error): void {
    this.#options.link.close(reason);
  }

  /** Sends a command; if that fails, the link ends and reports why. */
  #say(command: WireCommand): void {
    void this.#options.link.send(command).catch(() => {});
  }

  #onCommand(command: WireCommand): void | Promise<void> {
    switch (command.type) {
      case "NoOp":
        return;
      case "SendPacket":
        if (command.sphinxPacket.length !== this.#options.packetLength) {
          throw new ProtocolError(`a packet of ${command.sphinxPacket.length} bytes`);
        }
        if (this.#takeToken()) this.#options.gateway.enter(command.sphinxPacket);
        return;
      case "MessageDelivered":
        this.#acknowledged(command.sequence);
        return;
      case "GetConsensus":
      case "GetConsensus2":
        return this.#answer(command);
      case "SendRetrievePacket":
        return this.#retrieve();
      case "Disconnect":
        throw new LinkError("the client disconnected");
      default:
        throw new ProtocolError(`${command.type} from a client`);
    }
  }

  async #answer(command: Parameters<ServedClientOptions["consensus"]>[0]): Promise<void> {
    for (const answer of await this.#options.consensus(command)) {
      await this.#options.link.send(answer);
    }
  }

  /** Drops the packet and the oldest waiting reply, as real gateways do. */
  #retrieve(): Promise<void> {
    if (this.#queueId !== null) this.#options.gateway.spool.dropFirst(this.#queueId);
    return this.#options.link.send({
      type: "SendRetrievePacketReply",
      surbId: new Uint8Array(16),
      payload: new Uint8Array(0),
    });
  }

  /** Whether a packet may pass; a packet above the rate is dropped silently. */
  #takeToken(): boolean {
    const now = this.#options.clock.monotonic();
    const refill = (now - this.#countedAt) * overRate * this.#options.clientRate;
    this.#countedAt = now;
    this.#tokens = Math.min(mostTokens, this.#tokens + refill);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Sends the oldest waiting reply, unless one is already on its way. */
  #push(): void {
    const { link, gateway, clock } = this.#options;
    if (this.#awaited !== null || this.#isMute || this.#queueId === null) return;
    const reply = gateway.spool.first(this.#queueId);
    if (reply === null || link.error !== null) return;
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#awaited = { sequence: this.#sequence, reply };
    this.#timer?.cancel();
    this.#timer = clock.after(
      acknowledgementMs,
      () => {
        this.#isMute = true;
        this.#timer = null;
      },
      { background: true },
    );
    this.#say({ type: "Message", sequence: this.#sequence, ...reply });
  }

  #acknowledged(sequence: number): void {
    const awaited = this.#awaited;
    if (awaited?.sequence !== sequence || this.#isMute) return;
    this.#awaited = null;
    this.#options.gateway.spool.remove(this.#queueId!, awaited.reply);
    this.#restartHeartbeat();
    this.#push();
  }

  #restartHeartbeat(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(
      heartbeatMs,
      () => {
        this.#say({ type: "NoOp" });
        this.#restartHeartbeat();
      },
      { background: true },
    );
  }
}
