/**
 * Packets in progress: each arrives after its delay, those without one in the next turn, in order.
 */
import type { Clock, Timer } from "../../clock/clock.js";

/** What happens when a packet arrives. */
type Arrival = () => void;

/**
 * The packets in progress in the network. Packets without delay share one queue and arrive together
 * in the next turn of the event loop: in the order in which they were sent, and one turn at a time,
 * so that packets that cause packets do not starve everything else.
 */
export class PacketQueue {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #next: Arrival[] = [];
  #armed = false;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many packets are in progress. */
  get size(): number {
    return this.#timers.size + this.#next.length;
  }

  /** Runs `arrival` after `delayMs`, which is 0 for the next turn. */
  add(delayMs: number, arrival: Arrival): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.#next.push(arrival);
      this.#arm();
      return;
    }
    const timer = this.#clock.after(
      delayMs,
      () => {
        this.#timers.delete(timer);
        arrival();
      },
      { background: true },
    );
    this.#timers.add(timer);
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#clock.soon(() => this.#deliver());
  }

  #deliver(): void {
    this.#armed = false;
    const arrivals = this.#next;
    this.#next = [];
    let done = 0;
    try {
      for (const arrival of arrivals) {
        done++;
        if (!this.#closed) arrival();
      }
    } finally {
      // One that throws must not take those behind it along.
      if (done < arrivals.length) this.#next.unshift(...arrivals.slice(done));
      if (this.#next.length > 0) this.#arm();
    }
  }

  /** Loses all packets that are in progress, and every later one. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#next = [];
  }
}
