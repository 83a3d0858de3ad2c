/**
 * The port of an embedded gateway. Anyone who speaks the wire protocol joins the network there: our
 * own daemon, or upstream's (spec/mixnet §7.5).
 */
import { toHex } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import {
  CommandCodec,
  type Consensus2,
  ConsensusError,
  type WireCommand,
} from "../gateway/commands.js";
import { consensusCommands, noConsensusCommand } from "../gateway/consensus-chunks.js";
import { shakeHandsAsServer } from "../gateway/shake-hands.js";
import { WireLink } from "../gateway/wire-link.js";
import { x25519Kem } from "../kem/x25519.js";
import { LinkError } from "../mixnet/link.js";
import type { PublishedDocument } from "../network/directory.js";
import type { EmbeddedNetwork } from "../network/network.js";
import type { GatewayServer, NetworkGateway } from "../network/network-gateway.js";
import type { Listener, Transport } from "../transport/transport.js";
import { ServedClient } from "./served-client.js";

/** Time for the four messages of the handshake together, in ms. */
const handshakeMs = 3000;
/** The most links at once; upstream has no limit. */
const MAX_LINKS = 1024;
/** From this part of an epoch on, the next epoch's document alone is enough to serve clients. */
const nextDocumentSuffices = 7 / 8;

/** What a port needs. */
export interface GatewayPortOptions {
  readonly clock: Clock;
  readonly network: EmbeddedNetwork;
  readonly gateway: NetworkGateway;
}

/** Serves clients as a real gateway does. */
export class GatewayPort implements GatewayServer {
  readonly #options: GatewayPortOptions;
  readonly #codec: CommandCodec;
  readonly #links = new Set<WireLink>();
  /** Clients by the identity and key that they send: of two links the newer is kept. */
  readonly #clients = new Map<string, ServedClient>();
  /** The signed documents for clients, by epoch. */
  readonly #documents = new Map<number, Uint8Array>();
  readonly #chunks = new Map<number, Promise<Consensus2[]>>();

  constructor(options: GatewayPortOptions) {
    this.#options = options;
    this.#codec = new CommandCodec(options.network.geometry);
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Serves everyone who connects to `listener`, which the caller closes. */
  open(listener: Listener): void {
    listener.open((transport) => void this.serve(transport));
  }

  /** Makes a published document available to clients. */
  documentPublished({ epoch, certificate }: PublishedDocument): void {
    this.#documents.set(epoch, certificate);
    const { currentEpoch } = this.#options.network;
    for (const one of this.#documents.keys()) {
      if (one >= currentEpoch - 2) continue;
      this.#documents.delete(one);
      this.#chunks.delete(one);
    }
  }

  reachabilityChanged(online: boolean): void {
    if (!online) this.#hangUp("the gateway cannot be reached");
  }

  /** Disconnects everybody. Idempotent. */
  close(): void {
    this.#hangUp("the network is closed");
  }

  /**
   * Serves one client. Never rejects: a client that does not speak the protocol is disconnected.
   */
  async serve(transport: Transport): Promise<void> {
    const { clock, network, gateway } = this.#options;
    const link = new WireLink(transport, clock);
    if (!network.faults.online || !this.#hasDocument() || this.#links.size >= MAX_LINKS) {
      link.close(new LinkError("the gateway does not serve clients now"));
      return;
    }
    this.#links.add(link);
    void link.ended.then(() => this.#links.delete(link));
    const late = clock.after(
      handshakeMs,
      () => link.close(new LinkError("the handshake took too long")),
      { background: true },
    );
    try {
      const hands = await shakeHandsAsServer(link, {
        kem: x25519Kem,
        staticKeys: gateway.node.linkKeys,
        identityKey: gateway.node.identityKey,
        clock,
      });
      const { lambdaP, lambdaL } = network.rates;
      const client = new ServedClient({
        clock,
        link,
        codec: this.#codec,
        hands,
        gateway,
        packetLength: network.geometry.packetLength,
        clientRate: lambdaP + lambdaL,
        consensus: (command) => this.#consensus(command),
      });
      const name = `${toHex(hands.additionalData)} ${toHex(hands.clientKey)}`;
      this.#clients.get(name)?.close(new LinkError("the client came back on another link"));
      this.#clients.set(name, client);
      void link.ended.then(() => {
        if (this.#clients.get(name) === client) this.#clients.delete(name);
      });
      client.open();
    } catch (error) {
      link.close(error instanceof Error ? error : new LinkError(String(error)));
    } finally {
      late.cancel();
    }
  }

  #hangUp(why: string): void {
    for (const link of this.#links) link.close(new LinkError(why));
  }

  /** Whether there is a document with which clients can be served. */
  #hasDocument(): boolean {
    const { current, periodMs, leftMs } = this.#options.network.epoch();
    const next = leftMs <= periodMs * (1 - nextDocumentSuffices) ? 1 : 0;
    return [...this.#documents.keys()].some(
      (epoch) => epoch >= current - 2 && epoch <= current + next,
    );
  }

  async #consensus(
    command: WireCommand & { readonly type: "GetConsensus" | "GetConsensus2" },
  ): Promise<readonly WireCommand[]> {
    const { type, epoch: asked } = command;
    const epoch = Number(asked);
    const signed = this.#documents.get(epoch);
    if (signed === undefined) {
      const isOver = asked < BigInt(this.#options.network.currentEpoch - 1);
      const errorCode = isOver ? ConsensusError.GONE : ConsensusError.NOT_FOUND;
      return type === "GetConsensus2"
        ? [noConsensusCommand(errorCode)]
        : [{ type: "Consensus", errorCode, payload: new Uint8Array(0) }];
    }
    if (type === "GetConsensus") {
      return [{ type: "Consensus", errorCode: ConsensusError.OK, payload: signed }];
    }
    // Encoded only once, so that frequent requests are cheap.
    let chunks = this.#chunks.get(epoch);
    if (chunks === undefined) {
      chunks = consensusCommands(signed, this.#codec.chunkLength);
      this.#chunks.set(epoch, chunks);
    }
    return chunks;
  }
}
