/**
 * Decides which channel asks the daemon next. One scheduler serves all channels of a store. Boxes
 * to write go first. Readers take turns and slow down while nothing comes, those that wait for an
 * answer go before those that are silent, and reading has a share of the packets that the network's
 * schedule allows. The packets themselves leave on the daemon's ticks; this file only decides what to
 * ask the daemon for.
 */
import type { Clock, Timer } from "../clock/clock.js";
import type { ChannelClient } from "./channel-client.js";

/**
 * The most boxes that are being written at once. Together with the reads they are fewer than the 16
 * that a real daemon takes in.
 */
const MAX_WRITES = 12;
/** The most boxes that are requested at once: `beside` writes, or `alone`. */
const MAX_READS = { beside: 2, alone: 8 };
/** Packets per read: the request, and one that fetches the answer. */
const PACKETS_PER_READ = 2;
/** The longest first pause of readers, in ms; on quick networks it is a few round trips. */
const BASE_PAUSE_MS = 2000;
const BASE_PAUSE_ROUND_TRIPS = 4;
/** Packets per millisecond if no document says: one a second, as on development networks. */
const USUAL_RATE = 0.001;
/** Longest timer, so that a change of the clock is noticed. */
const LONGEST_WAIT_MS = 60_000;
/** How far the wall clock may drift from the monotonic one before it counts as set, in ms. */
const DRIFT_MS = 1000;

/**
 * How many steps from index to index are made in one turn of the event loop: thousands would block
 * everything else.
 */
export const STEPS_A_TURN = 256;

/** A piece of work. */
export interface Task {
  run(signal: AbortSignal): Promise<void>;
}

/** A read to make, and the packets that it takes. */
export interface ReadTask extends Task {
  readonly boxes: number;
  /** Whether boxes are likely to be there. */
  readonly isLikely: boolean;
}

/** A source of boxes to write: a writer, or the exchange of a voucher. */
export interface WriteSource {
  /** Whether anything waits to be written, or is being written. */
  readonly isBusy: boolean;
  /** When the next box may be tried after a failure, by {@link Scheduler.now}. */
  readonly pausedUntil: number;
  /** The next box to write; null if none may start. */
  takeTask(now: number): Task | null;
  /** Ends a pause after a failure: the daemon can do again what failed without a document. */
  retry(): void;
}

/** A source of reads: a reader, or the exchange of a voucher. */
export interface ReadSource {
  /** Whether it has something to read and no read in progress. */
  readonly isWanted: boolean;
  /** When to ask next, by {@link Scheduler.now}. */
  readonly dueAt: number;
  /**
   * How long it can wait for its turn, in ms: the longer, the less likely a box is there. If not all
   * can have their turn, a source that is due waits in proportion to this.
   */
  readonly patienceMs: number;
  /** The next attempt. */
  takeQuestion(): ReadTask;
  /** As `WriteSource.retry`. */
  retry(): void;
}

/** Decides what the channels of one store ask the daemon for. */
export class Scheduler {
  readonly #client: ChannelClient;
  readonly #clock: Clock;
  readonly #budget: number;
  readonly #writers = new Set<WriteSource>();
  readonly #readers = new Set<ReadSource>();
  readonly #errands: Task[] = [];
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #watching: Disposable;
  #writes = 0;
  #reads = 0;
  #isKicked = false;
  #timer: Timer | null = null;
  #roundTripMs: number | null = null;
  /** Packets that reading may use at the moment. */
  #packets = PACKETS_PER_READ;
  #packetsAt: number;
  /** How far the wall clock is ahead of the monotonic one. */
  #aheadMs: number;
  /** By how much it was set forward so far. */
  #skippedMs = 0;

