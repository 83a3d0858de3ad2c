/**
 * Level databases, which differ between Node and browsers. Neutral code imports it as `#level`. It
 * is separate from `#platform`, so that a page without channels does not include them.
 */

/** The part of a level database that is used; keys are text, values bytes. */
export interface LevelDatabase {
  /** Opens the database; resolves at once if it is open. */
  open(): Promise<void>;
  /** Closes it when pending operations are done; it may be opened again. */
  close(): Promise<void>;
  /** Reads one value; undefined if there is none. */
  get(key: string, options: LevelEncodings): Promise<Uint8Array | undefined>;
  /** Reads several values, in the order of `keys`. */
  getMany(keys: string[], options: LevelEncodings): Promise<(Uint8Array | undefined)[]>;
  /** Makes all changes or none of them. */
  batch(
    operations: LevelOperation[],
    options: LevelEncodings & {
      /** Resolve only when the changes are on disk; databases without a disk ignore it. */
      readonly sync: boolean;
    },
  ): Promise<void>;
  /** Keys and values in the order of the keys. */
  iterator(
    options: LevelEncodings &
      LevelRange & {
        /** Limit of the bytes that are read ahead; databases without one ignore it. */
        readonly highWaterMarkBytes?: number;
      },
  ): AsyncIterable<[string, Uint8Array]> & {
    /** The next entries, at most `size`; none at the end. */
    nextv(size: number): Promise<[string, Uint8Array][]>;
    /** Releases the iterator. */
    close(): Promise<void>;
  };
  /** Keys in order. */
  keys(options: LevelKeyEncoding & LevelRange): {
    /** The next keys, at most `size`; none at the end. */
    nextv(size: number): Promise<string[]>;
    /** Releases the iterator. */
    close(): Promise<void>;
  };
  /** Where the number of the last durable commit is kept; absent if there is no such place. */
  readonly mark?: LevelMark | undefined;
}

/** A number outside the database, which shows whether the database lost its last commits. */
export interface LevelMark {
  /** The number that was written last; 0 if there is none. */
  read(): number;
  /** Writes a number. If that fails, the earlier number stays, and no error is thrown. */
  write(commits: number): void;
}

/** A change of a level database. */
export type LevelOperation = LevelPut | LevelDelete;

/** Stores a value. */
export interface LevelPut {
  /** Always `put`. */
  readonly type: "put";
  /** The key; an existing value is replaced. */
  readonly key: string;
  /** The bytes to store. */
  readonly value: Uint8Array;
}

/** Removes a value. */
export interface LevelDelete {
  /** Always `del`. */
  readonly type: "del";
  /** The key to remove; no effect if it does not exist. */
  readonly key: string;
}

/** The encoding of keys. */
export interface LevelKeyEncoding {
  /** Keys are strings, stored as UTF-8. */
  readonly keyEncoding: "utf8";
}

/** The encodings of keys and values. */
export interface LevelEncodings extends LevelKeyEncoding {
  /** Values are `Uint8Array`. */
  readonly valueEncoding: "view";
}

/** The range of keys, both ends excluded. */
export interface LevelRange {
  /** Keys after this one. */
  readonly gt: string;
  /** Keys before this one. */
  readonly lt: string;
}

/**
 * Opens a level database, or creates it: in Node the LevelDB directory `location`, in a browser the
 * IndexedDB database with that name. Nobody else can open it at the same time, except in browsers
 * without Web Locks, e.g. on pages from `http:` addresses other than `localhost`.
 * @throws ConfigError when it is already in use, or its package is not installed; the system's
 * error.
 */
export declare function openLevel(location: string): Promise<LevelDatabase>;
