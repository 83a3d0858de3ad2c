/**
 * The exchange of a voucher: two state machines, one for each side. Each step is stored before the
 * next one begins, so either side can be killed at any point and continues where it was.
 *
 * The newcomer: `minted` (voucher and keys are stored), `published` (the payload is in box 0 of the
 * voucher's stream; box 1 is being read), `replied` (the sealed reply is stored), `opened`. The
 * member: `received` (the voucher is stored; box 0 is being read), `read` (the payload is stored),
 * `sealed` (the reply is stored), `answered` (it is in box 1). Both boxes are written exclusively:
 * if one of them holds other bytes, somebody else has the voucher, and the exchange ends.
 *
 * A daemon with its own network may forget all boxes when it ends. So each side writes its box
 * again, with the same bytes, when the store is opened and when the client finds another daemon
 * process: the newcomer until it has the reply, the member until something of the newcomer was
 * read. That is one packet like every other, and the replicas of a network that still has the box
 * report success.
 */
import { type Bytes, copyBytes } from "../bytes/bytes.js";
import type { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
import type { CborValue, Encodable } from "../cbor/cbor.js";
import { firstIndexOf, readCapOf } from "../bacap/capabilities.js";
import { nextMessageBoxIndex } from "../bacap/message-box-index.js";
import type { Clock, Timer } from "../clock/clock.js";
import { InvalidStateError, hasCode } from "../errors/errors.js";
import { BOX_PATIENCE_MS, type ChannelClient } from "./channel-client.js";
import { Pauses } from "./pauses.js";
import type { ReadSource, Scheduler, Task, WriteSource } from "./scheduler.js";
import { type ChannelStore, type Draft, field, isText } from "./store.js";
import { Waiters } from "./waiters.js";

/** The side of a voucher: the newcomer made it, the member answers it. */
export type VoucherRole = "newcomer" | "member";

/**
 * The state of an exchange. `failed`: it cannot continue, and `failure` says why; `cancelled`: the
 * voucher is being deleted at the replicas.
 */
export type VoucherState =
  | "minted"
  | "published"
  | "replied"
  | "opened"
  | "received"
  | "read"
  | "sealed"
  | "answered"
  | "failed"
  | "cancelled";

/** Boxes live for at least one week; an unanswered payload is written again before that. */
const REPUBLISH_MS = 6 * 24 * 3600 * 1000;
/** How long an answer is written again: for as long as any network would keep it. */
const ANSWER_MS = 7 * 24 * 3600 * 1000;
/**
 * How often the age of a kept answer is checked at least. One timer for the whole week could be
 * days late: it may stand still while the machine sleeps, and the wall clock may be set.
 */
const ANSWER_CHECK_MS = 3600 * 1000;
/** Pause after a failed step, in round trips: the first, and the longest. */
const RETRY_ROUND_TRIPS = { first: 1, longest: 64 };

/** The stored record of an exchange. */
export interface ExchangeRecord {
  readonly role: VoucherRole;
  readonly name: string;
  readonly state: VoucherState;
  /** This side's name as the other side sees it. */
  readonly ownName: string;
  /** The other side's name; null until it is known. */
  readonly theirName: string | null;
  /** The group that the exchange belongs to; null for a contact. */
  readonly group: string | null;
  /** For a member of a group: whether the newcomer can read earlier messages. */
  readonly isHistoryOpen: boolean;
  readonly format: string;
  readonly voucher: Bytes | null;
  /** Keys of the voucher's stream. */
  readonly streamWriteCap: WriteCap | null;
  readonly payload: Bytes | null;
  /** Newcomer: opens the reply; deleted after that. */
  readonly secretKey: Bytes | null;
  /** The capability for this side's messages; the reply's salt changes the newcomer's. */
  readonly messageWriteCap: WriteCap | null;
  readonly reply: Bytes | null;
  /** Member: reads the newcomer's messages. */
  readonly theirReadCap: ReadCap | null;
  /**
   * Member: the channel on which the newcomer's first message shows that it read the reply. Until
   * then, or for {@link ANSWER_MS}, the reply and the stream's keys are kept; after that this is
   * null.
   */
  readonly theirChannel: string | null;
  /** When this side's box was written: the payload the last time, the reply the first time. */
  readonly publishedAt: number;
  readonly failure: string | null;
}

/** What an exchange does for contacts or groups. */
export interface ExchangeHooks {
  /** The names of the channels that the exchange makes at its end, which are kept free for it. */
  names(record: ExchangeRecord): readonly string[];
  /** Member: the content of the reply, once the newcomer is known. */
  answer(record: ExchangeRecord): Promise<Bytes>;
  /**
   * Ends the exchange: adds to the transaction that stores `opened` or `answered`. `answer` is what
   * the newcomer was told.
   * @returns the fields of the exchange to store after its end; from a member `theirChannel`, if
   * the newcomer is read on a new channel.
   * @throws ProtocolError when the answer cannot be used; then nothing is changed.
   */
  finish(draft: Draft, record: ExchangeRecord, answer: Bytes | null): Partial<ExchangeRecord>;
  /** Called when that transaction is durable. */
  finished(record: ExchangeRecord): Promise<void>;
}

/** What an exchange is made with. */
export interface ExchangeContext {
  readonly client: ChannelClient;
  readonly store: ChannelStore;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly hooks: ExchangeHooks;
  /** Whether something was read on a channel, or it was deleted. */
  hasHeard(channel: string): boolean;
}

/** One exchange. */
export class VoucherExchange implements WriteSource, ReadSource {
  readonly key: string;
  readonly #context: ExchangeContext;
  #record: ExchangeRecord;
  #isRunning = false;
  #pausedUntil = 0;
  #failures = 0;
  readonly #pauses: Pauses;
  #closed = false;
  #isCancelled = false;
  /** Whether a cancelled exchange has nothing to delete, or no more. */
  #isGone = false;
  /** Whether the network may have lost this side's box. */
  #isDoubtful = false;
  /** Checks whether the kept answer is too old. */
  #answerTimer: Timer | null = null;
  readonly #waiters = new Waiters();

  constructor(context: ExchangeContext, key: string, record: ExchangeRecord) {
    this.#context = context;
    this.key = key;
    this.#record = record;
    this.#pauses = new Pauses(context.scheduler);
  }

  get record(): ExchangeRecord {
    return this.#record;
  }

  /** Whether the exchange has ended. */
  get isOver(): boolean {
    const { state } = this.#record;
    return state === "opened" || state === "answered" || state === "failed";
  }

  /** Resolves when the exchange has ended or was cancelled, or the channels are closed. */
  async over(signal?: AbortSignal): Promise<void> {
    while (!this.isOver && !this.#closed && this.#record.state !== "cancelled") {
      await this.#waiters.wait(signal);
    }
  }

  /**
   * Resolves when the network has this side's box, or its deletion, as far as is known, or when the
   * exchange has failed, or the channels are closed.
   */
  async written(signal?: AbortSignal): Promise<void> {
    while (!this.#closed && !this.isWritten && this.#record.state !== "failed") {
      await this.#waiters.wait(signal);
    }
  }

  /**
   * Whether the network has this side's box, or its deletion, as far as is known, or the other side
   * has read it.
   */
  get isWritten(): boolean {
    const isCertain = !this.#isDoubtful && !this.#isRunning;
    switch (this.#record.state) {
      case "published":
        return isCertain;
      case "answered":
        return isCertain || this.#record.reply === null;
      case "cancelled":
        return this.#isGone;
      default:
        return this.#record.state === "replied" || this.#record.state === "opened";
    }
  }

  /**
   * Writes this side's box again, once, if the other side may still need it: another daemon may
   * have another network, without the box.
   */
  writeAgain(): void {
    this.#checkAnswer();
    this.#isDoubtful = true;
    this.#context.scheduler.kick();
  }

  /** Something was read on a channel, or it was deleted. */
  heard(channel: string): void {
    if (this.#record.theirChannel === channel) this.#checkAnswer();
  }

  /** Deletes the kept answer if it is not needed any more; otherwise checks again later. */
  #checkAnswer(): void {
    this.#answerTimer?.cancel();
    this.#answerTimer = null;
    const { state, theirChannel, publishedAt } = this.#record;
    if (this.#closed || state !== "answered" || theirChannel === null) return;
    const { hasHeard, scheduler, clock } = this.#context;
    const leftMs = publishedAt + ANSWER_MS - scheduler.date();
    if (leftMs <= 0 || hasHeard(theirChannel)) {
      this.#forgetAnswer();
      return;
    }
    const waitMs = Math.min(leftMs, ANSWER_CHECK_MS);
    this.#answerTimer = clock.after(waitMs, () => this.#checkAnswer(), { background: true });
  }

  /** Deletes what the answer was kept with. */
  #forgetAnswer(): void {
    this.#record = { ...this.#record, streamWriteCap: null, reply: null, theirChannel: null };
    const { group } = this.#record;
    this.#context.store.commitLazily((draft) => {
      if (this.#isCancelled) return;
      // The newcomer is in the group, so the exchange is not needed.
      if (group !== null) draft.delete(exchangeKey(this.key));
      else draft.put(exchangeKey(this.key), encodeRecord(this.#record));
    });
    // Nobody has to wait for the box any more.
    this.#waiters.wake();
  }

  // Steps that write, or that make the daemon compute

  get isBusy(): boolean {
    return !this.#closed && this.#writeStep() !== null;
  }

  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  retry(): void {
    this.#failures = 0;
    this.#pausedUntil = 0;
  }

  takeTask(now: number): Task | null {
    if (this.#closed || this.#isRunning || now < this.#pausedUntil) return null;
    const step = this.#writeStep();
    return step && this.#task(step);
  }

  // Steps that wait for the other side

  get isWanted(): boolean {
    if (this.#closed || this.#isRunning) return false;
    return this.#record.state === "published" || this.#record.state === "received";
  }

  get dueAt(): number {
    return Math.max(this.#pauses.dueAt, this.#pausedUntil);
  }

  get patienceMs(): number {
    return this.#pauses.lengthMs;
  }

  readonly isLikely = false;

  takeQuestion(): Task {
    const isNewcomer = this.#record.state === "published";
    const step = (signal: AbortSignal): Promise<void> =>
      isNewcomer ? this.#askReply(signal) : this.#askPayload(signal);
    return this.#task(step);
  }

  #writeStep(): ((signal: AbortSignal) => Promise<void>) | null {
    switch (this.#record.state) {
      case "minted":
        return (signal) => this.#publish(signal);
      case "published": {
        const isOld = this.#context.scheduler.date() - this.#record.publishedAt >= REPUBLISH_MS;
        return isOld || this.#isDoubtful ? (signal) => this.#publish(signal) : null;
      }
      case "answered": {
        const { reply } = this.#record;
        return reply && this.#isDoubtful ? (signal) => this.#write(1, reply, signal) : null;
      }
      case "replied":
        return (signal) => this.#open(signal);
      case "read":
        return (signal) => this.#seal(signal);
      case "sealed":
        return (signal) => this.#answer(signal);
      case "cancelled":
        return (signal) => this.#retract(signal);
      default:
        return null;
    }
  }

  #task(step: (signal: AbortSignal) => Promise<void>): Task {
    this.#isRunning = true;
    return {
      run: async (signal) => {
        try {
          await step(signal);
          this.#failures = 0;
        } catch (error) {
          if (signal.aborted || this.#closed) return;
          await this.#failed(error);
        } finally {
          this.#isRunning = false;
          this.#waiters.wake();
        }
      },
    };
  }

  async #failed(error: unknown): Promise<void> {
    const reason = finalReason(error, this.#record.role);
    if (reason !== null && this.#record.state === "answered") {
      // The contact or the member is there: only the box cannot be written again.
      this.#forgetAnswer();
      return;
    }
    if (reason !== null && this.#record.state !== "cancelled") {
      await this.#move({ state: "failed", failure: reason, secretKey: null, voucher: null }).catch(
        () => {},
      );
      return;
    }
    const { scheduler } = this.#context;
    const roundTrips = RETRY_ROUND_TRIPS.first * 2 ** this.#failures;
    this.#failures = Math.min(this.#failures + 1, 6);
    this.#pausedUntil =
      scheduler.now() + Math.min(roundTrips, RETRY_ROUND_TRIPS.longest) * scheduler.basePauseMs;
  }

  /** Stores the next state and what `more` adds to the transaction. */
  async #move(
    change: Partial<ExchangeRecord>,
    more?: (draft: Draft) => Partial<ExchangeRecord>,
  ): Promise<void> {
    let next = { ...this.#record, ...change };
    await this.#context.store.commit((draft) => {
      // A cancellation that came meanwhile wins.
      if (this.#isCancelled) throw new InvalidStateError("the exchange was cancelled");
      next = { ...next, ...more?.(draft) };
      draft.put(exchangeKey(this.key), encodeRecord(next));
    });
    this.#record = next;
  }

  #box(n: 0 | 1): MessageBoxIndex {
    const first = firstIndexOf(this.#record.streamWriteCap!);
    return n === 0 ? first : nextMessageBoxIndex(first);
  }

  /** Writes this side's box. */
  async #write(n: 0 | 1, bytes: Bytes, signal: AbortSignal): Promise<void> {
    const { client } = this.#context;
    // If another daemon comes meanwhile, the box is in doubt again.
    this.#isDoubtful = false;
    try {
      const { streamWriteCap } = this.#record;
      const options = { signal, timeoutMs: BOX_PATIENCE_MS, ifExists: "error" } as const;
      await client.write(streamWriteCap!, this.#box(n), bytes, options);
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }

  #date(): number {
    return Math.floor(this.#context.scheduler.date());
  }

  async #publish(signal: AbortSignal): Promise<void> {
    await this.#write(0, this.#record.payload!, signal);
    await this.#move({ state: "published", publishedAt: this.#date() });
  }

  async #askReply(signal: AbortSignal): Promise<void> {
    const reply = await this.#ask(this.#box(1), signal);
    if (reply) await this.#move({ state: "replied", reply });
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { client } = this.#context;
    const { secretKey, reply, messageWriteCap } = this.#record;
    const opened = await client.voucherOpen(secretKey!, reply!, messageWriteCap!, { signal });
    const change = {
      state: "opened",
      messageWriteCap: opened.mutatedMessageWriteCap,
      voucher: null,
      streamWriteCap: null,
      payload: null,
      secretKey: null,
      reply: null,
    } as const;
    await this.#finish(change, opened.whoReply);
  }

  async #askPayload(signal: AbortSignal): Promise<void> {
    const { client } = this.#context;
    if (!this.#record.streamWriteCap) {
      const derived = await client.voucherDeriveStream(this.#record.voucher!, { signal });
      this.#record = { ...this.#record, streamWriteCap: derived.voucherWriteCap };
    }
    const payload = await this.#ask(this.#box(0), signal);
    if (payload) await this.#move({ state: "read", payload });
  }

  async #seal(signal: AbortSignal): Promise<void> {
    const { client, hooks } = this.#context;
    const { voucher, payload } = this.#record;
    const answer = await hooks.answer(this.#record);
    const inducted = await client.voucherInduct(voucher!, payload!, answer, { signal });
    await this.#move({
      state: "sealed",
      theirName: inducted.displayName,
      theirReadCap: inducted.mutatedMessageReadCap,
      reply: inducted.sealedReply,
    });
  }

  async #answer(signal: AbortSignal): Promise<void> {
    await this.#write(1, this.#record.reply!, signal);
    const change = {
      state: "answered",
      voucher: null,
      payload: null,
      publishedAt: this.#date(),
    } as const;
    await this.#finish(change, null);
  }

  async #finish(change: Partial<ExchangeRecord>, answer: Bytes | null): Promise<void> {
    const { hooks } = this.#context;
    const next = { ...this.#record, ...change };
    // The channels' records hold these capabilities, and no other record does.
    const stored = { ...change, messageWriteCap: null, theirReadCap: null };
    await this.#move(stored, (draft) => {
      const more = hooks.finish(draft, next, answer);
      const isKept = (more.theirChannel ?? null) !== null;
      return isKept ? more : { ...more, streamWriteCap: null, reply: null };
    });
    this.#checkAnswer();
    await hooks.finished(next);
  }

  async #retract(signal: AbortSignal): Promise<void> {
    const { client, store } = this.#context;
    const options = { signal, timeoutMs: BOX_PATIENCE_MS };
    await client.tombstone(this.#record.streamWriteCap!, this.#box(0), options);
    await store.commit((draft) => draft.delete(exchangeKey(this.key)));
    this.#isGone = true;
    this.#closed = true;
  }

  /** The content of the box; null if it is not there. */
  async #ask(index: MessageBoxIndex, signal: AbortSignal): Promise<Bytes | null> {
    const { client, scheduler } = this.#context;
    const startedAt = scheduler.now();
    // Answers only: without a document, a call fails at once.
    const measure = (): void => scheduler.measured(scheduler.now() - startedAt);
    try {
      const readCap = readCapOf(this.#record.streamWriteCap!);
      const options = { wait: false, signal, timeoutMs: BOX_PATIENCE_MS };
      const { plaintext } = await client.read(readCap, index, options);
      measure();
      return copyBytes(plaintext);
    } catch (error) {
      if (!hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) throw error;
      measure();
      this.#pauses.missed();
      return null;
    }
  }

  /**
   * Ends the exchange on this side. The newcomer's voucher is deleted at the replicas, so that
   * nobody can answer it.
   */
  async cancel(): Promise<void> {
    const { store, scheduler } = this.#context;
    const { role, streamWriteCap } = this.#record;
    const isOut = role === "newcomer" && streamWriteCap !== null && !this.isOver;
    const next: ExchangeRecord = {
      ...this.#record,
      state: "cancelled",
      secretKey: null,
      messageWriteCap: null,
      voucher: null,
      payload: null,
      reply: null,
    };
    this.#isCancelled = true;
    const committed = store.commit((draft) => {
      if (isOut) draft.put(exchangeKey(this.key), encodeRecord(next));
      else draft.delete(exchangeKey(this.key));
    });
    try {
      await committed;
    } catch (error) {
      this.#isCancelled = false;
      throw error;
    }
    this.#record = next;
    this.#isGone = !isOut;
    if (!isOut) this.#closed = true;
    this.#waiters.wake();
    scheduler.kick();
  }

  close(): void {
    this.#closed = true;
    this.#answerTimer?.cancel();
    this.#waiters.wake();
  }
}

