/** Saves what is left in a damaged database. */
import { toHex, utf8 } from "../bytes/bytes.js";
import {
  checkLevel,
  pagesOf,
  type Findings,
  groupEnd,
  groupStart,
  keyOf,
  totalsGroup,
} from "./check.js";
import { asBytes, durably, type Level, type LevelPlace } from "./level-place.js";
import { decodeRecord, encodeRecord, findRecords, type StoredRecord } from "./record.js";
import { encodeTotals, noTotals, type Totals } from "./totals.js";

/** How many records are written at a time. */
const batchLength = 500;

/** A new database in place of a damaged one. */
export interface Mended {
  readonly level: Level;
  readonly findings: Findings;
  /** Descriptions of what is lost, and where the damaged database is. */
  readonly losses: readonly string[];
}

/**
 * Makes a new database from every complete record that the old one still returns, or that is in its
 * files, however little of the rest can be read. Of several with one key the newest counts. A
 * removed record may come back. If it fails, the old database is what it was, and still open.
 * @param level the old database, open; null if it cannot be opened.
 */
export async function mendLevel(place: LevelPlace, level: Level | null): Promise<Mended> {
  const mark = place.readMark();
  const next = await place.openNext();
  try {
    return await saveInto(next, place, level, mark);
  } catch (error) {
    await next.close();
    throw error;
  }
}

async function saveInto(
  next: Level,
  place: LevelPlace,
  level: Level | null,
  mark: number,
): Promise<Mended> {
  const saver = new Saver(next);
  if (level !== null) {
    try {
      for await (const page of pagesOf(level)) {
        for (const [key, value] of page) {
          const record = decodeRecord(key, value);
          if (record !== null) await saver.add(record);
        }
      }
    } catch {
      // Records after the unreadable place are found in the files.
    }
  }
  for await (const piece of place.remains()) {
    for (const record of findRecords(piece)) await saver.add(record);
  }
  await saver.flush();
  const saved = await checkLevel(next, 0);
  const losses = lossesOf(saved, mark);
  await settle(next, saved, Math.max(saved.sequence, mark));
  const findings = await checkLevel(next, 0);
  const aside = await place.replace(level);
  losses.push(`everything else was saved into a new database; the damaged one is in ${aside}`);
  return { level: next, findings, losses };
}

function lossesOf({ totals, found, sequence }: Findings, mark: number): string[] {
  const losses: string[] = [];
  for (const [group, must] of totals) {
    const { count } = found.get(group) ?? noTotals;
    const missing = must.count - count;
    if (missing > 0) losses.push(`${missing} of ${must.count} records of ${group} are lost`);
    if (missing === 0 && found.get(group)?.sum !== must.sum && must.count > 0) {
      losses.push(`a record of ${group} is an older version`);
    }
  }
  for (const group of found.keys()) {
    if (totals.has(group)) continue;
    losses.push(`the number of records that ${group} had is unknown`);
  }
  if (mark > sequence) {
    losses.push(`the last ${mark - sequence} changes are lost; which ones is unknown`);
  }
  return losses.length > 0 ? losses : ["some bytes changed, but no record is lost"];
}

/** Stores totals that match the saved records. */
async function settle(level: Level, saved: Findings, sequence: number): Promise<void> {
  for (const [group, { deleted }] of saved.totals) {
    if (deleted) await level.clear({ gte: groupStart(group), lt: groupEnd(group), ...asBytes });
  }
  const groups = [...new Set([...saved.totals.keys(), ...saved.found.keys()])];
  const operations = groups.map((group) => {
    const key = keyOf(totalsGroup, utf8(group));
    const isGone = saved.totals.get(group)?.deleted === true;
    const totals: Totals = isGone ? noTotals : (saved.found.get(group) ?? noTotals);
    const value = encodeRecord({ sequence, key, body: encodeTotals(totals) });
    return { type: "put" as const, key, value };
  });
  await level.batch(operations, durably);
}

/** Puts records into a database unless it has newer ones with the same keys. */
class Saver {
  readonly #level: Level;
  #batch = new Map<string, StoredRecord>();

  constructor(level: Level) {
    this.#level = level;
  }

  async add(record: StoredRecord): Promise<void> {
    const name = toHex(record.key);
    const other = this.#batch.get(name);
    if (other !== undefined && other.sequence >= record.sequence) return;
    this.#batch.set(name, record);
    if (this.#batch.size >= batchLength) await this.flush();
  }

  async flush(): Promise<void> {
    const records = [...this.#batch.values()];
    this.#batch = new Map();
    const keys = records.map(({ key }) => key);
    const values = await this.#level.getMany<Uint8Array, Uint8Array>(keys, asBytes);
    const operations = records.flatMap((record, i) => {
      const value = values[i];
      const before = value === undefined ? null : decodeRecord(record.key, value);
      if (before !== null && before.sequence >= record.sequence) return [];
      return [{ type: "put" as const, key: record.key, value: encodeRecord(record) }];
    });
    if (operations.length > 0) await this.#level.batch(operations, asBytes);
  }
}
