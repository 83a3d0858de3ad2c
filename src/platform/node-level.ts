/**
 * A LevelDB database in a folder of this machine, with its lock, and what is left of a damaged one.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { link, mkdir, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type Bytes, utf8 } from "../bytes/bytes.js";
import { ConfigError } from "../errors/errors.js";
import type { LevelDatabase } from "./level-contract.js";
import { DamagedLevelError, type Level, type LevelPlace } from "../store/level-place.js";
import { describeFailure, failureCode } from "./node-failure.js";
import { crc32 } from "./node-crc32.js";
import { openPrivateFolder } from "./node-private-folder.js";
import { syncFolder, writeWhole } from "./node-small-file.js";

/** The database's log is as long as this before it becomes a table, in bytes. */
const writeBufferLength = 4 * 1024 * 1024;
/** What opening may take on the disk. */
const neededRoom = 3 * writeBufferLength;
/** In a log each block of that many bytes begins with a header. LevelDB, doc/log_format.md. */
const logBlockLength = 32_768;
const logHeaderLength = 7;
/** Sequence number (8), CRC-32 (4). */
const markLength = 12;

/**
 * The place of a database in a folder, which is made for its owner only. One database a folder; its
 * lock is the system's, and ends with anyone who has it.
 * @param name for people, as in "data directory /srv/katz".
 * @throws ConfigError when the folder cannot be made, is somebody else's, or is open to others.
 */
export async function levelPlaceIn(path: string, name: string): Promise<LevelPlace> {
  return new FolderPlace(await openPrivateFolder(path, name), name);
}

/** Opens the database in the folder `location`. See the contract. */
export async function openLevel(location: string): Promise<LevelDatabase> {
  const name = `store ${location}`;
  const path = await openPrivateFolder(location, name);
  if (isOpenHere(join(path, "LOCK"))) throw inUse(name);
  const { ClassicLevel } = await loadClassicLevel(name);
  const database = new ClassicLevel<string, Uint8Array>(path);
  try {
    await database.open();
  } catch (error) {
    throw refusal(name, error);
  }
  return database as unknown as LevelDatabase;
}

class FolderPlace implements LevelPlace {
  readonly name: string;
  readonly #folder: string;
  readonly #before: string;
  #generation = 1;
  #mark: number | null = null;

  constructor(folder: string, name: string) {
    this.name = name;
    this.#folder = folder;
    this.#before = `before-${process.pid}-${Date.now()}-${performance.now()}`;
  }

  #path(...parts: readonly string[]): string {
    return join(this.#folder, ...parts);
  }

