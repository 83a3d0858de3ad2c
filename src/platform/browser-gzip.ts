/** Gzip with the compression streams of browsers. */
import { type Bytes, concatBytes, copyBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";

/** The part of a browser's (de)compression streams that is used here. */
interface Transformer {
  readonly readable: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }>;
      cancel(): Promise<void>;
    };
  };
  readonly writable: {
    getWriter(): {
      write(chunk: Uint8Array): Promise<void>;
      close(): Promise<void>;
      abort(): Promise<void>;
    };
  };
}
declare const CompressionStream: new (format: "gzip") => Transformer;
declare const DecompressionStream: new (format: "gzip") => Transformer;

/**
 * How much is written at a time: a browser may unpack a whole piece, a thousandfold, before we see
 * it.
 */
const pieceLength = 4096;

async function transform(
  transformer: Transformer,
  data: Uint8Array,
  longest: number,
): Promise<Bytes> {
  const reader = transformer.readable.getReader();
  const writer = transformer.writable.getWriter();
  const writing = (async () => {
    for (let at = 0; at < data.length; at += pieceLength) {
      await writer.write(copyBytes(data.subarray(at, at + pieceLength)));
    }
    await writer.close();
  })();
  // An error while writing also appears while reading.
  writing.catch(() => {});
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) break;
    length += value.length;
    if (length > longest) {
      await reader.cancel().catch(() => {});
      throw new ProtocolError(`gzip: more than ${longest} bytes`);
    }
    parts.push(value);
  }
  await writing;
  return concatBytes(...parts);
}

/** See the contract. */
export function gzip(data: Uint8Array): Promise<Bytes> {
  return transform(new CompressionStream("gzip"), data, Infinity);
}

/** See the contract. */
export async function gunzip(data: Uint8Array, longest: number): Promise<Bytes> {
  try {
    return await transform(new DecompressionStream("gzip"), data, longest);
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw new ProtocolError("gzip: damaged", { cause });
  }
}
