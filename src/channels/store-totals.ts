/**
 * Finds what a database has lost or changed. LevelDB does not check the blocks of its tables when
 * it reads them, and drops damaged parts of its log quietly. So every stored value begins with a
 * checksum of its key and content, and the store keeps totals beside its records: for each channel
 * and each other kind of records, their number and the sum of their checksums; and a total of these
 * totals. Each transaction updates the totals. When the store is opened, everything is read and
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

export const encodings = { keyEncoding: "utf8", valueEncoding: "view" } as const;

/** The first parts of keys. The names of a channel's records continue with the channel's key. */
const KINDS = [
  "batch",
  "boxes",
  "chan",
  "contact",
  "cursor",
  "fork",
  "group",
  "in",
  "member",
  "meta",
  "out",
  "part",
];
/** All of a channel's records are counted together, so that sending changes one number only. */
const OF_CHANNEL = new Set(["boxes", "chan", "cursor", "fork", "in", "out", "part"]);
/** Records of these kinds are many and written once, so their checksums are not kept in memory. */
const NOT_KEPT = new Set(["boxes", "in"]);
/** The schema version; the only value without a checksum, so that every version can read it. */
export const VERSION_KEY = "meta!version";
const COMMIT_KEY = "meta!commit";
/** These records are not counted: the totals depend on them, or are read before the totals. */
const NOT_COUNTED = new Set([VERSION_KEY, "meta!salt", "meta!check", COMMIT_KEY]);
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

/** What a record is counted with. */
function groupOf(key: string): string {
  const [kind = "", first = ""] = key.split("!", 2);
  return OF_CHANNEL.has(kind) ? `channel ${first}` : kind;
}

