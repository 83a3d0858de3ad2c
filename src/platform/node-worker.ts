/** Node's worker threads, with the interface that neutral code expects. */
import { Worker } from "node:worker_threads";
import type { WorkerLike } from "../crypto/ctidh/worker-protocol.js";

/** Starts a thread that computes CTIDH1024, for a `CtidhPool`. */
export function spawnCtidhWorker(): WorkerLike {
  const worker = new Worker(new URL("./node-ctidh-worker.js", import.meta.url), {
    name: "ctidh1024",
    // Flags of the main thread such as --input-type would prevent the worker from starting.
    execArgv: [],
  });
  return {
    postMessage: (message, transfer) => worker.postMessage(message, [...transfer]),
    onMessage: (handler) => {
      worker.on("message", handler);
    },
    onError: (handler) => {
      worker.on("error", handler);
      worker.on("messageerror", handler);
      worker.on("exit", (code) => handler(new Error(`the worker ended with code ${code}`)));
    },
    terminate: () => {
      void worker.terminate();
    },
    keepAlive: (wanted) => {
      if (wanted) worker.ref();
      else worker.unref();
    },
  };
}
