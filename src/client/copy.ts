/**
 * Copies a payload of any length to one or many streams (spec/pigeonhole §8 and §9.1). The payload
 * is written as a temporary stream, and then a courier writes the destinations from it without our
 * help. An observer sees writes of unrelated boxes and one copy command.
 */
import {
  type Bytes,
  copyBytes,
  describeType,
  isBytes,
  type PlainBytes,
  randomBytes,
} from "../bytes/bytes.js";
import { MessageBoxIndex, type ReadCap, WriteCap, checkWriteCap } from "../bytes/opaque.js";
import { checkOptions } from "../bytes/options.js";
import { checkBoxIndex, checkCallback } from "./argument-checks.js";
import { type BoxContext, isThere, writeBox } from "./boxes.js";
import {
  type CallOptions,
  checkCallOptions,
  runWithin,
  scopeWithin,
  type SignalScope,
} from "./call-options.js";
import { elementsFromMultiPayload, resendCopyCommand } from "./copy-calls.js";
import { type KeypairResult, makeStream } from "./envelopes.js";
import { onAbort } from "../clock/on-abort.js";
import {
  BoxIDNotFoundError,
  CopyCommandFailedError,
  hasCode,
  InvalidStateError,
  isThinClientError,
} from "../errors/errors.js";
import { CopyFailedError, type CopyFailurePlace } from "../errors/partial-results.js";
import {
  MAX_COPY_BOXES,
  copyChunkLength,
  holdsCopyStream,
  planCopyPayload,
} from "../pki/copy-stream-plan.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";

/** A destination of `copy`: where the payload's first box goes. */
export interface CopyDestination {
  /** The right to write the destination's stream: 168 bytes. */
  readonly writeCap: WriteCap;
  /**
   * The first box to write: 104 bytes. Each box holds 4 bytes less than a direct write may hold.
   */
  readonly startIndex: MessageBoxIndex;
}

/** The progress of a copy. */
export interface CopyProgress {
  /** `write`: boxes of the temporary stream; `copy`: boxes at the destinations. */
  readonly phase: "write" | "copy";
  /**
   * Boxes written so far. In phase `copy` it is 0 or all, because a courier does not report
   * progress.
   */
  readonly boxesDone: number;
  /** Null until the end of the source is known. */
  readonly boxesTotal: number | null;
}

/** Options of `copy`. */
export interface CopyOptions extends CallOptions {
  /**
   * Called after each box, and before and after the courier's work; if it throws, the copy ends.
   */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/** What was copied. */
export interface CopyResult {
  /** Each destination's box after the last one written, in the order of the destinations. */
  readonly nextDestIndices: readonly MessageBoxIndex[];
}

/**
 * The most envelopes that the daemon makes in one request, unless there are more destinations: each
 * gets at least one. A real daemon works on each envelope for seconds and answers nothing else
 * meanwhile.
 */
const ENVELOPES_PER_CALL = 32;
/** The most bytes that the daemon gets in one request, with the same exception. */
const BYTES_PER_CALL = 256 * 1024;

/** Copies `source` to every destination. */
export async function copy(
  context: BoxContext,
  source: CopySource,
  destinations: readonly CopyDestination[],
  options?: CopyOptions,
): Promise<CopyResult> {
  const operation = "copy";
  checkCallOptions(options, "onProgress");
  checkSource(source);
  checkDestinations(destinations);
  checkCallback("options.onProgress", options?.onProgress);
  const notUsable = context.calls.notUsable(operation);
  if (notUsable) throw notUsable;
  const plan = new CopyPlan(context.pigeonholeGeometry, destinations.length);
  if (isBytes(source)) plan.expect(source.length);
  // The caller may change its bytes during the copy, so copy them now.
  const kept = isBytes(source) ? copyBytes(source) : source;
  return runWithin(context, operation, options, async (whole) => {
    const scope = scopeWithin(whole);
    const run = new CopyRun(context, plan, destinations, scope, options?.onProgress);
    try {
      return await run.run(kept);
    } catch (error) {
      // Cancels everything in flight.
      scope.abort(error);
      const common = whole.aborted || hasCode(error, "ERR_CLOSED");
      if (common || !isThinClientError(error)) throw error;
      throw new CopyFailedError(error, run.place(error), { operation });
    } finally {
      scope.leave();
    }
  });
}

function checkDestinations(destinations: readonly CopyDestination[]): void {
  if (!Array.isArray(destinations) || destinations.length === 0) {
    throw new TypeError(
      "`destinations` must be an array of at least one destination, got " +
        describeType(destinations),
    );
  }
  for (const [i, destination] of destinations.entries()) {
    checkOptions(`destinations[${i}]`, destination, ["writeCap", "startIndex"]);
    checkWriteCap(`destinations[${i}].writeCap`, destination.writeCap);
    checkBoxIndex(`destinations[${i}].startIndex`, destination.startIndex);
  }
}

/** How a payload becomes requests to the daemon (spec/thin-protocol §7.4), and boxes. */
class CopyPlan {
  /** Bytes of payload that the daemon gets in one request, for each destination. */
  readonly pieceLength: number;
  readonly #sizes: PigeonholeGeometry;
  readonly #destinations: number;
  /** Boxes of the temporary stream; null until known. */
  boxesTotal: number | null = null;

