/** The place of a store's database. */
import type { AbstractLevel } from "abstract-level";
import type { Bytes } from "../bytes/bytes.js";
import { ConfigError } from "../errors/errors.js";

/** A database of the level family, with keys and values as bytes, whatever its defaults are. */
export type Level = AbstractLevel<unknown, Uint8Array, Uint8Array>;

/** Options of every operation: keys and values as bytes. */
export const asBytes = { keyEncoding: "view", valueEncoding: "view" } as const;
/**
 * Options of a write that must be on disk when it is done; databases without such an option ignore
 * it.
 */
export const durably = { sync: true, ...asBytes } as const;

/** What a level database needs to be opened safely, checked and repaired. */
export interface LevelPlace {
  /** Description for messages, as in "data directory /srv/katz". */
  readonly name: string;
  /**
   * Opens the database, or creates it; nobody else can open it at the same time. The content of its
   * files stays available to {@link remains} until {@link settled}.
   * @throws DamagedLevelError when it cannot be opened because its files changed; ConfigError when
   * it is already in use, or cannot be used.
   */
  open(): Promise<Level>;
  /** Accepts the opened database: the earlier content of its files is not needed any more. */
  settled(): Promise<void>;
  /** The content of a damaged database's files from before it was opened, in pieces. */
  remains(): AsyncIterable<Bytes>;
  /**
   * Opens another, empty database for the records that can be saved. Call `replace` or `close`
   * next.
   * @throws ConfigError when this place cannot repair a database.
   */
  openNext(): Promise<Level>;
  /**
   * Replaces the damaged database, which is moved aside, with the one from {@link openNext}.
   * @returns the place of the damaged one.
   */
  replace(damaged: Level | null): Promise<string>;
  /** The highest sequence number passed to {@link writeMark}; 0 if there is none. */
  readMark(): number;
  /** Stores a number outside the database, so that a truncated database is detected. */
  writeMark(sequence: number): void;
  /** Whether a database that could not be written to can be opened again. */
  hasRoom(): Promise<boolean>;
  /** Releases the place, after its database was closed. Idempotent. */
  close(): Promise<void>;
}

/** The files of a database changed so that it cannot be opened. */
export class DamagedLevelError extends Error {
  override readonly name = "DamagedLevelError";
}

/** A place for a database in memory, or one that its maker manages. It cannot repair a database. */
export function placeOf(level: Level, name = "store"): LevelPlace {
  const cannotMend = (): never => {
    throw new ConfigError(
      `${name} is damaged and cannot be repaired: delete it, which loses its content, or use ` +
        "another name",
    );
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
