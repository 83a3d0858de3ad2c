/** The network with a daemon in front, as a page uses it: connections in memory only. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EmbeddedDaemon } from "katzenpost-thinclient/network";
import { ThinClient, hasCode, randomBytes, utf8ToText } from "katzenpost-thinclient";

const dial = { unix: { address: "@in-memory" } };

test("a client writes and reads, also after the daemon was restarted", async () => {
  await using embedded = await EmbeddedDaemon.start({ seed: "in memory" });
  await using client = await ThinClient.connect({ dial }, { dial: embedded.dial });
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  await client.write(writeCap, firstMessageIndex, "a box");
  assert.equal(embedded.isRunning, true);
  await embedded.crash();
  assert.equal(embedded.isRunning, false);
  assert.throws(() => embedded.daemon, /the embedded daemon is not running/);
  await embedded.restart();
  const { plaintext } = await client.read(readCap, firstMessageIndex);
  assert.equal(utf8ToText(plaintext), "a box");
  const held = embedded.storage.replicas.filter((replica) => replica.stored.boxes > 0);
  assert.equal(held.length, 2);
});

test("options are checked before anything is made", async () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ listen: "tcp:127.0.0.1:0" }, /`options.listen` is not an option; known: seed, clock/],
    [{ dataDirectory: "x" }, /`options.dataDirectory` is not an option/],
    [{ replicas: 1 }, /`options.replicas` must be an integer from 2/],
    [{ couriers: 101 }, /`couriers` must be an integer from 1 to 100, got 101/],
    [{ userForwardPayloadLength: 100 }, /100/],
  ];
  for (const [options, message] of wrong)
    await assert.rejects(EmbeddedDaemon.start(options), message);
});

test("a network that is closed does not start again", async () => {
  const embedded = await EmbeddedDaemon.start();
  await embedded.close();
  await embedded.close();
  await assert.rejects(embedded.restart(), (error) => hasCode(error, "ERR_INVALID_STATE"));
});
