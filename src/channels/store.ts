/**
 * What channels store: typed records in an `abstract-level` database, changed by transactions.
 *
 * All transactions go through one queue. Waiting transactions are committed together in one batch,
 * which is durable when it is done, so many sends cost one write to the disk. A transaction changes
 * memory when it is composed. If a commit fails, the store therefore loads everything again, so
 * that memory matches the disk.
 */
import type {
  LevelDatabase,
  LevelOperation as Operation,
  LevelRange as Range,
} from "../platform/level-contract.js";
import { type Bytes, describeType, randomBytes } from "../bytes/bytes.js";
import { type CborValue, type Encodable, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import type { Clock, Timer } from "../clock/clock.js";
import { isThinClientError } from "../errors/errors.js";
import { ChannelStoreError } from "../errors/channel-errors.js";
import {
  StoreTotals,
  VERSION_KEY,
  encodings,
  hasRecords,
  readCommits,
  withChecksum,
  withoutChecksum,
} from "./store-totals.js";
import {
  SALT_LENGTH,
  type StoreSecret,
  type ValueSeal,
  plainValues,
  sealedValues,
} from "./sealed-values.js";

/**
 * What channels need from a database of the level family (`abstract-level` 2 or 3); every such
 * database fits. Keys are text, values bytes.
 */
export type ChannelDatabase = LevelDatabase;

/** The schema version that this code writes. */
const VERSION = 2;
const SALT_KEY = "meta!salt";
const CHECK_KEY = "meta!check";

/** The most transactions in one batch. */
const MAX_BATCH = 512;
/** The most bytes in one batch; the last transaction may exceed it. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** How long changes that need not be durable at once wait for another transaction, in ms. */
const LAZY_MS = 200;
/** The same after a failed commit, which the next one that is not lazy may repair, in ms. */
const LAZY_RETRY_MS = 10_000;

/** The changes of one transaction. */
export interface Draft {
  put(key: string, value: Encodable): void;
  delete(key: string): void;
  /** Work for the time in which the disk stores the changes. It must not throw. */
  meanwhile(work: () => void): void;
}

interface Transaction {
  readonly compose: (draft: Draft) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A store of channels. */
export class ChannelStore {
  readonly #database: ChannelDatabase;
  readonly #clock: Clock;
  readonly #seal: ValueSeal;
  readonly #totals: StoreTotals;
  readonly #queue: Transaction[] = [];
  readonly #lazy: ((draft: Draft) => void)[] = [];
  #lazyTimer: Timer | null = null;
  #running: Promise<void> | null = null;
  /**
   * Number of the last commit. After a failed commit it tells whether that commit is on the disk.
   */
  #commits: number;
  /** How many reads are in progress. */
  #reads = 0;
  #onIdle: (() => void) | null = null;
  /** Set while the database is closed and opened again after a failed commit. */
  #reopening: Promise<void> | null = null;
  #isClosing = false;
  #closed = false;
  /** Called after a failed commit, when the database is open again. */
  onReload: () => Promise<void> = async () => {};

  private constructor(database: ChannelDatabase, clock: Clock, seal: ValueSeal, commits: number) {
    this.#database = database;
    this.#clock = clock;
    this.#seal = seal;
    this.#totals = new StoreTotals(database);
    this.#commits = commits;
  }

  /**
   * Opens the store in `database`, or begins a new one.
   * @throws ChannelStoreError for another schema version, a secret that does not fit, or damage.
   */
  static async open(
    database: ChannelDatabase,
    clock: Clock,
    secret: StoreSecret | null,
  ): Promise<ChannelStore> {
    const read = async (key: string): Promise<Uint8Array | null> => {
      const stored = await database.get(key, encodings);
      if (stored === undefined) return null;
      const content = withoutChecksum(key, stored);
      if (!content) throw damagedStore([`the record ${key} is damaged`]);
      return content;
    };
    const version = await database.get(VERSION_KEY, encodings);
    if (version === undefined) {
      if ((database.mark?.read() ?? 0) > 0 || (await hasRecords(database))) {
        throw damagedStore(["the store's beginning is missing"]);
      }
      return ChannelStore.#begin(database, clock, secret);
    }
    const found = decodeVersion(version);
    if (found !== VERSION) {
      throw new ChannelStoreError(
        `the store has schema version ${JSON.stringify(found)}, this version of the package knows ` +
          `${VERSION}; open it with the version that wrote it. If no other version did, the store is ` +
          "damaged: restore it from a backup",
      );
    }
    const [salt, check] = [await read(SALT_KEY), await read(CHECK_KEY)];
    if (!check) throw damagedStore([`the record ${CHECK_KEY} is missing`]);
    if (salt && !secret) {
      throw new ChannelStoreError(
        "the store is encrypted; pass `key` or `passphrase` in the options",
      );
    }
    if (!salt && secret) {
      throw new ChannelStoreError(
        "the store is not encrypted, but a key or passphrase was given; open it without, or " +
          "begin another store with it",
      );
    }
    const seal = salt ? await sealedValues(secret!, salt) : plainValues;
    if (!seal.open(CHECK_KEY, check)) {
      throw new ChannelStoreError(
        "the key or passphrase does not open the store; pass the right one",
      );
    }
    const commits = await readCommits(database);
    const store = new ChannelStore(database, clock, seal, commits ?? 0);
    await store.#check();
    return store;
  }

  /** @throws ChannelStoreError that says what is damaged or lost. */
  async #check(): Promise<void> {
    const damage = await this.#totals.check((key, content) => {
      const opened = this.#seal.open(key, content);
      const record = opened && decodeCbor(opened);
      const name = record instanceof Map ? record.get("name") : null;
      return typeof name === "string" ? name : key;
    });
    const missing = (this.#database.mark?.read() ?? 0) - this.#commits;
    if (missing > 0) damage.push(`the last ${missing} changes are lost`);
    if (damage.length > 0) throw damagedStore(damage);
  }

  static async #begin(
    database: ChannelDatabase,
    clock: Clock,
    secret: StoreSecret | null,
  ): Promise<ChannelStore> {
    const salt = randomBytes(SALT_LENGTH);
    const seal = secret ? await sealedValues(secret, salt) : plainValues;
    const operations: Operation[] = [
      {
        type: "put",
        key: CHECK_KEY,
        value: withChecksum(CHECK_KEY, seal.seal(CHECK_KEY, encodeCbor("channels"))),
      },
      { type: "put", key: VERSION_KEY, value: encodeCbor(VERSION) },
    ];
    if (secret) {
      operations.push({ type: "put", key: SALT_KEY, value: withChecksum(SALT_KEY, salt) });
    }
    await database.batch(operations, { ...encodings, sync: true });
    return new ChannelStore(database, clock, seal, 0);
  }

  /**
   * The record under `key`; undefined if there is none. @throws ChannelStoreError when it is
   * damaged.
   */
  async get(key: string): Promise<CborValue | undefined> {
    await this.#beginRead();
    try {
      const stored = await this.#database.get(key, encodings);
      return stored === undefined ? undefined : this.#decode(key, stored);
    } finally {
      this.#endRead();
    }
  }

  /**
   * Every record whose key begins with `prefix`, in the order of the keys. Do not wait for a commit
   * or for another read between two of them, because a failed commit waits for all reads.
   */
  async *records(prefix: string, after?: string): AsyncGenerator<[string, CborValue]> {
    const range = { ...encodings, ...rangeOf(prefix, after) };
    await this.#beginRead();
    try {
      for await (const [key, stored] of this.#database.iterator(range)) {
        yield [key, this.#decode(key, stored)];
      }
    } finally {
      this.#endRead();
    }
  }

  /** Every key that begins with `prefix`, in order. */
  async *keys(prefix: string): AsyncGenerator<string> {
    const range = { keyEncoding: "utf8", ...rangeOf(prefix) } as const;
    await this.#beginRead();
    try {
      const iterator = this.#database.keys(range);
      try {
        for (;;) {
          const keys = await iterator.nextv(1000);
          if (keys.length === 0) return;
          yield* keys;
        }
      } finally {
        await iterator.close();
      }
    } finally {
      this.#endRead();
    }
  }

  /** Waits while the database is opened again. @throws ChannelStoreError when it is closed. */
  async #beginRead(): Promise<void> {
    while (this.#reopening !== null) await this.#reopening.catch(() => {});
    if (this.#closed) throw new ChannelStoreError("the store is closed");
    this.#reads++;
  }

  #endRead(): void {
    if (--this.#reads === 0) this.#onIdle?.();
  }

  /** Resolves when nothing is being read: closing the database would end the reads. */
  async #idle(): Promise<void> {
    if (this.#reads > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#onIdle = null;
  }

  /** Closing makes the database drop its buffered writes; opening reads what is on the disk. */
  async #reopen(): Promise<void> {
    await this.#idle();
    await this.#database.close();
    await this.#database.open();
  }

  #decode(key: string, stored: Uint8Array): CborValue {
    const content = withoutChecksum(key, stored);
    const value = content && this.#seal.open(key, content);
    try {
      if (value) return decodeCbor(value);
    } catch {
      // The error is thrown below.
    }
    throw damagedStore([`the record ${key} is damaged`]);
  }

  /**
   * Changes records; they are durable when it resolves. `compose` runs when its turn comes and may
   * change memory: if the commit fails, `onReload` loads it again.
   * @throws what `compose` throws (then it must not have changed anything); ChannelStoreError when
   * the database does not accept the change. Then nothing is stored.
   */
  commit(compose: (draft: Draft) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new ChannelStoreError("the store is closed"));
        return;
      }
      this.#queue.push({ compose, resolve, reject });
      this.#run();
    });
  }

  /**
   * Changes records with the next transaction, or soon. A crash before that loses the change, and
   * all later ones. After a failed commit it is made again.
   */
  commitLazily(compose: (draft: Draft) => void): void {
    if (this.#closed) return;
    this.#lazy.push(compose);
    this.#runLater(LAZY_MS);
  }

  #runLater(ms: number): void {
    this.#lazyTimer ??= this.#clock.after(
      ms,
      () => {
        this.#lazyTimer = null;
        if (this.#lazy.length > 0) this.#run();
      },
      { background: true },
    );
  }

  #run(): void {
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // Wait one turn, so that the sends of one turn go together.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0 || (this.#lazy.length > 0 && this.#lazyTimer === null)) {
        await this.#commitBatch();
      }
    } finally {
      // In the same turn as the last check of the queue: a later transaction must start another
      // run.
      this.#running = null;
    }
  }

  async #commitBatch(): Promise<void> {
    const operations: Operation[] = [];
    const size = { bytes: 0 };
    const later: (() => void)[] = [];
    const draft: Draft = {
      put: (key, value) => {
        const stored = withChecksum(key, this.#seal.seal(key, encodeCbor(value)));
        size.bytes += stored.length;
        operations.push({ type: "put", key, value: stored });
      },
      delete: (key) => operations.push({ type: "del", key }),
      meanwhile: (work) => later.push(work),
    };
    const composed: Transaction[] = [];
    const isDurable = this.#queue.length > 0;
    const lazy = this.#lazy.splice(0);
    for (const compose of lazy) compose(draft);
    this.#lazyTimer?.cancel();
    this.#lazyTimer = null;
    while (this.#queue.length > 0 && composed.length < MAX_BATCH) {
      if (size.bytes >= MAX_BATCH_BYTES) break;
      const transaction = this.#queue.shift()!;
      const before = operations.length;
      try {
        transaction.compose(draft);
        composed.push(transaction);
      } catch (error) {
        operations.length = before;
        transaction.reject(error);
      }
    }
    if (operations.length === 0) {
      for (const { resolve } of composed) resolve();
      return;
    }
    const commits = ++this.#commits;
    let apply = (): void => {};
    try {
      const next = await this.#totals.after(operations, commits);
      ({ apply } = next);
      const stored = this.#database.batch(next.operations, { ...encodings, sync: isDurable });
      for (const work of later) work();
      await stored;
    } catch (error) {
      await this.#recover(commits, lazy, composed, apply, error);
      return;
    }
    apply();
    // Only a durable commit: the last ones that are not may be lost without damage.
    if (isDurable) this.#database.mark?.write(commits);
    for (const { resolve } of composed) resolve();
  }

  /** After a failed commit, reads what the disk holds and loads memory from it. */
  async #recover(
    commits: number,
    lazy: readonly ((draft: Draft) => void)[],
    composed: Transaction[],
    apply: () => void,
    cause: unknown,
  ): Promise<void> {
    let isStored: boolean;
    try {
      this.#reopening = this.#reopen().finally(() => (this.#reopening = null));
      await this.#reopening;
      const found = await readCommits(this.#database);
      if (found === null) throw damagedStore(["the number of the last commit is damaged"]);
      this.#commits = found;
      isStored = found === commits;
      if (isStored) apply();
      // Changes that did not have to be durable may be lost too.
      else if (found !== commits - 1) await this.#check();
      await this.onReload();
      // Without them a later change could be stored and an earlier one not: a message that left the
      // outbox would still be there, and the ones after it would not.
      if (!isStored && !this.#isClosing && lazy.length > 0) {
        this.#lazy.unshift(...lazy);
        this.#runLater(LAZY_RETRY_MS);
      }
    } catch (error) {
      this.#closed = true;
      const failure = new ChannelStoreError(
        "the store failed and cannot be opened again. Once it can, look at `outbox()` before you send " +
          "again: it shows whether the last change is stored",
        { cause: error },
      );
      for (const { reject } of [...composed, ...this.#queue.splice(0)]) reject(failure);
      return;
    }
    const failure = new ChannelStoreError(
      "the store did not accept the change, and none of it is stored; check that the disk has room " +
        "and that the files can be written, then try again",
      { cause },
    );
    for (const { resolve, reject } of composed) {
      if (isStored) resolve();
      else reject(failure);
    }
  }

  /** Writes what waits, then closes the database. Idempotent. */
  async close(): Promise<void> {
    this.#isClosing = true;
    while (!this.#closed && (this.#running || this.#lazy.length > 0)) {
      this.#lazyTimer?.cancel();
      this.#lazyTimer = null;
      this.#run();
      await this.#running;
    }
    this.#closed = true;
    await this.#idle();
    await this.#database.close();
  }
}

function rangeOf(prefix: string, after?: string): Range {
  return { gt: after ?? prefix, lt: `${prefix}\uffff` };
}

function decodeVersion(stored: Uint8Array): CborValue {
  try {
    return decodeCbor(stored);
  } catch {
    return null;
  }
}

/** The error for a store that is not what it was. */
function damagedStore(damage: readonly string[]): ChannelStoreError {
  const most = 5;
  const more = damage.length - most;
  const told = [...damage.slice(0, most), ...(more > 0 ? [`${more} more`] : [])];
  return new ChannelStoreError(
    `the store is damaged: ${told.join("; ")}. Restore it from a backup, or begin a new one and ` +
      "exchange invitations again",
  );
}

/** A number as a key: 16 hexadecimal digits, so that the order of keys is the order of numbers. */
export function keyNumber(value: bigint | number): string {
  return value.toString(16).padStart(16, "0");
}

/** The number at the end of a key. */
export function numberOfKey(key: string): bigint {
  return BigInt(`0x${key.slice(key.lastIndexOf("!") + 1)}`);
}

/** A field of a stored record. @throws ChannelStoreError when it is missing or of another type. */
export function field<T extends CborValue>(
  record: CborValue,
  name: string,
  is: (value: CborValue) => value is T,
): T {
  const value = record instanceof Map ? record.get(name) : undefined;
  if (is(value)) return value;
  throw new ChannelStoreError(
    `a record of the store has no usable field ${name} (${describeType(value)}): another program ` +
      "wrote it, or it is damaged; restore the store from a backup",
  );
}

/** The error for a database that cannot be opened. */
export function openingFailure(error: unknown): Error {
  if (isThinClientError(error)) return new ChannelStoreError(error.message, { cause: error });
  return new ChannelStoreError(
    "the store cannot be opened: " + (error instanceof Error ? error.message : String(error)),
    { cause: error },
  );
}

export const isNumber = (value: CborValue): value is number => typeof value === "number";
export const isText = (value: CborValue): value is string => typeof value === "string";
export const isBytes = (value: CborValue): value is Bytes => value instanceof Uint8Array;
