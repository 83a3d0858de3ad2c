/**
 * Messages that the daemon was given and has not said to have left. It forgets those when the
 * connection ends, within a session that is resumed as well (spec/thin-protocol §10, fact 29).
 */
import { toHex } from "../bytes/bytes.js";
import type { SurbId } from "../bytes/opaque.js";

/**
 * A daemon tells of each message with a reply block when it leaves. One that never does must not
 * make us keep more names than this; the oldest are forgotten.
 */
const MOST_KEPT = 10_000;

interface Unsent {
  readonly surbId: SurbId;
  /** Whether its sender was told that the daemon has it, and waits for nothing any more. */
  handedOver: boolean;
}

/** The messages with a reply block that wait at the daemon. */
export class UnsentMessages {
  readonly #bySurbId = new Map<string, Unsent>();
  #handedOver = 0;
  #waiting: (() => void)[] = [];

  /** A message is being written. */
  add(surbId: SurbId): void {
    if (this.#bySurbId.size >= MOST_KEPT) {
      const [oldest] = this.#bySurbId.values();
      this.settled(oldest!.surbId);
    }
    this.#bySurbId.set(toHex(surbId), { surbId, handedOver: false });
  }

  /** It was written, and its sender told so. */
  handedOver(surbId: SurbId): void {
    const unsent = this.#bySurbId.get(toHex(surbId));
    if (!unsent || unsent.handedOver) return;
    unsent.handedOver = true;
    this.#handedOver++;
  }

  /** It left or could not, its reply came, or its sender was told that it may be lost. */
  settled(surbId: SurbId): void {
    const key = toHex(surbId);
    const unsent = this.#bySurbId.get(key);
    if (!unsent) return;
    this.#bySurbId.delete(key);
    if (unsent.handedOver && --this.#handedOver === 0) this.#tell();
  }

  /** Whether the daemon has not said yet that this message left. */
  has(surbId: SurbId): boolean {
    return this.#bySurbId.has(toHex(surbId));
  }

  /** Resolves when all that were handed over have left; null when none waits. */
  whenSent(): Promise<void> | null {
    if (this.#handedOver === 0) return null;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Forgets all of them: they are lost. Gives those whose senders do not know. */
  lose(): SurbId[] {
    const lost = [...this.#bySurbId.values()].filter(({ handedOver }) => handedOver);
    this.#bySurbId.clear();
    this.#handedOver = 0;
    this.#tell();
    return lost.map(({ surbId }) => surbId);
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
