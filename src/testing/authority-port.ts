/**
 * The port of an embedded authority: gives signed documents to anyone who asks (spec/mixnet §2.3,
 * §2.4).
 */
import type { Clock } from "../clock/clock.js";
import { CommandCodec, ConsensusError, type WireCommand } from "../gateway/commands.js";
import { shakeHandsAsServer } from "../gateway/shake-hands.js";
import { WireLink } from "../gateway/wire-link.js";
import type { KemKeyPair } from "../kem/scheme.js";
import { x25519Kem } from "../kem/x25519.js";
import { LinkError } from "../mixnet/link.js";
import type { Listener, Transport } from "../transport/transport.js";

/** How long a client has for its part of the handshake, and then for its request, in ms. */
const handshakeMs = 3000;
const requestMs = 30_000;
/** Longest request; a request for a document has 14 bytes. */
const longestRequest = 1024;

/** What a port needs. */
export interface AuthorityPortOptions {
  readonly clock: Clock;
  /** The authority's static key for the handshake. */
  readonly linkKeys: KemKeyPair;
  /** Its raw identity public key. */
  readonly identityKey: Uint8Array;
  /** The available signed documents. */
  readonly documents: () => readonly {
    readonly epoch: number;
    readonly certificate: Uint8Array;
  }[];
}

/** Answers one request per connection, as real authorities do. */
export class AuthorityPort {
  readonly #options: AuthorityPortOptions;
  readonly #links = new Set<WireLink>();

  constructor(options: AuthorityPortOptions) {
    this.#options = options;
  }

  /** Serves everyone who connects to `listener`, which the caller closes. */
  open(listener: Listener): void {
    listener.open((transport) => void this.serve(transport));
  }

  /**
   * Serves one client. Never rejects: a client that does not speak the protocol is disconnected.
   */
  async serve(transport: Transport): Promise<void> {
    const { clock, linkKeys, identityKey } = this.#options;
    const link = new WireLink(transport, clock);
    this.#links.add(link);
    void link.ended.then(() => this.#links.delete(link));
    const late = clock.after(
      handshakeMs,
      () => link.close(new LinkError("the handshake took too long")),
      { background: true },
    );
    try {
      const { keys, additionalData } = await shakeHandsAsServer(link, {
        kem: x25519Kem,
        staticKeys: linkKeys,
        identityKey,
        clock,
      });
      late.cancel();
      // Nodes of a network would upload descriptors; this one has no nodes outside this process.
      if (additionalData.length > 0) throw new LinkError("only clients are served");
      link.beginCommands({
        codec: new CommandCodec(null),
        sealKey: keys.responderToInitiator,
        openKey: keys.initiatorToResponder,
        longestCommand: longestRequest,
        readTimeoutMs: requestMs,
        writeTimeoutMs: requestMs,
        onCommand: (command) => {
          const answer = this.#answer(command);
          if (answer === null) throw new LinkError("only documents are served");
          // One request per connection: send what is queued, then end.
          link.send(answer).then(
            () => transport.end(),
            () => {},
          );
        },
      });
      await link.send({ type: "NoOp" });
    } catch (error) {
      late.cancel();
      link.close(error instanceof Error ? error : new LinkError(String(error)));
    }
  }

  /** Disconnects everybody. Idempotent. */
  close(): void {
    for (const link of this.#links) link.close(new LinkError("the network is closed"));
  }

  #answer(command: WireCommand): WireCommand | null {
    if (command.type !== "GetConsensus") return null;
    const documents = this.#options.documents();
    const known = documents.find(({ epoch }) => BigInt(epoch) === command.epoch);
    if (known !== undefined) {
      return { type: "Consensus", errorCode: ConsensusError.OK, payload: known.certificate };
    }
    const isOver = documents.some(({ epoch }) => command.epoch < BigInt(epoch));
    const errorCode = isOver ? ConsensusError.GONE : ConsensusError.NOT_FOUND;
    return { type: "Consensus", errorCode, payload: new Uint8Array(0) };
  }
}
