/** Where a store's database is. */
import type { AbstractLevel } from "abstract-level";
import type { Bytes } from "../bytes/bytes.js";

/** A database of the level family; keys and values are bytes, whatever its defaults are. */
export type Level = AbstractLevel<unknown, Uint8Array, Uint8Array>;

/** Options of every operation: keys and values as bytes. */
export const asBytes = { keyEncoding: "view", valueEncoding: "view" } as const;
/** Options of a write that is done when it is on the disk; databases without one ignore that. */
export const durably = { sync: true, ...asBytes } as const;

/** What a level database needs around it to be opened safely, checked and mended. */
export interface LevelPlace {
  /** For people, as in "data directory /srv/katz". */
  readonly name: string;
  /**
   * Opens the database, and makes it when there is none; nobody else can have it then. What is in
   * its files now stays for {@link remains} until {@link settled}.
   * @throws DamagedLevelError when it cannot be opened because its files changed; ConfigError when
   * somebody has it, or it cannot be used.
   */
  open(): Promise<Level>;
  /** Takes what was opened for good: its files need not be kept as they were before. */
  settled(): Promise<void>;
  /**
   * What is in the files of a damaged database, as it was before it was opened, a piece at a time.
   */
  remains(): AsyncIterable<Bytes>;
  /**
   * Opens another, empty database to put what can be saved into. Call `replace` or `close` next.
   */
  openNext(): Promise<Level>;
  /**
   * Puts the one from {@link openNext} in place of the damaged one, which is put aside.
   * @returns where that is.
   */
  replace(damaged: Level | null): Promise<string>;
  /** The highest sequence number that was told to {@link writeMark}; 0 when none was. */
  readMark(): number;
  /** Notes a number outside the database, so that a database that lost its end can be told. */
  writeMark(sequence: number): void;
  /** Whether a database could be opened again that could not be written to. */
  hasRoom(): Promise<boolean>;
  /** Ends it, after its database was closed. Idempotent. */
  close(): Promise<void>;
}

/** The files of a database changed in a way that keeps it from being opened. */
export class DamagedLevelError extends Error {
  override readonly name = "DamagedLevelError";
}

/** A place for a database that somebody else made and looks after, or one in memory. */
export function placeOf(level: Level, name = "store"): LevelPlace {
  const cannotMend = (): never => {
    throw new DamagedLevelError(`${name} is damaged, and only its maker can mend it`);
  };
  return {
    name,
    open: async () => {
      await level.open();
      return level;
    },
    settled: () => Promise.resolve(),
    remains: cannotMend,
    openNext: cannotMend,
    replace: cannotMend,
    readMark: () => 0,
    writeMark: () => {},
    hasRoom: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
}
