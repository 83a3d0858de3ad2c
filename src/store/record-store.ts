/** Records that survive any end of the process, in a database of the level family. */
import { type Bytes, toHex, utf8, utf8ToText } from "../bytes/bytes.js";
import { ConfigError } from "../errors/errors.js";
import { checkLevel, type Findings, groupEnd, groupStart, keyOf, totalsGroup } from "./check.js";
import { asBytes, DamagedLevelError, durably, type Level, type LevelPlace } from "./level-place.js";
import { mendLevel } from "./mend.js";
import { decodeRecord, encodeRecord } from "./record.js";
import { type Counted, encodeTotals, noTotals, type Totals, withRecord } from "./totals.js";

/** Version of the database's content. */
const schema = "1";
const settingsGroup = "settings";
/** How many records are read at a time. */
const pageLength = 256;

/** Options of a store. */
export interface RecordStoreOptions {
  /**
   * Called for damage, with its place, and when the disk accepts no more writes. The store
   * continues.
   */
  readonly onFault?: ((error: Error) => void) | undefined;
  /** Called only for damage, before {@link onFault}. */
  readonly onDamage?: ((message: string) => void) | undefined;
}

/** A record of a group. */
export interface GroupRecord {
  /** Its ID within the group. */
  readonly id: Bytes;
  readonly body: Bytes;
  /** Of two records, the one that was put later has the higher number. */
  readonly sequence: number;
}

interface Change {
  readonly group: string;
  readonly key: Bytes;
  /** Null to remove the record. */
  readonly body: Uint8Array | null;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function canGetSync(level: Level): boolean {
  return (level.supports as { readonly getSync?: boolean }).getSync === true;
}

function messageOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  if (cause instanceof Error) return cause.message;
  return error instanceof Error ? error.message : String(error);
}

/**
 * Records by group and ID. Concurrent puts share one synced write. When the store is opened, every
 * record is read and checked, and each group is compared with its totals; records that the database
 * has lost are searched for in its files. Damage affects only the records whose bytes changed, and
 * is reported.
 */
export class RecordStore {
  readonly #place: LevelPlace;
  readonly #onFault: (error: Error) => void;
  readonly #onDamage: (message: string) => void;
  #level: Level | null = null;
  #totals = new Map<string, Totals>();
  #sequence = 0;
  /** The changes of the last write that waits for its turn; null if none does. */
  #pending: Change[] | null = null;
  /** Whether a deletion comes after that write, so that later puts need another one. */
  #isSealed = false;
  #lazy: Change[] = [];
  /** Writes run one after the other. */
  #work: Promise<void> = Promise.resolve();
  #reopening: Promise<void> | null = null;
  /** After a failed write the database must be opened again before it accepts more. */
  #broken = false;
  /** Whether the last write failed: only the first failure in a row is reported. */
  #failing = false;
  #closed = false;
  readonly #damage: string[] = [];

  private constructor(place: LevelPlace, { onFault, onDamage }: RecordStoreOptions) {
    this.#place = place;
    this.#onDamage = onDamage ?? (() => {});
    this.#onFault = onFault ?? (() => {});
  }

  /**
   * Opens a store, or creates it.
   * @throws ConfigError when it is already in use, cannot be used or repaired, or a newer version
   * made it; the system's error.
   */
  static async open(place: LevelPlace, options: RecordStoreOptions = {}): Promise<RecordStore> {
    const store = new RecordStore(place, options);
    try {
      await store.#open();
      await store.#checkSchema();
    } catch (error) {
      await store.#level?.close();
      await place.close();
      throw error;
    }
    return store;
  }

  /** Descriptions of what was found damaged or missing when it was opened. */
  get damage(): readonly string[] {
    return this.#damage;
  }

