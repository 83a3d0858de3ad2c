/** Files to send: what they are, and their bytes cut into boxes. */
import { createHash } from "node:crypto";
import { type FileHandle, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { UsageError } from "../failure.js";
import { openRegular } from "../input-file.js";
import { fileProblem } from "../private-file.js";
import { nameKey, problemOfName } from "./file-name.js";
import { type FileEntry, MAX_FILES } from "./manifest.js";

/** A file as it was found; one that differs in any of this is another. */
export interface FoundFile {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** What receivers will see. */
  readonly name: string;
  readonly size: number;
  /** Nanoseconds, as text; device and inode in one text. */
  readonly modified: string;
  readonly identity: string;
}

/** A file changed while it was being sent: what was sent of it is worth nothing. */
export class FileChanged extends UsageError {
  constructor(path: string) {
    super(`${path} was changed while it was being sent: send it again, for a new ticket`);
  }
}

const READ_BYTES = 1 << 18;

/**
 * Looks at the files to send.
 * @param rename the name to send the one file under.
 * @throws UsageError when one cannot be sent.
 */
export async function findFiles(paths: readonly string[], rename?: string): Promise<FoundFile[]> {
  if (paths.length > MAX_FILES) throw new UsageError(`at most ${MAX_FILES} files go at once`);
  if (rename !== undefined && paths.length > 1) {
    throw new UsageError("--name is for one file, and these are several");
  }
  const found: FoundFile[] = [];
  const names = new Map<string, string>();
  for (const path of paths) {
    const file = await findFile(path, rename);
    const other = names.get(nameKey(file.name));
    if (other !== undefined) {
      throw new UsageError(`${other} and ${path} have one name, and cannot go together`);
    }
    names.set(nameKey(file.name), path);
    found.push(file);
  }
  return found;
}

async function findFile(path: string, rename: string | undefined): Promise<FoundFile> {
  // What it is first: a folder is none under any name.
  const [real, identity] = await withFile(
    path,
    async (handle) => [await realpath(path), await identify(handle, path)] as const,
  );
  const name = rename ?? basename(path);
  const problem = problemOfName(name);
  if (problem === null) return { path: real, name, ...identity };
  const advice = rename === undefined ? "; choose another name with --name" : "";
  throw new UsageError(`${path} cannot be sent under the name "${name}": ${problem}${advice}`);
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await openRegular(path);
    return await use(handle);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Only the system's errors have one here; everything else speaks for itself.
    if (code === undefined || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new UsageError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
  } finally {
    await handle?.close();
  }
}

async function identify(
  handle: FileHandle,
  path: string,
): Promise<Pick<FoundFile, "size" | "modified" | "identity">> {
  const stats = await handle.stat({ bigint: true });
  if (stats.isDirectory()) {
    throw new UsageError(`${path} is a folder: pack it into one file first, with tar or zip`);
  }
  if (!stats.isFile()) throw new UsageError(`${path} is no regular file`);
  return {
    size: Number(stats.size),
    modified: String(stats.mtimeNs),
    identity: `${stats.dev}:${stats.ino}`,
  };
}

/** @throws FileChanged. */
async function checkUnchanged(handle: FileHandle, file: FoundFile): Promise<void> {
  const { size, modified, identity } = await identify(handle, file.path);
  const same = size === file.size && modified === file.modified && identity === file.identity;
  if (!same) throw new FileChanged(file.path);
}

/**
 * Digests the files.
 * @param onBytes hears how many bytes were read in all.
 */
export async function digestFiles(
  files: readonly FoundFile[],
  signal: AbortSignal,
  onBytes: (bytes: number, name: string) => void,
): Promise<FileEntry[]> {
  const entries: FileEntry[] = [];
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let total = 0;
  for (const file of files) {
    const hash = createHash("sha256");
    await withFile(file.path, async (handle) => {
      await checkUnchanged(handle, file);
      for (let at = 0; at < file.size;) {
        signal.throwIfAborted();
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new FileChanged(file.path);
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
        total += bytesRead;
        onBytes(total, file.name);
      }
      await checkUnchanged(handle, file);
    });
    entries.push({ name: file.name, size: file.size, sha256: new Uint8Array(hash.digest()) });
  }
  return entries;
}

/**
 * The bytes of all files, one after the other, in pieces of `chunk` bytes; the last may be shorter.
 * Each is memory of its own.
 * @param skip how many pieces to leave out.
 * @throws FileChanged when a file is not what it was.
 */
export async function* piecesOf(
  files: readonly FoundFile[],
  chunk: number,
  skip: number,
): AsyncGenerator<Uint8Array> {
  let offset = skip * chunk;
  let piece = new Uint8Array(chunk);
  let filled = 0;
  for (const file of files) {
    if (offset >= file.size) {
      offset -= file.size;
      continue;
    }
    const handle = await openRegular(file.path).catch(() => {
      throw new FileChanged(file.path);
    });
    try {
      await checkUnchanged(handle, file);
      for (let at = offset; at < file.size;) {
        const want = Math.min(chunk - filled, file.size - at);
        const { bytesRead } = await handle.read(piece, filled, want, at);
        if (bytesRead === 0) throw new FileChanged(file.path);
        at += bytesRead;
        filled += bytesRead;
        if (filled === chunk) {
          yield piece;
          piece = new Uint8Array(chunk);
          filled = 0;
        }
      }
      await checkUnchanged(handle, file);
    } finally {
      await handle.close();
    }
    offset = 0;
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
