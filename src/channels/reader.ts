/**
 * The receiving end of a channel: a cursor and an inbox in the store.
 *
 * Received boxes and the new place of the cursor are stored in one transaction, and only then is a
 * message passed to the application. Boxes live for one to two weeks. A box that is gone for good
 * would block the reader forever, so a reader that misses a box also looks ahead (see {@link
 * Reader.messages}).
 */
import { type Bytes, copyBytes } from "../bytes/bytes.js";
import { MessageBoxIndex, ReadCap } from "../bytes/opaque.js";
import { checkOptions } from "../bytes/options.js";
import type { CborValue } from "../cbor/cbor.js";
import { withIndex } from "../bacap/capabilities.js";
import { messageBoxCounter } from "../bacap/message-box-index.js";
import { InvalidStateError } from "../errors/errors.js";
import {
  type BoxResult,
  type ChannelClient,
  type DiagnosticsHook,
  readBox,
} from "./channel-client.js";
import { Horizon, LookAhead } from "./look-ahead.js";
import {
  MessageAssembly,
  type MessageKind,
  type SavedAssembly,
  inboxPrefix,
  newAssembly,
  savedAssembly,
} from "./message-assembly.js";
import { Pauses } from "./pauses.js";
import { type Question, ReadWindow } from "./read-window.js";
import type { Scheduler, Task } from "./scheduler.js";
import {
  type ChannelStore,
  type Draft,
  field,
  keyNumber,
  numberOfKey,
  isBytes,
  isText,
} from "./store.js";
import { Waiters } from "./waiters.js";

/** How many messages are read before the application asks for them. */
const READ_AHEAD = 32;
/**
 * A reader looks ahead after so many of the shortest pauses without a box, and then again after each
 * `every`: after a quarter of an hour and then every 50 minutes on a network with round trips of
 * seconds.
 */
const LOOK_AHEAD = { first: 400, every: 1500 };
/**
 * After so many misses, and so many of the shortest pauses, a side stream is given up. It was stored
 * completely before the channel referred to it, so a box that is missing for so long is gone.
 */
const SIDE_PATIENCE = { misses: 12, pauses: 700 };
/** A reader that was away for this long looks ahead at once: boxes live for at least one week. */
const AWAY_MS = 7 * 24 * 3600 * 1000;
/** How often the time of the last attempt is stored. */
const NOTE_MS = 3600 * 1000;

/** A message that is durable here. */
export interface Message {
  /** Increases within the channel, not always by one; equal to the writer's `Delivery.id`. */
  readonly id: bigint;
  /** The kind of content. */
  readonly kind: MessageKind;
  /** The complete content; empty for kinds without content. */
  readonly bytes: Bytes;
  /**
   * How many boxes before it were lost, because they expired or nobody wrote them. Nearly always 0.
   */
  readonly gap: number;
  /**
   * Whether its beginning may be among the lost boxes. Only after a gap, and only if the writer
   * does not mark continuations (katzenqt).
   */
  readonly mayBeCut: boolean;
  /**
   * Marks this message and all before it as processed, durably: after a crash, reading continues
   * after it.
   */
  ack(): Promise<void>;
}

/** Options of {@link Reader.messages}. */
export interface MessagesOptions {
  /**
   * The first message to yield, even if it was read before; by default the first that is not
   * acknowledged.
   */
  readonly from?: bigint | undefined;
  /**
   * `auto` (default): asking for the next message acknowledges the one before. `manual`: call
   * `ack()`.
   */
  readonly ack?: "auto" | "manual" | undefined;
  /** Aborting ends the loop with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a reader is made with. */
export interface ReaderContext {
  readonly client: ChannelClient;
  readonly store: ChannelStore;
  readonly scheduler: Scheduler;
  readonly diagnostics: DiagnosticsHook;
  readonly maxMessageLength: number;
  /** Called when the reader of a channel has moved on, durably. */
  readonly onMoved: (channel: string) => void;
}

/** The receiving end of a channel. */
export class Reader implements AsyncIterable<Message> {
  /** The channel's name in this store. */
  readonly name: string;
  readonly #key: string;
  readonly #readCap: ReadCap;
  readonly #context: ReaderContext;
  #assembly: MessageAssembly;
  #acked: bigint | null;
  #askedAt: number;

