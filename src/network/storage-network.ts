/** All couriers and replicas of a network, and the connections between them. */
import { type RandomSource, checkBytes, toHex } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import { REPLICA_EPOCH_MS, epochAt } from "../pki/epoch.js";
import type { Timing } from "../mixnet/timing.js";
import type { TraceHook } from "../mixnet/trace.js";
import { Breather } from "../clock/breather.js";
import { Courier } from "./courier/courier.js";
import type { EnvelopeLog } from "./courier/envelope-log.js";
import { derive } from "./random.js";
import { type BoxStore, MemoryBoxStore } from "./replica/box-store.js";
import { Replica, type ReplicaIdentity } from "./replica/replica.js";
import type { StorageDocument } from "./replica/shards.js";
import { StorageLink, type StoragePeer, type StorageTrace } from "./storage-link.js";
import { instantPace, poissonPace } from "./storage-pace.js";

/** What a storage network needs. */
export interface StorageNetworkOptions {
  /** The clock for all waits. */
  readonly clock: Clock;
  /** Source of nonces, ephemeral keys and delays. */
  readonly random: RandomSource;
  /** The waits of couriers and replicas. */
  readonly timing: Timing;
  /** NIKE of the envelopes; it must be the one that `sizes` names. */
  readonly scheme: NikeScheme;
  /** Lengths of the network's messages. */
  readonly sizes: PigeonholeSizes;
  /** The replicas' identities, in the order of {@link StorageNetwork.replicas}. */
  readonly replicas: readonly ReplicaIdentity[];
  /** How many couriers there are. */
  readonly courierCount: number;
  /**
   * 32 bytes from which the replicas' envelope keys are derived; secret. Keep it with the stores.
   */
  readonly keySeed: Uint8Array;
  /** The current document; null if there is none. */
  readonly document: () => StorageDocument | null;
  /** Whether links have the delays of real ones (LambdaR); by default there are no delays. */
  readonly paced?: boolean | undefined;
  /** See {@link Kindness.kindCouriers}; false by default. */
  readonly kindCouriers?: boolean | undefined;
  /** The current replica epoch; by default from the clock (spec/pigeonhole §6). */
  readonly replicaEpoch?: (() => number) | undefined;
  /** Where a replica stores its boxes; in memory by default. */
  readonly storeFor?: ((replica: ReplicaIdentity) => BoxStore) | undefined;
  /** The log of a courier (by its index, from 0), which survives restarts; none by default. */
  readonly logFor?: ((courier: number) => EnvelopeLog) | undefined;
  /** Called when a store or log cannot be read, and for other internal failures. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /** Receives the commands between couriers and replicas; null or undefined for no trace. */
  readonly onTrace?: TraceHook<StorageTrace> | null | undefined;
  /**
   * Returns a courier's name for traces (by its index, from 0); by default `courier` and its index.
   */
  readonly courierName?: ((courier: number) => string) | undefined;
}

/**
 * Couriers and replicas in one process. Call {@link start} first, then {@link publicKeys} for the
 * first document, then {@link documentChanged} for it and for each later document.
 */
export class StorageNetwork {
  /** Attach each to a service node of its own. */
  readonly couriers: readonly Courier[];
  /** In the given order; each has its own faults. */
  readonly replicas: readonly Replica[];
  readonly #document: () => StorageDocument | null;
  readonly #onFault: (error: Error) => void;
  readonly #links: StorageLink[] = [];
  #resumed = false;
  #stored = 0;
  #closed = false;

  /** @throws TypeError, RangeError when scheme and sizes differ, or the seed is not 32 bytes. */
  constructor(options: StorageNetworkOptions) {
    const { clock, random, timing, scheme, sizes, document } = options;
    this.#document = document;
    this.#onFault = options.onFault ?? (() => {});
    checkBytes("keySeed", options.keySeed, 32);
    if (scheme.publicKeyLength !== sizes.nikePublicKeyLength) {
      throw new RangeError(
        `\`scheme\` must be the geometry's ${sizes.nikeName}, got ${scheme.name}`,
      );
    }
    const replicaEpoch =
      options.replicaEpoch ?? (() => epochAt(clock.now(), REPLICA_EPOCH_MS).epoch);
    const breather = new Breather(clock);
    const shared = { clock, random, timing, scheme, sizes, replicaEpoch, document, breather };
    const linkMaker = this.#linkMaker(options);
    this.replicas = options.replicas.map((identity) => {
      const name = `replica ${identity.replicaId} ${toHex(identity.identityKey)}`;
      return new Replica({
        ...shared,
        identity,
        store: options.storeFor?.(identity) ?? new MemoryBoxStore(),
        keySeed: derive(options.keySeed, name),
        linkTo: linkMaker("replica", identity.name),
        onStored: () => this.#stored++,
        onFault: options.onFault,
      });
    });
    this.couriers = Array.from({ length: options.courierCount }, (_, place) => {
      const log = options.logFor?.(place) ?? null;
      const { kindCouriers, paced } = options;
      const storedSoFar = paced === true ? null : () => this.#stored;
      const courierName = options.courierName?.(place) ?? `courier${place}`;
      const linkTo = linkMaker("courier", courierName);
      return new Courier({ ...shared, log, storedSoFar, kindCouriers, linkTo });
    });
  }

  /** Each caller gets its own connections, made when they are first needed. */
  #linkMaker(options: StorageNetworkOptions) {
    const { clock, random, timing, sizes, document } = options;
    const lambdaR = (): number | null => document()?.lambdaR ?? null;
    const pace = options.paced === true ? poissonPace(lambdaR, random, timing) : instantPace;
    const hook = options.onTrace ?? null;
    return (from: StoragePeer, name: string) => {
      const links = new Map<number, StorageLink>();
      return (replicaId: number): StorageLink | undefined => {
        const known = links.get(replicaId);
        if (known !== undefined) return known;
        const target = this.replicas.find(({ identity }) => identity.replicaId === replicaId);
        if (target === undefined || this.#closed) return undefined;
        const link = new StorageLink({
          clock,
          pace,
          sizes,
          from,
          target,
          onFault: options.onFault,
          trace: hook && { hook, from: name, to: target.identity.name },
        });
        links.set(replicaId, link);
        this.#links.push(link);
        return link;
      };
    };
  }

  /** Makes the replicas' keys. @throws (rejects) with what the NIKE throws. */
  async start(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.start()));
  }

  /**
   * Envelope public keys of a replica by replica epoch, for a document that is being made. An
   * offline replica has none. @throws (rejects) RangeError when there is no such replica.
   */
  async publicKeys(
    replicaId: number,
    replicaEpochs: readonly number[],
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    const replica = this.replicas.find(({ identity }) => identity.replicaId === replicaId);
    if (replica === undefined) throw new RangeError(`\`replicaId\` ${replicaId} is not configured`);
    return replica.envelopeKeys(replicaEpochs);
  }

  /**
   * Call this for every new document, when `document` already returns it. With the first one,
   * couriers continue what they had logged before an earlier end.
   */
  documentChanged(): void {
    const document = this.#document();
    if (document === null || this.#closed) return;
    for (const replica of this.replicas) replica.documentChanged(document);
    if (this.#resumed) return;
    this.#resumed = true;
    for (const courier of this.couriers) {
      courier.resume().catch((error: unknown) => this.#onFault(error as Error));
    }
  }

  /** Ends everything, closes stores and logs, and cancels all timers. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const couriers = this.couriers.map((courier) => courier.close());
    for (const link of this.#links) link.close();
    await Promise.all([...couriers, ...this.replicas.map((replica) => replica.close())]);
  }
}
