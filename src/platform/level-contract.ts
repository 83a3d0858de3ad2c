/**
 * Level databases, which differ between Node and browsers. Neutral code imports it as `#level`. It
 * is separate from `#platform`, so that a page without channels does not include them.
 */

/** The part of a level database that is used; keys are text, values bytes. */
export interface LevelDatabase {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string, options: LevelEncodings): Promise<Uint8Array | undefined>;
  /** `sync`: resolve when the changes are on disk, if the database supports it. */
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

/** The encodings of keys and values. */
export interface LevelEncodings {
  readonly keyEncoding: "utf8";
  readonly valueEncoding: "view";
}

/** The range of keys, both ends excluded. */
export interface LevelRange {
  readonly gt: string;
  readonly lt: string;
}

/**
 * Opens a level database, or creates it: in Node the LevelDB directory `location`, in a browser the
 * IndexedDB database with that name. Nobody else can open it at the same time.
 * @throws ConfigError when it is already in use, or its package is not installed; the system's
 * error.
 */
export declare function openLevel(location: string): Promise<LevelDatabase>;
