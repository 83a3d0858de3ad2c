/**
 * Where an embedded network keeps what must survive its process: the seed of all its keys, the
 * replicas' boxes, and what couriers have acknowledged but not finished.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Bytes, copyBytes, randomBytes, utf8 } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { ConfigError } from "../errors/errors.js";
import type { EnvelopeLog } from "../network/courier/envelope-log.js";
import type { BoxStore } from "../network/replica/box-store.js";
import type { KeptNetwork } from "../network/kept-network.js";
import {
  type NetworkShape,
  type WishedShape,
  readShape,
  shapeOf,
  writeShape,
} from "../network/network-shape.js";
import { type Seed, seedBytes } from "../network/random.js";
import { epochAt } from "../pki/epoch.js";
import { levelPlaceIn } from "../platform/node-level.js";
import { writeWhole } from "../platform/node-small-file.js";
import { RecordStore } from "../store/record-store.js";
import { LevelBoxStore } from "../network/replica/level-box-store.js";
import { LevelEnvelopeLog } from "../network/courier/level-envelope-log.js";
import { OldFiles } from "./old-files.js";

const seedLength = 32;
/** What was found damaged, for `katz doctor`. */
const damageFile = "damage.txt";

/** What is asked for; of the network's shape, what is left out is as the directory has it. */
export interface DataDirectoryOptions extends WishedShape {
  /** Where it is; undefined: nowhere. */
  readonly dataDirectory?: string | undefined;
  /** Used for a new directory; an old one keeps its own. */
  readonly seed?: Seed | undefined;
  /** Says when a new directory is made. */
  readonly clock?: Clock | undefined;
  /** Hears of damage, with its place, and of a disk that takes no more. */
  readonly onFault?: ((error: Error) => void) | undefined;
}

/** An open data directory; only one process has it at a time. */
export class DataDirectory implements KeptNetwork {
  /** 32 bytes that all keys follow from. */
  readonly seed: Bytes;
  /** The network's first epoch, that in which the directory was made. */
  readonly genesisEpoch: number;
  /** What the network must be like. */
  readonly shape: NetworkShape;
  /** By replica ID. */
  readonly stores: readonly BoxStore[];
  /** By courier, from 0. */
  readonly logs: readonly EnvelopeLog[];
  readonly #store: RecordStore;

  private constructor(seed: Bytes, bornMs: number, shape: NetworkShape, store: RecordStore) {
    const { replicas, couriers } = shape;
    this.seed = seed;
    this.genesisEpoch = epochAt(bornMs, shape.epochMs).epoch;
    this.shape = shape;
    this.stores = Array.from({ length: replicas }, (_, id) => new LevelBoxStore(store, id));
    this.logs = Array.from({ length: couriers }, (_, place) => new LevelEnvelopeLog(store, place));
    this.#store = store;
  }

  /** As {@link open}; null when no directory is asked for. */
  static async from(options: DataDirectoryOptions): Promise<DataDirectory | null> {
    const { dataDirectory } = options;
    return dataDirectory === undefined ? null : DataDirectory.open(dataDirectory, options);
  }

  /**
   * Opens a directory; makes it (for its owner only) when it is not there.
   * @throws ConfigError when somebody else has it, when others could get at what is in it, when it
   * was made for another network than the one asked for, or when it cannot be used.
   */
  static async open(path: string, options: DataDirectoryOptions): Promise<DataDirectory> {
    const name = `data directory ${path}`;
    const { onFault } = options;
    const onDamage = (message: string): void => noteDamage(path, message);
    const place = await levelPlaceIn(path, name);
    const store = await RecordStore.open(place, { onFault, onDamage });
    try {
      const oldFiles = await OldFiles.in(path, name);
      const inFiles = oldFiles.replicas > 0;
      const { replicas, couriers } = oldFiles;
      const known = { ...(inFiles ? { replicas, couriers } : {}), ...(await readShape(store)) };
      const shape = shapeOf(name, known, options);
      const isNew = known.replicas === undefined;
      const seed = await openSeed(join(path, "seed"), options.seed, isNew);
      const bornMs = await openBirth(join(path, "born"), (options.clock ?? realClock).now());
      await oldFiles.moveTo(store, (error) => {
        onDamage(error.message);
        onFault?.(error);
      });
      await writeShape(store, shape);
      return new DataDirectory(seed, bornMs, shape, store);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** What was found damaged or missing, for people. */
  get damage(): readonly string[] {
    return this.#store.damage;
  }

  /** Writes what is left and lets another process have it. Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }
}

/** Notes damage in a file, a line each, so that it can be seen after the program that was told has ended. */
function noteDamage(path: string, message: string): void {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
  try {
    const fd = openSync(join(path, damageFile), flags | (constants.O_NOFOLLOW ?? 0), 0o600);
    try {
      writeSync(fd, `${new Date().toISOString()} ${message}\n`);
    } finally {
      closeSync(fd);
    }
  } catch {
    // It is told anyway.
  }
}

async function openSeed(file: string, given: Seed | undefined, isNew: boolean): Promise<Bytes> {
  try {
    const seed = copyBytes(await readFile(file));
    if (seed.length === seedLength) return seed;
    throw new ConfigError(`${file} must be ${seedLength} bytes, got ${seed.length}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (!isNew) {
    throw new ConfigError(
      `${file} is gone, and without it nothing in its directory can be read: put it back, or use ` +
        `another directory`,
    );
  }
  const seed = given === undefined ? randomBytes(seedLength) : seedBytes(given);
  await writeWhole(file, seed);
  return seed;
}

/** The network's age: its documents name their first epoch, and are the same after a restart. */
async function openBirth(file: string, nowMs: number): Promise<number> {
  try {
    const bornMs = Number(await readFile(file, "utf8"));
    if (Number.isSafeInteger(bornMs) && bornMs > 0) return bornMs;
    throw new ConfigError(`${file} must hold a time in milliseconds`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await writeWhole(file, utf8(String(nowMs)));
  return nowMs;
}