  async #open(): Promise<void> {
    let level: Level | null = null;
    let findings: Findings | null = null;
    try {
      level = await this.#place.open();
      findings = await checkLevel(level, this.#place.readMark());
    } catch (error) {
      if (level === null && !(error instanceof DamagedLevelError)) throw error;
    }
    if (level !== null && findings?.isSound === true) {
      await this.#place.settled();
    } else {
      const mended = await mendLevel(this.#place, level).catch(async (error: unknown) => {
        await level?.close();
        throw error;
      });
      ({ level, findings } = mended);
      for (const message of mended.losses) this.#tellDamage(message);
    }
    this.#level = level;
    this.#totals = new Map(findings.totals);
    this.#sequence = Math.max(findings.sequence, this.#place.readMark());
    for (const [group, { deleted }] of findings.totals) if (deleted) await this.#clear(group);
  }

  async #checkSchema(): Promise<void> {
    const found = await this.setting("schema");
    if (found === null) await this.set("schema", schema);
    else if (found !== schema) {
      throw new ConfigError(
        `${this.#place.name} has version ${found}, but this program supports version ${schema}: ` +
          `use a newer program, or another directory`,
      );
    }
  }

  #tellDamage(message: string): void {
    this.#damage.push(message);
    this.#onDamage(message);
    this.#onFault(new Error(`${this.#place.name} is damaged: ${message}`));
  }

  /** How many records a group has, and the sum of their lengths. */
  totals(group: string): { readonly count: number; readonly bytes: number } {
    const { count, bytes } = this.#totals.get(group) ?? noTotals;
    return { count, bytes };
  }

  /** The names of all groups that have records and start with `prefix`. */
  groups(prefix: string): string[] {
    return [...this.#totals]
      .filter(([name, { count }]) => name.startsWith(prefix) && count > 0)
      .map(([name]) => name);
  }

  /** The value of a setting from {@link set}; null if it was never set. */
  async setting(name: string): Promise<string | null> {
    const body = await this.get(settingsGroup, utf8(name));
    return body === null ? null : utf8ToText(body);
  }

  /** Stores a short text under a name. */
  set(name: string, value: string): Promise<void> {
    return this.put(settingsGroup, utf8(name), utf8(value));
  }

  /**
   * The body of a record; null if there is none.
   * @throws (rejects) Error when it is damaged, or the store is closed.
   */
  async get(group: string, id: Uint8Array): Promise<Bytes | null> {
    const level = await this.#ready();
    const key = keyOf(group, id);
    const value = canGetSync(level) ? level.getSync(key, asBytes) : await level.get(key, asBytes);
    if (value === undefined) return null;
    const record = decodeRecord(key, value);
    if (record !== null) return record.body;
    const message = `a record of ${group} cannot be read`;
    if (!this.#damage.includes(message)) this.#tellDamage(message);
    throw new Error(`${this.#place.name} is damaged: ${message}`);
  }

  /**
   * Puts a record, replacing one with the same ID; resolves when it is on disk.
   * @throws (rejects) Error when it cannot be written, or the store is closed.
   */
  put(group: string, id: Uint8Array, body: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error(`${this.#place.name} is closed`);
      this.#queue().push({ group, key: keyOf(group, id), body, resolve, reject });
    });
  }

  /**
   * Removes a record together with the next {@link put} or at the end; a crash may bring it back.
   */
  removeLazily(group: string, id: Uint8Array): void {
    if (this.#closed) return;
    const ignore = (): void => {};
    // After what is being put: that may be the same record.
    const changes = this.#pending ?? this.#lazy;
    changes.push({ group, key: keyOf(group, id), body: null, resolve: ignore, reject: ignore });
  }

  /**
   * Every record of a group in the order of IDs. Records added or removed meanwhile may or may not
   * appear.
   */
  async *records(group: string): AsyncIterable<GroupRecord> {
    const prefixLength = groupStart(group).length;
    let after = groupStart(group);
    for (;;) {
      const level = await this.#ready();
      const range = { gt: after, lt: groupEnd(group), limit: pageLength, ...asBytes };
      const page = await level.iterator(range).all();
      for (const [key, value] of page) {
        const record = decodeRecord(key, value);
        if (record === null) continue;
        const { body, sequence } = record;
        yield { id: record.key.slice(prefixLength), body, sequence };
      }
      if (page.length < pageLength) return;
      after = new Uint8Array(page.at(-1)![0]);
    }
  }

  /**
   * Deletes all records of a group, with those that are being put, but not those that are put later.
   * @returns how many there were. @throws (rejects) Error when it fails, or the store is closed.
   */
  async deleteGroup(group: string): Promise<number> {
    if (this.#closed) throw new Error(`${this.#place.name} is closed`);
    this.#isSealed = true;
    const deleted = this.#work.then(async () => {
      await this.#makeWritable();
      const { count } = this.#totals.get(group) ?? noTotals;
      if (count === 0) return 0;
      try {
        await this.#writeTotals(group, { ...noTotals, deleted: true });
        await this.#clear(group);
      } catch (error) {
        this.#failed(error);
        throw error;
      }
      return count;
    });
    this.#work = deleted.then(
      () => {},
      () => {},
    );
    return deleted;
  }

  async #writeTotals(group: string, totals: Totals): Promise<void> {
    const key = keyOf(totalsGroup, utf8(group));
    const sequence = ++this.#sequence;
    const value = encodeRecord({ sequence, key, body: encodeTotals(totals) });
    const level = await this.#ready();
    await level.batch([{ type: "put", key, value }], durably);
    this.#totals.set(group, totals);
    this.#place.writeMark(sequence);
  }

  async #clear(group: string): Promise<void> {
    const level = this.#level!;
    await level.clear({ gte: groupStart(group), lt: groupEnd(group), ...asBytes });
    // The highest sequence number must still be stored: in totals of a group without a name.
    const key = keyOf(totalsGroup, utf8(""));
    const last = encodeRecord({ sequence: this.#sequence, key, body: encodeTotals(noTotals) });
    await level.batch(
      [
        { type: "del", key: keyOf(totalsGroup, utf8(group)) },
        { type: "put", key, value: last },
      ],
      asBytes,
    );
    this.#totals.delete(group);
  }

  async #ready(): Promise<Level> {
    if (this.#reopening !== null) await this.#reopening.catch(() => {});
    if (this.#level === null) throw new Error(`${this.#place.name} is closed`);
    return this.#level;
  }

  /** The changes of the next write, which runs when its turn comes. */
  #queue(): Change[] {
    if (this.#pending !== null && !this.#isSealed) return this.#pending;
    const durable: Change[] = [];
    this.#pending = durable;
    this.#isSealed = false;
    this.#work = this.#work.then(() => this.#flush(durable));
    return durable;
  }

  async #flush(durable: readonly Change[]): Promise<void> {
    if (this.#pending === durable) this.#pending = null;
    const changes = [...this.#lazy, ...durable];
    this.#lazy = [];
    try {
      await this.#makeWritable();
      await this.#write(changes, durable.length > 0);
    } catch (error) {
      for (const { reject } of changes) reject(error);
      this.#failed(error);
      return;
    }
    this.#failing = false;
    for (const { resolve } of changes) resolve();
  }

  async #write(changes: readonly Change[], sync: boolean): Promise<void> {
    const level = await this.#ready();
    const before = await this.#before(level, changes);
    const totals = new Map<string, Totals>();
    const operations: ({ type: "put"; key: Bytes; value: Bytes } | { type: "del"; key: Bytes })[] =
      [];
    let sequence = this.#sequence;
    for (const { group, key, body } of changes) {
      sequence++;
      const name = toHex(key);
      const old = before.get(name);
      let sums = totals.get(group) ?? this.#totals.get(group) ?? noTotals;
      if (old !== undefined) sums = withRecord(sums, old, -1);
      if (body === null) {
        before.delete(name);
        operations.push({ type: "del", key });
      } else {
        const counted = { sequence, length: body.length };
        sums = withRecord(sums, counted, 1);
        before.set(name, counted);
        const value = encodeRecord({ sequence, key, body: body as Bytes });
        operations.push({ type: "put", key, value });
      }
      totals.set(group, sums);
    }
    for (const [group, sums] of totals) {
      const key = keyOf(totalsGroup, utf8(group));
      const value = encodeRecord({ sequence, key, body: encodeTotals(sums) });
      operations.push({ type: "put", key, value });
    }
    await level.batch(operations, sync ? durably : asBytes);
    for (const [group, sums] of totals) this.#totals.set(group, sums);
    this.#sequence = sequence;
    this.#place.writeMark(sequence);
  }

  /** The existing records that are about to change. */
  async #before(level: Level, changes: readonly Change[]): Promise<Map<string, Counted>> {
    const before = new Map<string, Counted>();
    const keys = changes.map(({ key }) => key);
    // For a few records, looking them up here is faster than starting another thread.
    const values =
      keys.length <= 4 && canGetSync(level)
        ? keys.map((key) => level.getSync<Uint8Array, Uint8Array>(key, asBytes))
        : await level.getMany<Uint8Array, Uint8Array>(keys, asBytes);
    for (const [i, value] of values.entries()) {
      const record = value === undefined ? null : decodeRecord(keys[i]!, value);
      if (record === null) continue;
      const { sequence, body } = record;
      before.set(toHex(keys[i]!), { sequence, length: body.length });
    }
    return before;
  }

  /**
   * A failed write may have left a part of itself at the end of the database's log, and records
   * after it would be lost. So the database is opened again first, once there is room.
   */
  async #makeWritable(): Promise<void> {
    if (!this.#broken && this.#level !== null) return;
    if (!(await this.#place.hasRoom())) throw new Error("no space left on device");
    const reopen = async (): Promise<void> => {
      const level = this.#level;
      this.#level = null;
      await level?.close();
      await this.#open();
      this.#broken = false;
    };
    this.#reopening = reopen();
    try {
      await this.#reopening;
    } finally {
      this.#reopening = null;
    }
  }

  #failed(cause: unknown): void {
    this.#broken = true;
    if (this.#failing) return;
    this.#failing = true;
    const what = `cannot write ${this.#place.name}: ${messageOf(cause)}`;
    this.#onFault(new Error(what, { cause }));
  }

  /** Writes what is pending and closes the database. Idempotent. */
  async close(): Promise<void> {
    if (!this.#closed) {
      if (this.#lazy.length > 0 && !this.#broken) this.#queue();
      this.#closed = true;
      this.#work = this.#work.then(async () => {
        const level = this.#level;
        this.#level = null;
        try {
          await level?.close();
        } finally {
          await this.#place.close();
        }
      });
    }
    await this.#work;
  }
}
