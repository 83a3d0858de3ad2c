/** Files to send: their properties, and their bytes cut into boxes. */
import { createHash } from "node:crypto";
import { type FileHandle, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UsageError } from "../failure.js";
import { openRegular } from "../input-file.js";
import { fileProblem } from "../private-file.js";
import { SEPARATOR, problemOfPath, sameName } from "./file-name.js";
import { type FileEntry, MAX_FILES } from "./manifest.js";

/** The properties of a file when it was found; if any of them differs, the file changed. */
export interface FoundFile {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** What the user named: the file or a folder above it. Absolute; may itself be a link. */
  readonly given: string;
  /** The name that receivers see. */
  readonly name: string;
  readonly size: number;
  /** Nanoseconds, as text; device and inode in one text. */
  readonly modified: string;
  readonly identity: string;
}

/** A file changed while it was being sent, so the part that was sent is useless. */
export class FileChanged extends UsageError {
  constructor(path: string) {
    super(`${path} was changed while it was being sent: send it again, for a new ticket`);
  }
}

const READ_BYTES = 1 << 18;

/**
 * Finds the files to send.
 * @param rename the name for the only file or folder.
 * @param onLeftOut called for each hidden entry of a folder, which is not sent.
 * @throws UsageError when one cannot be sent.
 */
export async function findFiles(
  paths: readonly string[],
  rename?: string,
  onLeftOut: (path: string) => void = () => {},
): Promise<FoundFile[]> {
  if (paths.length > MAX_FILES) throw tooMany();
  if (rename !== undefined && paths.length > 1) {
    throw new UsageError("--name is for one file or folder, but there are several");
  }
  const wanted: Wanted[] = [];
  for (const given of paths) {
    if (await isFolder(given)) await addFolder(wanted, given, { rename, onLeftOut });
    else wanted.push({ path: given, given, name: rename ?? basename(given) });
    if (wanted.length > MAX_FILES) throw tooMany();
  }
  const found: FoundFile[] = [];
  for (const one of wanted) found.push(await findFile(one, rename !== undefined));
  const same = sameName(found.map(({ name }) => name));
  if (same !== null) {
    const [one, other] = same.map((i) => wanted[i]!.path);
    throw new UsageError(
      `${one} and ${other} have the same name, and cannot be sent together: send them separately`,
    );
  }
  return found;
}

/** A file to send, by the path that leads to it from what the user named. */
type Wanted = Pick<FoundFile, "path" | "given" | "name">;

function tooMany(): UsageError {
  return new UsageError(
    `at most ${MAX_FILES} files can be sent at once: send them in parts, or as one archive`,
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/**
 * Adds the files in a folder and its subfolders, sorted by name, under the folder's name.
 * @throws UsageError when it contains anything else, such as a symbolic link, or nothing.
 */
async function addFolder(
  wanted: Wanted[],
  folder: string,
  {
    rename,
    onLeftOut,
  }: { readonly rename: string | undefined; readonly onLeftOut: (path: string) => void },
): Promise<void> {
  const name = rename ?? basename(await realpath(folder));
  const before = wanted.length;
  const add = async (path: string, under: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      throw new UsageError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
    });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const [inside, called] = [join(path, entry.name), `${under}${SEPARATOR}${entry.name}`];
      // Receivers refuse hidden files, because they would not see what arrived.
      if (entry.name.startsWith(".")) onLeftOut(inside);
      else if (entry.isDirectory()) await add(inside, called);
      else if (entry.isFile()) wanted.push({ path: inside, given: folder, name: called });
      else throw new UsageError(`${inside} cannot be sent: it is neither a file nor a folder`);
      if (wanted.length > MAX_FILES) return;
    }
  };
  await add(folder, name);
  if (wanted.length === before) throw new UsageError(`${folder} has no files in it`);
}

async function findFile({ path, given, name }: Wanted, isRenamed: boolean): Promise<FoundFile> {
  // Check its type first: a folder cannot be sent as a file under any name.
  const [real, identity] = await withFile(path, async (handle) => {
    const found = await identify(handle, path);
    // System files such as those in /proc report length 0 although they have content.
    const { bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, found.size);
    if (bytesRead > 0) {
      if ((await identify(handle, path)).size === found.size) throw lyingSize(path);
      throw new FileChanged(path);
    }
    return [await realpath(path), found] as const;
  });
  const problem = problemOfPath(name);
  if (problem === null) {
    return { path: real, given: await absolute(given), name, ...identity };
  }
  const advice = isRenamed ? "" : "; choose another name with --name";
  throw new UsageError(`${path} cannot be sent under the name "${name}": ${problem}${advice}`);
}

/** The absolute path without symbolic links above the last part; that may be a link. */
async function absolute(path: string): Promise<string> {
  const last = basename(path);
  if (["", ".", ".."].includes(last)) return realpath(path);
  return join(await realpath(dirname(path)), last);
}

/** The error for files whose length is known only after reading them. */
function lyingSize(path: string): UsageError {
  return new UsageError(`${path} does not have its reported length`, {
    advice: [`Send its content: katz send - --name NAME < ${path}`],
  });
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await openRegular(path);
    return await use(handle);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Only errors of the system have a `syscall`; other errors have their own message.
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
  if (stats.isDirectory()) throw new UsageError(`${path} is a folder, not a file`);
  if (!stats.isFile()) throw new UsageError(`${path} is not a regular file`);
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
 * Computes the digests of the files.
 * @param onBytes called with the total number of bytes read so far.
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
        if (bytesRead === 0) {
          await checkUnchanged(handle, file);
          throw lyingSize(file.path);
        }
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
 * Each piece has its own memory.
 * @param skip how many pieces to leave out.
 * @throws FileChanged when a file has changed.
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
