/**
 * The consensus documents that a link knows: when each is asked for, what is taken, what is
 * remembered of gateways that had none or a wrong one. spec/mixnet §3.4 and §3.6.
 */
import type { Bytes } from "../bytes/bytes.js";
import { copyBytes } from "../bytes/bytes.js";
import { ThinClientError } from "../errors/errors.js";
import { type ConsensusDocument, documentInForce } from "../mixnet/link.js";
import type { AuthorityInput } from "../pki/authority-keys.js";
import type { PkiDocument } from "../pki/document.js";
import { type EpochTime, epochAt } from "../pki/epoch.js";
import type { Geometry } from "../pki/geometry.js";
import type { Pause } from "../pki/signature-scheme.js";
import type { VerifiedDocument } from "../pki/verify.js";
import { verifyPkiDocumentWith } from "../pki/verify-with.js";
import { ConsensusError } from "./commands.js";
import type { FetchedConsensus } from "./session.js";

/** The parts of an epoch by which documents are asked for, in ms. */
function partsOf(periodMs: number): { publishMs: number; cacheMs: number; windowMs: number } {
  // Authorities publish the next document at 5/8; gateways have it 1/16 later.
  const publishMs = (periodMs * 5) / 8;
  const cacheMs = periodMs / 16;
  return { publishMs, cacheMs, windowMs: periodMs - publishMs - cacheMs };
}

/** How long until documents are asked for again, in ms. */
export function nextPkiWakeup(state: {
  /** Length of an epoch. */
  readonly periodMs: number;
  /** Until the next epoch begins. */
  readonly leftMs: number;
  /** Whether the document of this epoch is there. */
  readonly haveCurrent: boolean;
  /** Whether that of the next one is. */
  readonly haveNext: boolean;
}): number {
  const { leftMs, haveCurrent, haveNext, periodMs } = state;
  const { publishMs, cacheMs, windowMs } = partsOf(periodMs);
  if (!haveCurrent) return cacheMs;
  if (!haveNext) return leftMs > windowMs ? leftMs - windowMs : cacheMs;
  return leftMs + publishMs + cacheMs;
}

/** Anyone who answers for documents: a session with a gateway. */
export interface DocumentSource {
  /** What the gateway is remembered by. */
  readonly gateway: { readonly name: string };
  fetchConsensus(epoch: number): Promise<FetchedConsensus>;
}

/** What documents are taken from a network. */
export interface DocumentRules {
  /** Length of an epoch, in ms. Nothing on the wire tells it. */
  readonly periodMs: number;
  /** The pinned authorities. */
  readonly authorities: readonly AuthorityInput[];
  /** How many must have signed; more than half unless given. */
  readonly threshold?: number | undefined;
  /** The geometry whose hash documents must name. */
  readonly geometry: Geometry;
}

/** A document that was found to be genuine, with what it came in. */
export interface KnownDocument extends VerifiedDocument {
  /** The signed certificate. */
  readonly signed: Bytes;
}

/** What one waking found. */
export interface Waking {
  /** When to ask again, in ms. */
  readonly sleepMs: number;
  /**
   * Why the gateway is not to be asked further, and another is to be chosen; null while it is good.
   */
  readonly refusal: Error | null;
}

/** Documents of the last, this and the next epoch. */
export class LinkDocuments {
  readonly #rules: DocumentRules;
  readonly #now: () => number;
  readonly #pause: Pause;
  readonly #onDocument: (document: ConsensusDocument) => void;
  readonly #known = new Map<number, KnownDocument>();
  /** By epoch, the gateways that had a wrong document or never will have one. */
  readonly #failed = new Map<number, Set<string>>();
  /** Why the last question for a document of the current epoch brought none. */
  #problem: string | null = null;

  /**
   * @param now milliseconds since 1970, by the clock that epochs go by.
   * @param pause called within long verifications.
   * @param onDocument called with each verified document, once, and with no other.
   */
  constructor(
    rules: DocumentRules,
    now: () => number,
    pause: Pause,
    onDocument: (document: ConsensusDocument) => void,
  ) {
    this.#rules = rules;
    this.#now = now;
    this.#pause = pause;
    this.#onDocument = onDocument;
  }

