/**
 * A process or worker that opens a data directory, reports whether it has it, and keeps it until it
 * is told to exit. data-directory-lock.test.ts starts it.
 */
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { DevDaemon } from "katzenpost-thinclient/testing";

const path = isMainThread ? process.argv[2]! : String(workerData);

const say = (line: string): void => {
  if (parentPort === null) process.stdout.write(`${line}\n`);
  else parentPort.postMessage(line);
};

const told = (): Promise<void> =>
  new Promise<void>((resolve) => {
    if (parentPort === null) process.stdin.once("data", () => resolve());
    else parentPort.once("message", () => resolve());
  });

// Several of them must try at the same moment.
if (process.argv[3] === "when told") {
  say("ready");
  await told();
}
try {
  const daemon = await DevDaemon.start({ dataDirectory: path });
  say("has it");
  await told();
  await daemon.close();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
}
if (isMainThread) process.stdin.destroy();
else parentPort!.close();
