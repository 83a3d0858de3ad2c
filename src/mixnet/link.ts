/**
 * All that a daemon knows of a mixnet. The embedded network is one implementation; a gateway
 * connection with real Sphinx packets can be another, with nothing above it changed.
 */
import type { IdentityHash, SurbId } from "../bytes/opaque.js";

/** A payload on its way to a service. */
export interface OutgoingPacket {
  /** Service node: BLAKE2b-256 of its identity key, 32 bytes. */
  readonly destination: IdentityHash;
  /** Endpoint on that node, 1 to 32 bytes, e.g. `+echo`. */
  readonly recipient: Uint8Array;
  /** At most the Sphinx geometry's UserForwardPayloadLength. */
  readonly payload: Uint8Array;
  /** Name of the reply block that goes with it; null when no reply is wanted. Never used twice. */
  readonly surbId: SurbId | null;
}

/** What a daemon learns when a packet has left. */
export interface SentPacket {
  /** When it left, in milliseconds since 1970. */
  readonly sentAt: number;
  /** How long the round trip is planned to take, in milliseconds; 0 without a reply block. */
  readonly replyEtaMs: number;
}

/** What came back by a reply block. */
export interface ReplyPacket {
  /** Which packet it answers: 16 bytes, as that one named its reply block. */
  readonly surbId: SurbId;
  /** Always the geometry's ForwardPayloadLength: the answer first, then zeros. */
  readonly payload: Uint8Array;
}

/** A consensus that became known. */
export interface ConsensusDocument {
  /** The epoch that it is for; it can be had before that begins. */
  readonly epoch: number;
  /** The signed certificate. spec/mixnet §3.3. */
  readonly certificate: Uint8Array;
  /**
   * The certified document alone, canonical CBOR without signatures; what thin clients are sent.
   */
  readonly document: Uint8Array;
}

/**
 * The document to go by: that of the epoch that there is, else that of the one before, for a new one
 * may come late. spec/mixnet §3.6.
 * @param ofEpoch finds the document of an epoch among those that are known.
 */
export function documentInForce<T>(
  ofEpoch: (epoch: number) => T | undefined,
  currentEpoch: number,
): T | undefined {
  return ofEpoch(currentEpoch) ?? ofEpoch(currentEpoch - 1);
}

/** What a link tells its daemon. */
export interface MixnetLinkHandlers {
  /** A reply came, in any order; one whose SURB ID is not known any more is to be ignored. */
  onReply(reply: ReplyPacket): void;
  /** A document became known: that of the current epoch, or of the one before or after it. */
  onDocument(document: ConsensusDocument): void;
  /** The connection to the gateway came or went; `error` says why it went. */
  onStatus(status: {
    /** Whether packets can be sent. */
    readonly connected: boolean;
    /** Why they cannot; "" when they can. */
    readonly error: string;
  }): void;
}

/** Why a packet could not be sent, in the words that a daemon passes on to its client. */
export class LinkError extends Error {
  /** Always `LinkError`. */
  override readonly name = "LinkError";
  /** Whether there is no connection; else no packet could be made. */
  readonly isOffline: boolean;
  constructor(
    message: string,
    options?: {
      /** Whether there is no connection; false by default. */
      readonly isOffline?: boolean;
    },
  ) {
    super(message);
    this.isOffline = options?.isOffline ?? false;
  }
}

/**
 * When packets leave. `poisson`: on the ticks of Poisson processes, with cover traffic where there
 * is nothing to send. `instant`: at once, without any; only a network that gives no anonymity
 * anyway may say so.
 */
export type LinkPace = "poisson" | "instant";

/** A daemon's access to a mixnet. */
export interface MixnetLink {
  /** When packets leave into this mixnet: the link says it, and nobody can say otherwise. */
  readonly pace: LinkPace;
  /** Begins telling; called exactly once. Status and known documents follow soon. */
  open(handlers: MixnetLinkHandlers): void;
  /**
   * Sends a packet now: when it is time to send is the daemon's business (its send schedule), path,
   * delays and reply block are the link's.
   * @throws LinkError when not connected, or when no path to the destination exists.
   */
  send(
    packet: OutgoingPacket,
    options?: {
      /**
       * Nobody waits for it any more: it rejects with the signal's reason, and a packet that has not
       * left by then does not leave.
       */
      readonly signal?: AbortSignal;
    },
  ): Promise<SentPacket>;
  /** Sends cover traffic: an echo to ourselves whose reply nobody waits for. Never throws. */
  sendDecoy(): Promise<void>;
  /**
   * The daemon has neither the current epoch's document nor that of the one before: one that can be
   * had is told of soon. A link that tells of each as soon as there is one need not do anything.
   */
  wantDocument?(): void;
  /** The current epoch by the network's clock, and its length in milliseconds. */
  epoch(): {
    /** Number of the epoch. */
    readonly current: number;
    /** Length of an epoch, in ms. */
    readonly periodMs: number;
    /** Until the next begins, in ms. */
    readonly leftMs: number;
  };
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}
