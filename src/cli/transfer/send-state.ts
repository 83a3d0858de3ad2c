/** What a sender keeps until everything is sent, so that the same command can continue. */
import { createHash } from "node:crypto";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MessageBoxIndex, WriteCap, fromBase64, toBase64 } from "katzenpost-thinclient";
import { firstIndexOf, generateKeypair, parseWriteCap } from "katzenpost-thinclient/bacap";
import { UsageError } from "../failure.js";
import { fileProblem, makeFolder, removeLeftovers, replaceFile } from "../private-file.js";
import { type Environment, stateFolder } from "../user-folders.js";
import { SEPARATOR } from "./file-name.js";
import type { FileEntry } from "./manifest.js";
import type { FoundFile } from "./outgoing-files.js";
import { lstatOrNull } from "./partial-folder.js";

/** A transfer in progress. */
export interface SendState {
  readonly files: readonly FoundFile[];
  /** SHA-256 of each file, 32 bytes. */
  readonly digests: readonly Uint8Array[];
  readonly chunk: number;
  readonly writeCap: WriteCap;
  /** How many boxes were written without a gap, and the index of the next box. */
  readonly boxesDone: number;
  readonly index: MessageBoxIndex;
  readonly startedAt: Date;
}

/** Boxes may expire after a week, so an older transfer starts again. In milliseconds. */
const MAX_AGE_MS = 6 * 24 * 3600 * 1000;

/** The folder for states, in the XDG state folder. */
function sendFolder(env: Environment = process.env): string {
  return join(stateFolder(env), "katzenpost", "send");
}

/** A new transfer, on its own stream. */
export function newState(
  files: readonly FoundFile[],
  entries: readonly FileEntry[],
  chunk: number,
): SendState {
  const { writeCap } = generateKeypair();
  const digests = entries.map(({ sha256 }) => sha256);
  const index = firstIndexOf(writeCap);
  return { files, digests, chunk, writeCap, boxesDone: 0, index, startedAt: new Date() };
}

/** The state of sending what one command names, in a file that only its owner can read. */
export class StateFile {
  /**
   * Its path. The name is a digest of the files and folders that the command names, and their
   * names for receivers. It does not depend on what is in the folders, so that a command finds the
   * state although a folder has changed.
   */
  readonly path: string;
  readonly #files: readonly FoundFile[];

  private constructor(path: string, files: readonly FoundFile[]) {
    this.path = path;
    this.#files = files;
  }

  /**
   * Finds the place for the state of sending these files. Expired states are deleted, because they
   * contain capabilities.
   */
  static async open(files: readonly FoundFile[], folder = sendFolder()): Promise<StateFile> {
    const given = new Map(files.map((file) => [file.given, file.name.split(SEPARATOR)[0]!]));
    const what = JSON.stringify([...given]);
    const name = createHash("sha256").update(what).digest("hex").slice(0, 32);
    try {
      await makeFolder(folder, 0o700);
      await deleteOld(folder);
    } catch (error) {
      throw new UsageError(`cannot use ${folder}: ${fileProblem(error)}`, { cause: error });
    }
    return new StateFile(join(folder, `${name}.json`), files);
  }

  /**
   * The state of a transfer of these files, and why it cannot continue with boxes of this size.
   * There is none if nothing was interrupted.
   */
  async load(chunk: number): Promise<{
    readonly state: SendState | null;
    readonly obsolete: string | null;
  }> {
    let state: SendState;
    try {
      state = parseState(await readFile(this.path, "utf8"));
    } catch {
      // There is no state, or it is unusable.
      return { state: null, obsolete: null };
    }
    const obsolete = this.#obsolete(state, chunk);
    return { state: obsolete === null ? state : null, obsolete };
  }

  #obsolete(state: SendState, chunk: number): string | null {
    const changes = changesOf(state.files, this.#files);
    const [first] = changes;
    if (first) {
      const isAlike = changes.every(({ what }) => what === first.what);
      const what = isAlike ? first.what : "changed";
      const who = changes.length === 1 ? `${first.name} has` : `${changes.length} files have`;
      return `${who} ${what} since the interrupted send`;
    }
    if (state.chunk !== chunk) {
      return "the interrupted send was for a network with boxes of another length";
    }
    const age = Date.now() - state.startedAt.getTime();
    if (age >= 0 && age < MAX_AGE_MS) return null;
    return "the interrupted send began more than six days ago, and its boxes may be gone";
  }

