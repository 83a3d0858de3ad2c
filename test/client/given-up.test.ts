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
import {
  codeReply,
  courier,
  hashOf,
  index,
  indexOf,
  readCap,
  sealedRead,
  sealedWrite,
  startReply,
} from "./pigeonhole-fixture.js";

const TICK_MS = 1000;
const CANCEL = "cancelResendingEncryptedMessage";

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

describe("operations that are given up before the connection is lost", () => {
  /** A read that was given up while its packet waited, after the next handshake. */
  async function givenUp(resumed: boolean) {
    const made = await connectedPair();
    const { client, clock, connection, daemon } = made;
    const given = reasonOf(client.startResendingEncryptedMessage(sealedRead, { timeoutMs: 100 }));
    const start = await connection.expect("startResendingEncryptedMessage");
    await clock.advance(100);
    await given;
    connection.transport.end();
    await clock.advance(1000);
    const next = await daemon.shakeHands(resumed);
    const cancels: number[] = [];
    const confirm = async (): Promise<void> => {
      for (let told = await next.next(); told?.kind === CANCEL; told = await next.next()) {
        cancels.push(clock.monotonic());
        next.send(codeReply(told));
      }
    };
    void confirm();
    await turn();
    return { ...made, start, next, cancels };
  }

  test("are cancelled for ten seconds more, because their starts may have been dropped", async () => {
    const { client, clock, cancels } = await givenUp(true);
    await clock.advance(9000);
    assert.ok(cancels.length > 10, `${cancels.length} cancels`);
    assert.equal(client.load.cancelling, 1);
    await clock.advance(60_000);
    assert.ok(cancels.at(-1)! - cancels[0]! < 12_000);
    assert.deepEqual(client.load, none);
    await client.stop();
  });

  test("are cancelled no more when their starts are answered after all", async () => {
    const { client, clock, start, next, cancels } = await givenUp(true);
    next.send(startReply(start, { errorCode: 24 }));
    await turn();
    assert.deepEqual(client.load, none);
    await clock.advance(60_000);
    assert.equal(cancels.length, 1);
    await client.stop();
  });

  test("are cancelled once if the daemon forgot the session", async () => {
    const { client, clock, cancels } = await givenUp(false);
    assert.deepEqual(client.load, none);
    await clock.advance(60_000);
    assert.equal(cancels.length, 1);
    await client.stop();
  });
});

test("two given-up starts of one envelope end, although the daemon answers only the newer", async () => {
  const { client, clock, connection } = await connectedPair();
  const abort = new AbortController();
  const calls = [1, 2].map(() =>
    reasonOf(client.startResendingEncryptedMessage(sealedRead, { signal: abort.signal })),
  );
  await connection.expect("startResendingEncryptedMessage");
  const newer = await connection.expect("startResendingEncryptedMessage");
  abort.abort(new Error("enough"));
  await Promise.all(calls);
  const first = await connection.expect(CANCEL);
  connection.send(startReply(newer, { errorCode: 24 }));
  connection.send(codeReply(first));
  await clock.advance(500);
  connection.send(codeReply(await connection.expect(CANCEL)));
  await clock.advance(60_000);
  assert.deepEqual(connection.requests, []);
  assert.deepEqual(client.load, none);
  await client.stop();
});

describe("a start that waits until an older one of its envelope is answered", () => {
  test("does not hold back the starts behind it", async () => {
    const { client, clock, connection } = await connectedPair();
    const given = reasonOf(client.startResendingEncryptedMessage(sealedRead, { timeoutMs: 100 }));
    await connection.expect("startResendingEncryptedMessage");
    await clock.advance(100);
    await given;
    await connection.expect("cancelResendingEncryptedMessage");
    const anew = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const behind = reasonOf(client.startResendingEncryptedMessage(sealedWrite));
    const sent = await connection.expect("startResendingEncryptedMessage");
    assert.deepEqual(sent.envelopeHash, sealedWrite.envelopeHash);
    await client.stop();
    await Promise.all([anew, behind]);
  });
});

describe("more starts than the daemon reads", () => {
  const STARTS = 50;

  /** A client with 15 starts that may all wait at its daemon, and one more that waits here. */
  async function full() {
    const made = await connectedPair();
    const { client, connection } = made;
    const ended = Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        reasonOf(client.startResendingEncryptedMessage({ ...sealedRead, envelopeHash: hashOf(i) })),
      ),
    );
    const starts = [];
    for (let i = 0; i < 15; i++) {
      starts.push(await connection.expect("startResendingEncryptedMessage"));
    }
    await connection.expect("nextMessageBoxIndex");
    return { ...made, starts, ended };
  }

  test("show by an answer that their packets have left, unless it is a refusal", async () => {
    for (const [errorCode, leaves] of [
      [1, true],
      [24, true],
      [3, false],
      [4, false],
    ] as const) {
      const { client, connection, starts, ended } = await full();
      connection.send(startReply(starts.at(-1)!, { errorCode }));
      await turn();
      assert.equal(connection.requests.length, leaves ? 1 : 0, `code ${errorCode}`);
      await client.stop();
      await ended;
    }
  });

  test("are asked about again after a lost connection", async () => {
    const { client, clock, connection, daemon, ended } = await full();
    connection.transport.end();
    await clock.advance(1000);
    const next = await daemon.shakeHands();
    await turn();
    const kinds = next.requests.map(({ kind }) => kind);
    assert.deepEqual(kinds.slice(-2), ["startResendingEncryptedMessage", "nextMessageBoxIndex"]);
    await client.stop();
    await ended;
  });

  test("continue as soon as a message has left", async () => {
    const { client, connection } = await connectedPair();
    const surbIds = Array.from({ length: 15 }, () => client.newSurbId());
    for (const surbId of surbIds) await client.sendMessage(surbId, "hello", courier[0], courier[1]);
    const start = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    for (let i = 0; i < 15; i++) await connection.expect("sendMessage");
    await connection.expect("nextMessageBoxIndex");
    const sent = { messageId: null, sentAt: 0, replyEta: 0, err: null };
    connection.send({ kind: "messageSentEvent", surbId: surbIds[0]!, ...sent });
    await connection.expect("startResendingEncryptedMessage");
    await client.stop({ drain: false });
    await start;
  });

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
