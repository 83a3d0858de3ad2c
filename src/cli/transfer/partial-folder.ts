/** Where a receiver keeps what has come so far: a hidden folder beside where the files will be. */
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

/** How far a receiver is. */
export interface ReceivePosition {
  /** Boxes that are read without a gap, those of the head too, and the one after them. */
  readonly boxesDone: number;
  readonly index: MessageBoxIndex;
}

/** The folder of one ticket; nobody else may look into it. */
export class PartialFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * The folder for a ticket, made by {@link create}; `into` is made when it is not there.
   * @throws UsageError when `into` cannot be made or is not a folder, or somebody else has put
   * something there.
   */
  static async at(into: string, ticket: string): Promise<PartialFolder> {
    const name = createHash("sha256").update("partial").update(ticket).digest("hex").slice(0, 16);
    await makeFolder(into, 0o777).catch((error: unknown) => {
      throw new UsageError(`cannot make ${into}: ${fileProblem(error)}`, { cause: error });
    });
    const found = await lstatOrNull(into, true);
    if (!found?.isDirectory()) throw new UsageError(`${into} is no folder`);
    const path = join(into, `.katz-${name}.partial`);
    const there = await lstatOrNull(path);
    if (there && !isOurs(there)) {
      throw new UsageError(`${path} exists but is not a folder that only you can use`);
    }
    return new PartialFolder(path);
  }

  /** Names the place for other processes of this machine, whatever path they came by. */
  async identity(): Promise<string> {
    return join(await realpath(dirname(this.path)), basename(this.path));
  }

  /** Makes it, with what the head of the stream says. */
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

  /** What was kept; null when nothing usable was. */
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

  /** Keeps how far the receiver is. */
  async save({ boxesDone, index }: ReceivePosition): Promise<void> {
    const text = JSON.stringify({ boxesDone, index: toBase64(index) });
    await replaceFile(join(this.path, "position"), text);
  }

  /** Path of the bytes of a file, by its number in the list. */
  pathOf(file: number): string {
    return join(this.path, `file-${file}`);
  }

  /** Opens such a file, made where there is none. */
  openFile(file: number): Promise<FileHandle> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    return open(this.pathOf(file), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  }

  /** Removes it and all that is in it. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** What is at a path, symbolic links not followed unless `follow`; null when nothing is. */
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
