/**
 * Decides which channel asks the daemon next. One scheduler serves all channels of a store. Reads and
 * writes have a share each of the packets that the network's schedule allows. Readers take turns and
 * slow down while nothing comes, and those that wait for an answer go before those that are silent. No
 * more boxes are under way than fill the ticks, so that a new message does not wait long. The packets
 * themselves leave on the daemon's ticks; this file only decides what to ask the daemon for.
 */
import type { Clock, Timer } from "../clock/clock.js";
import type { ChannelClient } from "./channel-client.js";

/** Packets per box: the request, and one that fetches the answer. */
const PACKETS_PER_BOX = 2;
/**
 * How many boxes are under way at once: as many as leave during a round trip at the network's rate,
 * and some more, because delays and ticks are random. Then nearly all ticks carry a packet. With even
 * more, packets would only wait longer in the daemon, also those of the next message.
 */
const MORE = { factor: 1.25, boxes: 1.5 };
const LEAST = 4;
const MOST = 12;
/** Up to so many boxes at once hardly wait for one another's packets. */
const QUIET = 2;
/** With more, a box takes about so many times as long; what is measured then counts less. */
const CROWDED = { factor: 2.2, weight: 1 / 32 };
/** The weight of a new measurement among the earlier ones. */
const NEWEST = 1 / 8;
/**
 * What takes longer, as a multiple of the usual time, comes from a disturbance: the network was away, or
 * the machine slept.
 */
const LONGEST = 4;
/**
 * A daemon that computes for seconds on each box takes fewer than the network. Its rate counts if it is
 * below this part of the network's.
 */
const SLOW_DAEMON = 0.85;
/** How many more may be written for channels of which none is under way. */
const PLACES_FOR_NEW = 2;
/**
 * With those and with the reads' share, they are fewer than the 16 that a real daemon takes in. A batch
 * counts as one, although it writes up to eight boxes at once.
 */
const MOST_IN_ALL = 14;
/** Reads that may find nothing save up the packets of so many. */
const READS_SAVED = 2;
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
  /** Whether it has something to read that is not being read. */
  readonly isWanted: boolean;
  /** When to ask next, by {@link Scheduler.now}. */
  readonly dueAt: number;
  /**
   * How long it can wait for its turn, in ms: the longer, the less likely a box is there. If not all
   * can have their turn, a source that is due waits in proportion to this.
   */
  readonly patienceMs: number;
  /** Whether the box that it reads next is likely to be there. */
  readonly isLikely: boolean;
  /** The next attempt, a read of one box. */
  takeQuestion(): Task;
  /** As `WriteSource.retry`. */
  retry(): void;
}

/** How many boxes may be under way. */
interface Limits {
  readonly inAll: number;
  /** How many may be read even if others are written, and the other way around. */
  readonly reads: number;
  readonly writes: number;
}

/** Decides what the channels of one store ask the daemon for. */
export class Scheduler {
  readonly #client: ChannelClient;
  readonly #clock: Clock;
  readonly #budget: number;
  readonly #writers = new Set<WriteSource>();
  readonly #readers = new Set<ReadSource>();
  readonly #errands: Task[] = [];
  #errandsUnderWay = 0;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #watching: Disposable;
  /** How many boxes of each writer are under way; those without any are left out. */
  readonly #writing = new Map<WriteSource, number>();
  #writes = 0;
  #reads = 0;
  #isKicked = false;
  #timer: Timer | null = null;
  /** How long a read or a write takes, smoothed, in ms; null before the first one. */
  #roundTripMs: number | null = null;
  /** The same while few boxes are under way. */
  #quietMs: number | null = null;
  /** The time between two boxes that end while many are under way, smoothed, in ms. */
  #intervalMs: number | null = null;
  /** When a box last ended, if many were under way then. */
  #busyAt: number | null = null;
  /** Since when few are under way, by {@link now}; Infinity while there are more. */
  #quietSince = -Infinity;
  /** Packets that reading may use at the moment. */
  #packets = PACKETS_PER_BOX;
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

