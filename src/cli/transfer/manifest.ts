/** The beginning of a stream of files: the list of its files (docs/transfer.md). */
import { type CborValue, decodeCbor, encodeCbor } from "katzenpost-thinclient/wire";
import { UsageError } from "../failure.js";
import { printable } from "../printable.js";
import { SEPARATOR, problemOfName, problemOfPath, sameName } from "./file-name.js";

/** A file in the manifest. */
export interface FileEntry {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
}

/** The files of a stream, and how they are cut into boxes. */
export interface Manifest {
  /** Bytes in every data box but the last, which holds the rest. */
  readonly chunk: number;
  readonly files: readonly FileEntry[];
}

/** The boxes do not hold a transfer, or one that cannot be accepted. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly code = "ERR_TRANSFER";
  /** What to do about it, one line each. */
  readonly advice: readonly string[];

  constructor(message: string, options: ErrorOptions & { advice?: readonly string[] } = {}) {
    super(message, options);
    this.advice = options.advice ?? [];
  }
}

const magic = "KATZ";
/** The version for files only, and the version with folders. */
const [VERSION, VERSION_WITH_FOLDERS] = [1, 2];
/** Magic (4 bytes), version (1), length of the manifest (4, big-endian). */
export const HEADER_LENGTH = 9;
/** The most bytes of a manifest. */
const MAX_MANIFEST_LENGTH = 1 << 20;
/** The most files of a transfer. */
export const MAX_FILES = 4096;
/** Larger than the boxes of any network. */
const MAX_CHUNK = 1 << 24;

/** Encodes header and manifest, the content of the first boxes. */
export function encodeHead(manifest: Manifest): Uint8Array {
  const files = manifest.files.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  const body = encodeCbor({ chunk: manifest.chunk, files });
  if (body.length > MAX_MANIFEST_LENGTH) {
    throw new RangeError(
      `\`files\` must have names of at most ${MAX_MANIFEST_LENGTH} bytes in all`,
    );
  }
  const head = Buffer.alloc(HEADER_LENGTH + body.length);
  head.write(magic, "latin1");
  const hasFolders = files.some(({ name }) => name.includes(SEPARATOR));
  head.writeUInt8(hasFolders ? VERSION_WITH_FOLDERS : VERSION, 4);
  head.writeUInt32BE(body.length, 5);
  head.set(body, HEADER_LENGTH);
  return new Uint8Array(head);
}

/**
 * The length of header and manifest in bytes, from the content of the first box.
 * @throws TransferError when the box does not begin a transfer.
 */
export function headLength(firstBox: Uint8Array): number {
  const box = Buffer.from(firstBox.buffer, firstBox.byteOffset, firstBox.length);
  if (box.length <= HEADER_LENGTH || box.toString("latin1", 0, 4) !== magic) {
    throw new TransferError("katz send did not write the ticket's boxes");
  }
  if (box[4] !== VERSION && box[4] !== VERSION_WITH_FOLDERS) {
    throw new TransferError(`these files use version ${box[4]}, which needs a newer katz`);
  }
  const length = box.readUInt32BE(5);
  if (length > MAX_MANIFEST_LENGTH) throw refused("its list of files is too long");
  return HEADER_LENGTH + length;
}

/**
 * Reads header and manifest.
 * @param rename the name for the only file, in place of the sender's.
 * @throws TransferError when it is malformed, or contains a name that senders may not use.
 * @throws UsageError when `rename` is given for several files.
 */
export function decodeHead(head: Uint8Array, rename?: string): Manifest {
  if (headLength(head) !== head.length) throw refused("its list of files has a wrong length");
  const map = mapOf(decoded(head.subarray(HEADER_LENGTH)), ["chunk", "files"]);
  const chunk = integerOf(map.get("chunk"), "a box length", 1, MAX_CHUNK);
  const list = map.get("files");
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_FILES) {
    throw refused(`it must have 1 to ${MAX_FILES} files`);
  }
  if (rename !== undefined && list.length > 1) {
    throw new UsageError(`--name is for one file, but there are ${list.length}`);
  }
  const problemOf = head[4] === VERSION ? problemOfName : problemOfPath;
  const files = list.map((item) => fileOf(item, rename, problemOf));
  const twice = sameName(files.map(({ name }) => name));
  if (twice !== null) throw refused("two of its files have the same name");
  const manifest = { chunk, files };
  if (!Number.isSafeInteger(dataLength(manifest))) throw refused("its files are too large");
  return manifest;
}

/** Bytes of all files together. */
export function dataLength({ files }: Manifest): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** How many boxes of `chunk` bytes hold `length` bytes. */
export function boxesFor(length: number, chunk: number): number {
  return Math.ceil(length / chunk);
}

function decoded(body: Uint8Array): CborValue {
  try {
    return decodeCbor(body);
  } catch (error) {
    throw refused("its list of files is malformed", error);
  }
}

function fileOf(
  item: CborValue,
  rename: string | undefined,
  problemOf: typeof problemOfName,
): FileEntry {
  const map = mapOf(item, ["name", "size", "sha256"]);
  const sent = map.get("name");
  const sha256 = map.get("sha256");
  if (typeof sent !== "string") throw refused("a file has no name");
  if (!(sha256 instanceof Uint8Array) || sha256.length !== 32) {
    throw refused("a file has no SHA-256 digest");
  }
  const size = integerOf(map.get("size"), "a file's size", 0, Number.MAX_SAFE_INTEGER);
  if (rename !== undefined) return { name: rename, size, sha256 };
  const problem = problemOf(sent);
  if (problem !== null) {
    const shown = printable(sent.slice(0, 80));
    throw new TransferError(`the sender named a file "${shown}": refused, because ${problem}`, {
      advice: ["If you want it, and it is the only file, choose its name with --name NAME"],
    });
  }
  return { name: sent, size, sha256 };
}

function mapOf(value: CborValue, keys: readonly string[]): ReadonlyMap<unknown, CborValue> {
  const isRight =
    value instanceof Map && value.size === keys.length && keys.every((key) => value.has(key));
  if (!isRight) throw refused("its list of files is malformed");
  return value;
}

function integerOf(value: CborValue, what: string, least: number, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw refused(`${what} is out of range`);
}

function refused(why: string, cause?: unknown): TransferError {
  return new TransferError(`this transfer is refused: ${why}`, { cause });
}
