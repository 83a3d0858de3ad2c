/** A bot that reads a stream of boxes and answers each line into a stream of its own. */
import { fileURLToPath } from "node:url";
import {
  type MessageBoxIndex,
  type ReadCap,
  ThinClient,
  type WriteCap,
  isExpectedOutcome,
  randomBytes,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

// #region bot
/** What the bot reads from and writes to. */
export interface Conversation {
  readonly inbox: { readonly readCap: ReadCap; readonly index: MessageBoxIndex };
  readonly outbox: { readonly writeCap: WriteCap; readonly index: MessageBoxIndex };
}

/** Answers lines until one says "bye" or `signal` is aborted; returns how many it answered. */
export async function runBot(
  client: ThinClient,
  { inbox, outbox }: Conversation,
  signal?: AbortSignal,
): Promise<number> {
  let from = inbox.index;
  let to = outbox.index;
  let answered = 0;
  for (;;) {
    let line: string;
    try {
      const box = await client.read(inbox.readCap, from, { signal });
      from = box.nextMessageBoxIndex;
      line = utf8ToText(box.plaintext);
    } catch (error) {
      // Skip a deleted line; rethrow every other error.
      if (!isExpectedOutcome(error)) throw error;
      from = await client.nextMessageBoxIndex(from);
      continue;
    }
    const answer = line === "bye" ? "goodbye" : `you said: ${line}`;
    const written = await client.write(outbox.writeCap, to, answer, { signal });
    to = written.nextMessageBoxIndex;
    answered++;
    if (line === "bye") return answered;
  }
}
// #endregion

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  await using user = await ThinClient.connect(daemon.config());
  await using client = await ThinClient.connect(daemon.config());
  const toBot = await user.newKeypair(randomBytes(32));
  const fromBot = await user.newKeypair(randomBytes(32));
  const bot = runBot(client, {
    inbox: { readCap: toBot.readCap, index: toBot.firstMessageIndex },
    outbox: { writeCap: fromBot.writeCap, index: fromBot.firstMessageIndex },
  });
  let to = toBot.firstMessageIndex;
  let from = fromBot.firstMessageIndex;
  for (const line of ["hello", "bye"]) {
    ({ nextMessageBoxIndex: to } = await user.write(toBot.writeCap, to, line));
    const answer = await user.read(fromBot.readCap, from);
    console.log(`${line} -> ${utf8ToText(answer.plaintext)}`);
    from = answer.nextMessageBoxIndex;
  }
  console.log(`the bot answered ${await bot} lines`);
}
