/**
 * What a pool and its workers say to each other. A worker gets {@link CtidhRequest}s, answers each
 * with {@link answerCtidhRequest} and posts the result back; it does one at a time.
 */
import type { Bytes } from "../../bytes/bytes.js";
import { groupAction, validatePublicKey } from "./ctidh1024.js";

/** What a worker can do. */
export type CtidhTask =
  /** The curve that the private key takes the public key to; the key is known to be valid. */
  | { readonly operation: "groupAction"; readonly publicKey: Bytes; readonly privateKey: Bytes }
  /** The same of a public key that is to be validated first. */
  | { readonly operation: "sharedSecret"; readonly publicKey: Bytes; readonly privateKey: Bytes }
  /** Whether the public key is valid. */
  | { readonly operation: "validate"; readonly publicKey: Bytes };

/** A task for a worker. The private key is the worker's own copy: it wipes it. */
export type CtidhRequest = CtidhTask & {
  /** Comes back with the answer. */
  readonly id: number;
};

/** What a worker found out. */
export type CtidhOutcome =
  /** The curve, or (for `validate`) nothing more than that the key is valid. */
  | { readonly kind: "done"; readonly curve: Bytes | null }
  | { readonly kind: "invalidPublicKey" }
  /** Something threw. The text never holds key material. */
  | { readonly kind: "failed"; readonly message: string };

/** The answer to the request with the same `id`. */
export interface CtidhResponse {
  readonly id: number;
  readonly outcome: CtidhOutcome;
}

/** A worker, whatever the platform has for one. */
export interface WorkerLike {
  /** Sends a message. The memory in `transfer` moves over and is gone on this side. */
  postMessage(message: CtidhRequest, transfer: readonly ArrayBuffer[]): void;
  /** Sets what is called with each message of the worker. */
  onMessage(handler: (response: CtidhResponse) => void): void;
  /** Sets what is called when the worker fails or ends without having been asked to. */
  onError(handler: (error: Error) => void): void;
  /** Ends the worker at once, whatever it does. */
  terminate(): void;
  /** Says whether the process has to stay alive for this worker. It has to at first. */
  keepAlive(wanted: boolean): void;
}

function perform(task: CtidhTask): CtidhOutcome {
  switch (task.operation) {
    case "groupAction":
      return { kind: "done", curve: groupAction(task.publicKey, task.privateKey) };
    case "sharedSecret":
      if (!validatePublicKey(task.publicKey)) return { kind: "invalidPublicKey" };
      return { kind: "done", curve: groupAction(task.publicKey, task.privateKey) };
    case "validate":
      return validatePublicKey(task.publicKey)
        ? { kind: "done", curve: null }
        : { kind: "invalidPublicKey" };
  }
}

/**
 * Does what a request asks for; takes hundreds of milliseconds, never throws, wipes the private
 * key.
 */
export function answerCtidhRequest(request: CtidhRequest): CtidhResponse {
  try {
    return { id: request.id, outcome: perform(request) };
  } catch (error) {
    const message = error instanceof Error ? error.message : "the worker failed";
    return { id: request.id, outcome: { kind: "failed", message } };
  } finally {
    if ("privateKey" in request) request.privateKey.fill(0);
  }
}