  constructor(geometry: PigeonholeGeometry | null, destinations: number) {
    if (!geometry) {
      throw new InvalidStateError(
        "copy is possible only after start(): the daemon sends the sizes",
      );
    }
    if (!holdsCopyStream(geometry)) {
      throw new InvalidStateError("boxes of this network are too small for a copy stream");
    }
    this.#sizes = geometry;
    this.#destinations = destinations;
    const chunkLength = copyChunkLength(geometry);
    const chunks = Math.floor(
      Math.min(ENVELOPES_PER_CALL, BYTES_PER_CALL / chunkLength) / destinations,
    );
    this.pieceLength = Math.max(1, chunks) * chunkLength;
  }

  /** How many boxes of one destination `length` bytes take. */
  boxesFor(length: number): number {
    return planCopyPayload(this.#sizes, length).envelopes;
  }

  /** Records the payload's length. @throws RangeError when it takes more boxes than allowed. */
  expect(payloadLength: number): void {
    const plan = planCopyPayload(this.#sizes, payloadLength, this.#destinations);
    this.boxesTotal = plan.elements;
    this.checkBoxes(plan.envelopes, plan.elements);
  }

  checkBoxes(copied: number, temporary: number): void {
    const boxes = Math.max(copied, temporary);
    if (boxes <= MAX_COPY_BOXES) return;
    throw new RangeError(
      `\`source\` must take at most ${MAX_COPY_BOXES} boxes, but takes at least ${boxes}; ` +
        "copy it in several parts",
    );
  }
}

/** A copy in progress. */
class CopyRun {
  readonly #context: BoxContext;
  readonly #plan: CopyPlan;
  readonly #writeCaps: readonly WriteCap[];
  readonly #scope: SignalScope;
  readonly #onProgress: CopyOptions["onProgress"];
  /** The next box of each destination. */
  readonly #next: MessageBoxIndex[];
  /** How many boxes each builder call made for every destination, in the order of the calls. */
  readonly #boxesByCall: number[] = [];
  #copied = 0;
  #stream: TemporaryStream | null = null;
  /** Whether the daemon was restarted since boxes were written: its network may have lost them. */
  #isDoubtful = false;
  #phase: "write" | "copy" = "write";

  constructor(
    context: BoxContext,
    plan: CopyPlan,
    destinations: readonly CopyDestination[],
    scope: SignalScope,
    onProgress: CopyOptions["onProgress"],
  ) {
    this.#context = context;
    this.#plan = plan;
    this.#writeCaps = destinations.map(({ writeCap }) => WriteCap.from(writeCap));
    this.#next = destinations.map(({ startIndex }) => MessageBoxIndex.from(startIndex));
    this.#scope = scope;
    this.#onProgress = onProgress;
  }

  async run(source: CopySource): Promise<CopyResult> {
    const { signal } = this.#scope;
    const unwatch = this.#context.hub.on("reconnected", ({ newInstance }) => {
      if (newInstance && this.#stream?.hasBegun) this.#isDoubtful = true;
    });
    try {
      let buffer: Uint8Array = new Uint8Array(0);
      for await (const { bytes, isLast } of piecesOf(source, this.#plan.pieceLength, signal)) {
        this.#stream ??= await this.#openStream();
        buffer = await this.#build(this.#stream, bytes, buffer, isLast);
      }
      // An empty source: a copy stream cannot be empty, and nothing has to be written.
      if (this.#stream) await this.#finish(this.#stream);
      return { nextDestIndices: this.#next };
    } finally {
      unwatch();
    }
  }

  /**
   * After a restart of the daemon, checks whether the boxes written before are still there. A real
   * network keeps them; an embedded network without a data directory loses them.
   * @throws BoxIDNotFoundError when they are gone.
   */
  async #checkStream(stream: TemporaryStream): Promise<void> {
    if (!this.#isDoubtful) return;
    this.#isDoubtful = false;
    if (await stream.isKept()) return;
    const text =
      "the daemon was restarted, and the boxes that were written before are gone (an embedded " +
      "network without a data directory forgets them): begin the copy again";
    throw new BoxIDNotFoundError(text, { operation: "copy" });
  }

  async #openStream(): Promise<TemporaryStream> {
    return TemporaryStream.open(this.#context, this.#scope, randomBytes(32), (boxesDone) =>
      this.#onProgress?.({ phase: "write", boxesDone, boxesTotal: this.#plan.boxesTotal }),
    );
  }

  /** Has the daemon make the elements for one piece and writes them to the stream. */
  async #build(
    stream: TemporaryStream,
    payload: Uint8Array,
    buffer: Uint8Array,
    isLast: boolean,
  ): Promise<Uint8Array> {
    const { signal } = this.#scope;
    const request = {
      destinations: this.#writeCaps.map((writeCap, i) => {
        return { payload, writeCap, startIndex: this.#next[i]! };
      }),
      isStart: this.#boxesByCall.length === 0,
      isLast,
      buffer,
    };
    const asking = { operation: "copy", options: { signal } };
    const made = await elementsFromMultiPayload(this.#context.calls, request, asking);
    for (const [i, index] of made.nextDestIndices.entries()) this.#next[i] = index;
    const boxes = this.#plan.boxesFor(payload.length);
    this.#boxesByCall.push(boxes);
    this.#copied += boxes * this.#writeCaps.length;
    const temporary = stream.boxesStarted + made.envelopes.length;
    this.#plan.checkBoxes(this.#copied, temporary);
    if (isLast) this.#plan.boxesTotal = temporary;
    for (const element of made.envelopes) {
      await this.#checkStream(stream);
      await stream.write(element);
    }
    return made.buffer;
  }

  async #finish(stream: TemporaryStream): Promise<void> {
    const { signal } = this.#scope;
    await stream.settled();
    signal.throwIfAborted();
    await this.#checkStream(stream);
    this.#phase = "copy";
    const boxesTotal = this.#copied;
    this.#onProgress?.({ phase: "copy", boxesDone: 0, boxesTotal });
    const asking = { operation: "copy", options: { signal } };
    await resendCopyCommand(this.#context.calls, stream.writeCap, asking);
    this.#onProgress?.({ phase: "copy", boxesDone: boxesTotal, boxesTotal });
  }

  /** What `error` tells about the boxes at the destinations. */
  place(error: unknown): CopyFailurePlace {
    const phase = this.#phase;
    const boxesCopied = this.#writeCaps.map(() => 0);
    if (phase === "write") return { phase, destination: null, boxesCopied };
    const failed = error instanceof CopyCommandFailedError ? error.failedEnvelopeIndex : 0n;
    if (failed === 0n || failed > BigInt(this.#copied)) {
      return { phase, destination: null, boxesCopied: null };
    }
    let before = Number(failed) - 1;
    // For each call, the stream holds the boxes of one destination after the other.
    for (const boxes of this.#boxesByCall) {
      for (let destination = 0; destination < boxesCopied.length; destination++) {
        boxesCopied[destination]! += Math.min(before, boxes);
        if (before < boxes) return { phase, destination, boxesCopied };
        before -= boxes;
      }
    }
    return { phase, destination: null, boxesCopied: null };
  }
}

// A stream with its own capabilities that holds the elements of one copy.

/**
 * The most boxes in progress at once: as many as a real daemon takes before it stops reading this
 * client's requests (spec/thin-protocol §1.3). Each is a separate operation, for which the daemon
 * chooses a courier.
 */
const MAX_IN_FLIGHT = 16;

/** Writes consecutive boxes, several at once. */
class TemporaryStream {
  readonly writeCap: WriteCap;
  readonly #context: BoxContext;
  readonly #scope: SignalScope;
  readonly #onWritten: (boxesDone: number) => void;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #readCap: ReadCap;
  /** The first box that a courier acknowledged; null before that. */
  #acknowledged: MessageBoxIndex | null = null;
  #next: MessageBoxIndex;
  #started = 0;
  #done = 0;

  private constructor(
    context: BoxContext,
    scope: SignalScope,
    onWritten: (boxesDone: number) => void,
    stream: KeypairResult,
  ) {
    this.#context = context;
    this.#scope = scope;
    this.#onWritten = onWritten;
    this.writeCap = stream.writeCap;
    // Couriers read from the capability's own first box.
    this.#readCap = stream.readCap;
    this.#next = stream.firstMessageIndex;
  }

  /** Opens a new stream. @param seed 32 random bytes. */
  static async open(
    context: BoxContext,
    scope: SignalScope,
    seed: Bytes,
    onWritten: (boxesDone: number) => void,
  ): Promise<TemporaryStream> {
    const options = { signal: scope.signal, timeoutMs: Infinity };
    const keypair = await makeStream(context.calls, seed, { operation: "copy", options });
    return new TemporaryStream(context, scope, onWritten, keypair);
  }

  /** How many boxes were passed to {@link write}. */
  get boxesStarted(): number {
    return this.#started;
  }

  /**
   * Resolves when the box is sealed and on its way, which may be long before it is written. A later
   * failure aborts the scope.
   */
  async write(plaintext: PlainBytes): Promise<void> {
    const { signal } = this.#scope;
    while (this.#inFlight.size >= MAX_IN_FLIGHT) await Promise.race(this.#inFlight);
    signal.throwIfAborted();
    this.#started++;
    const box = { writeCap: this.writeCap, index: this.#next, plaintext, exclusive: false };
    let failed: (reason: unknown) => void;
    const sealed = new Promise<MessageBoxIndex>((resolve, reject) => {
      failed = reject;
      // Seal one box at a time, so that other calls get their turn at the daemon.
      const written = writeBox(this.#context, "copy", box, signal, resolve)
        .then(() => {
          this.#acknowledged ??= box.index;
          this.#onWritten(++this.#done);
        })
        .catch((error: unknown) => {
          this.#scope.abort(error);
          failed(error);
        })
        .finally(() => this.#inFlight.delete(written));
      this.#inFlight.add(written);
    });
    this.#next = await sealed;
  }

  /** Whether a box was acknowledged. */
  get hasBegun(): boolean {
    return this.#acknowledged !== null;
  }

  /** Whether the network still has the box that was acknowledged first. */
  async isKept(): Promise<boolean> {
    const box = this.#acknowledged;
    return box === null || isThere(this.#context, this.#readCap, box, this.#scope.signal);
  }

  /** Resolves when no box is on its way. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }
}

// The source that `copy` reads its payload from, cut into pieces of one length.

/** Where a payload comes from: all bytes at once, or portions of any size. */
export type CopySource = PlainBytes | AsyncIterable<Uint8Array>;

/** A piece of a payload. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Whether this is the last piece. */
  readonly isLast: boolean;
}

/** @throws TypeError when `source` is neither bytes nor an async iterable. */
function checkSource(source: unknown): asserts source is CopySource {
  if (isBytes(source)) return;
  const iterable = source as AsyncIterable<Uint8Array> | null | undefined;
  if (typeof iterable === "object" && typeof iterable?.[Symbol.asyncIterator] === "function") {
    return;
  }
  throw new TypeError(
    "`source` must be a Uint8Array or an async iterable of them, got " + describeType(source),
  );
}

/**
 * Cuts a payload into pieces of `length` bytes; the last may be shorter. An empty payload gives no
 * piece. Reads ahead only as far as needed to know whether a piece is the last one.
 * @param signal ends the wait for a source that stalls.
 * @throws TypeError when the source yields anything but bytes; what the source throws.
 */
async function* piecesOf(
  source: CopySource,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  let held = new Uint8Array(length);
  let filled = 0;
  for await (const chunk of isBytes(source) ? [source] : chunksOf(source, signal)) {
    for (let at = 0; at < chunk.length;) {
      if (filled === length) {
        yield { bytes: held, isLast: false };
        held = new Uint8Array(length);
        filled = 0;
      }
      const part = chunk.subarray(at, at + length - filled);
      held.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  if (filled > 0) yield { bytes: held.subarray(0, filled), isLast: true };
}

async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let waiting = false;
  let done = false;
  try {
    for (;;) {
      waiting = true;
      const result = await unlessAborted(iterator.next(), signal);
      waiting = false;
      if (result.done) {
        done = true;
        return;
      }
      if (!isBytes(result.value)) {
        throw new TypeError(
          `\`source\` must yield Uint8Arrays, but yielded ${describeType(result.value)}`,
        );
      }
      yield result.value;
    }
  } finally {
    if (!done) {
      const ended = Promise.resolve(iterator.return?.()).catch(() => {});
      // If the source hangs in next(), its return() would hang here too.
      if (!waiting) await ended;
    }
  }
}

/** Settles as `promise` does, unless `signal` is aborted first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const leave = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(leave);
  });
}
