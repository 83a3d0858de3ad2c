/** Gzip with Node's zlib, which works outside the event loop. */
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { type Bytes, copyBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";

const pack = promisify(zlib.gzip);
const unpack = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip);

/** See the contract. */
export async function gzip(data: Uint8Array): Promise<Bytes> {
  return copyBytes(await pack(data));
}

/** See the contract. */
export async function gunzip(data: Uint8Array, longest: number): Promise<Bytes> {
  try {
    return copyBytes(await unpack(data, { maxOutputLength: longest }));
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") {
      throw new ProtocolError(`gzip: more than ${longest} bytes`);
    }
    throw new ProtocolError("gzip: damaged", { cause });
  }
}
