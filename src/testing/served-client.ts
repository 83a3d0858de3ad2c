/** One client at a gateway's port, from its handshake to its end. spec/mixnet §7.1, §7.2, §7.5. */
import type { Bytes } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import { ProtocolError } from "../errors/errors.js";
import type { CommandCodec, WireCommand } from "../gateway/commands.js";
import type { ServerHandshake } from "../gateway/shake-hands.js";
import type { WireLink } from "../gateway/wire-link.js";
import { LinkError } from "../mixnet/link.js";
import type { NetworkGateway } from "../network/network-gateway.js";
import type { StoredReply } from "../network/spool.js";

/** How long a client may say nothing, in ms; heartbeats of ours do not count. */
const readTimeoutMs = 120_000;
/** How long a client may take nothing, in ms. */
const writeTimeoutMs = 60_000;
/** After so long without a reply or a NoOp, in ms, a client gets a NoOp. */
const heartbeatMs = 10_000;
/** How long a reply waits for its acknowledgement, in ms. */
const acknowledgementMs = 60_000;
/** Replies are filed under queue IDs of this length only. */
const queueIdLength = 32;

/** How many packets a client may send: its rate and a tenth more, with some put by. */
const overRate = 1.1;
const mostTokens = 256;
const firstTokens = 1;

/** What a client is served with. */
export interface ServedClientOptions {
  readonly clock: Clock;
  readonly link: WireLink;
  readonly codec: CommandCodec;
  readonly hands: ServerHandshake;
  readonly gateway: NetworkGateway;
  readonly packetLength: number;
  /** Packets that a client sends by the network's rates, per ms. */
  readonly clientRate: number;
  /** The answers to a question for a consensus. */
  readonly consensus: (
    command: WireCommand & { readonly type: "GetConsensus" | "GetConsensus2" },
  ) => Promise<readonly WireCommand[]>;
}

/** Takes a client's packets, and pushes its replies: one at a time, each acknowledged. */
export class ServedClient {
  readonly #options: ServedClientOptions;
  readonly #queueId: Bytes | null;
  #tokens = firstTokens;
  #countedAt: number;
  #sequence = 0;
  /** The reply that is not acknowledged yet. */
  #awaited: { readonly sequence: number; readonly reply: StoredReply } | null = null;
  /** The next NoOp, or the end of an acknowledgement's wait. */
  #timer: Timer | null = null;
  /** A client that did not acknowledge gets nothing more on this link, replies or NoOps. */
  #isMute = false;

  constructor(options: ServedClientOptions) {
    this.#options = options;
    const { additionalData } = options.hands;
    this.#queueId = additionalData.length === queueIdLength ? additionalData : null;
    this.#countedAt = options.clock.monotonic();
  }

  /** Begins: from the NoOp on the client counts as connected. */
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

  /** Hangs up. Idempotent. */
  close(reason: Error): void {
    this.#options.link.close(reason);
  }

  /** Sends a command; what comes of it the link says by its end. */
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

  /** As real gateways do: the packet is dropped, and so is the reply that waits longest. */
  #retrieve(): Promise<void> {
    if (this.#queueId !== null) this.#options.gateway.spool.dropFirst(this.#queueId);
    return this.#options.link.send({
      type: "SendRetrievePacketReply",
      surbId: new Uint8Array(16),
      payload: new Uint8Array(0),
    });
  }

  /** Whether a packet may go; one too many is dropped without a word. */
  #takeToken(): boolean {
    const now = this.#options.clock.monotonic();
    const refill = (now - this.#countedAt) * overRate * this.#options.clientRate;
    this.#countedAt = now;
    this.#tokens = Math.min(mostTokens, this.#tokens + refill);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Sends the reply that waits longest, unless one is on its way already. */
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
