/** Broken connections and daemons that end: waiting work is resumed afterwards. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import { ThinClient as Client } from "../../src/client/thin-client.js";
import type { EventOf } from "../../src/config/events.js";
import { ClientClosedError, StartResendingCancelledError } from "../../src/errors/errors.js";
import { TwoClients, newStream, readAll, somePayload } from "./two-clients.js";

describe("resume", { timeout: 300_000 }, () => {
  let both: TwoClients;
  let alice: ThinClient;
  let bob: ThinClient;

  before(async () => {
    const reconnect = { initialDelayMs: 40, maxDelayMs: 100 };
    both = await TwoClients.start({}, { reconnect });
    ({ alice, bob } = both);
  });

  beforeEach(() => Promise.all([alice, bob].map((client) => client.waitUntilOnline())));

  after(() => both[Symbol.asyncDispose]());

  function reconnected(client: ThinClient): Promise<EventOf<"reconnected">> {
    return new Promise((resolve) => {
      client.on("reconnected", resolve, { once: true });
    });
  }

  /** Waits until the daemon has `count` operations. */
  async function operations(count: number): Promise<void> {
    while (both.daemon.daemon.load.operations !== count) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  test("a waiting read survives a dropped connection", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const sealed = await bob.encryptRead(readCap, firstMessageIndex);
    const reads = [
      bob.startResendingEncryptedMessage(sealed),
      bob.read(readCap, firstMessageIndex),
    ];
    await operations(2);
    const back = Promise.all([reconnected(alice), reconnected(bob)]);
    both.daemon.daemon.dropConnections();
    for (const { resumed, newInstance } of await back) {
      assert.equal(resumed, true);
      assert.equal(newInstance, false);
    }
    await alice.write(writeCap, firstMessageIndex, "after the break");
    for (const { plaintext } of await Promise.all(reads)) {
      assert.deepEqual(plaintext, utf8("after the break"));
    }
    await operations(0);
  });

  test("an answer that is lost while the client is away is requested again", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    // Another client, which returns only after its answer arrived and was lost.
    const { dial } = both.daemon.config();
    let mayConnect = Promise.resolve();
    let comeBack!: () => void;
    await using carol = await Client.connect(both.daemon.config(), {
      reconnect: { initialDelayMs: 1, maxDelayMs: 1 },
      dial: async (options) => {
        await mayConnect;
        return dial.dial(options);
      },
    });
    mayConnect = new Promise((resolve) => (comeBack = resolve));
    const reading = carol.read(readCap, firstMessageIndex);
    await operations(1);
    const lost = new Promise((resolve) => carol.on("daemonDisconnected", resolve, { once: true }));
    const back = reconnected(alice);
    both.daemon.daemon.dropConnections();
    await lost;
    await back;
    await alice.write(writeCap, firstMessageIndex, "while away");
    await alice.read(readCap, firstMessageIndex);
    await operations(1);
    assert.equal(carol.state, "reconnecting");
    comeBack();
    assert.deepEqual((await reading).plaintext, utf8("while away"));
  });

  test("a daemon that was killed and restarted gets all requests again", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const reading = bob.read(readCap, firstMessageIndex);
    await operations(1);
    const back = Promise.all([reconnected(alice), reconnected(bob)]);
    await both.daemon.crash();
    // Local requests and operations that start meanwhile wait for the new daemon.
    const counting = alice.getMessageBoxIndexCounter(firstMessageIndex);
    const writing = alice.write(writeCap, firstMessageIndex, "new daemon");
    await both.daemon.restart();
    for (const { resumed, newInstance } of await back) {
      assert.equal(resumed, false);
      assert.equal(newInstance, true);
    }
    await writing;
    assert.equal(await counting, await bob.getMessageBoxIndexCounter(firstMessageIndex));
    assert.deepEqual((await reading).plaintext, utf8("new daemon"));
    await operations(0);
  });

  test("a daemon of the same instance that forgot the session gets all requests again", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const reading = bob.read(readCap, firstMessageIndex);
    await operations(1);
    const back = reconnected(bob);
    both.daemon.daemon.dropConnections();
    while (both.daemon.daemon.load.sessions > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      both.daemon.daemon.forgetSessions();
    }
    const { resumed, newInstance } = await back;
    assert.equal(resumed, false);
    assert.equal(newInstance, false);
    await alice.write(writeCap, firstMessageIndex, "as if nothing happened");
    assert.deepEqual((await reading).plaintext, utf8("as if nothing happened"));
  });

  test("a restart with a shutdown event is graceful, and work continues after it", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const reading = bob.read(readCap, firstMessageIndex);
    await operations(1);
    const gone = new Promise<EventOf<"daemonDisconnected">>((resolve) => {
      bob.on("daemonDisconnected", resolve, { once: true });
    });
    await both.daemon.restart();
    assert.equal((await gone).isGraceful, true);
    await alice.write(writeCap, firstMessageIndex, "restarted");
    assert.deepEqual((await reading).plaintext, utf8("restarted"));
  });

  test("a cancel while disconnected ends the call at once, and reaches the daemon later", async () => {
    const { readCap, firstMessageIndex } = await newStream(alice);
    const sealed = await bob.encryptRead(readCap, firstMessageIndex);
    const reading = assert.rejects(
      bob.startResendingEncryptedMessage(sealed),
      StartResendingCancelledError,
    );
    await operations(1);
    const lost = new Promise((resolve) => {
      bob.on("daemonDisconnected", resolve, { once: true });
    });
    const back = reconnected(bob);
    both.daemon.daemon.dropConnections();
    await lost;
    await bob.cancelResendingEncryptedMessage(sealed.envelopeHash);
    await reading;
    assert.equal(bob.state, "reconnecting");
    await back;
    await operations(0);
  });

  test("a copy survives a dropped connection and a killed daemon", async () => {
    const dest = await newStream(alice);
    const payload = somePayload(60_000);
    let boxes = 0;
    const copying = alice.copy(
      payload,
      [{ writeCap: dest.writeCap, startIndex: dest.firstMessageIndex }],
      {
        onProgress: () => {
          boxes++;
          if (boxes === 5) both.daemon.daemon.dropConnections();
          if (boxes === 20) void both.daemon.crash().then(() => both.daemon.restart());
        },
      },
    );
    await copying;
    assert.ok(boxes > 20);
    const count = Math.ceil(payload.length / 1545);
    const { boxes: got } = await readAll(bob, dest, count);
    assert.deepEqual(Buffer.concat(got), Buffer.from(payload));
  });

  test("a restarted application resumes its session with the token", async () => {
    const carol = await Client.connect(both.daemon.config());
    const { sessionToken } = carol;
    const sessions = both.daemon.daemon.load.sessions;
    await carol.disconnect();
    assert.equal(both.daemon.daemon.load.sessions, sessions);
    await using again = await Client.connect(both.daemon.config(), { sessionToken });
    assert.deepEqual(again.sessionToken, sessionToken);
    assert.equal(both.daemon.daemon.load.sessions, sessions);
  });

  test("repeatedly resumed sessions leave no reads behind, and writes continue", async () => {
    const dest = await newStream(alice);
    const { writeCap, readCap, firstMessageIndex } = dest;
    const sessionToken = new Uint8Array(16).fill(0x5e);
    for (let times = 0; times < 3; times++) {
      const carol = await Client.connect(both.daemon.config(), { sessionToken });
      const reads = [
        carol.read(readCap, firstMessageIndex),
        carol.read(readCap, firstMessageIndex),
      ];
      const closed = Promise.all(reads.map((read) => assert.rejects(read, ClientClosedError)));
      await operations(2);
      await carol.disconnect();
      await closed;
      await operations(0);
    }
    const carol = await Client.connect(both.daemon.config(), { sessionToken });
    const sealed = await carol.encryptWrite(utf8("goes on"), writeCap, firstMessageIndex);
    // Started, but every packet is lost: a start whose packet has not left ends with its client.
    both.daemon.network.faults.setLoss(1);
    const writing = assert.rejects(carol.startResendingEncryptedMessage(sealed), ClientClosedError);
    await operations(1);
    both.daemon.network.faults.setOnline(false);
    await carol.disconnect();
    await writing;
    await operations(1);
    both.daemon.network.faults.setLoss(0);
    both.daemon.network.faults.setOnline(true);
    // Nothing is sent again for an absent application.
    const again = await Client.connect(both.daemon.config(), { sessionToken });
    await operations(0);
    assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext, utf8("goes on"));
    // The session would wait ten minutes for its application.
    await again.stop();
  });
});
