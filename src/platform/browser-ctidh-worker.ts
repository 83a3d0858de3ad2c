/** The code of a CTIDH worker in a page. `spawnCtidhWorker` starts it; it is never imported. */
import { type CtidhRequest, answerCtidhRequest } from "../crypto/ctidh/worker-protocol.js";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
}
const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data }) => {
  const response = answerCtidhRequest(data as CtidhRequest);
  const { outcome } = response;
  // The secret is transferred, so that no copy of it stays here.
  const curve = outcome.kind === "done" ? outcome.curve : null;
  scope.postMessage(response, curve === null ? [] : [curve.buffer]);
};

scope.postMessage("ready", []);
