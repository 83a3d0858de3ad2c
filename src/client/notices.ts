/**
 * Cancels that nobody waits for. One that was on its way when the connection broke may not have
 * arrived, and the daemon of a resumed session would work on for nobody: so each is said again until
 * it is confirmed.
 */
import { toHex } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import type { Cancellation } from "./calls.js";

interface Notice {
  readonly cancellation: Cancellation;
}

/** The cancels of one session that the daemon has not confirmed. */
export class Notices {
  /** By what they cancel: a later one stands for an earlier one too. */
  readonly #unconfirmed = new Map<string, Notice>();
  /** By query ID, in hex: what was said on this connection. */
  readonly #said = new Map<string, Notice>();
  /** Sends on the present connection; null while there is none. */
  #send: ((request: DaemonRequest) => void) | null = null;

  /** Says a cancel; on the next connection when there is none now. */
  add(cancellation: Cancellation): void {
    const notice = { cancellation };
    this.#unconfirmed.set(cancellation.key, notice);
    if (this.#send) this.#say(notice, this.#send);
  }

  /** A new connection: says what is not confirmed. */
  connected(send: (request: DaemonRequest) => void): void {
    this.#send = send;
    for (const notice of this.#unconfirmed.values()) this.#say(notice, send);
  }

  /** The connection is gone. */
  connectionLost(): void {
    this.#send = null;
    this.#said.clear();
  }

  /** Takes a confirmation; false when `response` is none. */
  take(response: DaemonResponse | MalformedReply): boolean {
    if (this.#said.size === 0 || !("queryId" in response) || !response.queryId) return false;
    const queryKey = toHex(response.queryId);
    const notice = this.#said.get(queryKey);
    if (!notice) return false;
    this.#said.delete(queryKey);
    const { key } = notice.cancellation;
    if (this.#unconfirmed.get(key) === notice) this.#unconfirmed.delete(key);
    return true;
  }

  /** Forgets everything: the session is over. */
  clear(): void {
    this.connectionLost();
    this.#unconfirmed.clear();
  }

  #say(notice: Notice, send: (request: DaemonRequest) => void): void {
    const queryId = QueryId.random();
    this.#said.set(toHex(queryId), notice);
    send(notice.cancellation.request(queryId));
  }
}
