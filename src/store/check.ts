/** Checks that a database holds what it must. */
import { type Bytes, concatBytes, utf8, utf8ToText } from "../bytes/bytes.js";
import { asBytes, type Level } from "./level-place.js";
import { decodeRecord, type StoredRecord } from "./record.js";
import { decodeTotals, isSame, noTotals, type Totals, withRecord } from "./totals.js";

/** The group that holds the totals of all groups; it sorts before the names of groups. */
export const totalsGroup = "#totals";
/** How much is read at a time: records, and bytes if the database supports a limit. */
const pageLength = 500;
const pageBytes = 1024 * 1024;

/** The key of a record: its group's name, NUL, its ID. */
export function keyOf(group: string, id: Uint8Array): Bytes {
  return concatBytes(groupStart(group), id);
}

/** The prefix of every key of a group. */
export function groupStart(group: string): Bytes {
  return concatBytes(utf8(group), Uint8Array.of(0));
}

/** A key that sorts after every key of a group. */
export function groupEnd(group: string): Bytes {
  return concatBytes(utf8(group), Uint8Array.of(1));
}

/** The group that a key belongs to. */
function groupOf(key: Bytes): string {
  return utf8ToText(key.subarray(0, key.indexOf(0)));
}

/** The content of a database. */
export interface Findings {
  /** Whether nothing is damaged or missing. */
  readonly isSound: boolean;
  /** What the groups should add up to. */
  readonly totals: ReadonlyMap<string, Totals>;
  /** What they do add up to. */
  readonly found: ReadonlyMap<string, Totals>;
  /** The highest sequence number. */
  readonly sequence: number;
}

/** Reads a whole database and compares. @throws (rejects) when it cannot be read to its end. */
export async function checkLevel(level: Level, mark: number): Promise<Findings> {
  const totals = new Map<string, Totals>();
  const found = new Map<string, Totals>();
  let sequence = 0;
  let damaged = 0;
  const take = (record: StoredRecord): void => {
    sequence = Math.max(sequence, record.sequence);
    const group = groupOf(record.key);
    if (group === totalsGroup) {
      const name = utf8ToText(record.key.subarray(groupStart(totalsGroup).length));
      totals.set(name, decodeTotals(record.body) ?? noTotals);
    } else {
      const counted = { sequence: record.sequence, length: record.body.length };
      found.set(group, withRecord(found.get(group) ?? noTotals, counted, 1));
    }
  };
  for await (const page of pagesOf(level)) {
    const keys: Bytes[] = [];
    for (const [key, value] of page) {
      const record = decodeRecord(key, value);
      if (record === null) damaged++;
      else {
        take(record);
        keys.push(record.key);
      }
    }
    // A record that an iterator finds but its key does not is lost to a caller that asks for it. Only
    // reading shows that: with a damaged table, LevelDB can have a key whose value it does not find.
    const values = await level.getMany<Uint8Array, Uint8Array>(keys, asBytes);
    if (values.some((value, i) => value === undefined || decodeRecord(keys[i]!, value) === null)) {
      damaged++;
    }
  }
  let isSound = damaged === 0 && sequence >= mark;
  for (const group of new Set([...totals.keys(), ...found.keys()])) {
    const must = totals.get(group);
    if (must?.deleted === true) continue;
    if (must === undefined || !isSame(must, found.get(group) ?? noTotals)) isSound = false;
  }
  return { isSound, totals, found, sequence };
}

/** Everything in a database, in the order of keys, in pages. */
export async function* pagesOf(level: Level): AsyncIterable<[Uint8Array, Uint8Array][]> {
  const options = { keyEncoding: "view", valueEncoding: "view", highWaterMarkBytes: pageBytes };
  const iterator = level.iterator<Uint8Array, Uint8Array>(options);
  try {
    for (;;) {
      const page = await iterator.nextv(pageLength);
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    await iterator.close();
  }
}
