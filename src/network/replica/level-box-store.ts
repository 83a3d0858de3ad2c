/** A replica's boxes in a record store. */
import {
  decodeStoredBox,
  encodeStoredBox,
  type SignedBox,
} from "../../crypto/envelope/replica-messages.js";
import type { BoxStore, KeptBox } from "./box-store.js";
import type { RecordStore } from "../../store/record-store.js";

/** Boxes on disk, one group per week. Only their number stays in memory. */
export class LevelBoxStore implements BoxStore {
  readonly #store: RecordStore;
  readonly #prefix: string;

  /** The store is shared; its opener closes it. */
  constructor(store: RecordStore, replicaId: number) {
    this.#store = store;
    this.#prefix = `replica ${replicaId} week `;
  }

  #group(epoch: number): string {
    return `${this.#prefix}${epoch}`;
  }

  #sum(part: "count" | "bytes"): number {
    return this.#store
      .groups(this.#prefix)
      .reduce((sum, group) => sum + this.#store.totals(group)[part], 0);
  }

  get size(): number {
    return this.#sum("count");
  }

  get sizeBytes(): number {
    return this.#sum("bytes");
  }

  async get(epoch: number, boxId: Uint8Array): Promise<SignedBox | null> {
    const body = await this.#store.get(this.#group(epoch), boxId);
    return body === null ? null : decodeStoredBox(body);
  }

  put(epoch: number, box: SignedBox): Promise<void> {
    return this.#store.put(this.#group(epoch), box.boxId, encodeStoredBox(box));
  }

  async deleteBefore(epoch: number): Promise<number> {
    let deleted = 0;
    for (const { group, epoch: stored } of this.#weeks()) {
      if (stored < epoch) deleted += await this.#store.deleteGroup(group);
    }
    return deleted;
  }

  #weeks(): { readonly group: string; readonly epoch: number }[] {
    return this.#store
      .groups(this.#prefix)
      .map((group) => ({ group, epoch: Number(group.slice(this.#prefix.length)) }));
  }

  async *boxes(): AsyncIterable<KeptBox> {
    for (const { group, epoch } of this.#weeks()) {
      for await (const { body } of this.#store.records(group)) {
        yield { epoch, box: decodeStoredBox(body) };
      }
    }
  }

  close(): void {}
}
