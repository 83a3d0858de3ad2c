/**
 * A network's seed and boxes in one database, so that they survive the page or process: IndexedDB
 * in a page, a LevelDB folder in Node.
 */
import { openLevel } from "#level";
import { type Bytes, fromHex, randomBytes, toHex } from "../bytes/bytes.js";
import { ConfigError } from "../errors/errors.js";
import { epochAt } from "../pki/epoch.js";
import { type Level, placeOf } from "../store/level-place.js";
import { RecordStore } from "../store/record-store.js";
import type { EnvelopeLog } from "./courier/envelope-log.js";
import { LevelEnvelopeLog } from "./courier/level-envelope-log.js";
import {
  type NetworkShape,
  type WishedShape,
  readShape,
  shapeOf,
  writeShape,
} from "./network-shape.js";
import { type Seed, seedBytes } from "./random.js";
import type { BoxStore } from "./replica/box-store.js";
import { LevelBoxStore } from "./replica/level-box-store.js";

/** The stored parts of a network, which it restores and keeps up to date. */
export interface KeptNetwork {
  /** 32 bytes that all keys follow from. */
  readonly seed: Bytes;
  /** The network's first epoch; the same in each run. */
  readonly genesisEpoch: number;
  /** What the network must be like. */
  readonly shape: NetworkShape;
  /** By replica ID. */
  readonly stores: readonly BoxStore[];
  /** By courier, from 0. */
  readonly logs: readonly EnvelopeLog[];
  /** Writes what is left and releases the database. Idempotent. */
  close(): Promise<void>;
}

/** The requested options. Missing parameters of the network are taken from the database. */
export interface KeptNetworkOptions extends WishedShape {
  /** Used for a new database; an existing one keeps its own. */
  readonly seed?: Seed | undefined;
  /** The current time, recorded when a new database is made, in milliseconds since 1970. */
  readonly nowMs: number;
  /** Called for damage, and when the disk accepts no more writes. */
  readonly onFault?: ((error: Error) => void) | undefined;
}

/**
 * Opens the database with that name, or creates it.
 * @throws ConfigError when it is already in use or damaged, or was made for a network with other
 * parameters.
 */
export async function openKeptNetwork(
  location: string,
  options: KeptNetworkOptions,
): Promise<KeptNetwork> {
  const name = `store ${location}`;
  const { onFault } = options;
  // Keys are text by default there; a record store specifies bytes in each operation.
  const level = (await openLevel(location)) as unknown as Level;
  const store = await RecordStore.open(placeOf(level, name), { onFault });
  try {
    const shape = shapeOf(name, "name", await readShape(store), options);
    const seed = await keptOnce(store, "seed", () =>
      toHex(options.seed === undefined ? randomBytes(32) : seedBytes(options.seed)),
    );
    const bornMs = Number(await keptOnce(store, "born", () => String(options.nowMs)));
    if (!Number.isSafeInteger(bornMs)) {
      throw new ConfigError(
        `${name} is damaged: it does not say when its network was made. Use another name`,
      );
    }
    await writeShape(store, shape);
    const { replicas, couriers, epochMs } = shape;
    return {
      seed: fromHex(seed),
      genesisEpoch: epochAt(bornMs, epochMs).epoch,
      shape,
      stores: Array.from({ length: replicas }, (_, id) => new LevelBoxStore(store, id)),
      logs: Array.from({ length: couriers }, (_, place) => new LevelEnvelopeLog(store, place)),
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function keptOnce(store: RecordStore, name: string, make: () => string): Promise<string> {
  const kept = await store.setting(name);
  if (kept !== null) return kept;
  const made = make();
  await store.set(name, made);
  return made;
}