  /** Saves a state. */
  async save(state: SendState): Promise<void> {
    await replaceFile(this.path, stateText(state));
  }

  /** Deletes it. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
    await removeLeftovers(this.path, 0);
  }
}

/** What happened to a file. */
interface Change {
  /** Its name for receivers; of a renamed file the earlier one. */
  readonly name: string;
  readonly what: "changed" | "been added" | "been removed" | "been renamed";
}

/** How the files to send differ from those of an interrupted transfer. */
function changesOf(before: readonly FoundFile[], now: readonly FoundFile[]): Change[] {
  const earlier = new Map(before.map((file) => [file.name, file]));
  const current = new Set(now.map(({ name }) => name));
  const changes: Change[] = [];
  const added: FoundFile[] = [];
  for (const file of now) {
    const old = earlier.get(file.name);
    if (!old) added.push(file);
    else if (!isSame(file, old) || file.path !== old.path) {
      changes.push({ name: file.name, what: "changed" });
    }
  }
  const removed = before.filter(({ name }) => !current.has(name));
  // A file that became a folder is one change, and so is a folder that became a file.
  const swapped = new Set([
    ...foldersAmong(added, new Set(removed.map(({ name }) => name))),
    ...foldersAmong(removed, new Set(added.map(({ name }) => name))),
  ]);
  for (const name of swapped) changes.push({ name, what: "changed" });
  const isApart = ({ name }: FoundFile): boolean =>
    ![name, ...foldersOf(name)].some((one) => swapped.has(one));
  const places = added.filter(isApart);
  for (const old of removed.filter(isApart)) {
    const at = places.findIndex((file) => isSame(file, old));
    if (at >= 0) places.splice(at, 1);
    changes.push({ name: old.name, what: at >= 0 ? "been renamed" : "been removed" });
  }
  for (const { name } of places) changes.push({ name, what: "been added" });
  return changes;
}

/** Whether two are one file with the same content, perhaps under different names. */
function isSame(one: FoundFile, other: FoundFile): boolean {
  return (
    one.identity === other.identity && one.size === other.size && one.modified === other.modified
  );
}

/** Which of `names` are folders that hold one of the files. */
function foldersAmong(files: readonly FoundFile[], names: ReadonlySet<string>): string[] {
  return files.flatMap(({ name }) => foldersOf(name).filter((folder) => names.has(folder)));
}

/** The folders above a file, by their names for receivers. */
function foldersOf(name: string): string[] {
  const parts = name.split(SEPARATOR);
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join(SEPARATOR));
}

async function deleteOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await lstatOrNull(path);
    // Another process may have replaced or deleted it meanwhile.
    if (found === null) continue;
    if (Date.now() - found.mtimeMs > MAX_AGE_MS) await rm(path, { force: true });
  }
}

function stateText(state: SendState): string {
  return JSON.stringify({
    version: 1,
    files: state.files,
    digests: state.digests.map(toBase64),
    chunk: state.chunk,
    writeCap: toBase64(state.writeCap),
    boxesDone: state.boxesDone,
    index: toBase64(state.index),
    startedAt: state.startedAt,
  });
}

/** @throws anything when the text is not a state. */
function parseState(text: string): SendState {
  const value = JSON.parse(text) as Record<string, unknown>;
  const { version, files, digests, chunk, boxesDone } = value;
  const isRight =
    version === 1 &&
    Array.isArray(files) &&
    files.every(isFoundFile) &&
    Array.isArray(digests) &&
    digests.length === files.length &&
    typeof chunk === "number" &&
    Number.isSafeInteger(boxesDone);
  if (!isRight) throw new TypeError("not the state of a transfer");
  const state = {
    files,
    digests: digests.map((digest) => fromBase64(digest as string)),
    chunk,
    writeCap: parseWriteCap(fromBase64(value["writeCap"] as string)),
    boxesDone: boxesDone as number,
    index: MessageBoxIndex.from(fromBase64(value["index"] as string)),
    startedAt: new Date(value["startedAt"] as string),
  };
  if (state.digests.some(({ length }) => length !== 32)) throw new TypeError("no SHA-256");
  return state;
}

function isFoundFile(value: unknown): value is FoundFile {
  if (typeof value !== "object" || value === null) return false;
  const { path, given, name, size, modified, identity } = value as Record<string, unknown>;
  return (
    [path, given, name, modified, identity].every((text) => typeof text === "string") &&
    Number.isSafeInteger(size)
  );
}
