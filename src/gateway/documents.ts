/**
 * The consensus documents of a link: when it asks for each, which ones it accepts, and which
 * gateways had none or an invalid one (spec/mixnet §3.4 and §3.6).
 */
import type { Bytes } from "../bytes/bytes.js";
import { copyBytes } from "../bytes/bytes.js";
import { ThinClientError } from "../errors/errors.js";
import { type ConsensusDocument, documentInForce } from "../mixnet/link.js";
import type { AuthorityInput } from "../pki/authority-keys.js";
import type { PkiDocument } from "../pki/document.js";
import { EPOCH_ZERO_MS, type EpochTime, epochAt } from "../pki/epoch.js";
import type { Geometry } from "../pki/geometry.js";
import type { Pause } from "../pki/signature-scheme.js";
import type { VerifiedDocument } from "../pki/verify.js";
import { verifyPkiDocumentWith } from "../pki/verify-with.js";
import { ConsensusError } from "./commands.js";
import type { FetchedConsensus } from "./session.js";

/** The times within an epoch that matter for documents, in ms. */
function partsOf(periodMs: number): { publishMs: number; cacheMs: number; windowMs: number } {
  // Authorities publish the next document at 5/8 of an epoch; gateways have it 1/16 later.
  const publishMs = (periodMs * 5) / 8;
  const cacheMs = periodMs / 16;
  return { publishMs, cacheMs, windowMs: periodMs - publishMs - cacheMs };
}

/** The time until documents are asked for again, in ms. */
export function nextPkiWakeup(state: {
  /** Length of an epoch, in ms. */
  readonly periodMs: number;
  /** Time until the next epoch begins, in ms. */
  readonly leftMs: number;
  /** Whether this epoch's document is known. */
  readonly haveCurrent: boolean;
  /** Whether the next epoch's document is known. */
  readonly haveNext: boolean;
}): number {
  const { leftMs, haveCurrent, haveNext, periodMs } = state;
  const { publishMs, cacheMs, windowMs } = partsOf(periodMs);
  if (!haveCurrent) return cacheMs;
  if (!haveNext) return leftMs > windowMs ? leftMs - windowMs : cacheMs;
  return leftMs + publishMs + cacheMs;
}

/** A source of documents: a session with a gateway. */
export interface DocumentSource {
  /** The gateway's name, by which failures are remembered. */
  readonly gateway: { readonly name: string };
  fetchConsensus(epoch: number): Promise<FetchedConsensus>;
}

/** The rules for accepting documents of a network. */
export interface DocumentRules {
  /** Length of an epoch, in ms. The wire does not tell it. */
  readonly periodMs: number;
  /** The pinned authorities. */
  readonly authorities: readonly AuthorityInput[];
  /** How many must have signed; more than half by default. */
  readonly threshold?: number | undefined;
  /** The geometry whose hash documents must contain. */
  readonly geometry: Geometry;
}

/** A verified document, with its certificate. */
export interface KnownDocument extends VerifiedDocument {
  /** The signed certificate. */
  readonly signed: Bytes;
}

/** The result of one wake-up. */
export interface Waking {
  /** After how many ms to ask again. */
  readonly sleepMs: number;
  /** Why to leave this gateway and choose another; null while it is good. */
  readonly refusal: Error | null;
}

/** Who hears of documents. */
export interface DocumentHandlers {
  /** Called once with each verified document, and with no others. */
  readonly onDocument: (document: ConsensusDocument) => void;
  /** Called with each document that is invalid: its gateway, its epoch, and why. */
  readonly onRefused: (gateway: string, epoch: number, reason: string) => void;
}

/** Documents of the previous, the current and the next epoch. */
export class LinkDocuments {
  readonly #rules: DocumentRules;
  readonly #now: () => number;
  readonly #pause: Pause;
  readonly #handlers: DocumentHandlers;
  readonly #known = new Map<number, KnownDocument>();
  /** By epoch, the gateways that had an invalid document or will never have one. */
  readonly #failed = new Map<number, Set<string>>();
  /** Why the last request for the current epoch's document failed. */
  #problem: string | null = null;

  /**
   * @param now returns milliseconds since 1970, by the clock that epochs use.
   * @param pause called during long verifications.
   */
  constructor(rules: DocumentRules, now: () => number, pause: Pause, handlers: DocumentHandlers) {
    this.#rules = rules;
    this.#now = now;
    this.#pause = pause;
    this.#handlers = handlers;
  }

  /**
   * The epoch `inMs` milliseconds from now. A clock that has never been set, ours or the gateway's,
   * may be before epoch 0: it counts as being in epoch 1, which no network has a document of.
   */
  epoch(inMs = 0): EpochTime {
    const { periodMs } = this.#rules;
    return epochAt(Math.max(this.#now() + inMs, EPOCH_ZERO_MS + periodMs), periodMs);
  }

  /** The document to use: this epoch's, or else the previous epoch's; null if neither is known. */
  current(): PkiDocument | null {
    const { epoch } = this.epoch();
    return documentInForce((one) => this.#known.get(one), epoch)?.document ?? null;
  }

  /** All known documents, by epoch. */
  known(): readonly KnownDocument[] {
    return [...this.#known.values()].toSorted((a, b) => a.document.epoch - b.document.epoch);
  }

  /** Whether a gateway failed with this epoch's document. */
  hasFailed(gatewayName: string): boolean {
    return this.#failed.get(this.epoch().epoch)?.has(gatewayName) ?? false;
  }

  /**
   * Asks a gateway for the missing documents.
   * @throws The reason why the link ended, as a rejection.
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
    // Fetching takes time: the epoch may have changed.
    const after = this.epoch();
    const sleepMs = nextPkiWakeup({
      periodMs: this.#rules.periodMs,
      leftMs: after.leftMs,
      haveCurrent: this.#known.has(after.epoch),
      haveNext: this.#known.has(after.epoch + 1),
    });
    return { sleepMs, refusal: null };
  }

  /** Why this epoch's document is missing, as far as gateways said; null if it is known. */
  problem(): string | null {
    return this.#known.has(this.epoch().epoch) ? null : this.#problem;
  }

  /** Returns null, or the reason to leave this gateway. */
  async #fetch(source: DocumentSource, epoch: number, now: number): Promise<Error | null> {
    const { name } = source.gateway;
    if (this.#known.has(epoch) || this.#failed.get(epoch)?.has(name)) return null;
    const { errorCode, signed } = await source.fetchConsensus(epoch);
    if (signed === null) {
      // A document that is gone here may be available elsewhere. The previous epoch's document is
      // asked for at every wake-up.
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
      // This is the gateway's fault, so only this gateway is left; upstream gives up the epoch for
      // all gateways.
      if (!(error instanceof ThinClientError)) throw error;
      this.#remember(epoch, name);
      if (epoch === now) this.#problem = `${name}: ${error.message}`;
      this.#handlers.onRefused(name, epoch, error.message);
      return error;
    }
    this.#known.set(epoch, { ...verified, signed });
    this.#handlers.onDocument({
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
