/** Where a receiver keeps the received part: a hidden folder beside the files' final place. */
import { createHash } from "node:crypto";
import { type Stats, constants } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readFile,
  realpath,
  rm,
  stat,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MessageBoxIndex, fromBase64, toBase64 } from "katzenpost-thinclient";
import { UsageError } from "../failure.js";
import { fileProblem, makeFolder, replaceFile } from "../private-file.js";

/** The progress of a receiver. */
export interface ReceivePosition {
  /**
   * How many boxes were read without a gap, including those of the head, and the index of the next
   * box.
   */
  readonly boxesDone: number;
  readonly index: MessageBoxIndex;
}

/** The folder of one ticket; other users cannot look into it. */
export class PartialFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * The folder for a ticket, made by {@link create}; `into` is created if it does not exist.
   * @throws UsageError when `into` cannot be created or is not a folder, or somebody else has put
   * something there.
   */
  static async at(into: string, ticket: string): Promise<PartialFolder> {
    const name = createHash("sha256").update("partial").update(ticket).digest("hex").slice(0, 16);
    await makeFolder(into, 0o777).catch((error: unknown) => {
      throw new UsageError(`cannot make ${into}: ${fileProblem(error)}`, { cause: error });
    });
    const found = await lstatOrNull(into, true);
    if (!found?.isDirectory()) throw new UsageError(`${into} is not a folder`);
    const path = join(into, `.katz-${name}.partial`);
    const there = await lstatOrNull(path);
    if (there && !isOurs(there)) {
      throw new UsageError(`${path} exists but is not a folder that only you can use`);
    }
    return new PartialFolder(path);
  }

  /** Identifies the place for other processes on this machine, whatever path they use. */
  async identity(): Promise<string> {
    return join(await realpath(dirname(this.path)), basename(this.path));
  }

  /** Creates it, with the head of the stream. */
  async create(head: Uint8Array, position: ReceivePosition): Promise<void> {
    try {
      await mkdir(this.path, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new UsageError(`cannot write here: ${fileProblem(error)}`, { cause: error });
      }
    }
    await replaceFile(join(this.path, "head"), head);
    await this.save(position);
  }

  /** The saved part; null if nothing usable was saved. */
  async load(): Promise<{ head: Uint8Array; position: ReceivePosition } | null> {
    try {
      const head = new Uint8Array(await readFile(join(this.path, "head")));
      const text = await readFile(join(this.path, "position"), "utf8");
      const { boxesDone, index } = JSON.parse(text) as Record<string, unknown>;
      if (!Number.isSafeInteger(boxesDone) || typeof index !== "string") return null;
      const position = {
        boxesDone: boxesDone as number,
        index: MessageBoxIndex.from(fromBase64(index)),
      };
      return { head, position };
    } catch {
      return null;
    }
  }

  /** Saves the progress of the receiver. */
  async save({ boxesDone, index }: ReceivePosition): Promise<void> {
    const text = JSON.stringify({ boxesDone, index: toBase64(index) });
    await replaceFile(join(this.path, "position"), text);
  }

  /** Path of a file's bytes, by its number in the list. */
  pathOf(file: number): string {
    return join(this.path, `file-${file}`);
  }

  /** Opens such a file, and creates it if needed. */
  openFile(file: number): Promise<FileHandle> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    return open(this.pathOf(file), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  }

  /** Removes it with all its content. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/**
 * The status of a path, without following symbolic links unless `follow`; null if it does not
 * exist.
 */
export async function lstatOrNull(path: string, follow = false): Promise<Stats | null> {
  try {
    return await (follow ? stat(path) : lstat(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new UsageError(`cannot use ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

function isOurs(stats: Stats): boolean {
  if (!stats.isDirectory()) return false;
  if (process.platform === "win32") return true;
  return stats.uid === process.getuid!() && (stats.mode & 0o077) === 0;
}
