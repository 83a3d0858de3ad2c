/**
 * When packets leave, and whose (spec/mixnet §8.1). One packet leaves per tick of a Poisson process
 * with the document's LambdaP, round-robin over the clients, retransmissions first; a tick with
 * nothing to send carries cover traffic. A second process, with LambdaL, sends only cover traffic.
 * Without mixing every packet leaves two turns later, in the same order.
 */
import type { RandomSource } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { LinkPace } from "../mixnet/link.js";
import { meanIntervalMs, samplingCap } from "../pki/epoch.js";

/** Sends one packet; it handles its own rejections. */
export type SendJob = () => void;

/** The packets that one client wants to send. */
export class SendQueue {
  readonly #fresh: SendJob[] = [];
  readonly #again: SendJob[] = [];
  readonly #onWaiting: () => void;
  #shorter: { readonly length: number; readonly resolve: () => void }[] = [];

  /** @param onWaiting called when something was added. */
  constructor(onWaiting: () => void) {
    this.#onWaiting = onWaiting;
  }

  /** How many packets wait. */
  get length(): number {
    return this.#fresh.length + this.#again.length;
  }

  /** How many new requests wait. */
  get fresh(): number {
    return this.#fresh.length;
  }

  /** Adds a new request. */
  add(job: SendJob): void {
    this.#fresh.push(job);
    this.#onWaiting();
  }

  /** Adds a retransmission or follow-up, which goes before new requests. */
  addAgain(job: SendJob): void {
    this.#again.push(job);
    this.#onWaiting();
  }

