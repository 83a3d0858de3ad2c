/**
 * The messages between a pool and its workers. A worker gets {@link CtidhRequest}s, answers each
 * with {@link answerCtidhRequest} and posts the result; it processes one at a time.
 */
import type { Bytes } from "../../bytes/bytes.js";
import { groupAction, validatePublicKey } from "./ctidh1024.js";

/** The tasks of a worker. */
export type CtidhTask =
  /** Apply the private key to the public key, which is known to be valid. */
  | { readonly operation: "groupAction"; readonly publicKey: Bytes; readonly privateKey: Bytes }
  /** The same for a public key that must be validated first. */
  | { readonly operation: "sharedSecret"; readonly publicKey: Bytes; readonly privateKey: Bytes }
  /** Whether the public key is valid. */
  | { readonly operation: "validate"; readonly publicKey: Bytes };

/** A task for a worker. The private key is the worker's own copy, which it wipes. */
export type CtidhRequest = CtidhTask & {
  /** Returned with the answer. */
  readonly id: number;
};

/** The result of a task. */
export type CtidhOutcome =
  /** The curve, or null for `validate`, which means that the key is valid. */
  | { readonly kind: "done"; readonly curve: Bytes | null }
  | { readonly kind: "invalidPublicKey" }
  /** The task threw an error. The text never contains key material. */
  | { readonly kind: "failed"; readonly message: string };

/** The answer to the request with the same `id`. */
export interface CtidhResponse {
  readonly id: number;
  readonly outcome: CtidhOutcome;
}

/** A worker of any platform. */
export interface WorkerLike {
  /** Sends a message. The memory in `transfer` is moved and is gone on this side. */
  postMessage(message: CtidhRequest, transfer: readonly ArrayBuffer[]): void;
  /** Sets the handler for messages of the worker. */
  onMessage(handler: (response: CtidhResponse) => void): void;
  /** Sets the handler for a worker that fails or ends unexpectedly. */
  onError(handler: (error: Error) => void): void;
  /** Ends the worker at once, even while it computes. */
  terminate(): void;
  /** Sets whether the process must stay alive for this worker; initially it must. */
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
 * Carries out a request. It takes hundreds of milliseconds, never throws, and wipes the private
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