  async open(): Promise<Level> {
    for (;;) {
      const generation = await this.#readGeneration();
      this.#generation = generation;
      await this.#keepFiles(`level-${generation}`);
      let level: Level;
      try {
        level = await this.#openAt(`level-${generation}`);
      } catch (error) {
        if (!(error instanceof DamagedLevelError)) await this.#forgetFiles([this.#before]);
        throw error;
      }
      // Anyone who mended it meanwhile has put another one in its place.
      if ((await this.#readGeneration()) === generation) return level;
      await level.close();
    }
  }

  async #readGeneration(): Promise<number> {
    try {
      const generation = Number(await readFile(this.#path("current"), "utf8"));
      if (Number.isSafeInteger(generation) && generation > 0) return generation;
    } catch (error) {
      if (failureCode(error) !== "ENOENT") throw this.#unusable(error);
      return 1;
    }
    throw new ConfigError(`${this.name} cannot be used: its file "current" must hold a number`);
  }

  #unusable(cause: unknown): ConfigError {
    return new ConfigError(`${this.name} cannot be used: ${describeFailure(cause)}`, { cause });
  }

  async #openAt(database: string): Promise<Level> {
    const path = this.#path(database);
    await mkdir(path, { recursive: true, mode: 0o700 });
    const names = await readdir(path);
    // LevelDB would make a new database, and remove the files of the old one.
    if (names.some((name) => name.endsWith(".ldb")) && !names.includes("CURRENT")) {
      throw new DamagedLevelError(`${this.name} lacks a file`);
    }
    if (isOpenHere(join(path, "LOCK"))) throw inUse(this.name);
    const { ClassicLevel } = await loadClassicLevel(this.name);
    const level = new ClassicLevel<Uint8Array, Uint8Array>(path, {
      keyEncoding: "view",
      valueEncoding: "view",
      // Boxes and envelopes are encrypted, and records must be found in the files as they are.
      compression: false,
      writeBufferSize: writeBufferLength,
    });
    try {
      await level.open();
    } catch (error) {
      throw refusal(this.name, error);
    }
    this.#mark ??= this.#openMark();
    return level as unknown as Level;
  }

  /** Opening changes the files of a database; what was in them stays under other names. */
  async #keepFiles(database: string): Promise<void> {
    const names = await readdir(this.#path(database)).catch(() => []);
    const kept = names.filter((name) => /\.(?:log|ldb)$/.test(name));
    if (kept.length === 0) return;
    await mkdir(this.#path(this.#before), { mode: 0o700 }).catch(() => {});
    for (const name of kept) {
      // Where links cannot be made, only what is lost by opening itself is lost.
      await link(this.#path(database, name), this.#path(this.#before, name)).catch(() => {});
    }
  }

  async #keptFolders(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => name.startsWith("before-"));
  }

  async #forgetFiles(folders: readonly string[]): Promise<void> {
    for (const name of folders) await rm(this.#path(name), { recursive: true, force: true });
  }

  async settled(): Promise<void> {
    await this.#forgetFiles(await this.#keptFolders());
  }

  async *remains(): AsyncIterable<Bytes> {
    const seen = new Set<bigint>();
    for (const folder of [`level-${this.#generation}`, ...(await this.#keptFolders())]) {
      for (const name of await readdir(this.#path(folder))) {
        if (!/\.(?:log|ldb)$/.test(name)) continue;
        const path = this.#path(folder, name);
        const { ino } = await stat(path, { bigint: true });
        if (seen.has(ino)) continue;
        seen.add(ino);
        const bytes = new Uint8Array(await readFile(path));
        yield name.endsWith(".log") ? withoutHeaders(bytes) : bytes;
      }
    }
  }

  async openNext(): Promise<Level> {
    const database = `level-${this.#generation + 1}`;
    let level: Level;
    try {
      level = await this.#openAt(database);
    } catch (error) {
      if (!(error instanceof DamagedLevelError)) throw error;
      // Half of an earlier attempt to mend.
      const { ClassicLevel } = await loadClassicLevel(this.name);
      await ClassicLevel.destroy(this.#path(database));
      level = await this.#openAt(database);
    }
    await level.clear();
    return level;
  }

  async replace(damaged: Level | null): Promise<string> {
    const old = this.#generation;
    await writeWhole(this.#path("current"), utf8(`${old + 1}`));
    this.#generation = old + 1;
    await damaged?.close();
    const aside = this.#path(`damaged-${old}`);
    await rename(this.#path(`level-${old}`), aside);
    for (const name of await this.#keptFolders()) await rename(this.#path(name), join(aside, name));
    await syncFolder(this.#folder);
    return aside;
  }

  #openMark(): number {
    const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    return openSync(this.#path("mark"), flags, 0o600);
  }

  readMark(): number {
    const bytes = new Uint8Array(markLength);
    this.#mark ??= this.#openMark();
    if (readSync(this.#mark, bytes, 0, markLength, 0) < markLength) return 0;
    const view = new DataView(bytes.buffer);
    if (crc32(bytes.subarray(0, 8)) !== view.getUint32(8)) return 0;
    return Number(view.getBigUint64(0));
  }

  writeMark(sequence: number): void {
    if (this.#mark === null) return;
    const bytes = new Uint8Array(markLength);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(sequence));
    view.setUint32(8, crc32(bytes.subarray(0, 8)));
    try {
      writeSync(this.#mark, bytes, 0, markLength, 0);
    } catch {
      // It stays lower than it could be, and tells less.
    }
  }

  async hasRoom(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize >= neededRoom;
  }

  async close(): Promise<void> {
    if (this.#mark !== null) closeSync(this.#mark);
    this.#mark = null;
    await this.#forgetFiles([this.#before]);
  }
}

function refusal(name: string, error: unknown): Error {
  const cause = (error as { readonly cause?: unknown }).cause ?? error;
  const code = (cause as { readonly code?: unknown }).code;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (code === "LEVEL_LOCKED") return inUse(name, error);
  if (code === "LEVEL_CORRUPTION" || /No such file|Corruption/.test(why)) {
    return new DamagedLevelError(why, { cause: error });
  }
  return new ConfigError(`${name} cannot be used: ${why}`, { cause: error });
}

function inUse(name: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `${name} is in use, by another process or elsewhere in this one: stop that one, or use ` +
      `another directory`,
    { cause },
  );
}

/**
 * Whether this process has a file open, whichever of its threads that was. LevelDB must not be
 * asked for a database that this process has: it would refuse, but by then have opened and closed
 * the lock file, and with that the system lets go of the lock that the process holds (fcntl(2)).
 */
function isOpenHere(file: string): boolean {
  const wanted = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (wanted === undefined || process.platform === "win32") return false;
  for (const fd of readdirSync("/dev/fd")) {
    try {
      const { dev, ino } = fstatSync(Number(fd), { bigint: true });
      if (dev === wanted.dev && ino === wanted.ino) return true;
    } catch {
      // That of the listing itself, closed by now.
    }
  }
  return false;
}

/** A log without the headers of its blocks: what went into it in one piece is in one again. */
function withoutHeaders(log: Bytes): Bytes {
  let length = 0;
  for (let at = 0; at < log.length; at += logBlockLength) {
    const block = log.subarray(at + logHeaderLength, at + logBlockLength);
    log.set(block, length);
    length += block.length;
  }
  return log.subarray(0, length);
}

/** Loaded when it is needed: anyone who keeps nothing on the disk need not have it. */
async function loadClassicLevel(name: string): Promise<typeof import("classic-level")> {
  try {
    return await import("classic-level");
  } catch (cause) {
    throw new ConfigError(
      `${name} cannot be opened: the package classic-level cannot be loaded ` +
        `(${describeFailure(cause)}). Install it beside this one: npm install classic-level@3.0.0`,
      { cause },
    );
  }
}
