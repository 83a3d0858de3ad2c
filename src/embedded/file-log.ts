/** A file of records to which is only added: what was added stays, whatever ends the process. */
import { constants, fsyncSync, openSync, closeSync, readSync } from "node:fs";
import { copyFile, type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { type Bytes, concatBytes } from "../bytes/bytes.js";

/** In front of each record: its length (4, big-endian), CRC-32 of length and record (4). */
const headerLength = 8;
/** Longest record in bytes; a longer one in a file is damage. */
const longestRecord = 16 * 1024 * 1024;
/** More than a sudden end cuts off, in bytes. */
const largestBatch = 64 * 1024;
/** How much of a file is read at a time when it is opened. */
const scanLength = 1024 * 1024;

/** Where a record is in its file. */
export interface RecordPlace {
  /** Where its bytes begin. */
  readonly offset: number;
  readonly length: number;
}

interface Pending {
  readonly frame: Bytes;
  readonly onWritten: (place: RecordPlace) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function frameOf(record: Uint8Array): Bytes {
  if (record.length > longestRecord) {
    throw new RangeError(`\`record\` must be at most ${longestRecord} bytes, got ${record.length}`);
  }
  const header = new Uint8Array(headerLength);
  const view = new DataView(header.buffer);
  view.setUint32(0, record.length);
  view.setUint32(4, checksum(header, record));
  return concatBytes(header, record);
}

/** Covers the length too, so that a run of zeros is no record. */
function checksum(header: Uint8Array, record: Uint8Array): number {
  return crc32(record, crc32(header.subarray(0, 4)));
}

/** Reads `length` bytes at `offset`; fewer at the end of the file. */
function readAt(fd: number, offset: number, length: number): Bytes {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const got = readSync(fd, bytes, at, length - at, offset + at);
    if (got === 0) break;
    at += got;
  }
  return at === length ? bytes : bytes.slice(0, at);
}

/**
 * Calls `onRecord` for each whole record from the start; gives where the last one ends. A record in
 * the middle whose bytes changed is passed over: those behind it are not to blame.
 */
function scan(fd: number, onRecord: (record: Bytes, place: RecordPlace) => void): number {
  let end = 0;
  let start = 0;
  let chunk: Bytes = new Uint8Array(0);
  const bytesAt = (offset: number, length: number): Bytes => {
    if (offset + length > start + chunk.length) {
      start = offset;
      chunk = readAt(fd, offset, Math.max(length, scanLength));
    }
    return chunk.slice(offset - start, offset - start + length);
  };
  for (;;) {
    const header = bytesAt(end, headerLength);
    if (header.length < headerLength) return end;
    const view = new DataView(header.buffer);
    const length = view.getUint32(0);
    if (length > longestRecord) return end;
    const record = bytesAt(end + headerLength, length);
    if (record.length < length) return end;
    const next = end + headerLength + length;
    if (checksum(header, record) === view.getUint32(4)) {
      onRecord(record, { offset: end + headerLength, length });
    } else if (!isWholeAt(bytesAt, next)) {
      return end;
    }
    end = next;
  }
}

/** Whether a whole record begins at `offset`. */
function isWholeAt(bytesAt: (offset: number, length: number) => Bytes, offset: number): boolean {
  const header = bytesAt(offset, headerLength);
  if (header.length < headerLength) return false;
  const view = new DataView(header.buffer);
  const length = view.getUint32(0);
  if (length > longestRecord) return false;
  const record = bytesAt(offset + headerLength, length);
  return record.length === length && checksum(header, record) === view.getUint32(4);
}

/** Makes the name of a new file as durable as its contents. */
function syncFolderOf(path: string): void {
  const fd = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Hears of a failure that ends nothing. */
export type OnFault = (error: Error) => void;

/**
 * An append-only file. {@link append} resolves when the record is on the disk; what is added at the
 * same time shares one sync. A record that was cut off by a sudden end was never confirmed, and is
 * removed at the next opening. One process at a time.
 */
export class FileLog {
  /** Bytes of a cut-off record that were removed at opening. */
  readonly cutBytes: number;
  readonly #path: string;
  readonly #onFault: OnFault;
  #handle: FileHandle;
  #length: number;
  #pending: Pending[] = [];
  #lazy: Bytes[] = [];
  /** Writing goes on one after the other: appends and rewrites. */
  #work: Promise<void> = Promise.resolve();
  #flushQueued = false;
  /** Whether the last write failed: only the first of several in a row is told. */
  #failing = false;
  #broken = false;
  #closed = false;

  private constructor(
    path: string,
    onFault: OnFault,
    handle: FileHandle,
    length: number,
    cutBytes: number,
  ) {
    this.#path = path;
    this.#onFault = onFault;
    this.#handle = handle;
    this.#length = length;
    this.cutBytes = cutBytes;
  }

  /**
   * Opens a file, readable by its owner only; makes it when it is not there.
   * @param onRecord called for each record that is there, in order.
   * @param onFault hears that the file takes no more, as when the disk is full.
   * @throws (rejects) the system's error; what `onRecord` throws.
   */
  static async open(
    path: string,
    onRecord: (record: Bytes, place: RecordPlace) => void,
    onFault: OnFault = () => {},
  ): Promise<FileLog> {
    await rm(`${path}.new`, { force: true });
    const flags = constants.O_RDWR | constants.O_CREAT;
    const handle = await open(path, flags, 0o600);
    try {
      const end = scan(handle.fd, onRecord);
      const { size } = await handle.stat();
      if (size > end) {
        // A sudden end leaves one batch behind at most; more is damage, and may be worth a look.
        if (size - end > largestBatch) await copyFile(path, `${path}.damaged`);
        await handle.truncate(end);
        await handle.sync();
      }
      if (size === 0) syncFolderOf(path);
      return new FileLog(path, onFault, handle, end, size - end);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Length of the file in bytes, without what was not written yet. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds a record; resolves when it is on the disk.
   * @param onWritten told where it is, before anything else is added or rewritten.
   * @throws (rejects) the system's error, after which the file is as before; Error when closed.
   */
  append(record: Uint8Array, onWritten: (place: RecordPlace) => void = () => {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error("the file is closed");
      if (this.#broken) throw new Error("the file could not be repaired after a failed write");
      this.#pending.push({ frame: frameOf(record), onWritten, resolve, reject });
      this.#queueFlush();
    });
  }

  /** Adds a record with the next {@link append}, {@link rewrite} or at the end; may get lost. */
  appendLazily(record: Uint8Array): void {
    if (!this.#closed && !this.#broken) this.#lazy.push(frameOf(record));
  }

  /** The record at a place. @throws the system's error; Error when it is not whole. */
  read({ offset, length }: RecordPlace): Bytes {
    const record = readAt(this.#handle.fd, offset, length);
    if (record.length < length) throw new Error("the file ends within a record");
    return record;
  }

  #queueFlush(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    this.#work = this.#work.then(() => this.#flush());
  }

  async #flush(): Promise<void> {
    this.#flushQueued = false;
    const batch = this.#pending;
    this.#pending = [];
    const lazy = concatBytes(...this.#lazy.splice(0));
    const start = this.#length;
    try {
      const bytes = concatBytes(lazy, ...batch.map(({ frame }) => frame));
      await this.#write(bytes, start);
      await this.#handle.datasync();
      this.#length = start + bytes.length;
    } catch (error) {
      // Half a batch at the end would hide what is added after it.
      await this.#handle.truncate(start).catch(() => {
        this.#broken = true;
      });
      for (const { reject } of batch) reject(error);
      this.#tellFault(error);
      return;
    }
    this.#failing = false;
    let at = start + lazy.length;
    for (const { frame, onWritten, resolve } of batch) {
      onWritten({ offset: at + headerLength, length: frame.length - headerLength });
      resolve();
      at += frame.length;
    }
  }

  #tellFault(cause: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#onFault(new Error(`cannot write ${this.#path}: ${why}`, { cause }));
  }

  async #write(bytes: Bytes, position: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const left = bytes.length - at;
      at += (await this.#handle.write(bytes, at, left, position + at)).bytesWritten;
    }
  }

  /**
   * Puts other records in place of all that are there, at once: after a sudden end there are either
   * the old ones or the new ones. What is added after `records` was asked comes behind them.
   * @param records asked for when nothing is being written: all that {@link append} reported until
   * then and that is to stay must be among them.
   * @param onDone told where the new records are, before anything else can be read or added.
   * @throws (rejects) the system's error; the file is then as before.
   */
  rewrite(
    records: () => Iterable<Uint8Array>,
    onDone: (places: readonly RecordPlace[]) => void,
  ): Promise<void> {
    const rewritten = this.#work.then(() => this.#rewriteNow(records, onDone));
    this.#work = rewritten.catch(() => {});
    return rewritten;
  }

  async #rewriteNow(
    records: () => Iterable<Uint8Array>,
    onDone: (places: readonly RecordPlace[]) => void,
  ): Promise<void> {
    if (this.#closed || this.#broken) return;
    const path = `${this.#path}.new`;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
    const handle = await open(path, flags, 0o600);
    const places: RecordPlace[] = [];
    let length = 0;
    try {
      for (const record of records()) {
        const frame = frameOf(record);
        await handle.write(frame, 0, frame.length, length);
        places.push({ offset: length + headerLength, length: record.length });
        length += frame.length;
      }
      await handle.sync();
      await rename(path, this.#path);
    } catch (error) {
      await handle.close();
      await rm(path, { force: true });
      throw error;
    }
    const old = this.#handle;
    this.#handle = handle;
    this.#length = length;
    this.#lazy = [];
    onDone(places);
    syncFolderOf(this.#path);
    await old.close();
  }

  /** Writes what is pending and closes the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) {
      await this.#work;
      return;
    }
    if (this.#lazy.length > 0) this.#queueFlush();
    this.#closed = true;
    await this.#work;
    await this.#handle.close();
  }
}
