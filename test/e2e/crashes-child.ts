/**
 * An application that is killed: it writes boxes and sends messages without pause, and prints which
 * boxes were acknowledged. crashes.test.ts starts it as `node … ADDRESS SEED`.
 */
import { ThinClient, utf8 } from "katzenpost-thinclient";

const [, , address = "", seed = "0"] = process.argv;
const client = await ThinClient.connect({ dial: { tcp: { address } } });
const { writeCap, firstMessageIndex } = await client.newKeypair(
  new Uint8Array(32).fill(Number(seed)),
);

async function echo(): Promise<never> {
  const destination = client.getService("echo").toDestination();
  for (;;) await client.blockingSendMessage(utf8("hello"), ...destination);
}

for (let i = 0; i < 8; i++) void echo();
let index = firstMessageIndex;
for (let box = 0; ; box++) {
  const written = await client.write(writeCap, index, `box ${box}`);
  process.stdout.write(`${box}\n`);
  index = written.nextMessageBoxIndex;
}
