/**
 * Whose turn it is. One scheduler for all channels of a store: boxes to write go first, readers
 * take turns and slow down while nothing comes, and reading has a share of the packets that the
 * network's schedule lets out. Packets themselves leave on the daemon's ticks; here it is only
 * decided what to ask the daemon for.
 */
import type { Clock, Timer } from "../clock/clock.js";
import type { ChannelClient } from "./channel-client.js";

/**
 * Most boxes that are being written at once; with the reads fewer than a real daemon takes in: 16.
 */
const MAX_WRITES = 12;
/** Most boxes that are asked for at once, while something is being written, and otherwise. */
const MAX_READS = { beside: 2, alone: 8 };
/** Packets that a question takes: the request, and one that fetches the answer. */
const PACKETS_PER_READ = 2;
/** Longest pause that readers begin with, in ms; on quick networks a few round trips. */
const BASE_PAUSE_MS = 2000;
const BASE_PAUSE_ROUND_TRIPS = 4;
/** Pauses grow up to this many times the first one: five minutes on a network of seconds. */
const LONGEST_PAUSE_FACTOR = 150;
/** Packets a millisecond where no document says: one a second, as on development networks. */
const USUAL_RATE = 0.001;
/** Longest wait for a timer, so that a clock that was set is noticed. */
const LONGEST_WAIT_MS = 60_000;

/** What is to be done. */
export interface Task {
  run(signal: AbortSignal): Promise<void>;
}

/** A question to ask, and the packets that it takes. */
export interface ReadTask extends Task {
  readonly boxes: number;
  /** Whether boxes are likely to be there. */
  readonly isLikely: boolean;
}

/** What has boxes to write: a writer, or the exchange of a voucher. */
export interface WriteSource {
  /** Whether anything waits to be written, or is being written. */
  readonly isBusy: boolean;
  /** When the next box may be tried, after a failure. */
  readonly pausedUntil: number;
  /** The next box to write; null when none may start now. */
  takeTask(now: number): Task | null;
}

/** What asks for boxes: a reader, or the exchange of a voucher. */
export interface ReadSource {
  /** Whether there is a question, and none of it is being asked. */
  readonly isWanted: boolean;
  /** When to ask next, by the clock. */
  readonly dueAt: number;
  /** Asks soon again: the conversation goes on. */
  hurry(): void;
  /** What to ask now. */
  takeQuestion(): ReadTask;
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
  #writes = 0;
  #reads = 0;
  #isKicked = false;
  #timer: Timer | null = null;
  #roundTripMs: number | null = null;
  /** Packets that reading may take now. */
  #packets = PACKETS_PER_READ;
  #packetsAt: number;

  /** @param budget the share of the packets that is for reading, above 0 and at most 1. */
  constructor(client: ChannelClient, clock: Clock, budget: number) {
    this.#client = client;
    this.#clock = clock;
    this.#budget = budget;
    this.#packetsAt = clock.monotonic();
    void client.closed.then(() => this.stop());
  }

  /** The clock's time, in ms since 1970. */
  now(): number {
    return this.#clock.now();
  }

  /** Resolves after `ms`; 0 is a later turn of the event loop. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  /** The pause that readers begin with, in ms. */
  get basePauseMs(): number {
    if (this.#roundTripMs === null) return BASE_PAUSE_MS;
    return Math.min(BASE_PAUSE_MS, Math.max(1, BASE_PAUSE_ROUND_TRIPS * this.#roundTripMs));
  }

  /** The longest pause of a reader, as a multiple of {@link basePauseMs}. */
  get longestPauseFactor(): number {
    return LONGEST_PAUSE_FACTOR;
  }

  /** Takes in how long a read or a write took, in ms. */
  measured(durationMs: number): void {
    const before = this.#roundTripMs ?? durationMs;
    this.#roundTripMs = before + (durationMs - before) / 8;
  }

  /** Packets a millisecond that the network takes from this client. */
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

  /** Something of ours was put into an outbox: answers may come soon. */
  sent(): void {
    for (const reader of this.#readers) reader.hurry();
    this.kick();
  }

  /** Runs `errand`, a batch, as soon as there is a place for a write. */
  add(errand: Task): void {
    this.#errands.push(errand);
    this.kick();
  }

  /** Looks what is to be done, in a later turn. */
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
      // To the end of the line.
      this.#writers.delete(writer);
      this.#writers.add(writer);
      return task;
    }
    return null;
  }

  /** Starts what reading may; gives the time at which there is more to start. */
  #startReads(now: number): number {
    const isWriting = this.#writes > 0 || [...this.#writers].some((writer) => writer.isBusy);
    const most = isWriting ? MAX_READS.beside : MAX_READS.alone;
    this.#refill();
    const wanted = [...this.#readers].filter((reader) => reader.isWanted);
    wanted.sort((a, b) => a.dueAt - b.dueAt);
    for (const reader of wanted) {
      if (this.#reads >= most) return Infinity;
      if (reader.dueAt > now) return reader.dueAt;
      if (this.#packets < PACKETS_PER_READ) {
        const missing = PACKETS_PER_READ - this.#packets;
        return now + missing / (this.#budget * this.#rate);
      }
      const task = reader.takeQuestion();
      // Boxes that are there are what the packets are for, as long as nothing else wants to go out.
      if (isWriting || !task.isLikely) this.#packets -= PACKETS_PER_READ * task.boxes;
      this.#reads += task.boxes;
      // The next turn is another reader's.
      this.#readers.delete(reader);
      this.#readers.add(reader);
      this.#start(task, () => (this.#reads -= task.boxes));
    }
    return Infinity;
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

  /** Starts nothing more, and takes back what is in progress. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#timer?.cancel();
    this.#timer = null;
    await Promise.all(this.#running);
  }
}