  /** Records how long a read or a write took, in ms, when it ends. */
  measured(durationMs: number): void {
    const now = this.now();
    const isQuiet = now - durationMs >= this.#quietSince;
    const tookMs = Math.min(durationMs, LONGEST * Math.max(1, this.#roundTripMs ?? Infinity));
    this.#roundTripMs = smoothed(this.#roundTripMs, tookMs, NEWEST);
    if (isQuiet) this.#quietMs = smoothed(this.#quietMs, tookMs, NEWEST);
    // Without a quiet moment for long, the network may have become slower or quicker.
    else this.#quietMs = smoothed(this.#quietMs, tookMs / CROWDED.factor, CROWDED.weight);
    const isBusy = this.#underWay >= LEAST;
    if (isBusy && this.#busyAt !== null) {
      const usual = Math.max(this.#intervalMs ?? 0, PACKETS_PER_BOX / this.#rate);
      const intervalMs = Math.min(LONGEST * usual, now - this.#busyAt);
      this.#intervalMs = smoothed(this.#intervalMs, intervalMs, CROWDED.weight);
    }
    this.#busyAt = isBusy ? now : null;
  }

  /** How many packets per millisecond the network takes from this client. */
  get #rate(): number {
    const told = this.#client.pkiDocument()?.lambdaP ?? 0;
    return told > 0 ? told : USUAL_RATE;
  }

  /**
   * How long the packets of a box wait at all nodes and for their ticks, on average, by the document; 0
   * without one. A round trip takes at least as long. If only what is measured counted, few boxes under
   * way would look like a slow daemon.
   */
  get #delaysMs(): number {
    const document = this.#client.pkiDocument();
    if (!document || !(document.mu > 0)) return 0;
    // Each layer on the way there and back, the gateway, and the service.
    const nodes = 2 * document.topology.length + 2;
    return PACKETS_PER_BOX * (nodes / document.mu + 1 / this.#rate);
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
    const limits = this.#limits;
    while (this.#underWay < (this.#writes < limits.writes ? MOST_IN_ALL : limits.inAll)) {
      const task = this.#nextErrand() ?? this.#nextBox(now, () => true);
      if (!task) break;
      this.#write(task);
    }
    // Reads go before the next loop: many writers would fill its places again and again.
    next = Math.min(next, this.#startReads(now, limits));
    // A new message does not wait for a place among the boxes of a long row. Nor does the first errand.
    while (this.#underWay < limits.inAll + PLACES_FOR_NEW) {
      const task =
        (this.#errandsUnderWay === 0 ? this.#nextErrand() : null) ??
        this.#nextBox(now, (writer) => !this.#writing.has(writer));
      if (!task) break;
      this.#write(task);
    }
    for (const writer of this.#writers) {
      if (writer.isBusy && writer.pausedUntil > now) next = Math.min(next, writer.pausedUntil);
    }
    this.#wakeAt(now, next);
  }

  #nextErrand(): Task | null {
    const errand = this.#errands.shift();
    if (!errand) return null;
    this.#errandsUnderWay++;
    return { run: (signal) => errand.run(signal).finally(() => this.#errandsUnderWay--) };
  }

  /** The next box of the writer whose turn it is, among those that `may` have one. */
  #nextBox(now: number, may: (writer: WriteSource) => boolean): Task | null {
    for (const writer of this.#writers) {
      const task = may(writer) ? writer.takeTask(now) : null;
      if (!task) continue;
      // Move the writer to the end of the queue.
      this.#writers.delete(writer);
      this.#writers.add(writer);
      const count = this.#writing.get(writer) ?? 0;
      this.#writing.set(writer, count + 1);
      return {
        run: (signal) =>
          task.run(signal).finally(() => {
            const left = this.#writing.get(writer)! - 1;
            if (left > 0) this.#writing.set(writer, left);
            else this.#writing.delete(writer);
          }),
      };
    }
    return null;
  }

  #write(task: Task): void {
    this.#writes++;
    this.#start(task, () => this.#writes--);
  }

  get #underWay(): number {
    return this.#writes + this.#reads;
  }

  /**
   * How many boxes may be under way. Reads and writes each have their share, and what one of them does
   * not use is left to the other.
   */
  get #limits(): Limits {
    const atRate = this.#rate / PACKETS_PER_BOX;
    const measured = 1 / (this.#intervalMs ?? 0);
    const boxesPerMs = measured < SLOW_DAEMON * atRate ? measured : atRate;
    const inRoundTrip = boxesPerMs * Math.max(this.#quietMs ?? 0, this.#delaysMs);
    const wanted = Math.round(MORE.factor * inRoundTrip + MORE.boxes);
    const inAll = Math.min(MOST, Math.max(LEAST, wanted));
    const reads = Math.max(1, Math.round(inAll * this.#budget));
    return { inAll, reads, writes: Math.max(1, inAll - reads) };
  }

  /** Starts the reads that are allowed; returns the time when more can start. */
  #startReads(now: number, limits: Limits): number {
    this.#refill();
    const wanted = [...this.#readers].filter((reader) => reader.isWanted);
    const base = this.basePauseMs;
    const rank = ({ dueAt, patienceMs }: ReadSource) => (now - dueAt) / Math.max(patienceMs, base);
    let due = wanted.filter(({ dueAt }) => dueAt <= now).sort((a, b) => rank(b) - rank(a));
    let next = Math.min(Infinity, ...wanted.map(({ dueAt }) => dueAt).filter((at) => at > now));
    while (due.length > 0) {
      const asking: ReadSource[] = [];
      for (const reader of due) {
        const most = this.#reads < limits.reads ? MOST_IN_ALL : limits.inAll;
        if (this.#underWay >= most) return Infinity;
        // Reads that are likely to find a box are free while writes leave packets for them.
        const isFree = reader.isLikely && this.#writes < limits.writes;
        const missing = isFree ? 0 : PACKETS_PER_BOX - this.#packets;
        if (missing > 0) {
          next = Math.min(next, now + missing / (this.#budget * this.#rate));
          continue;
        }
        if (!isFree) this.#packets -= PACKETS_PER_BOX;
        const task = reader.takeQuestion();
        this.#reads++;
        asking.push(reader);
        // Let another reader have the next turn.
        this.#readers.delete(reader);
        this.#readers.add(reader);
        this.#start(task, () => this.#reads--);
      }
      due = asking.filter(({ isWanted, dueAt }) => isWanted && dueAt <= now);
    }
    return next;
  }

  #refill(): void {
    const at = this.#clock.monotonic();
    const earned = (at - this.#packetsAt) * this.#budget * this.#rate;
    this.#packetsAt = at;
    this.#packets = Math.min(READS_SAVED * PACKETS_PER_BOX, this.#packets + earned);
  }

  #start(task: Task, done: () => void): void {
    if (this.#underWay > QUIET) this.#quietSince = Infinity;
    const running = task
      .run(this.#abort.signal)
      .catch(() => {})
      .finally(() => {
        done();
        if (this.#underWay <= QUIET) this.#quietSince = Math.min(this.#quietSince, this.now());
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

function smoothed(before: number | null, newest: number, weight: number): number {
  return before === null ? newest : before + (newest - before) * weight;
}
