/** Web workers, with the interface that neutral code expects. */
import { realClock } from "../clock/real.js";
import {
  type CtidhRequest,
  type CtidhResponse,
  type WorkerLike,
  answerCtidhRequest,
} from "../crypto/ctidh/worker-protocol.js";

/** The part of a page's workers that is used here. */
interface PageWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onmessageerror: (() => void) | null;
  onerror: ((event: { readonly message?: string; preventDefault(): void }) => void) | null;
  terminate(): void;
}
declare const Worker: new (
  url: URL,
  options: { readonly type: "module"; readonly name: string },
) => PageWorker;

/** A worker posts this when its file has been loaded. */
const READY = "ready";

/** A worker that may still be loading, or may fail to load. */
class CtidhWorker implements WorkerLike {
  readonly #worker: PageWorker | null;
  #state: "loading" | "ready" | "missing" | "ended" = "loading";
  #waiting: { readonly request: CtidhRequest; readonly transfer: ArrayBuffer[] }[] = [];
  #onMessage: (response: CtidhResponse) => void = () => {};
  #onError: (error: Error) => void = () => {};

  constructor() {
    this.#worker = this.#load();
    if (this.#worker === null) this.#state = "missing";
  }

  #load(): PageWorker | null {
    let worker: PageWorker;
    try {
      // Bundlers recognize this form and include the worker's file.
      worker = new Worker(new URL("./browser-ctidh-worker.js", import.meta.url), {
        type: "module",
        name: "ctidh1024",
      });
    } catch {
      // The page is itself a worker without workers, or a policy forbids them.
      return null;
    }
    worker.onmessage = ({ data }) => {
      if (data !== READY) this.#onMessage(data as CtidhResponse);
      else this.#settle("ready");
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (this.#state === "loading") this.#settle("missing");
      else this.#onError(new Error(event.message ?? "the worker failed"));
    };
    worker.onmessageerror = () =>
      this.#onError(new Error("an answer of the worker cannot be decoded"));
    return worker;
  }

  #settle(state: "ready" | "missing"): void {
    if (this.#state !== "loading") return;
    this.#state = state;
    for (const { request, transfer } of this.#waiting.splice(0)) {
      this.postMessage(request, transfer);
    }
  }

  postMessage(request: CtidhRequest, transfer: readonly ArrayBuffer[]): void {
    // Transfer keys only to a loaded worker, otherwise they would be lost.
    if (this.#state === "loading") this.#waiting.push({ request, transfer: [...transfer] });
    else if (this.#state === "ready") this.#worker?.postMessage(request, [...transfer]);
    else realClock.after(0, () => this.#answerHere(request));
  }

  /** If the worker's file is missing, as in some bundles, this thread computes. */
  #answerHere(request: CtidhRequest): void {
    if (this.#state !== "ended") this.#onMessage(answerCtidhRequest(request));
  }

  onMessage(handler: (response: CtidhResponse) => void): void {
    this.#onMessage = handler;
  }

  onError(handler: (error: Error) => void): void {
    this.#onError = handler;
  }

  terminate(): void {
    this.#state = "ended";
    this.#waiting = [];
    this.#worker?.terminate();
  }

  // A page does not end while a worker works.
  keepAlive(): void {}
}

/** See the contract. */
export function spawnCtidhWorker(): WorkerLike {
  return new CtidhWorker();
}