  /** The epoch that it is. */
  epoch(inMs = 0): EpochTime {
    return epochAt(this.#now() + inMs, this.#rules.periodMs);
  }

  /** The document to go by: this epoch's, else the last one's; null when neither is there. */
  current(): PkiDocument | null {
    const { epoch } = this.epoch();
    return documentInForce((one) => this.#known.get(one), epoch)?.document ?? null;
  }

  /** Every document that is there, by epoch. */
  known(): readonly KnownDocument[] {
    return [...this.#known.values()].toSorted((a, b) => a.document.epoch - b.document.epoch);
  }

  /** Whether a gateway failed with the document of this epoch. */
  hasFailed(gatewayName: string): boolean {
    return this.#failed.get(this.epoch().epoch)?.has(gatewayName) ?? false;
  }

  /**
   * Asks a gateway for what is missing now.
   * @throws Why the link ended, as a rejection.
   */
  async wake(source: DocumentSource): Promise<Waking> {
    const { epoch, leftMs } = this.epoch();
    this.#forget(epoch);
    const wanted = leftMs < partsOf(this.#rules.periodMs).windowMs ? [epoch, epoch + 1] : [epoch];
    for (const one of wanted) {
      const refusal = await this.#fetch(source, one, epoch);
      if (refusal !== null) return { sleepMs: 0, refusal };
    }
    if (!this.#known.has(epoch) && !this.#known.has(epoch - 1)) {
      const refusal = await this.#fetch(source, epoch - 1, epoch);
      if (refusal !== null) return { sleepMs: 0, refusal };
    }
    // Fetching took its time: the epoch may be another.
    const after = this.epoch();
    const sleepMs = nextPkiWakeup({
      periodMs: this.#rules.periodMs,
      leftMs: after.leftMs,
      haveCurrent: this.#known.has(after.epoch),
      haveNext: this.#known.has(after.epoch + 1),
    });
    return { sleepMs, refusal: null };
  }

  /** Why there is no document of this epoch, as far as gateways said; null when there is one. */
  problem(): string | null {
    return this.#known.has(this.epoch().epoch) ? null : this.#problem;
  }

  /** Null, or why this gateway is to be left. */
  async #fetch(source: DocumentSource, epoch: number, now: number): Promise<Error | null> {
    const { name } = source.gateway;
    if (this.#known.has(epoch) || this.#failed.get(epoch)?.has(name)) return null;
    const { errorCode, signed } = await source.fetchConsensus(epoch);
    if (signed === null) {
      // What is gone may be there elsewhere. The last epoch's is asked for at every waking.
      const isGone = errorCode === ConsensusError.GONE;
      if (isGone && epoch >= now) this.#remember(epoch, name);
      if (epoch === now)
        this.#problem = `${name} ${isGone ? "will never have it" : "does not have it yet"}`;
      return null;
    }
    const { authorities, threshold, geometry } = this.#rules;
    let verified: VerifiedDocument;
    try {
      const checks = { epoch, currentEpoch: now, threshold, geometry };
      verified = await verifyPkiDocumentWith(signed, authorities, checks, this.#pause);
    } catch (error) {
      // Not our mistake but the gateway's; upstream gives the epoch up with whichever gateway.
      if (!(error instanceof ThinClientError)) throw error;
      this.#remember(epoch, name);
      if (epoch === now) this.#problem = `${name}: ${error.message}`;
      return error;
    }
    this.#known.set(epoch, { ...verified, signed });
    this.#onDocument({
      epoch,
      certificate: signed,
      document: copyBytes(verified.certificate.certified),
    });
    return null;
  }

  #remember(epoch: number, gatewayName: string): void {
    const names = this.#failed.get(epoch) ?? new Set();
    names.add(gatewayName);
    this.#failed.set(epoch, names);
  }

  #forget(epoch: number): void {
    for (const known of [this.#known, this.#failed]) {
      for (const one of known.keys()) if (one < epoch - 1 || one > epoch + 1) known.delete(one);
    }
  }
}
