/** A LevelDB database in a local folder, with its lock and the recovery of damaged files. */
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
import type { ClassicLevel, DatabaseOptions } from "classic-level";
import { type Bytes, utf8 } from "../bytes/bytes.js";
import { ConfigError } from "../errors/errors.js";
import type { LevelDatabase, LevelMark } from "./level-contract.js";
import { DamagedLevelError, type Level, type LevelPlace } from "../store/level-place.js";
import { describeFailure, failureCode } from "./node-failure.js";
import { crc32 } from "./node-crc32.js";
import { openPrivateFolder } from "./node-private-folder.js";
import { syncFolder, writeWhole } from "./node-small-file.js";

/** The length in bytes at which the database's log becomes a table. */
const writeBufferLength = 4 * 1024 * 1024;
/** Disk space that opening may take, in bytes. */
const neededRoom = 3 * writeBufferLength;
/** In a log each block of this many bytes begins with a header (LevelDB, doc/log_format.md). */
const logBlockLength = 32_768;
const logHeaderLength = 7;
/** Sequence number (8 bytes), CRC-32 (4 bytes). */
const markLength = 12;

/**
 * The place of a database in a folder, which is created for its owner only. One folder holds one
 * database; the system's lock ends with its holder.
 * @param name the folder's description for messages, as in "data directory /srv/katz".
 * @throws ConfigError when the folder cannot be created, belongs to another user, or is open to
 * others.
 */
export async function levelPlaceIn(path: string, name: string): Promise<LevelPlace> {
  return new FolderPlace(await openPrivateFolder(path, name), name);
}

/** Opens the database in the folder `location`. See the contract. */
export async function openLevel(location: string): Promise<LevelDatabase> {
  const name = `store ${location}`;
  const path = await openPrivateFolder(location, name);
  const database = await openAt<string>(path, name, {});
  // Beside LevelDB's own files, which LevelDB leaves as they are.
  const mark = new MarkFile(join(path, "mark"));
  database.on("closed", () => mark.close());
  database.on("open", () => mark.open());
  try {
    mark.open();
  } catch (error) {
    await database.close();
    throw refusal(name, error);
  }
  return Object.assign(database as unknown as LevelDatabase, { mark });
}

/**
 * Opens LevelDB in a folder.
 * @param name the description for messages.
 * @throws DamagedLevelError; ConfigError when it is in use or cannot be used.
 */
async function openAt<K>(
  path: string,
  name: string,
  options: DatabaseOptions<K, Uint8Array>,
): Promise<ClassicLevel<K, Uint8Array>> {
  if (isOpenHere(join(path, "LOCK"))) throw inUse(name);
  const names = await readdir(path);
  // LevelDB would create a new database and delete the files of the old one.
  if (names.some((one) => one.endsWith(".ldb")) && !names.includes("CURRENT")) {
    throw new DamagedLevelError(`${name} is damaged: its file CURRENT is missing`);
  }
  const { ClassicLevel } = await loadClassicLevel(name);
  const database = new ClassicLevel<K, Uint8Array>(path, options);
  try {
    await database.open();
  } catch (error) {
    throw refusal(name, error);
  }
  return database;
}

/** A file that holds a number with a checksum. It is written in place and not synced. */
class MarkFile implements LevelMark {
  readonly #path: string;
  #file: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Opens the file; it is made if it does not exist. */
  open(): void {
    const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    this.#file ??= openSync(this.#path, flags, 0o600);
  }

