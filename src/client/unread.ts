/** Tracks what a daemon may have left unread (spec/thin-protocol §1.3). */
import { type Bytes, toHex } from "../bytes/bytes.js";
import {
  THIN_CLIENT_ERROR_INTERNAL_ERROR,
  THIN_CLIENT_ERROR_INVALID_REQUEST,
} from "../errors/codes.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";

/**
 * A real daemon stops reading from a client, local requests and cancels included, when 16 of its
 * starts and messages wait for their packets to leave. This is one fewer, to be safe.
 */
const READ_AHEAD = 15;
/** The most messages that are tracked until they leave; beyond that the oldest are dropped. */
const MOST_NOTED = 1000;

/**
 * Counts the starts and messages sent on a connection, how many of them the daemon has certainly
 * read, and how many packets have certainly left. The daemon reads one client's requests in order
 * and stops when too many of them wait for their packets to leave. So an answer to a local request
 * shows that everything sent before it was read. Packets also leave in order: an answer to a start
 * shows that all packets before it have left.
 */
export class Unread {
  #sent = 0;
  #read = 0;
  #left = 0;
  /** Numbers of messages by SURB ID, until the daemon reports that they have left. */
  readonly #messages = new Map<string, number>();

  /** How many were sent so far. Keep it with a local request that is sent at this moment. */
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
   * Whether another start may be sent, so that the daemon still reads local requests and cancels
   * behind it. It may while so few wait that the daemon has room, or else one at a time, after the
   * daemon has read the one before. Then a local request waits for at most one packet to leave.
   * Without the mixnet no packet leaves, so starts are sent only while there is room.
   */
  mayStart(isOnline: boolean): boolean {
    return this.#sent - this.#left < READ_AHEAD || (isOnline && this.count === 0);
  }

  /**
   * Records that a start or a message was sent, with its SURB ID if it has one. Returns its number.
   */
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

  /** Records the answer to a local request that was sent at `mark`. */
  answered(mark: number): void {
    this.#read = Math.max(this.#read, mark);
  }

  /** Records that the packet of the start with that number has left. */
  hasLeft(number: number): void {
    this.#left = Math.max(this.#left, number);
    this.answered(number);
  }

  /** Records that the packet of a message has left or cannot leave. */
  messageLeft(surbId: Bytes): void {
    const key = toHex(surbId);
    const number = this.#messages.get(key);
    if (number === undefined) return;
    this.#messages.delete(key);
    this.hasLeft(number);
  }

  /** Starts again for a new connection. */
  reset(): void {
    this.#sent = 0;
    this.#read = 0;
    this.#left = 0;
    this.#messages.clear();
  }
}

/**
 * Whether this answer to a start shows that its packet, and all packets before it, have left. If
 * the daemon refuses a request, the request may never have waited for a packet.
 */
export function showsThatItLeft(response: DaemonResponse | MalformedReply): boolean {
  const { errorCode } = response as { readonly errorCode?: number };
  return (
    errorCode !== THIN_CLIENT_ERROR_INVALID_REQUEST &&
    errorCode !== THIN_CLIENT_ERROR_INTERNAL_ERROR
  );
}
