/**
 * The directory in which an embedded network keeps what must survive its process: the seed of all
 * its keys, the replicas' boxes, and what couriers have acknowledged but not finished.
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
/** Lists damage, for `katz doctor`. */
const damageFile = "damage.txt";

/** The requested options. Missing parameters of the network are taken from the directory. */
export interface DataDirectoryOptions extends WishedShape {
  /** Its path; undefined for no directory. */
  readonly dataDirectory?: string | undefined;
  /** Used for a new directory; an existing one keeps its own. */
  readonly seed?: Seed | undefined;
  /** Gives the time when a new directory is made. */
  readonly clock?: Clock | undefined;
  /** Called for damage, with its place, and when the disk accepts no more writes. */
  readonly onFault?: ((error: Error) => void) | undefined;
}

/** An open data directory; only one process can have it open. */
export class DataDirectory implements KeptNetwork {
  /** 32 bytes from which all keys are derived. */
  readonly seed: Bytes;
  /** The network's first epoch: the one in which the directory was made. */
  readonly genesisEpoch: number;
  /** The parameters that the network must have. */
  readonly shape: NetworkShape;
  /** Box stores by replica ID. */
  readonly stores: readonly BoxStore[];
  /** Envelope logs by courier, from 0. */
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

  /** Like {@link open}; null if no directory is requested. */
  static async from(options: DataDirectoryOptions): Promise<DataDirectory | null> {
    const { dataDirectory } = options;
    return dataDirectory === undefined ? null : DataDirectory.open(dataDirectory, options);
  }

  /**
   * Opens a directory; creates it (for its owner only) if it does not exist.
   * @throws ConfigError when another process has it open, when other users could access its files,
   * when it was made for a network with other parameters, or when it cannot be used.
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
      const shape = shapeOf(name, "directory", known, options);
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

  /** Descriptions of what was found damaged or missing. */
  get damage(): readonly string[] {
    return this.#store.damage;
  }

  /** Writes what is left and releases the directory for other processes. Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }
}

/**
 * Appends damage to a file, one line each, so that it is still known after the program that
 * reported it has ended.
 */
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
    // It is reported in any case.
  }
}

async function openSeed(file: string, given: Seed | undefined, isNew: boolean): Promise<Bytes> {
  try {
    const seed = copyBytes(await readFile(file));
    if (seed.length === seedLength) return seed;
    throw new ConfigError(
      `${file} must be ${seedLength} bytes, got ${seed.length}: restore it, or use another ` +
        "directory",
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (!isNew) {
    throw new ConfigError(
      `${file} is missing, and without it nothing in its directory can be read: restore it, or use ` +
        `another directory`,
    );
  }
  const seed = given === undefined ? randomBytes(seedLength) : seedBytes(given);
  await writeWhole(file, seed);
  return seed;
}

/**
 * The network's age. Its documents name their first epoch, so they are the same after a restart.
 */
async function openBirth(file: string, nowMs: number): Promise<number> {
  try {
    const bornMs = Number(await readFile(file, "utf8"));
    if (Number.isSafeInteger(bornMs) && bornMs > 0) return bornMs;
    throw new ConfigError(
      `${file} must hold a time in milliseconds: restore it, or use another directory`,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await writeWhole(file, utf8(String(nowMs)));
  return nowMs;
}
