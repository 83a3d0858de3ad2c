/**
 * The sending end of a channel: an outbox in the store, and the boxes in progress.
 *
 * A message gets its box indices in the transaction that stores it. From then on each index belongs
 * to its bytes: after a crash the same bytes are written to the same box again, which the replicas
 * report as success. Other bytes in a box mean that the channel is forked.
 */
import { type PlainBytes, textOrBytes } from "../bytes/bytes.js";
import { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
import { checkFlag, checkOptions } from "../bytes/options.js";
import type { CborValue } from "../cbor/cbor.js";
import { type CallOptions, checkCallOptions } from "../client/call-options.js";
import { messageBoxCounter, nextMessageBoxIndex } from "../bacap/message-box-index.js";
import { firstIndexOf, generateKeypair, readCapOf, withIndex } from "../bacap/capabilities.js";
import { RequestTimeoutError, hasCode } from "../errors/errors.js";
import {
  BOX_PATIENCE_MS,
  type ChannelClient,
  type DiagnosticsHook,
  readBox,
} from "./channel-client.js";
import { ChannelForkedError, ChannelStoreError } from "../errors/channel-errors.js";
import {
  type ChannelFormat,
  NATIVE_WINDOW,
  cutKatzenqtMessage,
  cutMessage,
  noteBehind,
  sideStreamBox,
} from "./framing.js";
import { STEPS_A_TURN, type Scheduler, type Task } from "./scheduler.js";
import {
  type ChannelStore,
  type Draft,
  field,
  keyNumber,
  numberOfKey,
  isBytes,
  isNumber,
  isText,
} from "./store.js";
import { type Delivery, Tracked } from "./delivery.js";
import {
  type Outgoing,
  type SideBoxes,
  type Way,
  boxesOf,
  decodeOutgoing,
  encodeOutgoing,
  placesOf,
  sideBoxesOf,
  sideCapIn,
} from "./outgoing.js";
import { Waiters } from "./waiters.js";

/**
 * How many indices are computed together while the disk stores a message. One alone takes as long
 * as all else of a `send`; in a row each takes a third of that.
 */
const INDICES_AHEAD = 32;
/** The most messages of one channel that are in memory at once. */
const MAX_LOADED = 32;
/** The progress of a message is noted after so many boxes. */
const NOTED_EVERY = 8;
/** Pause after a failed write, in round trips: the first, and the longest. */
const RETRY_ROUND_TRIPS = { first: 1, longest: 64 };

/** Lets another party read a channel. Secret: anyone who has it can read. */
export interface Invitation {
  /** 136 bytes. Reads every box from its own index on. */
  readonly readCap: ReadCap;
  /** The first box of the next message: 104 bytes. */
  readonly nextMessageBoxIndex: MessageBoxIndex;
}

/** A message that takes more than one box. */
interface LongMessage {
  readonly id: bigint;
  /** How many boxes of the channel it takes. */
  readonly count: number;
  readonly side: SideBoxes | null;
}

/** How much of the oldest message is stored. */
interface Progress {
  readonly seq: number;
  readonly boxes: number;
}

/** What a writer is made with. */
export interface WriterContext {
  readonly client: ChannelClient;
  readonly store: ChannelStore;
  readonly scheduler: Scheduler;
  readonly diagnostics: DiagnosticsHook;
  /** How many bytes a directly written box holds. */
  readonly boxLength: number;
  readonly maxMessageLength: number;
  /** Called when a message is in this channel's outbox. */
  readonly onSent: () => void;
  /** Called when a batch is at the head of this channel's outbox. */
  readonly onBatchReady: (batch: number) => void;
}

/** A destination of a batch. */
export interface BatchPart {
  readonly writeCap: WriteCap;
  readonly startIndex: MessageBoxIndex;
  readonly boxes: readonly Uint8Array[];
}

/** The sending end of a channel. */
export class Writer {
  /** The channel's name in this store. */
  readonly name: string;
  readonly #key: string;
  readonly #writeCap: WriteCap;
  readonly #format: ChannelFormat;
  readonly #context: WriterContext;
  readonly #deliveries = new Map<number, Tracked>();
  #next: MessageBoxIndex;
  /** The indices after `#next` that are known, in their order. */
  #ahead: MessageBoxIndex[] = [];
  /** Number of the next message in the outbox. */
  #seq: number;
  /** Number after the last durable message: a message that is not durable must not be sent. */
  #durable: number;
  /** The box after the last durable message. */
  #durableNext: MessageBoxIndex;
  /** Number of the oldest message in the outbox. */
  #head: number;
  #forkedAt: bigint | null;
  /** The noted progress. */
  #progress: Progress | null;
  #loaded: Outgoing[] = [];
  #isLoading = false;
  #inFlight = 0;
  #pausedUntil = 0;
  #failures = 0;
  #failedAt = -Infinity;
  #closed = false;
  /** Woken when the outbox got shorter, or takes nothing more. */
  readonly #shorter = new Waiters();

  /** @internal */
  constructor(context: WriterContext, saved: SavedWriter) {
    this.#context = context;
    this.#key = saved.key;
    this.name = saved.name;
    this.#writeCap = saved.writeCap;
    this.#format = saved.format;
    this.#next = saved.next;
    this.#seq = saved.seq;
    this.#durable = saved.seq;
    this.#durableNext = saved.next;
    this.#head = saved.head;
    this.#forkedAt = saved.forkedAt;
    this.#progress = saved.progress;
  }

  /**
   * Stores a message for sending; resolves when it is durable here, with or without a network.
   * Messages go out in the order of the calls.
   * @param message at most the store's `maxMessageLength` bytes; text is sent as UTF-8. Empty is
   * allowed.
   * @param options end the call as long as the message waits for earlier ones to be stored; after
   * that the disk alone decides.
   * @throws TypeError, RangeError for wrong arguments; ChannelForkedError; ChannelStoreError when
   * it could not be stored; RequestTimeoutError. Then the message is not sent.
   */
  async send(message: PlainBytes | string, options?: CallOptions): Promise<Delivery> {
    checkCallOptions(options);
    const bytes = textOrBytes("message", message);
    const { maxMessageLength, boxLength } = this.#context;
    if (bytes.length > maxMessageLength) {
      throw new RangeError(
        `\`message\` must be at most ${maxMessageLength} bytes, got ${bytes.length}; cut it, or ` +
          "open the channels with a greater `maxMessageLength`",
      );
    }
    return this.#add(this.#wayOf(bytes, boxLength), options);
  }

  #wayOf(message: Uint8Array, boxLength: number): Way {
    if (this.#format === "native") {
      return { kind: "write", boxes: cutMessage(message, boxLength, "native") };
    }
    const { boxes, isSideStream } = cutKatzenqtMessage(message, boxLength);
    if (!isSideStream) return { kind: "write", boxes };
    return { kind: "side", boxes, sideWriteCap: generateKeypair().writeCap };
  }

  /**
   * Deletes a message at the replicas: its boxes become tombstones, also for readers who have not
   * read it. The deletion goes through the outbox like a message. A message of several boxes must
   * have been sent from this store. If it has a side stream, its boxes are deleted too.
   * @param id of a `Delivery` or a `Message`: a message is deleted whole, so the ID of one of its
   * later boxes is refused.
   * @throws RangeError when `id` is not the ID of a message of this channel; and as {@link send}.
   */
  async delete(id: bigint, options?: CallOptions): Promise<Delivery> {
    checkCallOptions(options);
    const first = firstIndexOf(this.#writeCap);
    const wanted = "`id` must be the id of a message of this channel, got " + String(id);
    if (typeof id !== "bigint" || id < messageBoxCounter(first)) throw new RangeError(wanted);
    if (id >= messageBoxCounter(this.#durableNext)) {
      throw new RangeError(`${wanted}, which was not sent`);
    }
    const message = await this.#longMessageAt(id);
    if (message && message.id !== id) {
      throw new RangeError(`${wanted}: a later box of message ${message.id}`);
    }
    let index = first;
    for (let at = messageBoxCounter(first), steps = 1; at < id; at++, steps++) {
      index = nextMessageBoxIndex(index);
      if (steps % STEPS_A_TURN === 0) await this.#context.scheduler.sleep(0, options?.signal);
    }
    const { count = 1, side = null } = message ?? {};
    return this.#add({ kind: "tombstone", count, side }, options, index);
  }

  /** The message of several boxes that has the box `id`; null if no message of this store has it. */
  async #longMessageAt(id: bigint): Promise<LongMessage | null> {
    const { store } = this.#context;
    let last: string | null = null;
    for await (const key of store.keys(this.#boxCountPrefix())) {
      if (numberOfKey(key) > id) break;
      last = key;
    }
    if (last === null) return null;
    const record = await store.get(last);
    const side = sideBoxesOf(record);
    const message = { id: numberOfKey(last), count: side ? 1 : Number(record), side };
    return id < message.id + BigInt(message.count) ? message : null;
  }

  async #add(
    way: Way,
    { signal, timeoutMs = Infinity }: CallOptions = {},
    at?: MessageBoxIndex,
  ): Promise<Delivery> {
    const { scheduler } = this.#context;
    const since = scheduler.now();
    let delivery: Tracked | null = null;
    await this.#context.store.commit((draft) => {
      signal?.throwIfAborted();
      if (scheduler.now() - since >= timeoutMs) {
        const text = `the message was not stored within ${timeoutMs} ms, and will not be sent`;
        throw new RequestTimeoutError(text);
      }
      delivery = this.compose(draft, way, at);
    });
    this.committed(delivery!);
    this.#context.onSent();
    return delivery!;
  }

  /**
   * Puts a message into the outbox as part of a transaction.
   * @internal
   */
  compose(draft: Draft, way: Way, at?: MessageBoxIndex): Tracked {
    this.checkUsable();
    const index = at ?? this.#next;
    const id = messageBoxCounter(index);
    const seq = this.#seq++;
    const count = placesOf(way);
    if (way.kind !== "tombstone") noteBehind(way.boxes, this.#behind(id, seq));
    if (!at) {
      for (let i = 0; i < count; i++) this.#advance();
      draft.meanwhile(() => this.#lookAhead());
    }
    draft.put(this.#outKey(seq), encodeOutgoing(index, way));
    if (!at && count > 1) draft.put(this.#boxCountKey(id), count);
    // With its keys, because a deletion of the message deletes the side stream too.
    if (way.kind === "side") {
      draft.put(this.#boxCountKey(id), { side: way.sideWriteCap, sideBoxes: way.boxes.length });
    }
    this.#putCursor(draft);
    const delivery = new Tracked(id, seq, boxesOf(way), this.#next);
    this.#deliveries.set(seq, delivery);
    return delivery;
  }

  #advance(): void {
    this.#next = this.#ahead.shift() ?? nextMessageBoxIndex(this.#next);
  }

  #lookAhead(): void {
    if (this.#ahead.length > 0) return;
    let index = this.#next;
    try {
      while (this.#ahead.length < INDICES_AHEAD) {
        index = nextMessageBoxIndex(index);
        this.#ahead.push(index);
      }
    } catch {
      // The stream ends here, which the next send reports.
    }
  }

  /**
   * Puts bytes into the outbox as part of a transaction; call `committedMessage` after it.
   * @internal
   */
  composeMessage(draft: Draft, message: Uint8Array): Delivery {
    return this.compose(draft, this.#wayOf(message, this.#context.boxLength));
  }

  /** The box that the next message in a transaction takes first. @internal */
  get nextIndex(): MessageBoxIndex {
    return this.#next;
  }

  /** Allows a message of {@link composeMessage} to go out. @internal */
  committedMessage(delivery: Delivery): void {
    this.committed(delivery as Tracked);
  }

  /** The right to read the channel from its beginning: 136 bytes. Secret. */
  readCap(): ReadCap {
    return readCapOf(this.#writeCap);
  }

  /** How many boxes before a new message are not known to be stored. */
  #behind(id: bigint, seq: number): number {
    if (seq === this.#head) return 0;
    const oldest = this.#loaded[0];
    return oldest ? Number(id - oldest.id) : Infinity;
  }

  /** Allows a message whose transaction is durable to go out. @internal */
  committed({ seq, next }: Tracked): void {
    if (seq < this.#durable) return;
    this.#durable = seq + 1;
    this.#durableNext = next ?? this.#durableNext;
  }

  #putCursor(draft: Draft): void {
    draft.put(`cursor!${this.#key}`, { next: this.#next, seq: this.#seq });
  }

  /** @throws ChannelForkedError, ChannelStoreError when nothing can be sent. @internal */
  checkUsable(): void {
    if (this.#forkedAt !== null) throw new ChannelForkedError(this.name, this.#forkedAt);
    if (this.#closed) throw new ChannelStoreError(`channel ${JSON.stringify(this.name)} is closed`);
  }

  /**
   * What another party needs to read this channel; secret.
   * @param options `history`: whether it can read the messages sent so far; `true` by default.
   * Boxes live for one to two weeks, so older messages are gone in any case.
   */
  async invitation(
    options: {
      /** Whether the messages sent so far can be read with it; `true` by default. */
      readonly history?: boolean | undefined;
    } = {},
  ): Promise<Invitation> {
    checkOptions("options", options, ["history"]);
    checkFlag("options.history", options.history, true);
    const whole = readCapOf(this.#writeCap);
    // Not the box after a message that is being stored: if that fails, the next one gets its box.
    const next = this.#durableNext;
    const readCap = options.history === false ? withIndex(whole, next) : whole;
    return { readCap, nextMessageBoxIndex: MessageBoxIndex.from(next) };
  }

  /** The messages that are not yet stored at the replicas, oldest first. */
  async outbox(): Promise<readonly Delivery[]> {
    const waiting: Delivery[] = [];
    const { store } = this.#context;
    for await (const [key, record] of store.records(this.#outPrefix())) {
      const seq = Number(numberOfKey(key));
      if (seq < this.#head) continue;
      const { id, count } = decodeOutgoing(seq, record);
      waiting.push(this.#track(seq, id, count));
    }
    return waiting;
  }

  /** The format of its messages. */
  get format(): ChannelFormat {
    return this.#format;
  }

  /** How many messages are not yet stored at the replicas. */
  get queued(): number {
    return this.#seq - this.#head;
  }

  /** Whether somebody else wrote a box of this channel; then nothing more is sent. */
  get isForked(): boolean {
    return this.#forkedAt !== null;
  }

  /**
   * The right to write the channel's stream: 168 bytes. Secret: anyone who has it can write and
   * read.
   */
  writeCap(): WriteCap {
    return WriteCap.from(this.#writeCap);
  }

  /**
   * A stream to write messages to, one per chunk. It accepts chunks while fewer than `maxQueued`
   * messages (64 by default) wait in the outbox. Closing it waits until all are stored at the
   * replicas; aborting it leaves in the outbox what is there.
   * @throws RangeError for a `maxQueued` that is not a positive integer.
   */
  writable(
    options: {
      /** The number of messages in the outbox at which the stream starts to wait. */
      readonly maxQueued?: number | undefined;
    } = {},
  ): WritableStream<PlainBytes | string> {
    checkOptions("options", options, ["maxQueued"]);
    const { maxQueued = 64 } = options;
    if (!Number.isSafeInteger(maxQueued) || maxQueued < 1) {
      throw new RangeError(
        `\`options.maxQueued\` must be a positive integer, got ${String(maxQueued)}`,
      );
    }
    const pending: Delivery[] = [];
    return new WritableStream<PlainBytes | string>({
      write: async (chunk, { signal }) => {
        while (this.queued >= maxQueued) {
          this.checkUsable();
          await this.#shorter.wait(signal);
        }
        while (pending.length > 0 && pending[0]!.state === "stored") pending.shift();
        pending.push(await this.send(chunk, { signal }));
      },
      close: async () => {
        await Promise.all(pending.map(({ stored }) => stored));
      },
    });
  }

  #track(seq: number, id: bigint, boxes: number): Tracked {
    let delivery = this.#deliveries.get(seq);
    if (delivery) return delivery;
    this.#deliveries.set(seq, (delivery = new Tracked(id, seq, boxes)));
    // Some of its boxes may have left since the channels were opened.
    const message = this.#loaded.find((loaded) => loaded.seq === seq);
    if (message && message.started > 0) {
      delivery.state = "sent";
      delivery.boxesStored = message.firstUndone + message.done.size;
    }
    return delivery;
  }

  #outPrefix(): string {
    return `out!${this.#key}!`;
  }

  #outKey(seq: number): string {
    return this.#outPrefix() + keyNumber(seq);
  }

  #boxCountPrefix(): string {
    return `boxes!${this.#key}!`;
  }

  #boxCountKey(id: bigint): string {
    return this.#boxCountPrefix() + keyNumber(id);
  }

  // For the scheduler

  /** Whether anything waits to be written, or is being written. @internal */
  get isBusy(): boolean {
    return !this.#closed && this.#forkedAt === null && this.#durable > this.#head;
  }

  /** When the next box may be tried after a failure. @internal */
  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  /** Ends a pause after a failure. @internal */
  retry(): void {
    this.#failures = 0;
    this.#pausedUntil = 0;
  }

  /** The next box to write; null if none may start. @internal */
  takeTask(now: number): Task | null {
    if (!this.isBusy || now < this.#pausedUntil) return null;
    // Readers rely on this limit: no box is started this far after one that is not stored.
    let room = this.#format === "native" ? NATIVE_WINDOW : 1;
    for (const [place, message] of this.#loaded.entries()) {
      if (message.way.kind !== "write" && place > 0) return null;
      if (message.isDoubtful) return this.#inFlight === 0 ? this.#checkTask(message) : null;
      if (sideCapIn(message.way)) return this.#takeSideTask(message);
      if (message.way.kind === "batch") {
        if (this.#inFlight === 0) this.#context.onBatchReady(message.way.batch);
        return null;
      }
      const again = message.again.shift();
      if (again !== undefined) return this.#task(message, again);
      // Only the oldest message can have stored boxes that free room.
      room -= place === 0 ? message.started - message.firstUndone : message.started;
      if (room <= 0) return null;
      if (message.started < message.count) return this.#task(message, message.started++);
      // A tombstone may affect messages before or after it.
      if (message.way.kind === "tombstone") return null;
    }
    if (!this.#isLoading && this.#loaded.length < MAX_LOADED) void this.#load();
    return null;
  }

  /** The next box of a side stream; when all are stored, the one that refers to it. */
  #takeSideTask(message: Outgoing): Task | null {
    const again = message.again.shift();
    if (again !== undefined) return this.#task(message, again);
    if (message.started - message.firstUndone >= NATIVE_WINDOW) return null;
    const last = message.count - 1;
    if (message.started > last || (message.started === last && message.firstUndone < last)) {
      return null;
    }
    return this.#task(message, message.started++);
  }

  /** Loads the next messages of the outbox into memory. */
  async #load(): Promise<void> {
    const from = this.#loaded.at(-1)?.seq ?? this.#head - 1;
    if (from + 1 >= this.#durable) return;
    this.#isLoading = true;
    try {
      const { store } = this.#context;
      let bytes = 0;
      const prefix = this.#outPrefix();
      for await (const [key, record] of store.records(
        prefix,
        from < 0 ? prefix : this.#outKey(from),
      )) {
        const message = decodeOutgoing(Number(numberOfKey(key)), record);
        this.#resume(message);
        this.#loaded.push(message);
        if (message.way.kind !== "tombstone") {
          for (const { length } of message.way.boxes) bytes += length;
        }
        if (this.#loaded.length >= MAX_LOADED || bytes > 1024 * 1024) break;
      }
    } catch (error) {
      this.#pause(error, null);
    } finally {
      this.#isLoading = false;
      this.#context.scheduler.kick();
    }
  }

  /** Continues a message of which boxes were stored before the channels were opened. */
  #resume(message: Outgoing): void {
    if (this.#progress?.seq !== message.seq) return;
    const { boxes } = this.#progress;
    message.firstUndone = boxes;
    message.started = boxes;
    message.isDoubtful = true;
    this.#deliveries.get(message.seq)?.resume(boxes);
  }

  /** Stores the progress of the oldest message now and then; of the others, few boxes are stored. */
  #noteProgress({ seq, firstUndone, count }: Outgoing): void {
    // A deleted channel must not get new records.
    if (this.#closed || seq !== this.#loaded[0]?.seq || firstUndone === count) return;
    const noted = this.#progress?.seq === seq ? this.#progress.boxes : 0;
    if (firstUndone >= noted && firstUndone < noted + NOTED_EVERY) return;
    const progress = { seq, boxes: firstUndone };
    this.#progress = progress;
    this.#context.store.commitLazily((draft) => draft.put(progressKey(this.#key), progress));
  }

  /** The daemon may belong to another network, which does not have what was stored. @internal */
  doubt(): void {
    const head = this.#loaded[0];
    if (head && head.firstUndone > 0) head.isDoubtful = true;
  }

  /** Looks whether the first box of a message is there; if not, all of it is written again. */
  #checkTask(message: Outgoing): Task {
    this.#inFlight++;
    return {
      run: async (signal) => {
        const { client, scheduler } = this.#context;
        const startedAt = scheduler.now();
        // If another daemon comes meanwhile, it is in doubt again.
        message.isDoubtful = false;
        const readCap = readCapOf(sideCapIn(message.way) ?? this.#writeCap);
        try {
          const { kind } = await readBox(client, readCap, message.indices[0]!, signal);
          scheduler.measured(scheduler.now() - startedAt);
          if (kind === "missing") this.#beginAgain(message);
        } catch (error) {
          message.isDoubtful = true;
          if (!signal.aborted && !this.#closed) this.#pause(error, message, startedAt);
        } finally {
          this.#inFlight--;
        }
      },
    };
  }

  #beginAgain(message: Outgoing): void {
    message.started = 0;
    message.again.length = 0;
    message.done.clear();
    message.firstUndone = 0;
    this.#noteProgress(message);
    this.#deliveries.get(message.seq)?.resume(0);
  }

  #task(message: Outgoing, piece: number): Task {
    this.#inFlight++;
    const delivery = this.#deliveries.get(message.seq);
    if (delivery?.state === "queued") delivery.state = "sent";
    while (message.indices.length <= piece) {
      message.indices.push(nextMessageBoxIndex(message.indices.at(-1)!));
    }
    return {
      run: async (signal) => {
        const { client, scheduler, diagnostics } = this.#context;
        const startedAt = scheduler.now();
        const { writeCap, index, plaintext } = this.#boxOf(message, piece);
        try {
          const options = { signal, timeoutMs: BOX_PATIENCE_MS };
          if (plaintext === null) await client.tombstone(writeCap, index, options);
          else await client.write(writeCap, index, plaintext, { ...options, ifExists: "error" });
          this.#inFlight--;
          message.done.add(piece);
          this.#deliveries.get(message.seq)?.boxStored();
          while (message.done.delete(message.firstUndone)) message.firstUndone++;
          this.#noteProgress(message);
          this.#failures = 0;
          const durationMs = scheduler.now() - startedAt;
          scheduler.measured(durationMs);
          diagnostics({ type: "boxWritten", channel: this.name, id: message.id, durationMs });
          this.#settleHead();
        } catch (error) {
          this.#inFlight--;
          message.again.push(piece);
          if (signal.aborted || this.#closed) return;
          if (hasCode(error, "REPLICA_ERROR_BOX_ALREADY_EXISTS"))
            await this.fork(message.id, error);
          else this.#pause(error, message, startedAt);
        }
      },
    };
  }

  /** The index and the content of a message's box; the content is null for a tombstone. */
  #boxOf(
    { way, index, indices }: Outgoing,
    piece: number,
  ): { writeCap: WriteCap; index: MessageBoxIndex; plaintext: Uint8Array | null } {
    const at = indices[piece]!;
    if (way.kind === "tombstone") {
      const { side } = way;
      if (!side) return { writeCap: this.#writeCap, index: at, plaintext: null };
      if (piece < side.count) return { writeCap: side.writeCap, index: at, plaintext: null };
      return { writeCap: this.#writeCap, index, plaintext: null };
    }
    const plaintext = way.boxes[piece];
    if (way.kind !== "side") return { writeCap: this.#writeCap, index: at, plaintext: plaintext! };
    if (plaintext) return { writeCap: way.sideWriteCap, index: at, plaintext };
    return {
      writeCap: this.#writeCap,
      index,
      plaintext: sideStreamBox(readCapOf(way.sideWriteCap)),
    };
  }

  /** Removes finished messages from the outbox, oldest first, so that it never has a gap. */
  #settleHead(): void {
    while (this.#loaded[0] && this.#loaded[0].firstUndone === this.#loaded[0].count) {
      const { seq } = this.#loaded.shift()!;
      this.#head = seq + 1;
      const isNoted = this.#progress?.seq === seq;
      if (isNoted) this.#progress = null;
      this.#context.store.commitLazily((draft) => {
        draft.delete(this.#outKey(seq));
        if (isNoted) draft.delete(progressKey(this.#key));
      });
      this.#deliveries.get(seq)?.succeed();
      this.#deliveries.delete(seq);
    }
    this.#shorter.wake();
  }

  /** @param startedAt when the attempt began. */
  #pause(error: unknown, message: Outgoing | null, startedAt = Infinity): void {
    const { scheduler, diagnostics } = this.#context;
    const now = scheduler.now();
    // Boxes that were on their way together fail together, which makes one pause.
    if (startedAt >= this.#failedAt) {
      const roundTrips = Math.min(
        RETRY_ROUND_TRIPS.longest,
        RETRY_ROUND_TRIPS.first * 2 ** this.#failures,
      );
      this.#failures++;
      this.#failedAt = now;
      this.#pausedUntil = now + roundTrips * scheduler.basePauseMs;
    }
    if (!message) return;
    const pauseMs = Math.max(0, this.#pausedUntil - now);
    const delivery = this.#deliveries.get(message.seq);
    if (delivery) delivery.lastError = error;
    const { id } = message;
    diagnostics({ type: "writeFailed", channel: this.name, id, error, pauseMs });
  }

  /** Stops the channel for good. @internal */
  async fork(id: bigint, cause: unknown): Promise<void> {
    if (this.#forkedAt !== null) return;
    this.#forkedAt = id;
    this.#context.diagnostics({ type: "forked", channel: this.name, id });
    const error = new ChannelForkedError(this.name, id, { cause });
    for (const delivery of this.#deliveries.values()) delivery.fail(error, "failed");
    this.#shorter.wake();
    // The mark may be lost in a crash; then the same write finds the fork again.
    await this.#context.store.commit((draft) => draft.put(`fork!${this.#key}`, id)).catch(() => {});
  }

  /**
   * The part of a batch at the head of the outbox; null while another message is before it.
   * @internal
   */
  batchPart(batch: number): BatchPart | null {
    const head = this.#loaded[0];
    if (head?.way.kind !== "batch" || head.way.batch !== batch) return null;
    if (this.#inFlight > 0 || this.#forkedAt !== null || this.#closed) return null;
    const { boxes } = head.way;
    return { writeCap: this.#writeCap, startIndex: head.index, boxes };
  }

  /** The id of the message at the head of the outbox. @internal */
  batchId(): bigint {
    return this.#loaded[0]!.id;
  }

  /** Marks the batch at the head as on its way. @internal */
  batchStarted(): void {
    const head = this.#loaded[0]!;
    head.started = head.count;
    const delivery = this.#deliveries.get(head.seq);
    if (delivery) delivery.state = "sent";
  }

  /** Removes the batch at the head from the outbox. @internal */
  batchDone(): void {
    const head = this.#loaded[0]!;
    head.firstUndone = head.count;
    this.#settleHead();
  }

  /** Records why the batch at the head failed. @internal */
  batchFailed(error: unknown): void {
    this.#pause(error, this.#loaded[0]!);
  }

  /** Loads everything again after a failed commit. @internal */
  async reload(): Promise<void> {
    const saved = await loadWriter(this.#context.store, this.#key);
    this.#next = saved.next;
    this.#ahead = [];
    this.#seq = saved.seq;
    this.#durable = saved.seq;
    this.#durableNext = saved.next;
    for (const seq of this.#deliveries.keys()) {
      if (seq >= this.#seq) this.#deliveries.delete(seq);
    }
    this.#loaded = this.#loaded.filter(({ seq }) => seq < this.#seq);
    this.#shorter.wake();
  }

  /** Ends the writer; messages in the outbox stay there. @internal */
  close(): void {
    this.#closed = true;
    const error = new ChannelStoreError(
      "the channels were closed before the message was stored at the replicas; it stays in the " +
        "outbox and goes out when the channels are opened again",
    );
    for (const delivery of this.#deliveries.values()) delivery.fail(error);
    this.#shorter.wake();
  }
}

/** The stored state of a writer. */
export interface SavedWriter {
  readonly key: string;
  readonly name: string;
  readonly writeCap: WriteCap;
  readonly format: ChannelFormat;
  readonly next: MessageBoxIndex;
  readonly seq: number;
  readonly head: number;
  readonly forkedAt: bigint | null;
  readonly progress: Progress | null;
}

/** Records of a new writer. */
export function composeWriter(
  draft: Draft,
  key: string,
  name: string,
  writeCap: WriteCap,
  format: ChannelFormat,
): void {
  draft.put(`chan!${key}`, { kind: "writer", name, cap: writeCap, format });
  draft.put(`cursor!${key}`, { next: firstIndexOf(writeCap), seq: 0 });
}

/**
 * Loads a writer from the store.
 * @throws ChannelStoreError when a record is missing: the outbox must not have a gap, because a box
 * that is never written blocks every reader.
 */
export async function loadWriter(store: ChannelStore, key: string): Promise<SavedWriter> {
  const record = (await store.get(`chan!${key}`)) ?? null;
  const cursor = (await store.get(`cursor!${key}`)) ?? null;
  const forked = (await store.get(`fork!${key}`)) ?? null;
  const progress = await store.get(progressKey(key));
  const seq = field(cursor, "seq", isNumber);
  const name = field(record, "name", isText);
  let head = seq;
  let last: number | null = null;
  for await (const found of store.keys(`out!${key}!`)) {
    const at = Number(numberOfKey(found));
    if (last === null) head = at;
    last = at;
  }
  // The store has looked for gaps between them.
  if (last !== null && last !== seq - 1) throw holeIn(name, last + 1, seq);
  return {
    key,
    name,
    writeCap: WriteCap.from(field(record, "cap", isBytes)),
    format: field(record, "format", isFormat),
    next: MessageBoxIndex.from(field(cursor, "next", isBytes)),
    seq,
    head,
    forkedAt: forked === null ? null : BigInt(forked as number | bigint),
    progress:
      progress === undefined
        ? null
        : { seq: field(progress, "seq", isNumber), boxes: field(progress, "boxes", isNumber) },
  };
}

/** The key of the record that says how much of the oldest message is stored. */
function progressKey(key: string): string {
  return `progress!${key}`;
}

function holeIn(name: string, from: number, to: number): Error {
  return new ChannelStoreError(
    `the outbox of channel ${JSON.stringify(name)} has a gap: messages ${from} to ${to - 1} are ` +
      "missing. The store is damaged: restore it from a backup, or begin a new one",
  );
}

const isFormat = (value: CborValue): value is ChannelFormat =>
  value === "native" || value === "katzenqt";
