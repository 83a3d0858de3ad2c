/** Our daemon joins the embedded network's gateway over TCP, with real packets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinClient } from "../../src/client/thin-client.js";
import { utf8ToText } from "../../src/bytes/bytes.js";
import { ConfigError } from "../../src/errors/errors.js";
import { DevDaemon } from "../../src/testing/dev-daemon.js";
import { JoinedDaemon, quickRates } from "./joined-daemon.js";
import { newStream } from "./two-clients.js";

const started = (options: object = {}): Promise<DevDaemon> =>
  DevDaemon.start({
    gateway: "tcp:127.0.0.1:0",
    mixing: "realistic",
    // A machine that runs many tests at once is sometimes late.
    kindMixes: true,
    ...quickRates,
    ...options,
  });

async function clientOf(joined: JoinedDaemon): Promise<ThinClient> {
  const { dial } = joined;
  const client = await ThinClient.connect({ dial: { unix: { address: "@joined" } } }, { dial });
  await client.waitUntilOnline();
  return client;
}

async function echo(client: ThinClient, text: string): Promise<string> {
  const destination = client.getService("echo").toDestination();
  const reply = await client.blockingSendMessage(text, ...destination);
  return utf8ToText(reply).replace(/\0+$/, "");
}

test("an echo passes through the port, and a box written inside the network is read outside", async () => {
  await using network = await started();
  await using joined = new JoinedDaemon(network);
  const outside = await clientOf(joined);
  assert.equal(await echo(outside, "through the port"), "through the port");
  const { dial } = network;
  const inside = await ThinClient.connect({ dial: { unix: { address: "@inside" } } }, { dial });
  const { writeCap, readCap, firstMessageIndex } = await newStream(inside);
  await inside.write(writeCap, firstMessageIndex, "from inside");
  assert.equal(
    utf8ToText((await outside.read(readCap, firstMessageIndex)).plaintext),
    "from inside",
  );
  const { phase, replies, documents } = joined.link.describe();
  assert.equal(phase, "connected");
  assert.ok(replies > 0);
  assert.equal(documents[0]!.signers.length, 3);
  const { dropped, undeliverable } = network.network.describe().traffic;
  assert.deepEqual([dropped, undeliverable], [0, 0]);
  assert.deepEqual(joined.faults, []);
  assert.equal(network.network.describe().links.length, 2);
  await inside.stop();
  await outside.stop();
});

test("a network with Sphinx mixing serves its own daemon and another's alike", async () => {
  // Its own daemon sends decoys, and each takes a while to build and to unwrap.
  await using network = await started({ mixing: undefined, lambdaP: 0.02 });
  await using joined = new JoinedDaemon(network);
  assert.equal(network.network.describe().mixing, "sphinx");
  const outside = await clientOf(joined);
  const inside = await ThinClient.connect(
    { dial: { unix: { address: "@inside" } } },
    { dial: network.dial },
  );
  await inside.waitUntilOnline();
  const said = await Promise.all([echo(outside, "outside"), echo(inside, "inside")]);
  assert.deepEqual(said, ["outside", "inside"]);
  await inside.stop();
  await outside.stop();
});

test("a joined daemon has each epoch's document in time", async () => {
  const epochMs = 3000;
  await using network = await started({ epochMs });
  await using joined = new JoinedDaemon(network);
  const client = await clientOf(joined);
  const first = network.network.currentEpoch;
  while (network.network.currentEpoch < first + 4) {
    assert.equal(await echo(client, "still here"), "still here");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { documents, lastError } = joined.link.describe();
  assert.ok(documents.some(({ epoch }) => epoch >= first + 3));
  assert.equal(lastError, null);
  await client.stop();
});

test("a joined daemon reconnects when the gateway returns, with or without a new network", async () => {
  const seed = "killed and restarted";
  let network = await started({ seed });
  const gateway = network.gateway!.addresses[0]!.replace("tcp://", "tcp:");
  await using joined = new JoinedDaemon(network);
  const client = await clientOf(joined);
  assert.equal(await echo(client, "before"), "before");
  network.network.faults.setOnline(false);
  await until(() => !client.isConnected());
  network.network.faults.setOnline(true);
  await client.waitUntilOnline();
  assert.equal(await echo(client, "between"), "between");
  await network.close();
  await until(() => !client.isConnected());
  network = await started({ seed, gateway });
  await client.waitUntilOnline();
  assert.equal(await echo(client, "after"), "after");
  await client.stop();
  await network.close();
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("addresses that clients cannot dial are refused, and so is instant mixing", async () => {
  for (const gateway of ["unix:/tmp/gateway.sock", "tcp:0.0.0.0:0", "tcp:[::]:0", "nonsense"]) {
    await assert.rejects(started({ gateway, allowRemote: true }), ConfigError);
  }
  await assert.rejects(started({ mixing: "instant" }), { name: "RangeError", message: /instant/ });
  await assert.rejects(started({ gateway: 1 }), TypeError);
});
