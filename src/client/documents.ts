/**
 * The PKI documents that a client knows: it stores them, keeps them current and answers questions
 * about them.
 */
import { type Bytes, copyBytes, randomBytes } from "../bytes/bytes.js";
import { decodedSize } from "../bytes/decoded-size.js";
import { IdentityHash } from "../bytes/opaque.js";
import type { CallOptions } from "./call-options.js";
import type { Clock, Timer } from "../clock/clock.js";
import { THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE } from "../errors/codes.js";
import {
  NotEnoughCouriersError,
  PkiDocumentUnavailableError,
  ServiceNotFoundError,
} from "../errors/errors.js";
import { daemonErrorFromCode } from "../errors/from-reply.js";
import { isSameDocument, type PkiDocument } from "../pki/document.js";
import { epochLengthOf, epochStart } from "../pki/epoch.js";
import { type Destination, findServices, type ServiceDescriptor } from "../pki/services.js";
import type { Calls } from "./calls.js";
import type { ReplyTo } from "../wire/responses.js";

/** How many epochs before the newest one are kept. */
const KEPT_EPOCHS = 5;
/** The most memory that they take; in a network of a hundred nodes each takes less than 2 MiB. */
const KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Documents by epoch: the newest and up to five epochs before it, or fewer if they are very large.
 */
export class PkiCache {
  readonly #byEpoch = new Map<number, PkiDocument>();
  readonly #sizes = new WeakMap<PkiDocument, number>();
  #current: PkiDocument | null = null;

  /** The document that arrived last; null before the first. */
  get current(): PkiDocument | null {
    return this.#current;
  }

