/**
 * Everything that a daemon knows about a mixnet. The embedded network implements it, and so does a
 * gateway connection with real Sphinx packets; nothing above it changes.
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
  /** ID of its reply block; null if no reply is wanted. Never used twice. */
  readonly surbId: SurbId | null;
}

/** What a daemon learns when a packet has left. */
export interface SentPacket {
  /** When it left, in milliseconds since 1970. */
  readonly sentAt: number;
  /** The planned round-trip time, in milliseconds; 0 without a reply block. */
  readonly replyEtaMs: number;
}

/** A reply that arrived through a reply block. */
export interface ReplyPacket {
  /** The SURB ID of the packet that it answers: 16 bytes. */
  readonly surbId: SurbId;
  /** Always ForwardPayloadLength bytes: the answer, then zeros. */
  readonly payload: Uint8Array;
}

/** A newly known consensus. */
export interface ConsensusDocument {
  /** The epoch of the document; it may be known before that epoch begins. */
  readonly epoch: number;
  /** The signed certificate (spec/mixnet §3.3). */
  readonly certificate: Uint8Array;
  /** The certified document alone, canonical CBOR without signatures; thin clients get this. */
  readonly document: Uint8Array;
}

/**
 * The document to use: that of the current epoch, or else that of the epoch before, because a new
 * one may come late (spec/mixnet §3.6).
 * @param ofEpoch returns the known document of an epoch.
 */
export function documentInForce<T>(
  ofEpoch: (epoch: number) => T | undefined,
  currentEpoch: number,
): T | undefined {
  return ofEpoch(currentEpoch) ?? ofEpoch(currentEpoch - 1);
}

/** A link's callbacks to its daemon. */
export interface MixnetLinkHandlers {
  /** A reply arrived, in any order; ignore one with an unknown SURB ID. */
  onReply(reply: ReplyPacket): void;
  /**
   * A document became known: that of the current epoch, or of the one before or after it. Links call
   * this only with documents that they have verified: the daemon decodes a document and trusts it.
   */
  onDocument(document: ConsensusDocument): void;
  /** The connection to the gateway was made or lost; `error` says why it was lost. */
  onStatus(status: {
    /** Whether packets can be sent. */
    readonly connected: boolean;
    /** Why they cannot; "" if they can. */
    readonly error: string;
  }): void;
}

/** Why a packet could not be sent, in the text that a daemon passes on to its client. */
export class LinkError extends Error {
  /** Always `LinkError`. */
  override readonly name = "LinkError";
  /** Whether there is no connection. Otherwise no packet could be made. */
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
 * When packets leave. `poisson`: on the ticks of Poisson processes, with cover traffic if there is
 * nothing to send. `instant`: at once, without cover traffic; only a network that gives no
 * anonymity may use it.
 */
export type LinkPace = "poisson" | "instant";

/** A daemon's access to a mixnet. */
export interface MixnetLink {
  /** When packets leave into this mixnet. Only the link decides it. */
  readonly pace: LinkPace;
  /** Starts the callbacks; called exactly once. Status and known documents follow soon. */
  open(handlers: MixnetLinkHandlers): void;
  /**
   * Sends a packet now. The daemon's send schedule decides when to call this; the link chooses
   * path, delays and reply block.
   * @throws LinkError when not connected, or when there is no path to the destination.
   */
  send(
    packet: OutgoingPacket,
    options?: {
      /**
       * Aborted when nobody waits for the packet: `send` rejects with the signal's reason, and a
       * packet that has not left does not leave.
       */
      readonly signal?: AbortSignal;
    },
  ): Promise<SentPacket>;
  /** Sends cover traffic: an echo to ourselves whose reply nobody waits for. Never throws. */
  sendDecoy(): Promise<void>;
  /**
   * The daemon has neither the current epoch's document nor that of the epoch before: the link
   * should fetch one soon. A link that announces each document at once need not do anything.
   */
  wantDocument?(): void;
  /** The current epoch by the network's clock, and its length in milliseconds. */
  epoch(): {
    /** Number of the epoch. */
    readonly current: number;
    /** Length of an epoch, in ms. */
    readonly periodMs: number;
    /** Time until the next one begins, in ms. */
    readonly leftMs: number;
  };
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}