  #listeners = 0;
  readonly #waiters = new Waiters();
  /** How many messages were stored since a listener last found none. */
  #ahead = 0;
  /** The boxes that are asked for; another window when the cursor moves in another way than box by box. */
  #window: ReadWindow;
  #misses = 0;
  /** What looks ahead have learned since a box was last found. */
  #horizon = new Horizon(true);
  /** The look ahead in progress. */
  #look: LookAhead | null = null;
  readonly #pauses: Pauses;
  /** By {@link Pauses.waited}. */
  #nextLook = LOOK_AHEAD.first;
  /** How many boxes are asked for, also from windows of before. */
  #reading = 0;
  /** Whether boxes of the window are being stored. */
  #isTaking = false;
  /** When an attempt last failed. */
  #failedAt = -Infinity;
  /** Whether the last attempt was so long ago that boxes may have expired since. */
  #wasAway = false;
  /** Whether it is new and has not looked ahead enough: the first boxes may have expired. */
  #isNew: boolean;
  #closed = false;

  /** @internal */
  constructor(context: ReaderContext, saved: SavedReader) {
    this.#context = context;
    this.#key = saved.key;
    this.name = saved.name;
    this.#readCap = saved.readCap;
    this.#assembly = this.#assemblyOf(saved);
    this.#acked = saved.acked;
    this.#askedAt = saved.askedAt;
    this.#isNew = saved.askedAt === 0;
    this.#window = this.#windowAtCursor();
    this.#pauses = new Pauses(context.scheduler);
  }