  /** @param budget the share of the packets for reading, above 0 and at most 1. */
  constructor(client: ChannelClient, clock: Clock, budget: number) {
    this.#client = client;
    this.#clock = clock;
    this.#budget = budget;
    this.#packetsAt = clock.monotonic();
    this.#aheadMs = clock.now() - clock.monotonic();
    this.#watching = client.on("newPkiDocument", ({ document }) => {
      if (document) this.#retry();
    });
    void client.closed.then(() => this.stop());
  }

  /**
   * Without a document, calls fail at once, and pauses grow. Nothing has to wait for their end when
   * there is one.
   */
  #retry(): void {
    for (const writer of this.#writers) writer.retry();
    for (const reader of this.#readers) reader.retry();
    this.kick();
  }

  /** The wall clock's time, in ms since 1970. It may be set back. */
  date(): number {
    return this.#clock.now();
  }

  /**
   * The time for pauses, in ms since some moment. It never goes back: a pause must not last longer
   * because the wall clock was set back. But it goes on while the machine sleeps, when the
   * monotonic clock may stand still.
   */
  now(): number {
    const monotonic = this.#clock.monotonic();
    const aheadMs = this.#clock.now() - monotonic;
    const changeMs = aheadMs - this.#aheadMs;
    if (Math.abs(changeMs) > DRIFT_MS) {
      this.#aheadMs = aheadMs;
      if (changeMs > 0) this.#skippedMs += changeMs;
    }
    return monotonic + this.#skippedMs;
  }

  /** Resolves after `ms`; 0 is a later turn of the event loop. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  /** The first pause of readers, in ms. */
  get basePauseMs(): number {
    if (this.#roundTripMs === null) return BASE_PAUSE_MS;
    return Math.min(BASE_PAUSE_MS, Math.max(1, BASE_PAUSE_ROUND_TRIPS * this.#roundTripMs));
  }

  /** Records how long a read or a write took, in ms. */
  measured(durationMs: number): void {
    const before = this.#roundTripMs ?? durationMs;
    this.#roundTripMs = before + (durationMs - before) / 8;
  }

  /** How many packets per millisecond the network takes from this client. */
  get #rate(): number {
    return this.#client.pkiDocument()?.lambdaP || USUAL_RATE;
  }

  addWriter(writer: WriteSource): void {
    this.#writers.add(writer);
    this.kick();
  }

  addReader(reader: ReadSource): void {
    this.#readers.add(reader);
    this.kick();
  }

  remove(end: WriteSource | ReadSource): void {
    this.#writers.delete(end as WriteSource);
    this.#readers.delete(end as ReadSource);
  }

  /** Runs `errand`, a batch, as soon as there is a place for a write. */
  add(errand: Task): void {
    this.#errands.push(errand);
    this.kick();
  }

  /** Looks for work, in a later turn. */
  kick(): void {
    if (this.#isKicked || this.#abort.signal.aborted) return;
    this.#isKicked = true;
    this.#clock.soon(() => {
      this.#isKicked = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#abort.signal.aborted) return;
    const now = this.now();
    let next = Infinity;
    while (this.#writes < MAX_WRITES) {
      const errand = this.#errands.shift() ?? this.#nextBox(now);
      if (!errand) break;
      this.#writes++;
      this.#start(errand, () => this.#writes--);
    }
    for (const writer of this.#writers) {
      if (writer.isBusy && writer.pausedUntil > now) next = Math.min(next, writer.pausedUntil);
    }
    next = Math.min(next, this.#startReads(now));
    this.#wakeAt(now, next);
  }

  /** The next box of the writer whose turn it is. */
  #nextBox(now: number): Task | null {
    for (const writer of this.#writers) {
      const task = writer.takeTask(now);
      if (!task) continue;
      // Move the writer to the end of the queue.
      this.#writers.delete(writer);
      this.#writers.add(writer);
      return task;
    }
    return null;
  }

  /** Starts the reads that are allowed; returns the time when more can start. */
  #startReads(now: number): number {
    const isWriting = this.#writes > 0 || [...this.#writers].some((writer) => writer.isBusy);
    const most = isWriting ? MAX_READS.beside : MAX_READS.alone;
    this.#refill();
    const wanted = [...this.#readers].filter((reader) => reader.isWanted);
    const due = wanted.filter(({ dueAt }) => dueAt <= now);
    const base = this.basePauseMs;
    const rank = ({ dueAt, patienceMs }: ReadSource) => (now - dueAt) / Math.max(patienceMs, base);
    due.sort((a, b) => rank(b) - rank(a));
    for (const reader of due) {
      if (this.#reads >= most) return Infinity;
      if (this.#packets < PACKETS_PER_READ) {
        const missing = PACKETS_PER_READ - this.#packets;
        return now + missing / (this.#budget * this.#rate);
      }
      const task = reader.takeQuestion();
      // Reads that are likely to find a box are free while nothing else wants to go out.
      if (isWriting || !task.isLikely) this.#packets -= PACKETS_PER_READ * task.boxes;
      this.#reads += task.boxes;
      // Let another reader have the next turn.
      this.#readers.delete(reader);
      this.#readers.add(reader);
      this.#start(task, () => (this.#reads -= task.boxes));
    }
    return Math.min(Infinity, ...wanted.map(({ dueAt }) => dueAt).filter((at) => at > now));
  }

  #refill(): void {
    const at = this.#clock.monotonic();
    const earned = (at - this.#packetsAt) * this.#budget * this.#rate;
    this.#packetsAt = at;
    this.#packets = Math.min(MAX_READS.beside * PACKETS_PER_READ, this.#packets + earned);
  }

  #start(task: Task, done: () => void): void {
    const running = task
      .run(this.#abort.signal)
      .catch(() => {})
      .finally(() => {
        done();
        this.#running.delete(running);
        this.kick();
      });
    this.#running.add(running);
  }

  #wakeAt(now: number, at: number): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (at === Infinity) return;
    const wait = Math.min(LONGEST_WAIT_MS, Math.max(1, at - now));
    this.#timer = this.#clock.after(wait, () => this.kick());
  }

  /** Starts nothing more and aborts what is in progress. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#watching[Symbol.dispose]();
    this.#timer?.cancel();
    this.#timer = null;
    await Promise.all(this.#running);
  }
}
