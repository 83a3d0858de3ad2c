/** A courier's log in a record store. */
import { concatBytes } from "../../bytes/bytes.js";
import type { CourierRecord, CourierRecordKind, EnvelopeLog } from "./envelope-log.js";
import type { GroupRecord, RecordStore } from "../../store/record-store.js";

const kinds: readonly CourierRecordKind[] = ["envelope", "copy", "clear", "result"];

/** A courier's records on disk. A removed record may reappear once at the next start. */
export class LevelEnvelopeLog implements EnvelopeLog {
  readonly #store: RecordStore;
  readonly #group: string;

  /** The store is shared; its opener closes it. */
  constructor(store: RecordStore, courier: number) {
    this.#store = store;
    this.#group = `courier ${courier}`;
  }

  append({ kind, key, body }: CourierRecord): Promise<void> {
    return this.#store.put(this.#group, key, concatBytes(Uint8Array.of(kinds.indexOf(kind)), body));
  }

  remove(key: Uint8Array): void {
    this.#store.removeLazily(this.#group, key);
  }

  async *entries(): AsyncIterable<CourierRecord> {
    const records: GroupRecord[] = [];
    for await (const record of this.#store.records(this.#group)) records.push(record);
    records.sort((a, b) => a.sequence - b.sequence);
    for (const { id, body } of records) {
      const kind = kinds[body[0]!];
      if (kind !== undefined) yield { kind, key: id, body: body.subarray(1) };
    }
  }

  close(): void {}
}
