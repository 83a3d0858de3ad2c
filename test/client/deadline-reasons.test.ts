/** What the error at a call's deadline says about its cause. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallOptions, ConnectError, ThinClient, hasCode } from "../../src/index.js";
import { ScriptedDaemon, type TestNetwork, startTestNetwork } from "../../src/testing/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";

type Network = TestNetwork<VirtualClock>;

/** The error of a call that is not answered in time. */
async function timeoutOf(
  network: Network,
  call: (options: CallOptions) => Promise<unknown>,
): Promise<Error> {
  const error = await network.run(
    call({ timeoutMs: 700 }).then(
      () => assert.fail("it was answered"),
      (reason: unknown) => reason,
    ),
  );
  assert.ok(hasCode(error, "ERR_TIMEOUT"), String(error));
  return error;
}

async function withClient(
  maxInFlight: number,
  run: (network: Network, client: ThinClient) => Promise<void>,
): Promise<void> {
  const network = await startTestNetwork({ clock: "virtual" });
  await run(network, await network.client({ maxInFlight }));
  await network.close();
}

test("a read says that its box was still empty, and how often it asked", () =>
  withClient(1000, async (network, client) => {
    const { readCap, firstMessageIndex } = await network.run(client.newKeypair(new Uint8Array(32)));
    const read = (options: CallOptions) => client.read(readCap, firstMessageIndex, options);
    const { message } = await timeoutOf(network, read);
    assert.match(
      message,
      /^read was not answered within 700 ms: the box was still empty after \d+ attempts$/,
    );
  }));

test("without the mixnet, operations name it, and local requests do not need it", () =>
  withClient(1000, async (network, client) => {
    const { writeCap, firstMessageIndex } = await network.run(
      client.newKeypair(new Uint8Array(32)),
    );
    network.faults.setOnline(false);
    const calls = [
      (options: CallOptions) => client.write(writeCap, firstMessageIndex, "x", options),
      (options: CallOptions) => client.waitUntilOnline(options),
    ];
    for (const call of calls) {
      const { message } = await timeoutOf(network, call);
      assert.match(message, /within 700 ms: the daemon has no connection to the mixnet$/);
    }
    assert.ok(await network.run(client.newKeypair(new Uint8Array(32))));
  }));

test("without the daemon, every call says so, and why the last attempt to connect failed", () =>
  withClient(1000, async (network, client) => {
    const { writeCap, firstMessageIndex } = await network.run(
      client.newKeypair(new Uint8Array(32)),
    );
    await network.run(network.daemon.crash());
    const calls = [
      (options: CallOptions) => client.write(writeCap, firstMessageIndex, "x", options),
      (options: CallOptions) => client.newKeypair(new Uint8Array(32), options),
      (options: CallOptions) => client.waitUntilOnline(options),
    ];
    for (const call of calls) {
      const error = await timeoutOf(network, (options) => call({ ...options, timeoutMs: 5000 }));
      const why = "the test network's daemon is not running";
      assert.match(
        error.message,
        new RegExp(`within 5000 ms: there is no connection to the daemon: ${why}$`),
      );
      assert.ok(hasCode(error.cause, "ERR_CONNECT"));
    }
  }));

test("a call that waits for a place says how many calls have one", () =>
  withClient(2, async (network, client) => {
    const { readCap, firstMessageIndex } = await network.run(client.newKeypair(new Uint8Array(32)));
    const abort = new AbortController();
    const start = async (options: CallOptions): Promise<unknown> => {
      const { messageCiphertext, envelopeDescriptor, envelopeHash } = await client.encryptRead(
        readCap,
        firstMessageIndex,
      );
      const envelope = {
        readCap,
        messageBoxIndex: firstMessageIndex,
        messageCiphertext,
        envelopeDescriptor,
        envelopeHash,
      };
      // The daemon asks again and again, until it is cancelled.
      return client.startResendingEncryptedMessage(envelope, options);
    };
    const others = Promise.allSettled([start(abort), start(abort)]);
    await network.clock.advance(1000);
    const { message } = await timeoutOf(network, start);
    assert.match(
      message,
      /700 ms: 2 calls wait for the daemon's answer and 1 for a place \(maxInFlight is 2\)$/,
    );
    // A message needs no place.
    const queued = start(abort);
    const [node] = client.getService("echo").toDestination();
    const sent = await timeoutOf(network, (options) =>
      client.blockingSendMessage("x", node, Uint8Array.of(43), options),
    );
    assert.match(sent.message, /within 700 ms$/);
    abort.abort();
    await network.run(Promise.allSettled([others, queued]));
  }));

test("start() within a time limit says how far it came, and keeps the application's limit", async () => {
  const never = new ThinClient("tcp:127.0.0.1:1", { dial: () => new Promise(() => {}) });
  await assert.rejects(never.start({ timeoutMs: 50 }), {
    name: "RequestTimeoutError",
    message: "start was not answered within 50 ms: there is no connection to the daemon",
  });
  const limited = new ThinClient("tcp:127.0.0.1:1", {
    dial: () => new Promise(() => {}),
    handshakeTimeoutMs: 50,
  });
  await assert.rejects(limited.start(), {
    name: "RequestTimeoutError",
    message: "no connection to the daemon within 50 ms",
  });
});

test("a handshake that failed earlier is not what keeps a call now", async () => {
  const clock = new VirtualClock();
  const daemon = new ScriptedDaemon();
  const client = new ThinClient("tcp:127.0.0.1:1", { dial: daemon.dial, clock });
  const [connection] = await clock.runUntil(Promise.all([daemon.shakeHands(), client.start()]));
  connection.transport.destroy();
  // The next connection ends within the handshake; after that nothing accepts any.
  const next = await clock.runUntil(daemon.accept());
  daemon.refuse = new ConnectError("nothing listens there");
  next.transport.destroy();
  await clock.advance(60_000);
  const call = client.newKeypair(new Uint8Array(32), { timeoutMs: 5000 });
  await assert.rejects(clock.runUntil(call), {
    name: "RequestTimeoutError",
    message:
      "newKeypair was not answered within 5000 ms: there is no connection to the daemon: " +
      "nothing listens there",
  });
  await clock.runUntil(client.stop());
});