  #assemblyOf({ assembly }: SavedReader): MessageAssembly {
    const { maxMessageLength } = this.#context;
    return new MessageAssembly({ key: this.#key, name: this.name, maxMessageLength }, assembly);
  }

  /** The next box to request. Messages with lower ids are in the store, or were lost. */
  get position(): bigint {
    return messageBoxCounter(this.#assembly.next);
  }

  /** The last acknowledged message; null if there is none. */
  get acknowledged(): bigint | null {
    return this.#acked;
  }

  /**
   * Yields messages in order: first those in the store, then new ones as they come. The network is
   * asked only while somebody listens. A message that was yielded but not acknowledged comes again
   * after a crash, with the same id.
   *
   * Without messages it asks less and less often: each pause is about a quarter of the silence, at
   * least 2 seconds and at most 5 minutes, and longer if the readers of all channels need more
   * packets than they have. A message that is sent to the same contact or group makes the pauses
   * short again.
   *
   * A missing box holds up all boxes after it. After a quarter of an hour, then every 50 minutes,
   * and at once if it is new or was away for a week, the reader looks for later boxes, up to 8,192
   * ahead, while it asks for the missing one. A later box can prove that the missing one had been
   * stored. If the missing box still is not there, it is gone for good: the reader continues at the
   * first box that is there, and the next message's `gap` says how many boxes were lost.
   * @throws RangeError for a `from` that is not an id; TypeError for another invalid option. The
   * loop rejects with InvalidStateError when the channels are closed or this one is deleted, and with
   * errors of the store.
   */
  messages(options: MessagesOptions = {}): AsyncIterableIterator<Message> {
    checkOptions("options", options, ["from", "ack", "signal"]);
    const { from, ack = "auto", signal } = options;
    if (from !== undefined && (typeof from !== "bigint" || from < 0n)) {
      throw new RangeError(`\`options.from\` must be a bigint from 0 up, got ${String(from)}`);
    }
    if (ack !== "auto" && ack !== "manual") {
      throw new TypeError(`\`options.ack\` must be "auto" or "manual", got ${String(ack)}`);
    }
    return this.#messages(from, ack === "auto", signal);
  }

  /** Like {@link messages} without options. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.messages();
  }

  async *#messages(
    from: bigint | undefined,
    isAuto: boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Message, void, undefined> {
    this.#checkOpen();
    let last = from === undefined ? this.#acked : from === 0n ? null : from - 1n;
    this.#listeners++;
    this.#context.scheduler.kick();
    try {
      for (;;) {
        signal?.throwIfAborted();
        // A message that is stored while the store is being read may be missing from the result.
        const { wakes } = this.#waiters;
        const message = await this.#stored(last);
        if (!message) {
          this.#ahead = 0;
          this.#context.scheduler.kick();
          await this.#waiters.wait(signal, wakes);
          continue;
        }
        yield message;
        last = message.id;
        if (isAuto)
          this.#acknowledge(message.id, (compose) => this.#context.store.commitLazily(compose));
      }
    } finally {
      this.#listeners--;
    }
  }

  /** The oldest stored message after `last`. */
  async #stored(last: bigint | null): Promise<Message | null> {
    this.#checkOpen();
    const prefix = inboxPrefix(this.#key);
    const after = last === null ? prefix : prefix + keyNumber(last);
    for await (const [key, record] of this.#context.store.records(prefix, after)) {
      return this.#message(numberOfKey(key), record);
    }
    return null;
  }

  #message(id: bigint, record: CborValue): Message {
    const map = record as Map<string, CborValue>;
    return {
      id,
      kind: field(record, "kind", isText) as MessageKind,
      bytes: copyBytes(field(record, "bytes", isBytes)),
      gap: Number(map.get("gap") ?? 0),
      mayBeCut: map.get("mayBeCut") === true,
      ack: async () => {
        this.#checkOpen();
        await this.#acknowledge(id, (compose) => this.#context.store.commit(compose));
      },
    };
  }

  #acknowledge<T>(id: bigint, commit: (compose: (draft: Draft) => void) => T): T | undefined {
    if (this.#closed || (this.#acked !== null && id <= this.#acked)) return undefined;
    return commit((draft) => {
      if (this.#acked === null || id > this.#acked) this.#acked = id;
      this.#putCursor(draft);
    });
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    const name = JSON.stringify(this.name);
    throw new InvalidStateError(`the channels are closed, or channel ${name} was deleted`);
  }

  /**
   * The messages as a stream, one per chunk; taking a chunk acknowledges the one before. Messages
   * without content (deleted, lost or too long) are left out: {@link messages} yields them too.
   */
  readable(): ReadableStream<Uint8Array> {
    let iterator: AsyncIterator<Message, void> | null = null;
    const abort = new AbortController();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          iterator ??= this.messages({ signal: abort.signal });
          let next: IteratorResult<Message, void>;
          do next = await iterator.next();
          while (!next.done && next.value.kind !== "message" && next.value.kind !== "other");
          if (next.done) controller.close();
          else controller.enqueue(next.value.bytes);
        },
        cancel: async (reason) => {
          abort.abort(reason);
          await iterator?.return?.();
        },
      },
      // No buffering: a message that waits in the stream would be acknowledged before anybody has
      // it.
      { highWaterMark: 0 },
    );
  }

