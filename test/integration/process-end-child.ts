/** A client that waits for a box nobody writes, until its process ends as the test wants. */
import { ThinClient } from "katzenpost-thinclient";

const [address, how] = process.argv.slice(2);
const client = await ThinClient.connect(
  { dial: { tcp: { address: address! } } },
  how === "keep" ? { sessionToken: new Uint8Array(16).fill(5) } : {},
);
const { readCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32));
const reading = client.read(readCap, firstMessageIndex);
reading.catch(() => {});
process.stdout.write("ready\n");
if (how === "exit" || how === "keep") setTimeout(() => process.exit(7), 50);
