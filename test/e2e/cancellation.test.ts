/** Ending operations: by another call, by a signal, by a deadline, by closing the client. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import type { EncryptReadResult } from "../../src/client/envelopes.js";
import { ThinClient } from "../../src/client/thin-client.js";
import {
  ClientClosedError,
  RequestTimeoutError,
  StartResendingCancelledError,
} from "../../src/errors/errors.js";
import { TwoClients, newStream } from "./two-clients.js";

describe("cancellation", { timeout: 240_000 }, () => {
  let both: TwoClients;
  let alice: ThinClient;
  let bob: ThinClient;

  before(async () => {
    both = await TwoClients.start();
    ({ alice, bob } = both);
  });

  after(() => both[Symbol.asyncDispose]());

  /** An envelope that reads a box which is never written. */
  async function sealedRead(client: ThinClient): Promise<EncryptReadResult> {
    const { readCap, firstMessageIndex } = await newStream(client);
    return client.encryptRead(readCap, firstMessageIndex);
  }

  /** The number of the daemon's operations, after it has served all earlier requests. */
  async function operationsLeft(): Promise<number> {
    await Promise.all([alice, bob].map((client) => newStream(client)));
    return both.daemon.daemon.load.operations;
  }

  /**
   * Waits until the daemon has no operations left: a cancel that overtook its start is repeated.
   */
  async function nothingLeft(): Promise<void> {
    const endMs = performance.now() + 60_000;
    while ((await operationsLeft()) > 0) assert.ok(performance.now() < endMs, "something is left");
  }

  test("another call can cancel a read", async () => {
    const sealed = await sealedRead(alice);
    const reading = assert.rejects(
      alice.startResendingEncryptedMessage(sealed),
      StartResendingCancelledError,
    );
    while ((await operationsLeft()) === 0);
    await alice.cancelResendingEncryptedMessage(sealed.envelopeHash);
    await reading;
    await nothingLeft();
    assert.equal(alice.pendingCalls, 0);
  });

  test("cancelling an operation that nobody awaits succeeds", async () => {
    const sealed = await sealedRead(alice);
    await alice.cancelResendingEncryptedMessage(sealed.envelopeHash);
    await alice.cancelResendingEncryptedMessage(sealed.envelopeHash);
  });

  test("a client cannot cancel another client's operation", async () => {
    const sealed = await sealedRead(alice);
    const abort = new AbortController();
    let ended = false;
    const reading = alice
      .startResendingEncryptedMessage(sealed, { signal: abort.signal })
      .catch((error: unknown) => {
        ended = true;
        return error;
      });
    while ((await operationsLeft()) === 0);
    await bob.cancelResendingEncryptedMessage(sealed.envelopeHash);
    await newStream(alice);
    assert.equal(ended, false);
    abort.abort("over");
    assert.equal(await reading, "over");
  });

  test("aborting a read rejects with the signal's reason and tells the daemon", async () => {
    const { readCap, firstMessageIndex } = await newStream(alice);
    const abort = new AbortController();
    const { signal } = abort;
    const reads = [
      alice.startResendingEncryptedMessage(await alice.encryptRead(readCap, firstMessageIndex), {
        signal,
      }),
      alice.read(readCap, firstMessageIndex, { signal }),
    ];
    while ((await operationsLeft()) < 2);
    const reason = new Error("no longer wanted");
    abort.abort(reason);
    for (const read of reads) await assert.rejects(read, reason);
    await nothingLeft();
  });

  test("a deadline ends a read, and the daemon's part of it", async () => {
    const { readCap, firstMessageIndex } = await newStream(alice);
    await assert.rejects(
      alice.read(readCap, firstMessageIndex, { timeoutMs: 120 }),
      RequestTimeoutError,
    );
    await nothingLeft();
  });

  test("each of several starts of one read envelope gets its answer", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const sealed = await bob.encryptRead(readCap, firstMessageIndex);
    const reads = Array.from({ length: 3 }, () => bob.startResendingEncryptedMessage(sealed));
    while ((await operationsLeft()) < 3);
    await alice.write(writeCap, firstMessageIndex, "for all of you");
    for (const { plaintext } of await Promise.all(reads)) {
      assert.deepEqual(plaintext, utf8("for all of you"));
    }
    await nothingLeft();
  });

  test("each of several starts of one write gets its answer", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const sealed = await alice.encryptWrite(utf8("once"), writeCap, firstMessageIndex);
    await Promise.all([
      alice.startResendingEncryptedMessage(sealed),
      alice.startResendingEncryptedMessageReturnBoxExists(sealed),
      alice.startResendingEncryptedMessage(sealed),
    ]);
    assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext, utf8("once"));
  });

  test("one cancel ends all starts of an envelope", async () => {
    const sealed = await sealedRead(alice);
    const reads = Array.from({ length: 3 }, () =>
      assert.rejects(alice.startResendingEncryptedMessage(sealed), StartResendingCancelledError),
    );
    while ((await operationsLeft()) < 3);
    await alice.cancelResendingEncryptedMessage(sealed.envelopeHash);
    await Promise.all(reads);
    await nothingLeft();
  });

  test("aborting one of two starts does not affect the other", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const sealed = await bob.encryptRead(readCap, firstMessageIndex);
    const abort = new AbortController();
    const given = bob.startResendingEncryptedMessage(sealed, { signal: abort.signal });
    const kept = bob.startResendingEncryptedMessage(sealed);
    while ((await operationsLeft()) < 2);
    abort.abort("over");
    await given.catch((error: unknown) => assert.equal(error, "over"));
    await alice.write(writeCap, firstMessageIndex, "still here");
    assert.deepEqual((await kept).plaintext, utf8("still here"));
    await nothingLeft();
  });

  test("a cancel also works while the mixnet is away", async () => {
    const sealed = await sealedRead(alice);
    both.daemon.network.faults.setOnline(false);
    try {
      const reading = assert.rejects(
        alice.startResendingEncryptedMessage(sealed),
        StartResendingCancelledError,
      );
      await alice.cancelResendingEncryptedMessage(sealed.envelopeHash);
      await reading;
    } finally {
      both.daemon.network.faults.setOnline(true);
    }
    await alice.waitUntilOnline();
    await nothingLeft();
  });

  test("stopping the client ends its waiting operations, here and at the daemon", async () => {
    const { daemon } = both;
    const carol = await ThinClient.connect(daemon.config());
    const sealed = await sealedRead(carol);
    const reads = [
      assert.rejects(carol.startResendingEncryptedMessage(sealed), ClientClosedError),
      assert.rejects(carol.read(sealed.readCap, sealed.messageBoxIndex), ClientClosedError),
    ];
    while ((await operationsLeft()) < 2);
    await carol.stop();
    await Promise.all(reads);
    await nothingLeft();
    while (daemon.daemon.load.sessions > 2) await newStream(alice);
  });
});
