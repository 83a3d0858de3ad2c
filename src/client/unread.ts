/** What a daemon may have left unread. Protocol page, section 1.3. */

/**
 * Counts starts and messages that were sent on a connection, and those that the daemon has read for
 * certain. It reads one client's requests in order, and stops when too many of them wait for their
 * packet to leave; so an answer to a local request shows that all sent before it was read.
 */
export class Unread {
  #sent = 0;
  #read = 0;

  /** How many there were so far; to be kept with a local request that is sent now. */
  get mark(): number {
    return this.#sent;
  }

  /** How many of them the daemon may not have read. */
  get count(): number {
    return this.#sent - this.#read;
  }

  /** A start or a message was sent. */
  sent(): void {
    this.#sent++;
  }

  /** A local request was answered that was sent at that mark. */
  answered(mark: number): void {
    this.#read = Math.max(this.#read, mark);
  }

  /** The connection is another one. */
  reset(): void {
    this.#sent = 0;
    this.#read = 0;
  }
}