  /** Resolves when at most `length` new requests wait. */
  below(length: number): Promise<void> {
    if (this.fresh <= length) return Promise.resolve();
    return new Promise((resolve) => this.#shorter.push({ length, resolve }));
  }

  /** The next job; undefined if none waits. */
  take(): SendJob | undefined {
    const job = this.#again.shift() ?? this.#fresh.shift();
    if (job && this.#shorter.length > 0) this.#tell();
    return job;
  }

  /** Removes a waiting job; those who wait for a shorter queue are notified. */
  remove(job: SendJob): void {
    for (const jobs of [this.#fresh, this.#again]) {
      const at = jobs.indexOf(job);
      if (at >= 0) jobs.splice(at, 1);
    }
    if (this.#shorter.length > 0) this.#tell();
  }

  /** Drops waiting new requests; retransmissions belong to operations that continue. */
  clearFresh(): void {
    this.#fresh.length = 0;
    this.#tell();
  }

  /** Drops all waiting jobs. */
  clear(): void {
    this.#again.length = 0;
    this.clearFresh();
  }

  #tell(): void {
    const told = this.#shorter.filter(({ length }) => this.fresh <= length);
    this.#shorter = this.#shorter.filter(({ length }) => this.fresh > length);
    for (const { resolve } of told) resolve();
  }
}

/** What a schedule needs. */
export interface SendScheduleOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  /** The link's pace. */
  readonly pace: LinkPace;
  /** Called on a tick that has nothing to send, and on each tick of LambdaL. */
  readonly sendDecoy: () => void;
  /** Called on each tick, before its work, with whether a client's packet leaves on it. */
  readonly onTick?: ((used: boolean) => void) | null;
}

/** A Poisson process that can be stopped and whose rate can change. */
class Ticker {
  readonly #options: SendScheduleOptions;
  readonly #onTick: () => void;
  #timer: Timer | null = null;
  #meanMs = 0;
  #running = false;

  constructor(options: SendScheduleOptions, onTick: () => void) {
    this.#options = options;
    this.#onTick = onTick;
  }

  /** Mean of the intervals in milliseconds; 0 means it never ticks. */
  get meanMs(): number {
    return this.#meanMs;
  }

  setMean(meanMs: number): void {
    if (meanMs === this.#meanMs) return;
    this.#meanMs = meanMs;
    this.#redraw();
  }

  run(wanted: boolean): void {
    this.#running = wanted;
    this.#redraw();
  }

  #redraw(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#running && this.#meanMs > 0) this.#tickLater();
  }

  #tickLater(): void {
    const { clock, random } = this.#options;
    const draw = new DataView(random(8).buffer);
    // 53 random bits as a number in (0, 1].
    const unit = (draw.getUint32(0) * 2 ** 21 + (draw.getUint32(4) >>> 11) + 1) / 2 ** 53;
    const interval = Math.trunc(-Math.log(unit) * this.#meanMs);
    const wait = Math.min(interval, samplingCap(1 / this.#meanMs));
    const tick = (): void => {
      this.#tickLater();
      this.#onTick();
    };
    this.#timer = clock.after(wait, tick, { background: true });
  }
}

/** The waiting packets of one client. */
export interface QueuedTurns {
  /** How many of its packets wait. */
  readonly packets: number;
  /** The turn in which the first of them leaves, from 1 on, if no others are added. */
  readonly first: number;
  /** The turn of the last of them. */
  readonly last: number;
}

/**
 * How many packets leave in one event-loop turn without mixing, so that other work gets its share.
 */
const INSTANT_BATCH = 64;

/** Lets the clients' packets leave. */
export class SendSchedule {
  readonly #options: SendScheduleOptions;
  readonly #queues: SendQueue[] = [];
  #next = 0;
  #running = false;
  readonly #packets: Ticker;
  readonly #loops: Ticker;
  #connected = false;

  constructor(options: SendScheduleOptions) {
    this.#options = options;
    this.#packets = new Ticker(options, () => this.#tick());
    this.#loops = new Ticker(options, () => options.sendDecoy());
  }

  /** How many packets of all clients wait. */
  get waiting(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  /** For each client with waiting packets, how many wait and which turns they have. */
  get turns(): QueuedTurns[] {
    const count = this.#queues.length;
    // In the order of the next round.
    const lengths = this.#queues.map((_, i) => this.#queues[(this.#next + i) % count]!.length);
    const turnOf = (client: number, packet: number): number =>
      lengths.reduce(
        (turn, length, i) =>
          // A client that comes earlier in the round has sent one more packet by then.
          i === client ? turn : turn + Math.min(length, packet - (i < client ? 0 : 1)),
        packet,
      );
    return this.#queues.flatMap((queue, at) => {
      const client = (at - this.#next + count) % count;
      const packets = queue.length;
      if (packets === 0) return [];
      return [{ packets, first: turnOf(client, 1), last: turnOf(client, packets) }];
    });
  }

  /** Mean time between two packets in milliseconds; 0 if there is no rate or none is used. */
  get meanMs(): number {
    return this.#options.pace === "instant" ? 0 : this.#packets.meanMs;
  }

  /** Makes a queue for another client. */
  createQueue(): SendQueue {
    const queue = new SendQueue(() => this.#wake());
    this.#queues.push(queue);
    return queue;
  }

  /** Removes a client's queue and drops what waits in it. */
  removeQueue(queue: SendQueue): void {
    queue.clear();
    const at = this.#queues.indexOf(queue);
    if (at < 0) return;
    this.#queues.splice(at, 1);
    if (at < this.#next) this.#next--;
  }

  /** Sets whether there is a mixnet connection. */
  setConnected(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    if (this.#options.pace === "instant") {
      if (connected) this.#wake();
      return;
    }
    this.#packets.run(connected);
    this.#loops.run(connected);
  }

  /**
   * Sets the document's rates per millisecond: of packets, and of additional decoys. A LambdaP that
   * is not above 0 changes nothing; a LambdaL that is not above 0 means no additional decoys.
   */
  setRates({ lambdaP, lambdaL }: { readonly lambdaP: number; readonly lambdaL: number }): void {
    if (this.#options.pace === "instant") return;
    if (lambdaP > 0) this.#packets.setMean(meanIntervalMs(lambdaP));
    this.#loops.setMean(meanIntervalMs(lambdaL));
  }

  /** Stops for good. */
  close(): void {
    this.#connected = false;
    this.#packets.run(false);
    this.#loops.run(false);
    for (const queue of this.#queues) queue.clear();
  }

  #tick(): void {
    const job = this.#take();
    this.#options.onTick?.(job !== undefined);
    if (job) job();
    else this.#options.sendDecoy();
  }

  #take(): SendJob | undefined {
    for (let tried = 0; tried < this.#queues.length; tried++) {
      const queue = this.#queues[this.#next % this.#queues.length]!;
      this.#next = (this.#next + 1) % this.#queues.length;
      const job = queue.take();
      if (job) return job;
    }
    return undefined;
  }

  /**
   * Without mixing the tick is the turn after the next one. By then the daemon has read everything
   * that its client sent at once, including cancels and a disconnect, as it would within a real
   * tick.
   */
  #wake(): void {
    if (this.#options.pace !== "instant" || this.#running || !this.#connected) return;
    this.#running = true;
    const { clock } = this.#options;
    clock.soon(() => clock.soon(() => this.#drain()));
  }

  #drain(): void {
    for (let sent = 0; sent < INSTANT_BATCH && this.#connected; sent++) {
      const job = this.#take();
      if (!job) {
        this.#running = false;
        return;
      }
      job();
    }
    // While offline nothing may leave; reconnecting wakes the schedule.
    if (this.#connected) this.#options.clock.soon(() => this.#drain());
    else this.#running = false;
  }
}
