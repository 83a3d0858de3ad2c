/**
 * Capabilities in files, with the position up to which their streams were written or read
 * (docs/transfer.md).
 */
import type { Stats } from "node:fs";
import { realpath } from "node:fs/promises";
import { MessageBoxIndex, ReadCap, WriteCap, fromBase64, toBase64 } from "katzenpost-thinclient";
import {
  advanceMessageBoxIndex,
  firstIndexOf,
  messageBoxCounter,
  parseReadCap,
  parseWriteCap,
  readCapOf,
} from "katzenpost-thinclient/bacap";
import { TomlError, parse } from "smol-toml";
import { UsageError } from "./failure.js";
import { readWhole } from "./input-file.js";
import { removeLeftovers, replaceFile } from "./private-file.js";
import { readStdin, refuseSecret } from "./secret-input.js";

/** The content of a capability file. */
export type Capability = {
  /** The next box. */
  readonly index: MessageBoxIndex;
} & (
  | { readonly kind: "write"; readonly writeCap: WriteCap }
  | { readonly kind: "read"; readonly readCap: ReadCap }
);

/** Capability files are much shorter. */
const MAX_BYTES = 8192;

const advice = {
  write: "# A secret: anyone who has it can write, delete and read the boxes of its stream.",
  read: "# A secret: anyone who has it can read the boxes of its stream.",
} as const;

/** The text of a capability file. */
export function capabilityText(capability: Capability): string {
  const bytes = capability.kind === "write" ? capability.writeCap : capability.readCap;
  return (
    `${advice[capability.kind]}\n` +
    `kind = "${capability.kind}"\n` +
    `capability = "${toBase64(bytes)}"\n` +
    `index = "${toBase64(capability.index)}"\n`
  );
}

/**
 * Reads the text of a capability file.
 * @param name for error messages, which never contain the text.
 * @throws UsageError when it is not a capability.
 */
function parseCapability(text: string, name: string): Capability {
  const fail = (why: string): never => {
    throw new UsageError(`${name} is not a capability: ${why}`);
  };
  const table = ((): Record<string, unknown> => {
    try {
      return parse(text);
    } catch (error) {
      // The parser's own message quotes the line.
      return fail(
        error instanceof TomlError ? `invalid TOML at line ${error.line}` : "invalid TOML",
      );
    }
  })();
  for (const key of Object.keys(table)) {
    if (!["kind", "capability", "index"].includes(key)) fail(`it has an unknown key`);
  }
  const { kind } = table;
  const bytesOf = (key: string): Uint8Array => {
    const value = table[key];
    if (typeof value !== "string") return fail(`${key} must be base64 text`);
    try {
      return fromBase64(value);
    } catch {
      return fail(`${key} must be base64 text`);
    }
  };
  const checked = <T>(key: string, make: (bytes: Uint8Array) => T): T => {
    const bytes = bytesOf(key);
    try {
      return make(bytes);
    } catch {
      return fail(`${key} is damaged`);
    }
  };
  if (kind !== "write" && kind !== "read") fail('kind must be "write" or "read"');
  const index = checked("index", (bytes) => MessageBoxIndex.from(bytes));
  const capability: Capability =
    kind === "write"
      ? { kind, index, writeCap: checked("capability", parseWriteCap) }
      : { kind: "read", index, readCap: checked("capability", parseReadCap) };
  if (messageBoxCounter(index) < messageBoxCounter(startOf(capability))) {
    fail("its index lies before the capability's first box");
  }
  return capability;
}

/** The first box that a capability can use. */
function startOf(capability: Capability): MessageBoxIndex {
  return firstIndexOf(capability.kind === "write" ? capability.writeCap : capability.readCap);
}

/** A capability, and the file that stores the position in its stream. */
export class OpenCapability {
  /** Where it was read from, for messages. */
  readonly name: string;
  readonly capability: Capability;
  /** Null if it came through a pipe, so that its position cannot be stored. */
  readonly #path: string | null;
  #index: MessageBoxIndex;

  private constructor(name: string, capability: Capability, path: string | null) {
    this.name = name;
    this.capability = capability;
    this.#path = path;
    this.#index = capability.index;
  }

  /**
   * Opens a capability file; `-` is standard input.
   * @throws UsageError when it cannot be read, is not a capability, or other users may read it.
   */
  static async open(argument: string, signal: AbortSignal): Promise<OpenCapability> {
    refuseSecret(argument, "a capability");
    if (argument === "-") {
      const text = Buffer.from(await readStdin(MAX_BYTES, signal)).toString("utf8");
      return new OpenCapability("standard input", parseCapability(text, "standard input"), null);
    }
    const check = (stats: Stats): void => refuseFolder(argument, stats);
    const { bytes, stats } = await readWhole(argument, MAX_BYTES, signal, check);
    // Parsed before its permissions are checked: they only matter if the file is a capability.
    const capability = parseCapability(Buffer.from(bytes).toString("utf8"), argument);
    checkPrivate(argument, stats);
    // A symbolic link stays a link when the file is replaced.
    const path = stats.isFile() ? await realpath(argument) : null;
    return new OpenCapability(argument, capability, path);
  }

  /** @throws UsageError unless it can write. */
  forWriting(): WriteCap {
    if (this.capability.kind === "write") return this.capability.writeCap;
    throw new UsageError(`${this.name} can only read; this needs a capability that can write`);
  }

  /** Reads the stream; a capability that can write can also read. */
  get readCap(): ReadCap {
    const { capability } = this;
    return capability.kind === "read" ? capability.readCap : readCapOf(capability.writeCap);
  }

  /** The next box. */
  get index(): MessageBoxIndex {
    return this.#index;
  }

  /** Number of the next box, counted from 0 at the capability's first box. */
  get number(): number {
    return Number(messageBoxCounter(this.#index) - messageBoxCounter(startOf(this.capability)));
  }

  /** The box with that number, counted from 0 at the capability's first box. */
  boxAt(number: number): MessageBoxIndex {
    const start = startOf(this.capability);
    return advanceMessageBoxIndex(start, messageBoxCounter(start) + BigInt(number));
  }

  /** Stores that `index` is the next box, unless the file is already further. */
  async advance(index: MessageBoxIndex): Promise<void> {
    if (messageBoxCounter(index) <= messageBoxCounter(this.#index)) return;
    this.#index = index;
    if (this.#path !== null) {
      await replaceFile(this.#path, capabilityText({ ...this.capability, index }));
      await removeLeftovers(this.#path, 60_000);
    }
  }
}

function refuseFolder(path: string, stats: Stats): void {
  if (stats.isDirectory()) throw new UsageError(`${path} is a folder, not a capability`);
}

/** @throws UsageError when other users have permissions on it. Windows does not have such modes. */
function checkPrivate(path: string, { mode }: Stats): void {
  if (process.platform === "win32" || (mode & 0o077) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  throw new UsageError(
    `the permissions ${octal} of ${path} are too open: a capability is a secret`,
    { advice: [`Make it private: chmod 600 ${path}`] },
  );
}
