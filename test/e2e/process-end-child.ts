/**
 * A client that waits for a box that is never written, until its process ends in the way that the
 * test wants.
 */
import { ThinClient } from "katzenpost-thinclient";

const [address, how] = process.argv.slice(2);
const client = await ThinClient.connect(
  { dial: { tcp: { address: address! } } },
  how === "keep" ? { sessionToken: new Uint8Array(16).fill(5) } : {},
);
const { readCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32));
const reading = client.read(readCap, firstMessageIndex);
reading.catch(() => {});

let losses = 0;
client.on("daemonDisconnected", () => void losses++);

/** How an application handles a signal: here it prints whether the client works. */
async function reload(): Promise<void> {
  const counter = await client.getMessageBoxIndexCounter(firstMessageIndex, { timeoutMs: 5000 });
  process.stdout.write(`${typeof counter} after ${losses} losses\n`);
}

// Registered after the client's own handler, before it, and for one signal only.
if (how === "reload") process.on("SIGHUP", () => void reload());
if (how === "reload once") process.once("SIGHUP", () => void reload());
if (how === "reload, then let go") {
  const handle = (): void => {
    process.off("SIGHUP", handle);
    void reload();
  };
  process.on("SIGHUP", handle);
}
if (how === "end itself") {
  process.on("SIGTERM", () => process.exit(7));
}
process.stdout.write("ready\n");
if (how === "exit" || how === "keep") setTimeout(() => process.exit(7), 50);
