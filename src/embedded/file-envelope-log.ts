/** What a courier remembers, in a file. */
import { type Bytes, concatBytes, toHex } from "../bytes/bytes.js";
import type {
  CourierRecord,
  CourierRecordKind,
  EnvelopeLog,
} from "../network/courier/envelope-log.js";
import { FileLog, type OnFault } from "./file-log.js";

const kinds: readonly CourierRecordKind[] = ["envelope", "copy", "clear", "result"];
/** The type byte of a record that says: forget this key. */
const forgetType = 255;
const keyLength = 32;
/** From how long a file on it may be worth writing what is left anew. */
const leastLength = 1024 * 1024;
/** How much of it must be garbage then. */
const garbageShare = 0.75;

function fileRecordOf({ kind, key, body }: CourierRecord): Uint8Array {
  return concatBytes(Uint8Array.of(kinds.indexOf(kind)), key, body);
}

/**
 * A courier's records in an append-only file. What is forgotten is only noted in passing: at worst
 * it is there once more at the next start.
 */
export class FileEnvelopeLog implements EnvelopeLog {
  /** By key, oldest first. */
  readonly #records = new Map<string, CourierRecord>();
  #log!: FileLog;
  #liveLength = 0;
  #compacting = false;

  private constructor() {}

  /**
   * Opens the log in a file; makes it when it is not there.
   * @param onFault hears that the file takes no more.
   * @throws the system's error.
   */
  static async open(path: string, onFault?: OnFault): Promise<FileEnvelopeLog> {
    const log = new FileEnvelopeLog();
    const onRecord = (record: Bytes): void => {
      const key = record.slice(1, 1 + keyLength);
      const kind = kinds[record[0]!];
      if (kind !== undefined) log.#keep({ kind, key, body: record.slice(1 + keyLength) });
      else log.#drop(key);
    };
    log.#log = await FileLog.open(path, onRecord, onFault);
    return log;
  }

  #keep(record: CourierRecord): void {
    this.#drop(record.key);
    this.#records.set(toHex(record.key), record);
    this.#liveLength += record.body.length;
  }

  #drop(key: Uint8Array): boolean {
    const hex = toHex(key);
    const record = this.#records.get(hex);
    if (record === undefined) return false;
    this.#liveLength -= record.body.length;
    return this.#records.delete(hex);
  }

  async append(record: CourierRecord): Promise<void> {
    await this.#log.append(fileRecordOf(record), () => this.#keep(record));
  }

  remove(key: Uint8Array): void {
    if (!this.#drop(key)) return;
    this.#log.appendLazily(concatBytes(Uint8Array.of(forgetType), key));
    void this.#compact();
  }

  async #compact(): Promise<void> {
    const { length } = this.#log;
    if (this.#compacting || length < leastLength) return;
    if (length - this.#liveLength < length * garbageShare) return;
    this.#compacting = true;
    const live = (): Iterable<Uint8Array> => Array.from(this.#records.values(), fileRecordOf);
    try {
      await this.#log.rewrite(live, () => {});
    } catch {
      // The file is as it was; it only grows on, until this works again.
    } finally {
      this.#compacting = false;
    }
  }

  *entries(): Iterable<CourierRecord> {
    yield* this.#records.values();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