  /** Adds a document and drops those that are too old. */
  add(document: PkiDocument): void {
    this.#current = document;
    this.#byEpoch.set(document.epoch, document);
    const newest = Math.max(...this.#byEpoch.keys());
    for (const epoch of this.#byEpoch.keys()) {
      if (epoch < newest - KEPT_EPOCHS) this.#byEpoch.delete(epoch);
    }
    this.#sizes.set(document, decodedSize(document, KEPT_BYTES));
    this.#boundMemory();
  }

  #boundMemory(): void {
    const oldestFirst = [...this.#byEpoch].sort(([one], [other]) => one - other);
    let held = oldestFirst.reduce((sum, [, document]) => sum + this.#sizes.get(document)!, 0);
    for (const [epoch, document] of oldestFirst) {
      if (held <= KEPT_BYTES) return;
      if (document === this.#current) continue;
      held -= this.#sizes.get(document)!;
      this.#byEpoch.delete(epoch);
    }
  }

  /**
   * Whether this document is already stored. Then it is not announced, even if another one arrived
   * after it.
   */
  holds(document: PkiDocument): boolean {
    const kept = this.#byEpoch.get(document.epoch);
    return kept !== undefined && isSameDocument(kept, document);
  }

  /** How many documents are stored. */
  get size(): number {
    return this.#byEpoch.size;
  }

  /**
   * The document of `epoch`, or else the current one.
   * @throws PkiDocumentUnavailableError when there is neither.
   */
  forEpoch(epoch: number): PkiDocument {
    const document = this.#byEpoch.get(epoch) ?? this.#current;
    if (document) return document;
    throw new PkiDocumentUnavailableError(
      "no PKI document available for the requested epoch: the daemon has not sent one yet; " +
        "wait with waitUntilOnline()",
    );
  }
}

// Keeps the client's PKI document current. A daemon announces a new document when it has fetched
// it, which a real daemon does late: after about 0.7 of an epoch (spec/thin-protocol §10, fact 31).
// If asked, it already has the document at the beginning of the epoch.

/** How often to check the clock, in ms: it may be set, and the machine may sleep. */
const LOOK_AGAIN_MS = 60_000;
/** If a document was not available, ask again after this part of an epoch. */
const RETRY = 1 / 8;
/** Clients spread their requests over this part of an epoch. */
const SPREAD = 1 / 100;

/** What the follower needs. */
export interface DocumentFollowerOptions {
  readonly clock: Clock;
  /** Whether there is a connection to ask on. */
  readonly canAsk: () => boolean;
  /** Asks for the current document and stores it if it is newer. May reject. */
  readonly fetch: () => Promise<void>;
}

/** Asks for the current document when the epoch of the last one is over. */
export class DocumentFollower {
  readonly #options: DocumentFollowerOptions;
  #timer: Timer | null = null;
  /** When to ask, in milliseconds since 1970. */
  #dueAt = 0;
  #retryMs = 0;
  #asking = false;
  #ended = false;

  constructor(options: DocumentFollowerOptions) {
    this.#options = options;
  }

  /** Starts to follow `document`, the client's current one. */
  follow(document: PkiDocument): void {
    if (this.#ended) return;
    const now = this.#options.clock.now();
    const lengthMs = epochLengthOf(document.epoch, now);
    if (lengthMs === null) {
      // The document does not say how long its epochs are, so rely on the daemon's announcements.
      this.#timer?.cancel();
      return;
    }
    this.#retryMs = lengthMs * RETRY;
    const overAt = epochStart(document.epoch + 1, lengthMs);
    this.#dueAt = overAt > now ? overAt + lengthMs * SPREAD * Math.random() : now;
    this.#look();
  }

  /** Stops asking. */
  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer?.cancel();
    const { clock, canAsk } = this.#options;
    const leftMs = this.#dueAt - clock.now();
    if (leftMs <= 0 && canAsk()) void this.#ask();
    const waitMs = leftMs <= 0 ? this.#retryMs : leftMs;
    this.#timer = clock.after(Math.min(waitMs, LOOK_AGAIN_MS), () => this.#look(), {
      background: true,
    });
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    this.#dueAt = this.#options.clock.now() + this.#retryMs;
    try {
      await this.#options.fetch();
    } catch {
      // The document was not available, or the connection was lost: ask again later, unless the
      // daemon announces it first.
    } finally {
      this.#asking = false;
    }
  }
}

// What a client can learn about the network (spec/thin-protocol §4.8).

/** A directory authority that the daemon trusts. */
export interface DirectoryAuthority {
  /** Its name in the daemon's configuration; signatures refer to `identityKeyHash`. */
  readonly identifier: string;
  /** Signature scheme of its identity key, e.g. `Ed25519`. */
  readonly pkiSignatureScheme: string;
  /** KEM of its link key, e.g. `xwing`. */
  readonly wireKemScheme: string;
  /** URLs; empty when the daemon lists none. */
  readonly addresses: readonly string[];
  /** PEM; "" when unset. */
  readonly identityPublicKeyPem: string;
  /** PEM; "" when unset. */
  readonly linkPublicKeyPem: string;
  /** BLAKE2b-256 of the raw identity public key; signatures in a document refer to it. */
  readonly identityKeyHash: IdentityHash;
}

/** A signed document as the authorities issued it. */
export interface RawPkiDocument {
  /** The certificate: CBOR with the document and its signatures. */
  readonly payload: Bytes;
  /**
   * The epoch that the document is for; if epoch 0 was requested, the current one or the one
   * before.
   */
  readonly epoch: number;
}

/** Fetches the signed document of `epoch`; 0 means the current one. */
export async function getPkiDocumentRaw(
  calls: Calls,
  epoch: number,
  options: CallOptions | undefined,
): Promise<RawPkiDocument> {
  const { reply, payload } = await requestPkiDocument(calls, epoch, options);
  return { payload: copyBytes(payload), epoch: Number(reply.epoch) };
}

/** Requests the signed document of `epoch`; returns it with the daemon's reply. */
export async function requestPkiDocument(
  calls: Calls,
  epoch: number,
  options: CallOptions | undefined,
): Promise<{ readonly reply: ReplyTo<"getPkiDocument">; readonly payload: Bytes }> {
  const operation = "getPkiDocumentRaw";
  if (!Number.isSafeInteger(epoch) || epoch < 0) {
    throw new RangeError(`\`epoch\` must be an integer of at least 0, got ${epoch}`);
  }
  const fields = { epoch: BigInt(epoch) };
  const reply = await calls.request("getPkiDocument", fields, { operation, options });
  const { payload } = reply;
  if (reply.errorCode !== 0 || !payload) {
    const what =
      epoch === 0
        ? "the daemon has no current PKI document yet; wait with waitUntilOnline()"
        : `the daemon has no PKI document for epoch ${epoch}: it keeps the previous, the current ` +
          "and the next one";
    const cause = daemonErrorFromCode(reply.errorCode, { operation }) ?? undefined;
    throw new PkiDocumentUnavailableError(what, { operation, cause });
  }
  return { reply, payload };
}

/** The authorities in the daemon's configuration; an empty list if there are none. */
export async function getDirectoryAuthorities(
  calls: Calls,
  options: CallOptions | undefined,
): Promise<DirectoryAuthority[]> {
  const operation = "getDirectoryAuthorities";
  const reply = await calls.request("getDirectoryAuthorities", {}, { operation, options });
  // Here the code means "none configured".
  if (reply.errorCode === THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE) return [];
  const error = daemonErrorFromCode(reply.errorCode, { operation });
  if (error) throw error;
  return (reply.authorities ?? []).map((authority) => ({
    ...authority,
    addresses: authority.addresses ?? [],
    identityKeyHash: IdentityHash.from(authority.identityKeyHash),
  }));
}

/** Every service with that name; never an empty list. */
export function getServices(capability: string, document: PkiDocument | null): ServiceDescriptor[] {
  if (typeof capability !== "string" || capability === "") {
    throw new TypeError("`capability` must be the name of a service, e.g. `echo`");
  }
  if (!document) {
    throw new PkiDocumentUnavailableError(
      "the daemon has not sent a PKI document yet; wait with waitUntilOnline()",
    );
  }
  const services = findServices(capability, document);
  if (services.length > 0) return services;
  const offered = new Set(
    document.serviceNodes.flatMap((node) => [...(node.kaetzchen?.keys() ?? [])]),
  );
  throw new ServiceNotFoundError(
    `the network offers no service "${capability}" in epoch ${document.epoch}; ` +
      `it offers: ${[...offered].sort().join(", ") || "none"}`,
  );
}

/** A uniformly random number from 0 to `bound` - 1. */
export function randomBelow(bound: number): number {
  // Rejection sampling: the last, incomplete range of values would favour small results.
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const value = new DataView(randomBytes(4).buffer).getUint32(0);
    if (value < limit) return value % bound;
  }
}

/** `count` different couriers, chosen at random. */
export function getDistinctCouriers(count: number, document: PkiDocument | null): Destination[] {
  if (!Number.isInteger(count) || count < 0) {
    throw new RangeError(`\`n\` must be an integer of at least 0, got ${count}`);
  }
  const couriers = getServices("courier", document).map((service) => service.toDestination());
  if (couriers.length < count) {
    throw new NotEnoughCouriersError(
      `not enough couriers available: ${count} wanted, ${couriers.length} in the PKI document`,
    );
  }
  for (let i = 0; i < count; i++) {
    const j = i + randomBelow(couriers.length - i);
    [couriers[i], couriers[j]] = [couriers[j]!, couriers[i]!];
  }
  return couriers.slice(0, count);
}
