/** The network with a daemon, as a page uses it: in-memory connections only. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("a client connects with only the configuration", async () => {
  await using embedded = await EmbeddedDaemon.start();
  await using client = await ThinClient.connect(embedded.config());
  const echo = client.getService("echo");
  const reply = await client.blockingSendMessage("hello", ...echo.toDestination());
  assert.equal(utf8ToText(reply.subarray(0, 5)), "hello");
});

test("a store keeps boxes for the next network, and is locked meanwhile", async () => {
  const folder = mkdtempSync(join(tmpdir(), "katz-embedded-"));
  const store = join(folder, "boxes");
  try {
    await assert.rejects(EmbeddedDaemon.start({ store, couriers: 0 }), RangeError);
    assert.equal(existsSync(store), false, "nothing was opened");
    const seed = randomBytes(32);
    let read: Parameters<ThinClient["read"]>;
    {
      await using embedded = await EmbeddedDaemon.start({ store, replicas: 3 });
      await using client = await ThinClient.connect({ dial }, { dial: embedded.dial });
      const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(seed);
      await client.write(writeCap, firstMessageIndex, "kept");
      read = [readCap, firstMessageIndex];
      await assert.rejects(EmbeddedDaemon.start({ store }), /is in use/);
    }
    await assert.rejects(
      EmbeddedDaemon.start({ store, replicas: 5 }),
      /was created with replicas 3/,
    );
    await using embedded = await EmbeddedDaemon.start({ store });
    await using client = await ThinClient.connect({ dial }, { dial: embedded.dial });
    assert.equal(embedded.storage.replicas.length, 3);
    assert.equal(utf8ToText((await client.read(...read)).plaintext), "kept");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("options are checked before anything is created", async () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ listen: "tcp:127.0.0.1:0" }, /`options.listen` is not an option; known: store, seed, clock/],
    [{ dataDirectory: "x" }, /`options.dataDirectory` is not an option/],
    [{ replicas: 1 }, /`options.replicas` must be an integer from 2/],
    [{ couriers: 101 }, /`couriers` must be an integer from 1 to 100, got 101/],
    [{ userForwardPayloadLength: 100 }, /100/],
  ];
  for (const [options, message] of wrong)
    await assert.rejects(EmbeddedDaemon.start(options), message);
});

test("a closed network does not start again", async () => {
  const embedded = await EmbeddedDaemon.start();
  await embedded.close();
  await embedded.close();
  await assert.rejects(embedded.restart(), (error) => hasCode(error, "ERR_INVALID_STATE"));
});
