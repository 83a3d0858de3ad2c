/** Web workers, in the form that neutral code asks for. */
import type { CtidhRequest, CtidhResponse, WorkerLike } from "../crypto/ctidh/worker-protocol.js";

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

/** Starts a worker that computes CTIDH1024, for a `CtidhPool`. */
export function spawnCtidhWorker(): WorkerLike {
  // Bundlers know this form, and put the worker's file where it is found.
  const worker = new Worker(new URL("./browser-ctidh-worker.js", import.meta.url), {
    type: "module",
    name: "ctidh1024",
  });
  return {
    postMessage: (message: CtidhRequest, transfer) => worker.postMessage(message, [...transfer]),
    onMessage: (handler) => {
      worker.onmessage = ({ data }) => handler(data as CtidhResponse);
    },
    onError: (handler) => {
      worker.onerror = (event) => {
        event.preventDefault();
        handler(new Error(event.message ?? "the worker's file could not be loaded"));
      };
      worker.onmessageerror = () => handler(new Error("an answer of the worker cannot be read"));
    },
    terminate: () => worker.terminate(),
    // A page does not end while a worker works.
    keepAlive: () => {},
  };
}