/** Why an exchange cannot continue after `error`; null if another try makes sense. */
function finalReason(error: unknown, role: VoucherRole): string | null {
  if (hasCode(error, "REPLICA_ERROR_BOX_ALREADY_EXISTS")) {
    return role === "newcomer"
      ? "somebody else saw this voucher and wrote one of its boxes; make a new one"
      : "somebody else answered this voucher first; ask for a new one";
  }
  if (hasCode(error, "REPLICA_ERROR_TOMBSTONE")) {
    return role === "newcomer"
      ? "somebody else deleted the answer to this voucher; make a new one"
      : "the newcomer deleted the voucher; ask for a new one";
  }
  if (hasCode(error, "THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH")) {
    return "somebody else wrote the payload of this voucher; ask for a new one";
  }
  if (hasCode(error, "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID")) {
    return "the newcomer's signature is wrong; ask for a new voucher";
  }
  if (hasCode(error, "THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED")) {
    return "somebody else answered this voucher: the reply does not belong to it; make a new one";
  }
  if (hasCode(error, "ERR_CHANNEL_FORKED")) {
    return (
      "our channel of the group is forked, so the other members cannot be told about the " +
      "newcomer; let another member admit the newcomer, with a new voucher"
    );
  }
  if (hasCode(error, "ERR_PROTOCOL")) {
    return (
      "the other side's message cannot be read; update the program on both sides, then make a " +
      "new voucher"
    );
  }
  // The daemon finds an argument malformed: the payload, which the other side wrote.
  if (hasCode(error, "THIN_CLIENT_ERROR_INVALID_REQUEST")) {
    return "the daemon refuses the other side's message; make a new voucher";
  }
  return null;
}

