/** What a daemon may have left unread. spec/thin-protocol §1.3. */
import { type Bytes, toHex } from "../bytes/bytes.js";

/**
 * How many starts and messages of one client wait for their packet to leave before a real daemon
 * reads nothing more of it, local requests and cancels included. One fewer, to be on the safe side.
 */
const READ_AHEAD = 15;
/** Most messages whose leaving is waited for; beyond that the oldest are not noted any more. */
const MOST_NOTED = 1000;

/**
 * Counts starts and messages that were sent on a connection, those that the daemon has read for
 * certain, and those whose packet has left for certain. The daemon reads one client's requests in
 * order, and stops when too many of them wait for their packet to leave; so an answer to a local
 * request shows that all sent before it was read. Packets leave in order, too: an answer to a start
 * shows that all before it have left.
 */
export class Unread {
  #sent = 0;
  #read = 0;
  #left = 0;
  /** Numbers of messages by their reply block, until the daemon says that they have left. */
  readonly #messages = new Map<string, number>();

  /** How many there were so far; to be kept with a local request that is sent now. */
  get mark(): number {
    return this.#sent;
  }

  /** How many of them the daemon may not have read. */
  get count(): number {
    return this.#sent - this.#read;
  }

  /** How many of them have left. */
  get leftCount(): number {
    return this.#left;
  }

  /**
   * Whether another start may be sent, so that local requests and cancels behind it are read: while
   * so few wait that the daemon has room, or else one at a time, each after the one before was
   * read. Then a local request waits at most for one packet to leave. Without the mixnet none
   * leaves, and only what has room may be sent.
   */
  mayStart(isOnline: boolean): boolean {
    return this.#sent - this.#left < READ_AHEAD || (isOnline && this.count === 0);
  }

  /** A start was sent, or a message, with its reply block if it has one. Gives its number. */
  sent(surbId: Bytes | null = null): number {
    const number = ++this.#sent;
    if (surbId) {
      this.#messages.set(toHex(surbId), number);
      if (this.#messages.size > MOST_NOTED) {
        for (const oldest of this.#messages.keys()) {
          this.#messages.delete(oldest);
          break;
        }
      }
    }
    return number;
  }

  /** A local request was answered that was sent at that mark. */
  answered(mark: number): void {
    this.#read = Math.max(this.#read, mark);
  }

  /** The packet of the start of that number has left. */
  hasLeft(number: number): void {
    this.#left = Math.max(this.#left, number);
    this.answered(number);
  }

  /** The packet of a message has left, or cannot. */
  messageLeft(surbId: Bytes): void {
    const key = toHex(surbId);
    const number = this.#messages.get(key);
    if (number === undefined) return;
    this.#messages.delete(key);
    this.hasLeft(number);
  }

  /** The connection is another one. */
  reset(): void {
    this.#sent = 0;
    this.#read = 0;
    this.#left = 0;
    this.#messages.clear();
  }
}
