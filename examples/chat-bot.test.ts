/** How the chat bot is tested: a whole network in each test, its faults, and its clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type KeypairResult,
  type ThinClient,
  randomBytes,
  utf8ToText,
} from "katzenpost-thinclient";
import { startTestNetwork } from "katzenpost-thinclient/testing";
import { runBot } from "./chat-bot.js";

// #region conversation
/** Two streams, seen by the user and by the bot. */
async function conversation(user: ThinClient) {
  const toBot: KeypairResult = await user.newKeypair(randomBytes(32));
  const fromBot: KeypairResult = await user.newKeypair(randomBytes(32));
  return {
    toBot,
    fromBot,
    forBot: {
      inbox: { readCap: toBot.readCap, index: toBot.firstMessageIndex },
      outbox: { writeCap: fromBot.writeCap, index: fromBot.firstMessageIndex },
    },
  };
}
// #endregion

// #region one-line
test("the bot answers and says goodbye", async () => {
  await using network = await startTestNetwork();
  const user = await network.client();
  const { toBot, fromBot, forBot } = await conversation(user);
  const bot = runBot(await network.client(), forBot);

  const first = await user.write(toBot.writeCap, toBot.firstMessageIndex, "hello");
  const answer = await user.read(fromBot.readCap, fromBot.firstMessageIndex);
  assert.equal(utf8ToText(answer.plaintext), "you said: hello");

  await user.write(toBot.writeCap, first.nextMessageBoxIndex, "bye");
  assert.equal(await bot, 2);
});
// #endregion

// #region faults
test("the bot outlives a daemon that is killed while it waits", async () => {
  await using network = await startTestNetwork();
  const user = await network.client();
  const { toBot, fromBot, forBot } = await conversation(user);
  const bot = runBot(await network.client({ reconnect: { initialDelayMs: 10 } }), forBot);

  await network.daemon.crash();
  await network.daemon.restart();
  await user.write(toBot.writeCap, toBot.firstMessageIndex, "bye");

  assert.equal(await bot, 1);
  const answer = await user.read(fromBot.readCap, fromBot.firstMessageIndex);
  assert.equal(utf8ToText(answer.plaintext), "goodbye");
});
// #endregion

// #region clock
test("a user who waits for an answer gives up after a minute, which takes a moment", async () => {
  await using network = await startTestNetwork({ clock: "virtual" });
  const user = await network.client();
  const { fromBot } = await network.run(conversation(user));

  const began = network.clock.now();
  const answer = user.read(fromBot.readCap, fromBot.firstMessageIndex, { timeoutMs: 60_000 });
  await assert.rejects(network.run(answer), { code: "ERR_TIMEOUT" });
  assert.equal(network.clock.now() - began, 60_000);
});
// #endregion

// #region deleted
test("a line that was deleted is passed over", async () => {
  await using network = await startTestNetwork();
  const user = await network.client();
  const { toBot, fromBot, forBot } = await conversation(user);

  const second = await user.tombstone(toBot.writeCap, toBot.firstMessageIndex);
  await user.write(toBot.writeCap, second.nextMessageBoxIndex, "bye");

  assert.equal(await runBot(await network.client(), forBot), 1);
  const answer = await user.read(fromBot.readCap, fromBot.firstMessageIndex);
  assert.equal(utf8ToText(answer.plaintext), "goodbye");
});
// #endregion
