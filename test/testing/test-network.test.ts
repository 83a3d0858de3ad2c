import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, utf8ToText } from "../../src/bytes/bytes.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { EmbeddedDaemon } from "../../src/network/index.js";
import { DevDaemon, startTestNetwork } from "../../src/testing/index.js";

const text = (reply: Uint8Array): string => utf8ToText(reply).replace(/\0+$/, "");

test("a test network starts in one line, and its clients share it", async () => {
  await using network = await startTestNetwork();
  const alice = await network.client();
  const bob = await network.client();
  const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(new Uint8Array(32));
  await alice.write(writeCap, firstMessageIndex, "from Alice");
  const { plaintext } = await bob.read(readCap, firstMessageIndex);
  assert.equal(text(plaintext), "from Alice");
});

test("on a virtual clock nothing arrives before the test moves it, and then without real waiting", async () => {
  await using network = await startTestNetwork({ clock: "virtual", mixing: "realistic" });
  assert.ok(network.clock instanceof VirtualClock);
  const client = await network.client();
  const before = network.clock.now();
  const echo = client.getService("echo");
  const sent = client.blockingSendMessage("hello", ...echo.toDestination());
  assert.equal(network.clock.now(), before);
  assert.equal(text(await network.run(sent)), "hello");
  assert.ok(network.clock.now() > before, "delays of a realistic network were waited for");
});

test("the same seed gives the same network, and another seed another one", async () => {
  const identities = async (seed?: string): Promise<string> => {
    await using network = await startTestNetwork(seed === undefined ? {} : { seed });
    return JSON.stringify(
      network.daemon.network.serviceNodes.map((node) => [...node.identityHash]),
    );
  };
  const first = await identities();
  assert.equal(await identities(), first);
  assert.notEqual(await identities("another"), first);
});

test("a seed that the caller erases at once is the network's seed all the same", async () => {
  for (const kind of [DevDaemon, EmbeddedDaemon]) {
    const identities = async (erased: boolean): Promise<string> => {
      const seed = new Uint8Array(32).fill(7);
      const starting = kind.start({ seed });
      if (erased) seed.fill(0);
      const daemon = await starting;
      const nodes = daemon.network.serviceNodes.map(({ identityHash }) => toHex(identityHash));
      await daemon.close();
      return nodes.join();
    };
    assert.equal(await identities(true), await identities(false));
  }
});

test("faults are controlled through the network, and a test's own clients can dial it", async () => {
  await using network = await startTestNetwork();
  const heard: boolean[] = [];
  const client = await network.client({
    handlers: { onConnectionStatus: ({ isConnected }) => void heard.push(isConnected) },
  });
  network.faults.setOnline(false);
  await client.newKeypair(new Uint8Array(32));
  assert.deepEqual(heard, [true, false]);

  const { dial, clock } = network;
  const own = new ThinClient({ dial: { tcp: { address: "localhost:1" } } }, { dial, clock });
  await own.start();
  assert.equal(own.isConnected(), false);
  await own.stop();
});

test("a client cannot connect while the daemon is down, and says so", async () => {
  await using network = await startTestNetwork();
  await network.daemon.crash();
  await assert.rejects(network.client(), { code: "ERR_CONNECT" });
  await network.daemon.restart();
  assert.equal((await network.client()).state, "ready");
});

test("closing stops every client once", async () => {
  const network = await startTestNetwork();
  const clients = [await network.client(), await network.client()];
  await network.close();
  await network.close();
  assert.deepEqual(
    clients.map((client) => client.state),
    ["closed", "closed"],
  );
  assert.equal(network.daemon.isRunning, false);
});

test("wrong options are refused by name", async () => {
  await assert.rejects(startTestNetwork({ clock: "sundial" as "real" }), /`options.clock` must be/);
  await assert.rejects(startTestNetwork({ couriers: 0 }), RangeError);
  await assert.rejects(startTestNetwork({ mixers: 1 } as object), /options\.mixers/);
});
