/** Files that are being received: their bytes in order, their digests, and finally their place. */
import { createHash } from "node:crypto";
import { type FileHandle, chmod, link, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../failure.js";
import { syncFile, syncFolder } from "../../platform/node-small-file.js";
import { fileProblem, writing } from "../private-file.js";
import { SEPARATOR } from "./file-name.js";
import { type FileEntry, type Manifest, TransferError } from "./manifest.js";
import { type PartialFolder, lstatOrNull } from "./partial-folder.js";

const READ_BYTES = 1 << 18;

/** Takes the bytes of all files, in order, and checks each file when it is complete. */
export class IncomingFiles {
  readonly #folder: PartialFolder;
  readonly #files: readonly FileEntry[];
  /** The file in progress: its number, and how many bytes of it are there. */
  #file = 0;
  #length = 0;
  #handle: FileHandle | null = null;

  private constructor(folder: PartialFolder, { files }: Manifest) {
    this.#folder = folder;
    this.#files = files;
  }

  /**
   * Continues after the first `done` bytes of all files.
   * @param placed which files are already in place.
   * @throws TransferError when an earlier file is neither in the folder with the right digest nor
   * in its place; UsageError when it cannot be read.
   */
  static async open(
    folder: PartialFolder,
    manifest: Manifest,
    placed: readonly boolean[],
    done: number,
  ): Promise<IncomingFiles> {
    const lost = new TransferError(
      `the partial download in ${folder.path} is damaged: start again`,
    );
    const incoming = new IncomingFiles(folder, manifest);
    let left = done;
    for (const [i, { size, sha256 }] of manifest.files.entries()) {
      if (left < size || (left === 0 && size === 0)) break;
      const there = await lstatOrNull(folder.pathOf(i));
      if (there === null ? !placed[i] : !(await isWhole(folder.pathOf(i), sha256))) throw lost;
      left -= size;
      incoming.#file++;
    }
    if (left > 0 && !(await incoming.#goOn(left))) throw lost;
    return incoming;
  }

  /** Name of the file in progress. */
  get name(): string {
    return this.#files[Math.min(this.#file, this.#files.length - 1)]!.name;
  }

  /** Where the bytes of the file in progress are kept. */
  get #path(): string {
    return this.#folder.pathOf(this.#file);
  }

  /** Truncates the file in progress to `length`; returns false if it is shorter. */
  async #goOn(length: number): Promise<boolean> {
    const handle = (this.#handle = await this.#folder.openFile(this.#file));
    if ((await handle.stat()).size < length) {
      await this.close();
      return false;
    }
    await handle.truncate(length);
    this.#length = length;
    return true;
  }

  /**
   * Takes the next bytes.
   * @throws TransferError when a complete file has the wrong digest; UsageError when the disk does
   * not accept them, or the file cannot be read back.
   */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      await this.#finishEmpty();
      const { size } = this.#files[this.#file]!;
      const part = bytes.subarray(at, at + size - this.#length);
      await this.#write(part);
      this.#length += part.length;
      at += part.length;
      if (this.#length === size) await this.#finishFile();
    }
  }

  /** A disk that fills up accepts a part, and reports the error only for the rest. */
  async #write(part: Uint8Array): Promise<void> {
    const handle = (this.#handle ??= await this.#open());
    await writing(this.#path, async () => {
      for (let at = 0; at < part.length;) {
        const { bytesWritten } = await handle.write(part, at, part.length - at, this.#length + at);
        at += bytesWritten;
      }
    });
  }

  /** Call after the last byte: files without bytes may be left. */
  async finish(): Promise<void> {
    await this.#finishEmpty();
  }

  async #finishEmpty(): Promise<void> {
    while (this.#files[this.#file]?.size === 0) await this.#finishFile();
  }

  async #open(): Promise<FileHandle> {
    return writing(this.#path, async () => {
      const handle = await this.#folder.openFile(this.#file);
      await handle.truncate(0);
      return handle;
    });
  }

  async #finishFile(): Promise<void> {
    const { name, sha256 } = this.#files[this.#file]!;
    this.#handle ??= await this.#open();
    await this.sync();
    await this.close();
    // Check the bytes on disk, not those received: another process may have written there.
    if (!(await isWhole(this.#path, sha256))) {
      throw new TransferError(
        `${name} is not what its sender announced: its SHA-256 digest is different`,
        {
          advice: [
            "Nothing of it was kept. Try again; if it happens again, have the file sent again",
          ],
        },
      );
    }
    this.#file++;
    this.#length = 0;
  }

  /** Writes the received bytes to disk. */
  async sync(): Promise<void> {
    const handle = this.#handle;
    if (handle !== null) await writing(this.#path, () => syncFile(handle));
  }

  /** Closes the file in progress. Idempotent. */
  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
  }
}

/** The folder where files are put. */
export class Target {
  readonly #into: string;
  readonly #force: boolean;
  /** Folders that were created. */
  readonly #folders = new Set<string>();

  /** @param force whether existing files may be replaced. */
  constructor(into: string, force: boolean) {
    this.#into = into;
    this.#force = force;
  }

  /** Path of a file. The parts of its name were checked: none leads out of the folder. */
  pathOf({ name }: FileEntry): string {
    return join(this.#into, ...name.split(SEPARATOR));
  }

  /**
   * Whether exactly this file is already there.
   * @throws UsageError when something else is there that may not be replaced, or it cannot be read.
   */
  async holds(file: FileEntry): Promise<boolean> {
    const path = this.pathOf(file);
    const there = await lstatOrNull(path);
    if (!there) return false;
    if (there.isFile() && there.size === file.size && (await digestOf(path)).equals(file.sha256)) {
      return true;
    }
    if (there.isDirectory()) throw new UsageError(`${path} already exists, and it is a folder`);
    if (this.#force) return false;
    throw new UsageError(
      `${path} already exists: replace it with --force, or choose a name with --name NAME`,
    );
  }

  /** Moves a file into its place atomically. @throws UsageError as {@link holds}. */
  async place(from: string, file: FileEntry): Promise<void> {
    const path = this.pathOf(file);
    await this.#makeFolders(file);
    if (await this.holds(file)) {
      await rm(from, { force: true });
      return;
    }
    try {
      await chmod(from, 0o666 & ~process.umask());
      if (this.#force) await rename(from, path);
      else await moveWithoutReplacing(from, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") await this.holds(file);
      throw new UsageError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error });
    }
  }

  /**
   * Creates the folders of a file. Existing ones must be folders, not symbolic links that lead out
   * of this one.
   */
  async #makeFolders({ name }: FileEntry): Promise<void> {
    let folder = this.#into;
    for (const part of name.split(SEPARATOR).slice(0, -1)) {
      folder = join(folder, part);
      const there = await lstatOrNull(folder);
      if (there?.isDirectory()) continue;
      if (there !== null) throw new UsageError(`${folder} already exists, and is not a folder`);
      await writing(folder, () => mkdir(folder));
      this.#folders.add(folder);
    }
  }

  /** Makes the names durable. */
  async sync(): Promise<void> {
    for (const folder of [...this.#folders, this.#into]) await syncFolder(folder);
  }
}

/** `rename` replaces an existing file; a hard link does not. */
async function moveWithoutReplacing(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code ?? "")) throw error;
    // The file system has no hard links. The place was free a moment ago.
    await rename(from, to);
    return;
  }
  await rm(from);
}

/** Whether a file has that digest. @throws UsageError as {@link digestOf}. */
async function isWhole(path: string, sha256: Uint8Array): Promise<boolean> {
  return (await digestOf(path)).equals(sha256);
}

/** The SHA-256 digest of a file. @throws UsageError when it cannot be read. */
async function digestOf(path: string): Promise<Buffer> {
  const hash = createHash("sha256");
  try {
    await using handle = await open(path, "r");
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest();
      hash.update(buffer.subarray(0, bytesRead));
    }
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
  }
}
