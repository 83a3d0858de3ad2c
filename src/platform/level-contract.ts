/**
 * Level databases, which differ between Node and browsers. Neutral code imports it as `#level`;
 * apart from `#platform`, so that a page without channels does not carry them.
 */

/** What is used of a level database; keys are text, values bytes. */
export interface LevelDatabase {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string, options: LevelEncodings): Promise<Uint8Array | undefined>;
  /** `sync`: resolve when the changes are on the disk; for databases that know it. */
  batch(
    operations: LevelOperation[],
    options: LevelEncodings & { readonly sync: boolean },
  ): Promise<void>;
  iterator(options: LevelEncodings & LevelRange): AsyncIterable<[string, Uint8Array]>;
  keys(options: { readonly keyEncoding: "utf8" } & LevelRange): {
    nextv(size: number): Promise<string[]>;
    close(): Promise<void>;
  };
}

/** A change of a level database. */
export type LevelOperation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };

/** How keys and values are passed. */
export interface LevelEncodings {
  readonly keyEncoding: "utf8";
  readonly valueEncoding: "view";
}

/** The keys that are wanted, both ends left out. */
export interface LevelRange {
  readonly gt: string;
  readonly lt: string;
}

/**
 * Opens a level database, and makes it when there is none: in Node the directory `location`
 * (LevelDB), in a browser the IndexedDB database of that name. Nobody else can open it then.
 * @throws ConfigError when somebody has it, or its package is not installed; the system's error.
 */
export declare function openLevel(location: string): Promise<LevelDatabase>;
