/** A replica's boxes in a file. */
import { concatBytes, toHex } from "../bytes/bytes.js";
import {
  decodeStoredBox,
  encodeStoredBox,
  type SignedBox,
} from "../crypto/envelope/replica-messages.js";
import type { BoxStore, KeptBox } from "../network/replica/box-store.js";
import { FileLog, type OnFault, type RecordPlace } from "./file-log.js";

/** In front of each box: the replica epoch in which it was stored (8, big-endian). */
const epochLength = 8;
/** From how much garbage on, and which part of the file, it is worth writing the rest anew. */
const leastGarbage = 4 * 1024 * 1024;
const garbageShare = 0.5;

function recordOf(epoch: number, box: SignedBox): Uint8Array {
  const prefix = new Uint8Array(epochLength);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(epoch));
  return concatBytes(prefix, encodeStoredBox(box));
}

function epochOf(record: Uint8Array): number {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  return Number(view.getBigUint64(0));
}

/**
 * Boxes in an append-only file, found through an index in memory (some 200 bytes a box; the boxes
 * themselves stay on the disk). A box is confirmed when it is on the disk.
 */
export class FileBoxStore implements BoxStore {
  readonly #epochs = new Map<number, Map<string, RecordPlace>>();
  #log!: FileLog;
  #size = 0;
  #sizeBytes = 0;

  private constructor() {}

  /**
   * Opens the store in a file; makes it when it is not there.
   * @param onFault hears that the file takes no more.
   * @throws the system's error.
   */
  static async open(path: string, onFault?: OnFault): Promise<FileBoxStore> {
    const store = new FileBoxStore();
    const onRecord = (record: Uint8Array, place: RecordPlace): void => {
      const box = decodeStoredBox(record.subarray(epochLength));
      store.#index(epochOf(record), toHex(box.boxId), place);
    };
    store.#log = await FileLog.open(path, onRecord, onFault);
    return store;
  }

  get size(): number {
    return this.#size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  #index(epoch: number, key: string, place: RecordPlace): void {
    let boxes = this.#epochs.get(epoch);
    if (boxes === undefined) {
      boxes = new Map();
      this.#epochs.set(epoch, boxes);
    }
    const replaced = boxes.get(key);
    if (replaced === undefined) this.#size++;
    else this.#sizeBytes -= replaced.length - epochLength;
    this.#sizeBytes += place.length - epochLength;
    boxes.set(key, place);
  }

  get(epoch: number, boxId: Uint8Array): SignedBox | null {
    const place = this.#epochs.get(epoch)?.get(toHex(boxId));
    return place === undefined ? null : this.#read(place);
  }

  #read(place: RecordPlace): SignedBox {
    return decodeStoredBox(this.#log.read(place).subarray(epochLength));
  }

  async put(epoch: number, box: SignedBox): Promise<void> {
    const key = toHex(box.boxId);
    await this.#log.append(recordOf(epoch, box), (place) => this.#index(epoch, key, place));
  }

  async deleteBefore(epoch: number): Promise<number> {
    let deleted = 0;
    for (const [stored, boxes] of this.#epochs) {
      if (stored >= epoch) continue;
      this.#epochs.delete(stored);
      deleted += boxes.size;
      for (const { length } of boxes.values()) this.#sizeBytes -= length - epochLength;
    }
    this.#size -= deleted;
    await this.#compact();
    return deleted;
  }

  /** Writes the file anew when too much of it is not wanted any more. */
  async #compact(): Promise<void> {
    const garbage = this.#log.length - this.#sizeBytes;
    if (garbage < leastGarbage || garbage < this.#log.length * garbageShare) return;
    const moved: { boxes: Map<string, RecordPlace>; key: string }[] = [];
    const log = this.#log;
    const epochs = this.#epochs;
    function* live(): Iterable<Uint8Array> {
      for (const boxes of epochs.values()) {
        for (const [key, place] of boxes) {
          moved.push({ boxes, key });
          yield log.read(place);
        }
      }
    }
    await log.rewrite(live, (places) => {
      for (const [i, { boxes, key }] of moved.entries()) boxes.set(key, places[i]!);
    });
  }

  *boxes(): Iterable<KeptBox> {
    for (const [epoch, boxes] of this.#epochs) {
      for (const place of boxes.values()) yield { epoch, box: this.#read(place) };
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
