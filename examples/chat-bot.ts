/** A bot that answers each line of one channel on another one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { type Reader, type Writer, openChannels } from "katzenpost-thinclient/channels";
import { DevDaemon } from "katzenpost-thinclient/testing";

// #region bot
/** Answers lines until one says "bye" or `signal` is aborted; returns how many it answered. */
export async function runBot(inbox: Reader, outbox: Writer, signal?: AbortSignal): Promise<number> {
  let answered = 0;
  for await (const message of inbox.messages({ ack: "manual", signal })) {
    if (message.kind !== "message") continue; // for example a line that was deleted
    const line = utf8ToText(message.bytes);
    await outbox.send(line === "bye" ? "goodbye" : `you said: ${line}`);
    // Only now: after a crash before this, the line comes again, and no line is left unanswered.
    await message.ack();
    answered++;
    if (line === "bye") break;
  }
  return answered;
}
// #endregion

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  await using user = await ThinClient.connect(daemon.config());
  await using client = await ThinClient.connect(daemon.config());
  const folder = await mkdtemp(join(tmpdir(), "katz-chat-bot-"));
  const ours = await openChannels(user, join(folder, "user"));
  const theirs = await openChannels(client, join(folder, "bot"));
  const toBot = await ours.create("to the bot");
  const answers = await theirs.create("answers");
  const inbox = await theirs.import("lines", await toBot.invitation());
  const fromBot = await ours.import("from the bot", await answers.invitation());
  const bot = runBot(inbox, answers);
  await toBot.send("hello");
  await toBot.send("bye");
  for await (const answer of fromBot) {
    const text = utf8ToText(answer.bytes);
    console.log(text);
    if (text === "goodbye") break;
  }
  console.log(`the bot answered ${await bot} lines`);
  await Promise.all([ours.close(), theirs.close()]);
  await rm(folder, { recursive: true });
}