function sumKey(group: string): string {
  return `sum!${group}`;
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

function isSame(a: Totals, b: Totals): boolean {
  return a.count === b.count && a.sum === b.sum;
}

function encodeTotals(key: string, { count, sum }: Totals, commits?: number): Bytes {
  const numbers = commits === undefined ? [count, sum] : [count, sum, commits];
  return withChecksum(key, encodeCbor(numbers));
}

function decodeTotals(key: string, stored: Uint8Array): (Totals & { commits: number }) | null {
  const content = withoutChecksum(key, stored);
  if (!content) return null;
  const [count, sum, commits = 0] = decodeCbor(content) as number[];
  return { count: count!, sum: sum!, commits };
}

/** The number of the last commit on the disk; 0 if there is none, null if that is damaged. */
export async function readCommits(database: LevelDatabase): Promise<number | null> {
  const stored = await database.get(COMMIT_KEY, encodings);
  if (stored === undefined) return 0;
  return decodeTotals(COMMIT_KEY, stored)?.commits ?? null;
}

/** Whether the database has any record of a store. */
export async function hasRecords(database: LevelDatabase): Promise<boolean> {
  for (const kind of [...KINDS, "sum"]) {
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
  #all: Totals = none;
  readonly #groups = new Map<string, Totals & { readonly checksum: number }>();
  /** Checksums of the records that may be replaced. */
  readonly #checksums = new Map<string, number>();

  constructor(database: LevelDatabase) {
    this.#database = database;
  }

  /** Adds the changes of the totals to a transaction, which changes nothing here. */
  async after(operations: readonly Operation[], commits: number): Promise<NextTotals> {
    const checksums = new Map<string, number | null>();
    const groups = new Map<string, Totals>();
    for (const operation of operations) {
      const { key } = operation;
      const after = operation.type === "put" ? checksumOf(operation.value) : null;
      const before = checksums.has(key)
        ? checksums.get(key)!
        : await this.#before(key, operation.type === "put");
      const group = groupOf(key);
      const totals = groups.get(group) ?? this.#groups.get(group) ?? none;
      groups.set(group, changed(totals, before, after));
      checksums.set(key, after);
    }
    const added: Operation[] = [];
    const sums = new Map<string, number | null>();
    let all = this.#all;
    for (const [group, totals] of groups) {
      const key = sumKey(group);
      const before = this.#groups.get(group)?.checksum ?? null;
      const value = totals.count > 0 ? encodeTotals(key, totals) : null;
      const after = value && checksumOf(value);
      all = changed(all, before, after);
      sums.set(group, after);
      added.push(value ? { type: "put", key, value } : { type: "del", key });
    }
    added.push({ type: "put", key: COMMIT_KEY, value: encodeTotals(COMMIT_KEY, all, commits) });
    return {
      operations: [...operations, ...added],
      apply: () => {
        this.#all = all;
        for (const [group, checksum] of sums) {
          if (checksum === null) this.#groups.delete(group);
          else this.#groups.set(group, { ...groups.get(group)!, checksum });
        }
        for (const [key, checksum] of checksums) {
          if (NOT_KEPT.has(kindOf(key))) continue;
          if (checksum === null) this.#checksums.delete(key);
          else this.#checksums.set(key, checksum);
        }
      },
    };
  }

  /** The checksum of a stored record; null if there is none. */
  async #before(key: string, isPut: boolean): Promise<number | null> {
    if (!NOT_KEPT.has(kindOf(key))) return this.#checksums.get(key) ?? null;
    // Records that are written once do not replace anything.
    if (isPut) return null;
    const stored = await this.#database.get(key, encodings);
    return stored === undefined ? null : checksumOf(stored);
  }

  /**
   * Reads the whole store and compares it with its totals.
   * @param nameOf the name of the channel in a `chan!` record, for descriptions.
   * @returns descriptions of the damage; empty if there is none.
   */
  async check(nameOf: (key: string, content: Uint8Array) => string): Promise<string[]> {
    const found = new Map<string, Totals>();
    const names = new Map<string, string>();
    const damage: string[] = [];
    const gaps = new Map<string, string>();
    const places = new Map<string, bigint>();
    this.#all = none;
    this.#groups.clear();
    this.#checksums.clear();
    for (const kind of KINDS) {
      for await (const page of pagesOf(this.#database, kind)) {
        for (const [key, stored] of page) {
          if (NOT_COUNTED.has(key)) continue;
          const group = groupOf(key);
          const content = withoutChecksum(key, stored);
          if (content === null) {
            damage.push(`the record ${key} is damaged`);
            continue;
          }
          const checksum = checksumOf(stored);
          if (kind === "chan") names.set(key.slice("chan!".length), nameOf(key, content));
          if (kind === "out") {
            const seq = BigInt(`0x${key.slice(key.lastIndexOf("!") + 1)}`);
            const before = places.get(group);
            if (before !== undefined && seq !== before + 1n && !gaps.has(group)) {
              gaps.set(group, `messages ${before + 1n} to ${seq - 1n} are missing`);
            }
            places.set(group, seq);
          }
          found.set(group, changed(found.get(group) ?? none, null, checksum));
          if (!NOT_KEPT.has(kind)) this.#checksums.set(key, checksum);
        }
      }
    }
    for await (const page of pagesOf(this.#database, "sum")) {
      for (const [key, stored] of page) {
        const totals = decodeTotals(key, stored);
        if (totals === null) {
          damage.push(`the record ${key} is damaged`);
          continue;
        }
        const checksum = checksumOf(stored);
        this.#groups.set(key.slice("sum!".length), { ...totals, checksum });
        this.#all = changed(this.#all, null, checksum);
      }
    }
    for (const group of new Set([...this.#groups.keys(), ...found.keys()])) {
      const must = this.#groups.get(group) ?? none;
      const has = found.get(group) ?? none;
      if (isSame(must, has)) continue;
      const which = describeGroup(group, names);
      const gap = gaps.get(group);
      if (gap !== undefined) damage.push(`the outbox of ${which} has a gap: ${gap}`);
      else if (must.count > has.count) {
        damage.push(`${which} lacks ${must.count - has.count} of ${must.count} records`);
      } else damage.push(`${which} has an older version of a record, or one too many`);
    }
    const last = await this.#database.get(COMMIT_KEY, encodings);
    const must = last === undefined ? none : decodeTotals(COMMIT_KEY, last);
    if (must === null) damage.push(`the record ${COMMIT_KEY} is damaged`);
    else if (damage.length === 0 && !isSame(must, this.#all)) {
      const names = [...this.#groups.keys()].map((group) => describeGroup(group, new Map()));
      damage.push(`a part of the store is missing; it has ${names.join(", ") || "nothing"}`);
    }
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

/** A group of records in words. */
function describeGroup(group: string, names: ReadonlyMap<string, string>): string {
  if (group.startsWith("channel ")) {
    const name = names.get(group.slice("channel ".length));
    return name === undefined ? group : `channel ${JSON.stringify(name)}`;
  }
  switch (group) {
    case "batch":
      return "the list of atomic batches";
    case "contact":
      return "the list of contacts";
    case "group":
      return "the list of groups";
    case "member":
      return "the list of the groups' members";
    default:
      return "the part with the store's own settings";
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