  /**
   * Deletes acknowledged messages from this store; they cannot be replayed.
   * @param before deletes only messages with a lower id; all by default.
   * @returns how many were deleted.
   */
  async deleteRead(before?: bigint): Promise<number> {
    const end = this.#acked === null ? 0n : this.#acked + 1n;
    const limit = before !== undefined && before < end ? before : end;
    const keys: string[] = [];
    for await (const key of this.#context.store.keys(inboxPrefix(this.#key))) {
      if (numberOfKey(key) >= limit) break;
      keys.push(key);
    }
    if (keys.length > 0) {
      await this.#context.store.commit((draft) => {
        for (const key of keys) draft.delete(key);
      });
    }
    return keys.length;
  }

  /** The right to read the channel from its beginning: 136 bytes. Secret. */
  readCap(): ReadCap {
    return ReadCap.from(this.#readCap);
  }

  /** The right to read the boxes that were not read here yet, and nothing before them. @internal */
  capFromHere(): ReadCap {
    return withIndex(this.#readCap, this.#assembly.next);
  }

  // For the scheduler

  /** Whether somebody listens and does not have enough messages yet. @internal */
  get isWanted(): boolean {
    return this.#isHungry && this.#window.isOpen && !this.#look?.isHeld;
  }

  get #isHungry(): boolean {
    return !this.#closed && this.#listeners > 0 && this.#ahead < READ_AHEAD;
  }

  /** When to ask next, by the clock. @internal */
  get dueAt(): number {
    return this.#pauses.dueAt;
  }

  /** How long others that are due may go first. @internal */
  get patienceMs(): number {
    return this.#pauses.lengthMs;
  }

  /** Brings the next attempt forward, because an answer is likely. @internal */
  hurry(): void {
    this.#pauses.shorten();
  }

  /** Ends a pause after an attempt that failed. @internal */
  retry(): void {
    this.#pauses.retry();
  }

  /** Whether the box before the next one was there. @internal */
  get isLikely(): boolean {
    return this.#window.size > 1;
  }

  /** The next attempt. @internal */
  takeQuestion(): Task {
    this.#noteAbsence();
    const window = this.#window;
    const question = window.ask();
    this.#reading++;
    return { run: (signal) => this.#ask(window, question, signal) };
  }

  #noteAbsence(): void {
    const now = this.#context.scheduler.date();
    // A time of 0 means that no answer came yet.
    const isAway = this.#askedAt > 0 && Math.abs(now - this.#askedAt) >= AWAY_MS;
    if (!isAway || this.#wasAway) return;
    this.#wasAway = true;
    this.#horizon = new Horizon(true);
  }

  async #ask(window: ReadWindow, question: Question, signal: AbortSignal): Promise<void> {
    const { scheduler, diagnostics } = this.#context;
    const startedAt = scheduler.now();
    try {
      const result = await this.#answer(question, signal);
      const durationMs = scheduler.now() - startedAt;
      scheduler.measured(durationMs);
      this.#noteQuestion();
      const found = result.kind !== "missing";
      if (found) question.found(result);
      const isNextMissing = !found && question.missing() && window === this.#window;
      if (isNextMissing) this.#missed();
      const pauseMs = found ? 0 : Math.max(0, this.#pauses.dueAt - scheduler.now());
      diagnostics({ type: "polled", channel: this.name, found, durationMs, pauseMs });
      if (found) await this.#takeFound();
      else if (isNextMissing && this.#isSideLost) await this.#giveUpSide();
    } catch (error) {
      if (signal.aborted || this.#closed) return;
      diagnostics({ type: "readFailed", channel: this.name, error });
      // Attempts that were in progress together fail together, which makes one pause.
      if (startedAt < this.#failedAt) return;
      this.#failedAt = scheduler.now();
      this.#pauses.failed();
    } finally {
      this.#reading--;
    }
  }

  async #answer(question: Question, signal: AbortSignal): Promise<BoxResult> {
    const readCap = this.#assembly.side?.readCap ?? this.#readCap;
    try {
      return await this.#readBox(question.index, signal, readCap);
    } catch (error) {
      question.failed();
      throw error;
    }
  }

  get #isSideLost(): boolean {
    const { misses, pauses } = SIDE_PATIENCE;
    return this.#assembly.side !== null && this.#misses >= misses && this.#pauses.waited >= pauses;
  }

  #missed(): void {
    this.#misses++;
    this.#pauses.missed();
    const isTime = this.#pauses.waited >= this.#nextLook;
    if (isTime) this.#nextLook += LOOK_AHEAD.every;
    if ((isTime || this.#isLossLikely) && !this.#assembly.side && !this.#look && !this.#closed) {
      this.#beginLook();
    }
  }

  /** Whether boxes are likely to have expired, and looks ahead have not covered enough. */
  get #isLossLikely(): boolean {
    return this.#wasAway || this.#isNew;
  }

  #beginLook(): void {
    const { scheduler, diagnostics } = this.#context;
    const horizon = this.#horizon;
    const look = new LookAhead({
      scheduler,
      missing: this.#assembly.next,
      horizon,
      isLikely: this.#isLossLikely,
      read: (index, signal) => this.#readBox(index, signal),
      mayRead: (isHeld) => this.#isHungry && !(isHeld && this.#reading > 0),
      patienceMs: () => this.patienceMs,
      onStored: () => this.#pauses.end(),
      onGone: (lost, next) => this.#skip(look, lost, next),
      onEnd: (error) => {
        if (error) diagnostics({ type: "readFailed", channel: this.name, error });
        // More looks would find boxes seldom.
        if (horizon.isNearDone) this.#isNew = false;
        if (horizon.isDone) this.#wasAway = false;
        this.#endLook();
        // After an error, the next attempt tells whether the network is back.
        if (!error && this.#isLossLikely && !this.#closed) this.#beginLook();
      },
    });
    this.#look = look;
  }

  #endLook(): void {
    this.#look?.end();
    this.#look = null;
  }

  /** Moves the cursor over boxes that are gone for good. */
  async #skip(look: LookAhead, lost: number, next: MessageBoxIndex): Promise<void> {
    const { store, diagnostics } = this.#context;
    let isMoved = false;
    await store.commit((draft) => {
      isMoved = !this.#closed && this.#look === look;
      if (!isMoved) return;
      this.#assembly.skip(draft, lost, next);
      this.#window = this.#windowAtCursor();
      this.#putCursor(draft);
    });
    if (!isMoved) return;
    diagnostics({ type: "gap", channel: this.name, boxes: lost });
    this.#found();
  }

  /** Stores the time of an attempt now and then, so that a long absence is noticed. */
  #noteQuestion(): void {
    // A deleted channel must not get new records.
    if (this.#closed) return;
    // The machine may have slept since the question: a client makes its calls again.
    this.#noteAbsence();
    const now = this.#context.scheduler.date();
    if (Math.abs(now - this.#askedAt) < NOTE_MS) return;
    this.#askedAt = now;
    this.#context.store.commitLazily((draft) => this.#putCursor(draft));
  }

  #readBox(
    index: MessageBoxIndex,
    signal: AbortSignal,
    readCap = this.#readCap,
  ): Promise<BoxResult> {
    return readBox(this.#context.client, readCap, index, signal);
  }

  #found(): void {
    this.#endLook();
    this.#misses = 0;
    this.#wasAway = false;
    this.#isNew = false;
    this.#horizon = new Horizon(false);
    this.#pauses.found();
    this.#nextLook = LOOK_AHEAD.first;
    this.#context.onMoved(this.name);
  }

  /** Stores the boxes that have come and are next, until there are none. */
  async #takeFound(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      while (this.#window.found.length > 0 && !this.#closed) {
        await this.#take((draft) => this.#takeBoxes(draft));
      }
    } catch (error) {
      // The boxes that came meanwhile are asked for again: nobody would store them.
      this.#window = this.#windowAtCursor();
      throw error;
    } finally {
      this.#isTaking = false;
    }
  }

  #windowAtCursor(size?: number): ReadWindow {
    const { side, next } = this.#assembly;
    return new ReadWindow(side?.next ?? next, size);
  }

  /** The boxes of the side stream are gone. */
  #giveUpSide(): Promise<void> {
    return this.#take((draft) => {
      if (!this.#assembly.side) return 0;
      const messages = this.#assembly.take(draft, { kind: "missing" });
      this.#window = this.#windowAtCursor();
      return messages;
    });
  }

  /**
   * Stores boxes together with the cursor after them.
   * @param compose moves the cursor; returns the number of messages that it completes.
   */
  async #take(compose: (draft: Draft) => number): Promise<void> {
    let messages = 0;
    await this.#context.store.commit((draft) => {
      // A deleted channel must not get new records.
      if (this.#closed) return;
      messages = compose(draft);
      this.#putCursor(draft);
    });
    this.#found();
    this.#ahead += messages;
    if (messages > 0) this.#waiters.wake();
  }

  /** Adds the boxes that have come and are next; returns the number of messages that they complete. */
  #takeBoxes(draft: Draft): number {
    const window = this.#window;
    const { side } = this.#assembly;
    // Not when the disk has stored them: the box after them may be missed before.
    if (window.found.length > 0) this.#misses = 0;
    let messages = 0;
    let taken = 0;
    for (const result of window.found) {
      messages += this.#assembly.take(draft, result);
      taken++;
      // The side stream began or ended: the other boxes are of the wrong stream.
      if ((this.#assembly.side === null) !== (side === null)) {
        this.#window = this.#windowAtCursor(window.size);
        return messages;
      }
    }
    window.advance(taken);
    return messages;
  }

  #putCursor(draft: Draft): void {
    draft.put(`cursor!${this.#key}`, {
      ...this.#assembly.record,
      acked: this.#acked,
      askedAt: Math.floor(this.#askedAt),
    });
  }

  /** Loads the boxes of the incomplete message. @internal */
  loadParts(): Promise<void> {
    return this.#assembly.loadParts(this.#context.store);
  }

  /** Loads everything again after a failed commit. @internal */
  async reload(): Promise<void> {
    const saved = await loadReader(this.#context.store, this.#key);
    // In the same turn as the change of the cursor: when the look ends, attempts may begin.
    this.#endLook();
    this.#horizon = new Horizon(false);
    this.#assembly = this.#assemblyOf(saved);
    this.#acked = saved.acked;
    this.#askedAt = saved.askedAt;
    this.#window = this.#windowAtCursor();
    await this.loadParts();
  }

  /** Ends every loop over the messages. @internal */
  close(): void {
    this.#closed = true;
    this.#endLook();
    this.#waiters.wake();
  }
}