  read(): number {
    const bytes = new Uint8Array(markLength);
    this.open();
    if (readSync(this.#file!, bytes, 0, markLength, 0) < markLength) return 0;
    const view = new DataView(bytes.buffer);
    if (crc32(bytes.subarray(0, 8)) !== view.getUint32(8)) return 0;
    return Number(view.getBigUint64(0));
  }

  /** Does nothing while the file is closed: it may belong to another process by then. */
  write(number: number): void {
    if (this.#file === null) return;
    const bytes = new Uint8Array(markLength);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(number));
    view.setUint32(8, crc32(bytes.subarray(0, 8)));
    try {
      writeSync(this.#file, bytes, 0, markLength, 0);
    } catch {
      // The number stays lower than possible, and so detects less.
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

class FolderPlace implements LevelPlace {
  readonly name: string;
  readonly #folder: string;
  readonly #before: string;
  #generation = 1;
  readonly #mark: MarkFile;

  constructor(folder: string, name: string) {
    this.name = name;
    this.#folder = folder;
    this.#mark = new MarkFile(join(folder, "mark"));
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
      // A process that repaired it meanwhile has put another database in its place.
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
    throw new ConfigError(
      `${this.name} is damaged: its file "current" must hold a number. Restore that file, or use ` +
        "another directory",
    );
  }

  #unusable(cause: unknown): ConfigError {
    return new ConfigError(`${this.name} cannot be used: ${describeFailure(cause)}`, { cause });
  }

  async #openAt(database: string): Promise<Level> {
    const path = this.#path(database);
    await mkdir(path, { recursive: true, mode: 0o700 });
    const level = await openAt<Uint8Array>(path, this.name, {
      keyEncoding: "view",
      valueEncoding: "view",
      // Boxes and envelopes are encrypted, and records must be found in the files unchanged.
      compression: false,
      writeBufferSize: writeBufferLength,
    });
    this.#mark.open();
    return level as unknown as Level;
  }

  /** Opening changes the files of a database; links keep the old content under other names. */
  async #keepFiles(database: string): Promise<void> {
    const names = await readdir(this.#path(database)).catch(() => []);
    const kept = names.filter((name) => /\.(?:log|ldb)$/.test(name));
    if (kept.length === 0) return;
    await mkdir(this.#path(this.#before), { mode: 0o700 }).catch(() => {});
    for (const name of kept) {
      // If links cannot be made, only data that opening itself loses is lost.
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
      // Left over from an interrupted repair.
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

  readMark(): number {
    return this.#mark.read();
  }

  writeMark(sequence: number): void {
    this.#mark.write(sequence);
  }

  async hasRoom(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize >= neededRoom;
  }

  async close(): Promise<void> {
    this.#mark.close();
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
    `${name} is in use, by another process or elsewhere in this one: stop that use, or choose ` +
      `another directory`,
    { cause },
  );
}

/**
 * Whether any thread of this process has a file open. LevelDB must not be asked to open a database
 * that this process already has. It would refuse, but only after opening and closing the lock file,
 * and closing it makes the system drop the lock that the process holds (fcntl(2)).
 */
function isOpenHere(file: string): boolean {
  const wanted = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (wanted === undefined || process.platform === "win32") return false;
  for (const fd of readdirSync("/dev/fd")) {
    try {
      const { dev, ino } = fstatSync(Number(fd), { bigint: true });
      if (dev === wanted.dev && ino === wanted.ino) return true;
    } catch {
      // The descriptor of the listing itself, which is closed by now.
    }
  }
  return false;
}

/** A log without the headers of its blocks, so that each entry is contiguous again. */
function withoutHeaders(log: Bytes): Bytes {
  let length = 0;
  for (let at = 0; at < log.length; at += logBlockLength) {
    const block = log.subarray(at + logHeaderLength, at + logBlockLength);
    log.set(block, length);
    length += block.length;
  }
  return log.subarray(0, length);
}

/** Loaded only when needed: users who keep nothing on disk do not have to install it. */
async function loadClassicLevel(name: string): Promise<typeof import("classic-level")> {
  try {
    return await import("classic-level");
  } catch (cause) {
    const isMissing = /MODULE_NOT_FOUND/.test(failureCode(cause) ?? "");
    const [why] = describeFailure(cause).split("\n");
    throw new ConfigError(
      `${name} cannot be opened: the package classic-level cannot be loaded (${why}). ` +
        (isMissing
          ? "Install it beside this one: npm install classic-level@3.0.0"
          : "It has a native file for each platform. If a bundler made this program, let it " +
            "leave classic-level out of it, and install the package where the program runs"),
      { cause },
    );
  }
}
