/** How the chat bot is tested: a whole network in each test, its faults, and its clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8ToText } from "katzenpost-thinclient";
import { type Reader, openChannels } from "katzenpost-thinclient/channels";
import { type TestNetwork, startTestNetwork } from "katzenpost-thinclient/testing";
import { MemoryLevel } from "memory-level";
import { runBot } from "./chat-bot.js";

// #region conversation
/** Two channels, at the user and at the bot. The stores are in memory. */
async function conversation(network: TestNetwork) {
  const { clock } = network;
  const reconnect = { initialDelayMs: 10 };
  const botStore = new MemoryLevel<string, Uint8Array>();
  const user = await openChannels(await network.client({ reconnect }), new MemoryLevel(), {
    clock,
  });
  const bot = await openChannels(await network.client({ reconnect }), botStore, { clock });
  const toBot = await user.create("to the bot");
  const outbox = await bot.create("answers");
  return {
    toBot,
    inbox: await bot.import("lines", await toBot.invitation()),
    outbox,
    answers: await user.import("answers", await outbox.invitation()),
    botStore,
    bot,
    [Symbol.asyncDispose]: async () => void (await Promise.all([user.close(), bot.close()])),
  };
}

/** The next message, which is acknowledged. */
async function nextText(reader: Reader): Promise<string | undefined> {
  for await (const message of reader) {
    await message.ack();
    return utf8ToText(message.bytes);
  }
  return undefined;
}
// #endregion

// #region one-line
test("the bot answers and says goodbye", async () => {
  await using network = await startTestNetwork();
  await using talk = await conversation(network);
  const bot = runBot(talk.inbox, talk.outbox);

  await talk.toBot.send("hello");
  assert.equal(await nextText(talk.answers), "you said: hello");

  await talk.toBot.send("bye");
  assert.equal(await bot, 2);
});
// #endregion

// #region faults
test("the bot outlives a daemon that is killed while it waits", async () => {
  await using network = await startTestNetwork();
  await using talk = await conversation(network);
  const bot = runBot(talk.inbox, talk.outbox);

  await network.daemon.crash();
  await talk.toBot.send("bye"); // into the outbox: this needs no daemon
  await network.daemon.restart();

  assert.equal(await bot, 1);
  assert.equal(await nextText(talk.answers), "goodbye");
});
// #endregion

// #region restart
test("a bot that starts again answers what it missed, and nothing twice", async () => {
  await using network = await startTestNetwork();
  await using talk = await conversation(network);
  await talk.toBot.send("bye");
  assert.equal(await runBot(talk.inbox, talk.outbox), 1);
  await talk.bot.close();
  await talk.toBot.send("are you there?");
  await talk.toBot.send("bye");

  await using again = await openChannels(await network.client(), talk.botStore);
  assert.equal(await runBot(await again.reader("lines"), await again.writer("answers")), 2);
  for (const answer of ["goodbye", "you said: are you there?", "goodbye"]) {
    assert.equal(await nextText(talk.answers), answer);
  }
});
// #endregion

// #region clock
test("a bot that hears nothing is stopped after a minute, which takes a moment", async () => {
  await using network = await startTestNetwork({ clock: "virtual" });
  await using talk = await network.run(conversation(network));

  const began = network.clock.now();
  const stop = new AbortController();
  network.clock.after(60_000, () => stop.abort(new Error("nobody spoke")));
  const bot = runBot(talk.inbox, talk.outbox, stop.signal);
  await assert.rejects(network.run(bot), /nobody spoke/);
  assert.equal(network.clock.now() - began, 60_000);
});
// #endregion

// #region deleted
test("a line that was deleted is passed over", async () => {
  await using network = await startTestNetwork();
  await using talk = await conversation(network);

  const { id } = await talk.toBot.send("nothing");
  await talk.toBot.delete(id);
  await talk.toBot.send("bye");

  assert.equal(await runBot(talk.inbox, talk.outbox), 1);
  assert.equal(await nextText(talk.answers), "goodbye");
});
// #endregion
