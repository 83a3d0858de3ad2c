/**
 * Finds what a database has lost or changed. LevelDB does not check the blocks of its tables when
 * it reads them, and drops damaged parts of its log quietly. So every stored value begins with a
 * checksum of its key and content, and one record has the number of all records and the sum of
 * their checksums. Each transaction updates it. When the store is opened, everything is read and
 * compared.
 */
import type {
  LevelDatabase,
  LevelOperation as Operation,
  LevelRange,
} from "../platform/level-contract.js";
import { type Bytes, concatBytes, utf8 } from "../bytes/bytes.js";
import { decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { crc32 } from "#platform";

/** How keys and values are stored: keys as text, values as bytes. */
export const encodings = { keyEncoding: "utf8", valueEncoding: "view" } as const;

/** The first parts of keys. Keys of a channel's records continue with the channel's key. */
const KINDS = [
  "batch",
  "boxes",
  "chan",
  "contact",
  "cursor",
  "fork",
  "group",
  "in",
  "intro",
  "member",
  "meta",
  "out",
  "part",
  "progress",
];
/** Records of these kinds are many and written once, so their checksums are not kept in memory. */
const NOT_KEPT = new Set(["boxes", "in", "out"]);
/** The schema version; the only value without a checksum, so that every version can read it. */
export const VERSION_KEY = "meta!version";
const TOTALS_KEY = "meta!commit";
/** These records are not counted: the totals themselves, and what the store begins with. */
const NOT_COUNTED = new Set([VERSION_KEY, "meta!salt", "meta!check", TOTALS_KEY]);
const CHECKSUM_LENGTH = 4;
/** Sums below this modulus are exact in a double. */
const MODULUS = 2 ** 48;
/** How much is read at a time. */
const PAGE_LENGTH = 1000;
const PAGE_BYTES = 1024 * 1024;

/** A value as it is stored under `key`. */
export function withChecksum(key: string, content: Uint8Array): Bytes {
  const head = new Uint8Array(CHECKSUM_LENGTH);
  new DataView(head.buffer).setUint32(0, crc32(content, crc32(utf8(key))));
  return concatBytes(head, content);
}

/** The content of a stored value; null if it is damaged, or belongs to another key. */
export function withoutChecksum(key: string, stored: Uint8Array): Uint8Array | null {
  if (stored.length < CHECKSUM_LENGTH) return null;
  const content = stored.subarray(CHECKSUM_LENGTH);
  return crc32(content, crc32(utf8(key))) === checksumOf(stored) ? content : null;
}

function checksumOf(stored: Uint8Array): number {
  return new DataView(stored.buffer, stored.byteOffset, stored.length).getUint32(0);
}

function kindOf(key: string): string {
  return key.slice(0, key.indexOf("!"));
}

/** How many records there are, and the sum of their checksums. */
interface Totals {
  readonly count: number;
  readonly sum: number;
}

const none: Totals = { count: 0, sum: 0 };

function changed(totals: Totals, before: number | null, after: number | null): Totals {
  let { count, sum } = totals;
  if (before !== null) [count, sum] = [count - 1, sum - before + MODULUS];
  if (after !== null) [count, sum] = [count + 1, sum + after];
  return { count, sum: sum % MODULUS };
}

function encodeTotals({ count, sum }: Totals, commits: number): Bytes {
  return withChecksum(TOTALS_KEY, encodeCbor([count, sum, commits]));
}

/** The totals and the number of the last commit as they are stored; null if they are damaged. */
async function readTotals(database: LevelDatabase): Promise<(Totals & { commits: number }) | null> {
  const stored = await database.get(TOTALS_KEY, encodings);
  // A new store has none.
  if (stored === undefined) return { ...none, commits: 0 };
  const content = withoutChecksum(TOTALS_KEY, stored);
  if (!content) return null;
  const [count, sum, commits] = decodeCbor(content) as [number, number, number];
  return { count, sum, commits };
}

/** The number of the last commit on the disk; 0 if there is none, null if that is damaged. */
export async function readCommits(database: LevelDatabase): Promise<number | null> {
  return (await readTotals(database))?.commits ?? null;
}

/** Whether the database has any record of a store. */
export async function hasRecords(database: LevelDatabase): Promise<boolean> {
  for (const kind of KINDS) {
    for await (const _ of pagesOf(database, kind)) return true;
  }
  return false;
}

/** The totals of a store, after a transaction that is not durable yet. */
export interface NextTotals {
  /** The transaction with the totals after it. */
  readonly operations: Operation[];
  /** Call when it is stored. */
  apply(): void;
}

/** A store's totals. */
export class StoreTotals {
  readonly #database: LevelDatabase;
  #totals: Totals = none;
  /** Checksums of the records that may be replaced. */
  readonly #checksums = new Map<string, number>();

  constructor(database: LevelDatabase) {
    this.#database = database;
  }

  /** Adds the totals to a transaction, which changes nothing here. */
  async after(operations: readonly Operation[], commits: number): Promise<NextTotals> {
    const stored = await this.#storedBefore(operations);
    const checksums = new Map<string, number | null>();
    let totals = this.#totals;
    for (const operation of operations) {
      const { key } = operation;
      const before = checksums.has(key)
        ? checksums.get(key)!
        : (this.#checksums.get(key) ?? stored.get(key) ?? null);
      const after = operation.type === "put" ? checksumOf(operation.value) : null;
      totals = changed(totals, before, after);
      checksums.set(key, after);
    }
    const value = encodeTotals(totals, commits);
    return {
      operations: [...operations, { type: "put", key: TOTALS_KEY, value }],
      apply: () => {
        this.#totals = totals;
        for (const [key, checksum] of checksums) {
          if (checksum === null) this.#checksums.delete(key);
          else if (!NOT_KEPT.has(kindOf(key))) this.#checksums.set(key, checksum);
        }
      },
    };
  }

  /** Checksums of the records that a transaction deletes, as far as they are not in memory. */
  async #storedBefore(operations: readonly Operation[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>();
    const keys: string[] = [];
    for (const { type, key } of operations) {
      // Records that are written once do not replace anything.
      if (type === "del" && NOT_KEPT.has(kindOf(key))) keys.push(key);
    }
    if (keys.length === 0) return found;
    const values = await this.#database.getMany(keys, encodings);
    for (const [i, stored] of values.entries()) {
      if (stored !== undefined) found.set(keys[i]!, checksumOf(stored));
    }
    return found;
  }

  /**
   * Reads the whole store and compares it with its totals.
   * @param nameOf the name of the channel in a `chan!` record, for descriptions.
   * @returns descriptions of the damage; empty if there is none.
   */
  async check(nameOf: (key: string, content: Uint8Array) => string): Promise<string[]> {
    const damage: string[] = [];
    let found = none;
    this.#checksums.clear();
    const names = new Map<string, string>();
    const outboxes = new Map<string, bigint>();
    for (const kind of KINDS) {
      for await (const page of pagesOf(this.#database, kind)) {
        for (const [key, stored] of page) {
          if (NOT_COUNTED.has(key)) continue;
          const content = withoutChecksum(key, stored);
          if (content === null) {
            damage.push(`the record ${key} is damaged`);
            continue;
          }
          const checksum = checksumOf(stored);
          found = changed(found, null, checksum);
          if (!NOT_KEPT.has(kind)) this.#checksums.set(key, checksum);
          const [, channel, place] = key.split("!") as [string, string, string];
          if (kind === "chan") names.set(channel, JSON.stringify(nameOf(key, content)));
          if (kind !== "out") continue;
          const seq = BigInt(`0x${place}`);
          const next = (outboxes.get(channel) ?? seq - 1n) + 1n;
          // Messages leave the outbox oldest first.
          if (seq !== next) {
            const which = names.get(channel) ?? channel;
            damage.push(
              `the outbox of channel ${which} has a gap: messages ${next} to ${seq - 1n} are missing`,
            );
          }
          outboxes.set(channel, seq);
        }
      }
    }
    const must = await readTotals(this.#database);
    if (must === null) {
      damage.push(`the record ${TOTALS_KEY} is damaged`);
    } else if (damage.length === 0 && must.count > found.count) {
      damage.push(`${must.count - found.count} of ${must.count} records are missing`);
    } else if (damage.length === 0 && (must.count !== found.count || must.sum !== found.sum)) {
      damage.push("it has older versions of some records, or records that were deleted");
    }
    this.#totals = found;
    // Only now: looking up keys can make LevelDB merge tables, and with keys in a wrong order it
    // would end the process.
    return damage.length > 0 ? damage : this.#lookUp();
  }

  /**
   * Looks up every record by its key. With a damaged table, LevelDB can have a key whose value it
   * does not find.
   */
  async #lookUp(): Promise<string[]> {
    const damage: string[] = [];
    for (const kind of KINDS) {
      const range: LevelRange = { gt: `${kind}!`, lt: `${kind}!\uffff` };
      const iterator = this.#database.keys({ keyEncoding: "utf8", ...range });
      try {
        for (;;) {
          const keys = await iterator.nextv(PAGE_LENGTH);
          if (keys.length === 0) break;
          const values = await this.#database.getMany(keys, encodings);
          for (const [i, key] of keys.entries()) {
            const stored = values[i];
            if (key === VERSION_KEY || (stored && withoutChecksum(key, stored))) continue;
            damage.push(`the record ${key} is damaged`);
          }
        }
      } finally {
        await iterator.close();
      }
    }
    return damage;
  }
}

/** All records of one kind, in the order of keys, in pages. */
async function* pagesOf(
  database: LevelDatabase,
  kind: string,
): AsyncIterable<[string, Uint8Array][]> {
  const range: LevelRange = { gt: `${kind}!`, lt: `${kind}!\uffff` };
  const iterator = database.iterator({ ...encodings, ...range, highWaterMarkBytes: PAGE_BYTES });
  try {
    for (;;) {
      const page = await iterator.nextv(PAGE_LENGTH);
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    await iterator.close();
  }
}
