/**
 * A process that gets killed: a writer or a reader of a channel on LevelDB. kill.test.ts starts it
 * as `node … writer|reader ADDRESS FOLDER COUNT`. It continues where it stopped: files record what
 * the writer sent and the reader saw, before and after each call.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/bytes/bytes.js";
import { type Channels, type Invitation, openChannels } from "../../src/channels/index.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { isThinClientError } from "../../src/errors/errors.js";
import { MessageBoxIndex, ReadCap } from "../../src/bytes/opaque.js";

/** Message number `n`; every fifth takes several boxes. */
export function messageOf(n: number): Uint8Array<ArrayBuffer> {
  return utf8(`${n}:`.padEnd(n % 5 === 4 ? 4000 : 40, String(n % 10)));
}

function invitationIn(folder: string): Invitation | null {
  const path = join(folder, "invitation");
  if (!existsSync(path)) return null;
  const { readCap, index } = JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
  return {
    readCap: ReadCap.fromBase64(readCap!),
    nextMessageBoxIndex: MessageBoxIndex.fromBase64(index!),
  };
}

async function write(channels: Channels, folder: string, count: number): Promise<void> {
  const known = (await channels.list()).length > 0;
  const writer = known ? await channels.writer("out") : await channels.create("out");
  if (!invitationIn(folder)) {
    const { readCap, nextMessageBoxIndex } = await writer.invitation();
    writeFileSync(
      join(folder, "invitation"),
      JSON.stringify({
        readCap: ReadCap.toBase64(readCap),
        index: MessageBoxIndex.toBase64(nextMessageBoxIndex),
      }),
    );
  }
  // A message whose `send` did not return may be in the outbox; the application does not send it
  // again.
  const path = join(folder, "sent");
  const begun = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  let next = begun.filter((line) => line.startsWith("begin")).length;
  for (; next < count; next++) {
    appendFileSync(path, `begin ${next}\n`);
    const delivery = await writer.send(messageOf(next));
    appendFileSync(path, `done ${next} ${delivery.id}\n`);
    process.stdout.write(`${next}\n`);
    if (next % 3 === 0) await delivery.stored;
  }
  for (const delivery of await writer.outbox()) await delivery.stored;
  process.stdout.write("all\n");
}

async function read(channels: Channels, folder: string): Promise<void> {
  const known = (await channels.list()).length > 0;
  const reader = known
    ? await channels.reader("in")
    : await channels.import("in", invitationIn(folder)!, { from: "start" });
  for await (const message of reader) {
    const text = Buffer.from(message.bytes).toString("latin1");
    appendFileSync(join(folder, "seen"), `${message.id} ${message.gap} ${text}\n`);
    process.stdout.write(`${message.id}\n`);
  }
}

/** Connects as soon as the network is up; the test kills and restarts the network too. */
async function connect(address: string): Promise<ThinClient> {
  for (;;) {
    try {
      return await ThinClient.connect({ dial: { tcp: { address } } });
    } catch (error) {
      if (!isThinClientError(error) || !error.retryable) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const [what, address, folder, count] = process.argv.slice(2);
if (what !== undefined) {
  const client = await connect(address!);
  const channels = await openChannels(client, join(folder!, what));
  if (what === "writer") await write(channels, folder!, Number(count));
  else await read(channels, folder!);
  await channels.close();
  await client.stop();
}
