/**
 * Where an embedded network keeps what must survive its process: the seed of all its keys, the
 * replicas' boxes, and what couriers have acknowledged but not finished.
 */
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type Bytes, copyBytes, randomBytes, utf8 } from "../bytes/bytes.js";
import { ConfigError } from "../errors/errors.js";
import type { EnvelopeLog } from "../network/courier/envelope-log.js";
import type { BoxStore } from "../network/replica/box-store.js";
import { FileBoxStore } from "./file-box-store.js";
import { FileEnvelopeLog } from "./file-envelope-log.js";
import type { OnFault } from "./file-log.js";

const SEED_LENGTH = 32;

/** What is to be opened. */
export interface DataDirectoryOptions {
  /** Used for a new directory; an old one keeps its own. */
  readonly seed?: Bytes | undefined;
  readonly replicas: number;
  readonly couriers: number;
  /** When a new directory is made, in milliseconds since 1970. */
  readonly nowMs: number;
  /** Hears of files that take no more, as when the disk is full. */
  readonly onFault?: OnFault | undefined;
}

/** An open data directory; only one process has it at a time. */
export class DataDirectory {
  /** 32 bytes that all keys follow from. */
  readonly seed: Bytes;
  /** When the directory was made, in milliseconds since 1970. */
  readonly bornMs: number;
  /** By replica ID. */
  readonly stores: readonly BoxStore[];
  /** By courier, from 0. */
  readonly logs: readonly EnvelopeLog[];
  readonly #lock: string;

  private constructor(
    seed: Bytes,
    bornMs: number,
    stores: readonly BoxStore[],
    logs: readonly EnvelopeLog[],
    lock: string,
  ) {
    this.seed = seed;
    this.bornMs = bornMs;
    this.stores = stores;
    this.logs = logs;
    this.#lock = lock;
  }

  /**
   * Opens a directory; makes it (for its owner only) when it is not there.
   * @throws ConfigError when another process has it, or when it cannot be used.
   */
  static async open(path: string, options: DataDirectoryOptions): Promise<DataDirectory> {
    try {
      await makeFolder(path);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ConfigError(`data directory ${path} cannot be made: ${why}`, { cause });
    }
    const lock = join(path, "lock");
    await takeLock(lock, path);
    try {
      const seed = await openSeed(join(path, "seed"), options.seed);
      const bornMs = await openBirth(join(path, "born"), options.nowMs);
      const { onFault } = options;
      const stores: BoxStore[] = [];
      for (let id = 0; id < options.replicas; id++) {
        stores.push(await FileBoxStore.open(join(path, `replica-${id}.boxes`), onFault));
      }
      const logs: EnvelopeLog[] = [];
      for (let place = 0; place < options.couriers; place++) {
        logs.push(await FileEnvelopeLog.open(join(path, `courier-${place}.log`), onFault));
      }
      return new DataDirectory(seed, bornMs, stores, logs, lock);
    } catch (error) {
      await giveLock(lock);
      throw error;
    }
  }

  /** Lets another process have it; stores and logs are closed by those who use them. */
  async release(): Promise<void> {
    await giveLock(this.#lock);
  }
}

/** The locks that this process holds. */
const held = new Set<string>();

async function giveLock(lock: string): Promise<void> {
  held.delete(resolve(lock));
  await rm(lock, { force: true });
}

/**
 * Makes a folder and those above it. Not by `recursive` alone: where the system says ENOENT although
 * the parent is there, as below /proc, Node tries for ever.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    const parent = dirname(resolve(path));
    if (code !== "ENOENT" || (await exists(parent))) throw error;
    await makeFolder(parent);
    await mkdir(path, { mode: 0o700 });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The lock names its process, so that what a killed one left can be told from a living one's. */
async function takeLock(lock: string, path: string): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(lock, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
      held.add(resolve(lock));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        const why = error instanceof Error ? error.message : String(error);
        throw new ConfigError(`data directory ${path} cannot be used: ${why}`, { cause: error });
      }
    }
    const holder = Number((await readFile(lock, "utf8")).trim());
    // One with our own number that we do not hold is a dead process's: numbers are used again.
    if (holder === process.pid ? held.has(resolve(lock)) : isAlive(holder)) {
      throw new ConfigError(
        `data directory ${path} is in use by process ${holder}: stop that one, or use another`,
      );
    }
    await rm(lock, { force: true });
  }
  throw new ConfigError(`data directory ${path} is being taken by another process`);
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Written to another name first and then renamed: a seed is there whole or not at all. */
async function openSeed(file: string, given: Bytes | undefined): Promise<Bytes> {
  try {
    const seed = copyBytes(await readFile(file));
    if (seed.length === SEED_LENGTH) return seed;
    throw new ConfigError(`${file} must be ${SEED_LENGTH} bytes, got ${seed.length}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const seed = given ?? randomBytes(SEED_LENGTH);
  await create(file, seed);
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
  await create(file, utf8(String(nowMs)));
  return nowMs;
}

async function create(file: string, contents: Uint8Array): Promise<void> {
  const handle = await open(`${file}.new`, "w", 0o600);
  await handle.writeFile(contents);
  await handle.sync();
  await handle.close();
  await rename(`${file}.new`, file);
}
