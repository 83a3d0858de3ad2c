/**
 * The code of a CTIDH worker thread on Node. `spawnCtidhWorker` starts it; it is never imported.
 */
import { parentPort } from "node:worker_threads";
import { type CtidhRequest, answerCtidhRequest } from "../crypto/ctidh/worker-protocol.js";

if (parentPort === null) throw new TypeError("this file must be run as a worker thread");
const port = parentPort;

port.on("message", (request: CtidhRequest) => {
  const response = answerCtidhRequest(request);
  const { outcome } = response;
  // The secret is transferred, so that no copy of it stays here.
  const curve = outcome.kind === "done" ? outcome.curve : null;
  port.postMessage(response, curve === null ? [] : [curve.buffer]);
});