/** The stored state of a reader. */
export interface SavedReader {
  readonly key: string;
  readonly name: string;
  readonly readCap: ReadCap;
  readonly assembly: SavedAssembly;
  readonly acked: bigint | null;
  readonly askedAt: number;
}

/** Records of a new reader. */
export function composeReader(
  draft: Draft,
  reader: {
    readonly key: string;
    readonly name: string;
    readonly readCap: ReadCap;
    readonly next: MessageBoxIndex;
  },
): void {
  draft.put(`chan!${reader.key}`, { kind: "reader", name: reader.name, cap: reader.readCap });
  draft.put(`cursor!${reader.key}`, {
    ...newAssembly(reader.next),
    acked: null,
    askedAt: 0,
  });
}

/** Loads a reader from the store. @throws ChannelStoreError when a record is missing. */
export async function loadReader(store: ChannelStore, key: string): Promise<SavedReader> {
  const record = (await store.get(`chan!${key}`)) ?? null;
  const cursor = (await store.get(`cursor!${key}`)) ?? null;
  const map = cursor instanceof Map ? cursor : new Map<string, CborValue>();
  const acked = map.get("acked");
  return {
    key,
    name: field(record, "name", isText),
    readCap: ReadCap.from(field(record, "cap", isBytes)),
    assembly: savedAssembly(cursor),
    acked: typeof acked === "number" || typeof acked === "bigint" ? BigInt(acked) : null,
    askedAt: Number(map.get("askedAt") ?? 0),
  };
}
