/**
 * A consensus on its way through a gateway: gzipped, cut into chunks, and joined again within
 * limits (spec/mixnet §2.3 and §3.4). The limits are ours; upstream has none.
 */
import { gunzip, gzip } from "#platform";
import { type Bytes, concatBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { ConsensusError, type Consensus2 } from "./commands.js";

/** The most chunks that are accepted. */
const MAX_CONSENSUS_CHUNKS = 2048;
/** The most bytes of all chunks together: 4 MiB. */
export const MAX_COMPRESSED_CONSENSUS_BYTES = 4 * 2 ** 20;
/** The most bytes that they may unpack to: 32 MiB. */
export const MAX_CONSENSUS_BYTES = 32 * 2 ** 20;

/** Cuts packed bytes into chunks of `chunkLength` bytes; the last may be shorter. */
export function cutChunks(packed: Uint8Array, chunkLength: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < packed.length; at += chunkLength) {
    chunks.push(packed.subarray(at, at + chunkLength));
  }
  return chunks;
}

/** The answers to GetConsensus2 that carry a signed document, in order. */
export async function consensusCommands(
  signed: Uint8Array,
  chunkLength: number,
): Promise<Consensus2[]> {
  const chunks = cutChunks(await gzip(signed), chunkLength);
  return chunks.map((chunk, chunkNumber) => ({
    type: "Consensus2",
    errorCode: ConsensusError.OK,
    chunkNumber,
    chunkTotal: chunks.length,
    chunk,
  }));
}

/** The answer to GetConsensus2 if there is no document, with the reason. */
export function noConsensusCommand(errorCode: number): Consensus2 {
  return {
    type: "Consensus2",
    errorCode,
    chunkNumber: 0,
    chunkTotal: 1,
    chunk: new Uint8Array(0),
  };
}

/** The result of a request for a consensus. */
export type ConsensusAnswer =
  | {
      readonly errorCode: typeof ConsensusError.OK;
      /** The signed document, still gzipped; pass it to {@link unpackConsensus}. */
      readonly packed: Bytes;
    }
  | {
      /** The gateway's error code; anything but 2 means "ask again later". */
      readonly errorCode: number;
      readonly packed: null;
    };

/** Joins the chunks of one answer. */
export class ConsensusAssembler {
  readonly #chunkLength: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #total: number | null = null;

  /** @param chunkLength the longest chunk, in bytes. */
  constructor(chunkLength: number) {
    this.#chunkLength = chunkLength;
  }

  /** How many chunks have arrived. */
  get received(): number {
    return this.#chunks.length;
  }

  /**
   * Takes the next chunk; returns the answer with the last one, null before.
   * @throws ProtocolError when the chunk is not the next one, changes the total, is too long, or
   * makes the whole too large. Then the link must end.
   */
  add(command: Consensus2): ConsensusAnswer | null {
    const { errorCode, chunkNumber, chunkTotal, chunk } = command;
    if (errorCode !== ConsensusError.OK) {
      if (chunkNumber !== 0 || chunkTotal !== 1 || chunk.length > 0 || this.#total !== null) {
        throw new ProtocolError(`consensus: error ${errorCode} in the middle of a document`);
      }
      return { errorCode, packed: null };
    }
    if (chunkTotal < 1 || chunkTotal > MAX_CONSENSUS_CHUNKS) {
      throw new ProtocolError(`consensus: ${chunkTotal} chunks, at most ${MAX_CONSENSUS_CHUNKS}`);
    }
    this.#total ??= chunkTotal;
    if (chunkTotal !== this.#total) {
      throw new ProtocolError(`consensus: ${chunkTotal} chunks, before that ${this.#total}`);
    }
    if (chunkNumber !== this.#chunks.length) {
      throw new ProtocolError(
        `consensus: chunk ${chunkNumber} where ${this.#chunks.length} must come`,
      );
    }
    if (chunk.length > this.#chunkLength) {
      throw new ProtocolError(
        `consensus: chunk of ${chunk.length} bytes, at most ${this.#chunkLength}`,
      );
    }
    this.#length += chunk.length;
    if (this.#length > MAX_COMPRESSED_CONSENSUS_BYTES) {
      throw new ProtocolError(
        `consensus: more than ${MAX_COMPRESSED_CONSENSUS_BYTES} bytes before unpacking`,
      );
    }
    this.#chunks.push(chunk);
    if (this.#chunks.length < this.#total) return null;
    return { errorCode: ConsensusError.OK, packed: concatBytes(...this.#chunks) };
  }
}

/**
 * Unpacks the signed document of an answer.
 * @throws ProtocolError (as a rejection) when it cannot be unpacked, or unpacks to more than 32
 * MiB; it never holds much more than that.
 */
export async function unpackConsensus(packed: Uint8Array): Promise<Bytes> {
  try {
    return await gunzip(packed, MAX_CONSENSUS_BYTES);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ProtocolError(`consensus: ${why}`, { cause });
  }
}
