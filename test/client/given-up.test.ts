/**
 * What a client leaves at a daemon that starts operations late and cancels at once, and what waits
 * there.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ThinClientOptions } from "../../src/client/options.js";
import { RequestTimeoutError } from "../../src/errors/errors.js";
import { type ConnectedPair, connectedPair, pkiDocument, reasonOf, turn } from "./fixture.js";
import { MeasuredDaemon, type MeasuredOptions } from "./measured-daemon.js";
import { hashOf, index, indexOf, readCap, sealedRead, sealedWrite } from "./pigeonhole-fixture.js";

const TICK_MS = 1000;

async function measured(
  options: Partial<MeasuredOptions> = {},
  clientOptions: ThinClientOptions = {},
): Promise<ConnectedPair & { readonly network: MeasuredDaemon }> {
  const document = pkiDocument({ LambdaP: 1 / TICK_MS });
  const made = await connectedPair(clientOptions, { document });
  const network = new MeasuredDaemon({ clock: made.clock, tickMs: TICK_MS, ...options });
  void network.serve(made.connection);
  return { ...made, network };
}

const none = { inFlight: 0, queued: 0, pausing: 0, cancelling: 0 };

describe("operations that are given up before their packet leaves", () => {
  test("are cancelled until they are answered after a short deadline of a read", async () => {
    const { client, clock, network } = await measured();
    const reads = Array.from({ length: 4 }, (_, i) =>
      reasonOf(client.read(readCap, indexOf(i), { timeoutMs: 200 })),
    );
    await clock.advance(200);
    for (const read of reads) assert.ok((await read) instanceof RequestTimeoutError);
    assert.equal(client.pendingCalls, 0);
    assert.deepEqual(client.load, { ...none, cancelling: 4 }, "the rest is counted");
    assert.equal(network.waiting, 4);
    await clock.advance(10 * TICK_MS);
    assert.equal(network.running, 0);
    assert.equal(network.waiting, 0);
    assert.deepEqual(client.load, none);
    const packets = network.packets.length;
    await clock.advance(600_000);
    assert.equal(network.packets.length, packets, "no operation runs for nobody");
    assert.equal(clock.pending, 1, "only the network's own timer is left");
    await client.stop();
  });

  test("are cancelled until they are answered after an explicit cancel, which does not wait", async () => {
    const { client, clock, network } = await measured();
    const started = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    await turn();
    await client.cancelResendingEncryptedMessage(sealedRead.envelopeHash);
    await started;
    assert.equal(network.waiting, 1);
    assert.equal(client.load.cancelling, 1);
    await clock.advance(5 * TICK_MS);
    assert.deepEqual([network.running, network.waiting], [0, 0]);
    assert.deepEqual(client.load, none);
    await client.stop();
  });

  test("are cancelled every half second, then less often while nothing leaves", async () => {
    const { client, clock, network } = await measured({ tickMs: 600_000 });
    const read = reasonOf(client.startResendingEncryptedMessage(sealedRead, { timeoutMs: 100 }));
    await clock.advance(100);
    await read;
    const cancels = (): number =>
      network.read.filter(({ kind }) => kind === "cancelResendingEncryptedMessage").length;
    await clock.advance(2000);
    assert.equal(cancels(), 5);
    await clock.advance(500_000);
    assert.ok(cancels() < 100, `${cancels()} cancels`);
    await clock.advance(110_000);
    assert.equal(network.running, 0);
    assert.deepEqual(client.load, none);
    await client.stop();
  });

  test("end across a lost connection too", async () => {
    const made = await measured();
    const { client, clock, network, daemon } = made;
    // When the connection is lost, the first read is under way and the second waits for its packet.
    const first = reasonOf(client.read(readCap, indexOf(1), { timeoutMs: 1400 }));
    await clock.advance(1100);
    assert.equal(network.running, 1);
    const second = reasonOf(client.read(readCap, indexOf(2), { timeoutMs: 300 }));
    await clock.advance(100);
    made.connection.transport.destroy();
    await clock.advance(250);
    await Promise.all([first, second]);
    const shaken = daemon.shakeHands(true);
    await clock.advance(1000);
    void network.serve(await shaken);
    await clock.advance(20_000);
    assert.deepEqual([network.running, network.waiting], [0, 0]);
    assert.deepEqual(client.load, none);
    await client.stop();
  });

  test("occupy places: at most maxInFlight are at the daemon, given up or not", async () => {
    const { client, clock, network } = await measured({ tickMs: 60_000 }, { maxInFlight: 3 });
    for (let round = 0; round < 5; round++) {
      const reads = [1, 2].map((n) =>
        reasonOf(
          client.startResendingEncryptedMessage(
            { ...sealedRead, envelopeHash: hashOf(10 * round + n) },
            { timeoutMs: 100 },
          ),
        ),
      );
      await clock.advance(100);
      await Promise.all(reads);
    }
    assert.equal(network.waiting, 3);
    assert.deepEqual(client.load, { ...none, cancelling: 3 });
    await client.stop();
  });
});

describe("more starts than the daemon reads", () => {
  const STARTS = 50;

  for (const kind of ["reads", "writes"] as const) {
    test(`do not delay local requests: ${kind}`, async () => {
      const { client, clock, network } = await measured({ roundTripMs: 40_000 });
      const sealed = kind === "reads" ? sealedRead : sealedWrite;
      const calls = Array.from({ length: STARTS }, (_, i) =>
        client.startResendingEncryptedMessage({ ...sealed, envelopeHash: hashOf(i) }),
      );
      const ended = Promise.allSettled(calls);
      for (let second = 0; second < 30; second++) {
        const asked = clock.monotonic();
        await clock.runUntil(client.nextMessageBoxIndex(index));
        assert.ok(clock.monotonic() - asked <= TICK_MS, `second ${second}`);
        assert.ok(network.waiting <= 16);
        await clock.advance(500);
      }
      await client.stop();
      await ended;
    });
  }

  test("can be aborted before they are sent, and few reach the daemon", async () => {
    const { client, clock, network } = await measured({ roundTripMs: 40_000 });
    const abort = new AbortController();
    const calls = Array.from({ length: STARTS }, (_, i) =>
      client.startResendingEncryptedMessage(
        { ...sealedRead, envelopeHash: hashOf(i) },
        { signal: abort.signal },
      ),
    );
    const ended = Promise.allSettled(calls);
    await clock.advance(100);
    abort.abort("enough");
    await ended;
    await clock.advance(30 * TICK_MS);
    assert.ok(network.packets.length <= 17, `${network.packets.length} packets for nobody`);
    assert.deepEqual([network.running, network.waiting], [0, 0]);
    assert.deepEqual(client.load, none);
    await client.stop();
  });

  test("leave no tick unused, however long the round trip", async () => {
    const { client, clock, network } = await measured({ roundTripMs: 40_000 });
    const calls = Array.from({ length: 150 }, (_, i) =>
      client.startResendingEncryptedMessage({ ...sealedWrite, envelopeHash: hashOf(i) }),
    );
    await clock.runUntil(Promise.all(calls));
    const { packets } = network;
    const ticks = (packets.at(-1)! - packets[0]!) / TICK_MS + 1;
    assert.ok(packets.length / ticks >= 0.99, `${packets.length} packets in ${ticks} ticks`);
    await client.stop();
  });

  test("do not delay anything while the mixnet is away", async () => {
    const { client, clock, connection, daemon, network } = await measured({ tickMs: 3_600_000 });
    connection.send({ ...daemon.status(), isConnected: false });
    await turn();
    const calls = Array.from({ length: STARTS }, (_, i) =>
      client.startResendingEncryptedMessage({ ...sealedRead, envelopeHash: hashOf(i) }),
    );
    const ended = Promise.allSettled(calls);
    const asked = clock.monotonic();
    await clock.runUntil(client.nextMessageBoxIndex(index));
    assert.equal(clock.monotonic(), asked);
    assert.equal(client.load.queued, STARTS - 15);
    connection.send({ ...daemon.status(), isConnected: true });
    await turn();
    await turn();
    assert.equal(network.waiting, 16);
    await client.stop();
    await ended;
  });
});