/** The key under which an exchange is stored. */
export function exchangeKey(key: string): string {
  return `contact!${key}`;
}

/** A record with only these fields set. */
export function blankRecord(
  name: string,
  role: VoucherRole,
  ownName: string,
  format: string,
): Omit<ExchangeRecord, "state"> {
  return {
    role,
    name,
    ownName,
    theirName: null,
    group: null,
    isHistoryOpen: true,
    format,
    voucher: null,
    streamWriteCap: null,
    payload: null,
    secretKey: null,
    messageWriteCap: null,
    reply: null,
    theirReadCap: null,
    theirChannel: null,
    publishedAt: 0,
    failure: null,
  };
}

/** Encodes an exchange for the store. */
export function encodeRecord(record: ExchangeRecord): Encodable {
  return { ...record };
}

/** Decodes a stored exchange. @throws ChannelStoreError when it is damaged. */
export function decodeRecord(stored: CborValue): ExchangeRecord {
  const map = stored as Map<string, CborValue>;
  const bytes = (name: string): Bytes | null => {
    const value = map.get(name);
    return value instanceof Uint8Array ? copyBytes(value) : null;
  };
  const text = (name: string): string | null => {
    const value = map.get(name);
    return typeof value === "string" ? value : null;
  };
  return {
    role: field(stored, "role", isText) as VoucherRole,
    name: field(stored, "name", isText),
    state: field(stored, "state", isText) as VoucherState,
    ownName: field(stored, "ownName", isText),
    theirName: text("theirName"),
    group: text("group"),
    isHistoryOpen: map.get("isHistoryOpen") === true,
    format: field(stored, "format", isText),
    voucher: bytes("voucher"),
    streamWriteCap: bytes("streamWriteCap") as WriteCap | null,
    payload: bytes("payload"),
    secretKey: bytes("secretKey"),
    messageWriteCap: bytes("messageWriteCap") as WriteCap | null,
    reply: bytes("reply"),
    theirReadCap: bytes("theirReadCap") as ReadCap | null,
    theirChannel: text("theirChannel"),
    publishedAt: Number(map.get("publishedAt") ?? 0),
    failure: text("failure"),
  };
}
