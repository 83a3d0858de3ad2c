/**
 * A process whose memory is measured: a client and a daemon that work for a long time. Run with
 * `--expose-gc` as `node … round-trips COUNT` or `node … reconnects COUNT`; it prints the sizes in
 * bytes.
 */
import { ThinClient } from "../../src/client/thin-client.js";
import { keypairFromSeed } from "../../src/bacap/capabilities.js";
import { DevDaemon } from "../../src/testing/dev-daemon.js";

declare const gc: () => void;

const [, , what, count] = process.argv;
const daemon = await DevDaemon.start({ seed: "memory" });
const client = await ThinClient.connect(
  { dial: { unix: { address: "@never-dialled" } } },
  { dial: daemon.dial, reconnect: { initialDelayMs: 1, maxDelayMs: 2 } },
);
const { readCap, firstMessageIndex } = keypairFromSeed(new Uint8Array(32).fill(1));

/** Makes `count` local requests, a hundred at a time; every tenth is aborted. */
async function roundTrips(times: number): Promise<void> {
  let left = times;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      if (left % 10 !== 0) {
        await client.nextMessageBoxIndex(firstMessageIndex);
        continue;
      }
      const abort = new AbortController();
      const call = client.nextMessageBoxIndex(firstMessageIndex, { signal: abort.signal });
      abort.abort();
      await call.catch(() => {});
      // Its answer still arrives, and so does that of a request after it.
      await client.getMessageBoxIndexCounter(firstMessageIndex);
    }
  };
  await Promise.all(Array.from({ length: 100 }, worker));
}

/**
 * Loses the connection `count` times, with some work under way that survives and some that does
 * not.
 */
async function reconnects(times: number): Promise<void> {
  const envelope = await client.encryptRead(readCap, firstMessageIndex);
  const destination = client.getService("echo").toDestination();
  for (let i = 0; i < times; i++) {
    const back = new Promise<void>((resolve) => {
      client.on("reconnected", () => resolve(), { once: true });
    });
    const abort = new AbortController();
    const { signal } = abort;
    const waiting = client.startResendingEncryptedMessage(envelope, { signal });
    const echo = client.blockingSendMessage("hello", ...destination, { signal });
    const given = Promise.allSettled([waiting, echo]);
    const local = client.getDirectoryAuthorities();
    daemon.daemon.dropConnections();
    if (i % 3 === 0) daemon.daemon.forgetSessions();
    if (i % 50 === 0) {
      await daemon.crash();
      await daemon.restart();
    }
    await back;
    await local;
    abort.abort();
    await given;
  }
}

/** The heap after everything that can be released was released. */
async function heapUsed(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc();
  }
  return process.memoryUsage().heapUsed;
}

const work = what === "reconnects" ? reconnects : roundTrips;
// The first use of everything: compiled code, tables, pools of random bytes.
await work(Math.ceil(Number(count) / 20));
const before = await heapUsed();
await work(Number(count));
const after = await heapUsed();
const { pendingCalls } = client;
await client.stop();
const { load } = daemon.daemon;
await daemon.close();
process.stdout.write(`${JSON.stringify({ before, after, pendingCalls, load })}\n`);
