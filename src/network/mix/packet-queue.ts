/**
 * Packets in progress. Each arrives after its delay; those without delay arrive in the next turn,
 * in order.
 */
import type { Clock, Timer } from "../../clock/clock.js";

/** Called when a packet arrives. */
type Arrival = () => void;

/**
 * The packets in progress in the network. Packets without delay share one queue and arrive together
 * in the next turn of the event loop, in the order in which they were sent. Only one turn's packets
 * are delivered at a time, so that packets which cause other packets do not starve everything else.
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

  /** Runs `arrival` after `delayMs`; 0 means the next turn. */
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
      // If one arrival throws, those behind it must still run.
      if (done < arrivals.length) this.#next.unshift(...arrivals.slice(done));
      if (this.#next.length > 0) this.#arm();
    }
  }

  /** Drops all packets in progress, and every later one. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#next = [];
  }
}
