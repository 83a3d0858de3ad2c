/** Data directories from before version 0.2: a file of records for each replica and courier. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Bytes, concatBytes, toHex } from "../bytes/bytes.js";
import { decodeStoredBox } from "../crypto/envelope/replica-messages.js";
import { ConfigError } from "../errors/errors.js";
import { syncFolder } from "../platform/node-small-file.js";
import type { RecordStore } from "../store/record-store.js";

/**
 * Before each record: its length (4 bytes, big-endian), then the CRC-32 of length and record (4
 * bytes).
 */
const headerLength = 8;
/** Longer records were never written, so a longer length is damage. */
const longestRecord = 64 * 1024;
const windowLength = 1024 * 1024;
/** Before each box: the replica epoch in which it was stored (8 bytes, big-endian). */
const epochLength = 8;
/** The type byte of a courier's record that removes its key. */
const forgetType = 255;
const keyLength = 32;
const atOnce = 500;
/** The folder for the files once the store has all their content. */
const movedFolder = "moved";

/** The files of an old data directory; a new directory has none. */
export class OldFiles {
  readonly #path: string;
  readonly #name: string;
  readonly #files: readonly string[];

  private constructor(path: string, name: string, files: readonly string[]) {
    this.#path = path;
    this.#name = name;
    this.#files = files;
  }

  /**
   * Looks for such files.
   * @throws ConfigError when a process of that version may still be using them.
   */
  static async in(path: string, name: string): Promise<OldFiles> {
    const files = (await readdir(path)).filter((file) =>
      /^(?:replica-\d+\.boxes|courier-\d+\.log)$/.test(file),
    );
    if (files.length > 0) await checkLock(join(path, "lock"), name);
    return new OldFiles(path, name, files);
  }

  /** How many replicas have files. */
  get replicas(): number {
    return this.#files.filter((file) => file.startsWith("replica-")).length;
  }

  /** How many couriers have files. */
  get couriers(): number {
    return this.#files.length - this.replicas;
  }

  /**
   * Copies everything into a store and moves the files away. They are removed at the next opening.
   * If it is interrupted, the next opening does it again.
   */
  async moveTo(store: RecordStore, onFault: (error: Error) => void = () => {}): Promise<void> {
    const moved = join(this.#path, movedFolder);
    if (this.#files.length === 0) {
      await rm(moved, { recursive: true, force: true });
      return;
    }
    for (const file of this.#files) {
      const [, kind, place] = /^(replica|courier)-(\d+)/.exec(file)!;
      const records = new OldRecords(join(this.#path, file));
      try {
        if (kind === "replica") await moveBoxes(records, store, Number(place));
        else await moveEnvelopes(records, store, Number(place));
      } finally {
        records.close();
      }
      if (records.skipped > 0) {
        onFault(
          new Error(
            `${this.#name} is damaged: ${records.skipped} bytes of ${file} are not complete records ` +
              `and were skipped; the file is kept in ${moved} until the next start`,
          ),
        );
      }
    }
    await mkdir(moved, { recursive: true, mode: 0o700 });
    for (const file of this.#files) await rename(join(this.#path, file), join(moved, file));
    await rm(join(this.#path, "lock"), { force: true });
    await syncFolder(this.#path);
  }
}

async function checkLock(lock: string, name: string): Promise<void> {
  const holder = Number(await readFile(lock, "utf8").catch(() => ""));
  if (!Number.isInteger(holder) || holder <= 0 || holder === process.pid) return;
  try {
    process.kill(holder, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return;
  }
  throw new ConfigError(
    `${name} may be in use by an older katz daemon, process ${holder}: stop it. If that process is ` +
      `something else, remove the file ${lock}`,
  );
}

async function moveBoxes(
  records: Iterable<Bytes>,
  store: RecordStore,
  replicaId: number,
): Promise<void> {
  let batch: Promise<void>[] = [];
  for (const record of records) {
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const epoch = Number(view.getBigUint64(0));
    const body = record.subarray(epochLength);
    const { boxId } = decodeStoredBox(body);
    batch.push(store.put(`replica ${replicaId} week ${epoch}`, boxId, body));
    if (batch.length < atOnce) continue;
    await Promise.all(batch);
    batch = [];
  }
  await Promise.all(batch);
}

async function moveEnvelopes(
  records: Iterable<Bytes>,
  store: RecordStore,
  courier: number,
): Promise<void> {
  const left = new Map<string, { readonly key: Bytes; readonly body: Bytes }>();
  for (const record of records) {
    const key = record.slice(1, 1 + keyLength);
    left.delete(toHex(key));
    if (record[0] === forgetType) continue;
    const body = concatBytes(record.subarray(0, 1), record.subarray(1 + keyLength));
    left.set(toHex(key), { key, body });
  }
  await Promise.all(
    Array.from(left.values(), ({ key, body }) => store.put(`courier ${courier}`, key, body)),
  );
}

/**
 * The complete records of a file. A damaged record, even with a damaged length, does not affect the
 * others.
 */
class OldRecords implements Iterable<Bytes> {
  readonly #fd: number;
  readonly #length: number;
  #window: Bytes = new Uint8Array(0);
  #start = 0;
  /** Bytes that do not belong to a complete record. */
  skipped = 0;

  constructor(path: string) {
    this.#fd = openSync(path, "r");
    this.#length = fstatSync(this.#fd).size;
  }

  *[Symbol.iterator](): Iterator<Bytes> {
    for (let at = 0; at < this.#length;) {
      const record = this.#recordAt(at);
      if (record === null) {
        this.skipped++;
        at++;
      } else {
        yield record;
        at += headerLength + record.length;
      }
    }
  }

  #recordAt(offset: number): Bytes | null {
    const header = this.#bytesAt(offset, headerLength);
    if (header.length < headerLength) return null;
    const view = new DataView(header.buffer, header.byteOffset, headerLength);
    const length = view.getUint32(0);
    if (length === 0 || length > longestRecord) return null;
    const record = this.#bytesAt(offset + headerLength, length);
    if (record.length < length) return null;
    const checksum = crc32(record, crc32(header.subarray(0, 4)));
    return checksum === view.getUint32(4) ? record.slice() : null;
  }

  #bytesAt(offset: number, length: number): Bytes {
    const windowEnd = this.#start + this.#window.length;
    const isBehind = offset + length > windowEnd && windowEnd < this.#length;
    if (offset < this.#start || isBehind || this.#window.length === 0) {
      const bytes = new Uint8Array(windowLength);
      const got = readSync(this.#fd, bytes, 0, windowLength, offset);
      this.#start = offset;
      this.#window = bytes.subarray(0, got);
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
