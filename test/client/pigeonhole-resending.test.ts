import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equalBytes } from "../../src/bytes/bytes.js";
import { writeCapHash } from "../../src/client/copy-calls.js";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  ClientClosedError,
  CopyCommandFailedError,
  DaemonRequestError,
  DatabaseFailureError,
  InvalidSignatureError,
  InvalidStateError,
  RequestTimeoutError,
  StartResendingCancelledError,
  isExpectedOutcome,
} from "../../src/errors/errors.js";
import type { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import { type ConnectedPair, connectedPair, isPending, pair, reasonOf, turn } from "./fixture.js";
import {
  codeReply,
  copyReply,
  courier,
  filled,
  sealedRead,
  sealedWrite,
  startReply,
  writeCap,
} from "./pigeonhole-fixture.js";

const start = "startResendingEncryptedMessage";
const cancel = "cancelResendingEncryptedMessage";
const hash = sealedRead.envelopeHash;

/** Drops the connection and makes the next one. */
async function reconnect(made: ConnectedPair, resumed = true): Promise<ScriptedConnection> {
  const { daemon, clock } = made;
  const next = daemon.shakeHands(resumed);
  await clock.runUntil(next);
  await turn();
  return next;
}

async function lose({ connection }: ConnectedPair): Promise<void> {
  connection.transport.destroy();
  await turn();
}

describe("an envelope's answer", () => {
  const verdicts = [
    [1, "REPLICA_ERROR_BOX_ID_NOT_FOUND"],
    [2, "REPLICA_ERROR_INVALID_BOX_ID"],
    [3, "REPLICA_ERROR_INVALID_SIGNATURE"],
    [4, "REPLICA_ERROR_DATABASE_FAILURE"],
    [5, "REPLICA_ERROR_INVALID_PAYLOAD"],
    [6, "REPLICA_ERROR_STORAGE_FULL"],
    [7, "REPLICA_ERROR_INTERNAL_ERROR"],
    [8, "REPLICA_ERROR_INVALID_EPOCH"],
    [9, "REPLICA_ERROR_REPLICATION_FAILED"],
    [10, "REPLICA_ERROR_BOX_ALREADY_EXISTS"],
    [11, "REPLICA_ERROR_TOMBSTONE"],
    [12, "THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION"],
    [13, "THIN_CLIENT_PROPAGATION_ERROR"],
    [22, "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED"],
    [23, "THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED"],
    [24, "THIN_CLIENT_ERROR_START_RESENDING_CANCELLED"],
    [25, "THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG"],
    [31, "THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE"],
    [32, "THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH"],
  ] as const;

  test("has an error class for each code, which names the call", async () => {
    const { client, connection } = await connectedPair();
    for (const [errorCode, code] of verdicts) {
      const reason = reasonOf(client.startResendingEncryptedMessage(sealedRead));
      connection.send(startReply(await connection.expect(start), { errorCode }));
      const error = (await reason) as DaemonRequestError;
      assert.equal(error.code, code);
      assert.equal(error.errorCode, errorCode);
      assert.equal(error.operation, start);
      assert.equal(isExpectedOutcome(error), [1, 10, 11].includes(errorCode));
    }
    await client.stop();
  });

  test("is the daemon's own verdict for codes 3 and 4 without a courier", async () => {
    const { client, connection } = await connectedPair();
    for (const [errorCode, ours] of [
      [3, InvalidSignatureError],
      [4, DatabaseFailureError],
    ] as const) {
      for (const brought of [true, false]) {
        const reason = reasonOf(client.startResendingEncryptedMessage(sealedRead));
        const request = await connection.expect(start);
        const by = brought ? {} : { courierIdentityHash: null, courierQueueId: null };
        connection.send(startReply(request, { errorCode, ...by }));
        const error = await reason;
        assert.ok(error instanceof (brought ? ours : DaemonRequestError), String(error));
      }
    }
    await client.stop();
  });

  test("names the variant that was called", async () => {
    const { client, connection } = await connectedPair();
    const read = reasonOf(client.startResendingEncryptedMessageNoRetry(sealedRead));
    connection.send(startReply(await connection.expect(start), { errorCode: 1 }));
    const missing = await read;
    assert.ok(missing instanceof BoxIDNotFoundError);
    assert.equal(missing.operation, "startResendingEncryptedMessageNoRetry");
    const write = reasonOf(client.startResendingEncryptedMessageReturnBoxExists(sealedWrite));
    connection.send(startReply(await connection.expect(start), { errorCode: 10 }));
    const taken = await write;
    assert.ok(taken instanceof BoxAlreadyExistsError);
    assert.equal(taken.operation, "startResendingEncryptedMessageReturnBoxExists");
    await client.stop();
  });
});

describe("a copy command's answer", () => {
  test("carries the replica's code and the envelope's position", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.startResendingCopyCommand(writeCap));
    const request = await connection.expect("startResendingCopyCommand");
    const details = { errorCode: 26, replicaErrorCode: 10, failedEnvelopeIndex: 2n ** 60n };
    connection.send(copyReply(request, details));
    const error = await reason;
    assert.ok(error instanceof CopyCommandFailedError);
    assert.equal(error.replicaErrorCode, 10);
    assert.equal(error.failedEnvelopeIndex, 2n ** 60n);
    assert.ok(error.cause instanceof BoxAlreadyExistsError);
    assert.equal(isExpectedOutcome(error), false);
    await client.stop();
  });

  test("has the daemon's numbers, never a replica's", async () => {
    const { client, connection } = await connectedPair();
    const codes = [
      [3, "THIN_CLIENT_ERROR_INVALID_REQUEST"],
      [4, "THIN_CLIENT_ERROR_INTERNAL_ERROR"],
      [24, "THIN_CLIENT_ERROR_START_RESENDING_CANCELLED"],
      [200, "THIN_CLIENT_ERROR_UNKNOWN"],
    ] as const;
    for (const [errorCode, code] of codes) {
      const reason = reasonOf(client.startResendingCopyCommand(writeCap));
      connection.send(
        copyReply(await connection.expect("startResendingCopyCommand"), { errorCode }),
      );
      const error = (await reason) as DaemonRequestError;
      assert.equal(error.code, code);
      assert.equal(error.operation, "startResendingCopyCommand");
    }
    await client.stop();
  });
});

describe("a copy command whose stream a courier finds deleted", () => {
  const deleted = { errorCode: 26, replicaErrorCode: 11, failedEnvelopeIndex: 3n };

  test("fails if the courier says so at the first attempt", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.startResendingCopyCommand(writeCap));
    connection.send(copyReply(await connection.expect("startResendingCopyCommand"), deleted));
    const error = await reason;
    assert.ok(error instanceof CopyCommandFailedError);
    assert.equal(error.replicaErrorCode, 11);
    await client.stop();
  });

  test("counts as done by another courier if the courier says so after a lost connection", async () => {
    const made = await connectedPair();
    const done = made.client.startResendingCopyCommand(writeCap);
    const refused = reasonOf(made.client.startResendingCopyCommand(writeCap));
    for (let i = 0; i < 2; i++) await made.connection.expect("startResendingCopyCommand");
    await lose(made);
    const next = await reconnect(made);
    for (let i = 0; i < 2; i++) await next.expect("cancelResendingCopyCommand");
    next.send(copyReply(await next.expect("startResendingCopyCommand"), deleted));
    await done;
    const request = await next.expect("startResendingCopyCommand");
    next.send(copyReply(request, { ...deleted, replicaErrorCode: 10 }));
    assert.ok(
      (await refused) instanceof CopyCommandFailedError,
      "any other verdict stays a failure",
    );
    await made.client.stop();
  });
});

describe("ending an operation", () => {
  test("by abort tells the daemon, rejects with the reason and ignores the late code 24", async () => {
    const { client, connection } = await connectedPair();
    const abort = new AbortController();
    const call = client.startResendingEncryptedMessage(sealedRead, { signal: abort.signal });
    const request = await connection.expect(start);
    const why = new Error("not wanted any more");
    abort.abort(why);
    assert.equal(await reasonOf(call), why);
    const told = await connection.expect(cancel);
    assert.deepEqual(told.envelopeHash, hash);
    assert.equal(told.queryId!.length, 16);
    connection.send(startReply(request, { errorCode: 24 }));
    connection.send(codeReply(told));
    await turn();
    assert.equal(client.pendingCalls, 0);
    assert.equal(client.state, "ready");
    await client.stop();
  });

  test("by abort names a copy command by its hash", async () => {
    const { client, connection } = await connectedPair();
    const abort = new AbortController();
    const call = client.startResendingCopyCommand(writeCap, { signal: abort.signal });
    await connection.expect("startResendingCopyCommand");
    abort.abort();
    assert.equal((await reasonOf(call)).name, "AbortError");
    const told = await connection.expect("cancelResendingCopyCommand");
    assert.deepEqual(told.writeCapHash, writeCapHash(writeCap));
    await client.stop();
  });

  test("with a signal that is already aborted sends nothing", async () => {
    const { client, connection } = await connectedPair();
    const abort = new AbortController();
    abort.abort();
    const { signal } = abort;
    const call = client.startResendingEncryptedMessage(sealedRead, { signal });
    assert.equal((await reasonOf(call)).name, "AbortError");
    await turn();
    assert.deepEqual(connection.requests, []);
    await client.stop();
  });

  test("by deadline tells the daemon too", async () => {
    const { client, connection, clock } = await connectedPair();
    const call = client.startResendingEncryptedMessage(sealedRead, { timeoutMs: 90_000 });
    call.catch(() => {});
    await connection.expect(start);
    await clock.advance(89_999);
    assert.equal(await isPending(call), true);
    await clock.advance(1);
    const error = await reasonOf(call);
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.operation, start);
    await connection.expect(cancel);
    await client.stop();
  });

  test("by cancel makes the daemon answer the start, then the cancel", async () => {
    const { client, connection } = await connectedPair();
    const call = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const request = await connection.expect(start);
    const ended = client.cancelResendingEncryptedMessage(hash);
    const told = await connection.expect(cancel);
    assert.deepEqual(told.envelopeHash, hash);
    assert.equal(await isPending(ended), true, "the daemon is asked");
    connection.send(startReply(request, { errorCode: 24 }));
    const error = await call;
    assert.ok(error instanceof StartResendingCancelledError);
    assert.equal(error.operation, start);
    assert.equal(await isPending(ended), true);
    connection.send(codeReply(told));
    await ended;
    await client.stop();
  });

  test("by cancel works alike for a copy command", async () => {
    const { client, connection } = await connectedPair();
    const call = reasonOf(client.startResendingCopyCommand(writeCap));
    const request = await connection.expect("startResendingCopyCommand");
    const ended = client.cancelResendingCopyCommand(writeCapHash(writeCap));
    const told = await connection.expect("cancelResendingCopyCommand");
    connection.send(copyReply(request, { errorCode: 24 }));
    connection.send(codeReply(told));
    assert.ok((await call) instanceof StartResendingCancelledError);
    await ended;
    await client.stop();
  });

  test("by cancel ends a start that the daemon does not know yet", async () => {
    const { client, connection } = await connectedPair();
    const call = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    await connection.expect(start);
    const ended = client.cancelResendingEncryptedMessage(hash);
    const told = await connection.expect(cancel);
    const later = client.startResendingEncryptedMessage(sealedRead);
    connection.send(codeReply(told));
    await ended;
    assert.ok((await call) instanceof StartResendingCancelledError);
    const again = await connection.expect(start);
    assert.equal(await isPending(later), true, "later starts continue");
    connection.send(startReply(again, { plaintext: filled(2) }));
    assert.deepEqual((await later).plaintext, filled(2));
    await client.stop();
  });

  test("by cancel succeeds for an unknown operation", async () => {
    const { client, connection } = await connectedPair();
    const ended = client.cancelResendingEncryptedMessage(hash);
    connection.send(codeReply(await connection.expect(cancel)));
    await ended;
    await client.stop();
  });

  test("by a cancel that the daemon refuses reports that and ends nothing", async () => {
    const { client, connection } = await connectedPair();
    const call = client.startResendingEncryptedMessage(sealedRead);
    call.catch(() => {});
    await connection.expect(start);
    const ended = reasonOf(client.cancelResendingEncryptedMessage(hash));
    connection.send(codeReply(await connection.expect(cancel), 3));
    const error = await ended;
    assert.ok(error instanceof DaemonRequestError);
    assert.equal(error.operation, cancel);
    assert.equal(await isPending(call), true);
    await client.stop();
  });

  test("by cancel has the client's deadline", async () => {
    const { client, connection, clock } = await connectedPair();
    const ended = reasonOf(client.cancelResendingEncryptedMessage(hash));
    await connection.expect(cancel);
    await clock.advance(60_000);
    assert.ok((await ended) instanceof RequestTimeoutError);
    await client.stop();
  });

  test("by cancel asks the daemon even while the mixnet is away", async () => {
    const { client, connection } = await connectedPair({}, { isConnected: false });
    assert.equal(client.isConnected(), false);
    const call = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const request = await connection.expect(start);
    const ended = client.cancelResendingEncryptedMessage(hash);
    const told = await connection.expect(cancel);
    connection.send(startReply(request, { errorCode: 24 }));
    connection.send(codeReply(told));
    await ended;
    assert.ok((await call) instanceof StartResendingCancelledError);
    await client.stop();
  });

  test("by cancel without a connection ends the start now and tells the daemon later", async () => {
    const made = await connectedPair();
    const { client, connection } = made;
    const call = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const other = client.startResendingEncryptedMessage(sealedWrite);
    other.catch(() => {});
    await connection.expect(start);
    await lose(made);
    await client.cancelResendingEncryptedMessage(hash);
    assert.ok((await call) instanceof StartResendingCancelledError);
    const next = await reconnect(made);
    const told = await next.expect(cancel);
    assert.deepEqual(told.envelopeHash, hash);
    const otherCancelled = await next.expect(cancel);
    assert.deepEqual(otherCancelled.envelopeHash, sealedWrite.envelopeHash);
    const started = await next.expect(start);
    assert.deepEqual(started.envelopeHash, sealedWrite.envelopeHash);
    await turn();
    assert.deepEqual(next.requests, [], "the cancelled one is not started again");
    await client.stop();
  });

  test("by a cancel whose connection breaks still ends the start", async () => {
    const made = await connectedPair();
    const { client, connection } = made;
    const read = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const copy = reasonOf(client.startResendingCopyCommand(writeCap));
    await connection.expect(start);
    await connection.expect("startResendingCopyCommand");
    const readEnded = client.cancelResendingEncryptedMessage(hash);
    const copyEnded = client.cancelResendingCopyCommand(writeCapHash(writeCap));
    await connection.expect(cancel);
    await connection.expect("cancelResendingCopyCommand");
    await lose(made);
    await readEnded;
    await copyEnded;
    assert.ok((await read) instanceof StartResendingCancelledError);
    assert.ok((await copy) instanceof StartResendingCancelledError);
    const next = await reconnect(made);
    await next.expect(cancel);
    await next.expect("cancelResendingCopyCommand");
    await turn();
    assert.deepEqual(next.requests, []);
    await client.stop();
  });

  test("by a cancel whose connection breaks tells the daemon about an operation without a call", async () => {
    const made = await connectedPair();
    const { client, connection } = made;
    const ended = client.cancelResendingEncryptedMessage(hash);
    await connection.expect(cancel);
    await lose(made);
    await ended;
    const next = await reconnect(made);
    assert.deepEqual((await next.expect(cancel)).envelopeHash, hash);
    await client.stop();
  });

  test("by cancel before start() or after stop() fails with the reason", async () => {
    const { client } = pair();
    const early = await reasonOf(client.cancelResendingEncryptedMessage(hash));
    assert.ok(early instanceof InvalidStateError);
    const made = await connectedPair();
    await made.client.stop();
    const late = await reasonOf(made.client.cancelResendingCopyCommand(writeCapHash(writeCap)));
    assert.ok(late instanceof ClientClosedError);
  });

  test("by stop() rejects every operation with ClientClosedError", async () => {
    const { client, connection } = await connectedPair();
    const call = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const copy = reasonOf(client.startResendingCopyCommand(writeCap));
    await connection.expect(start);
    await client.stop();
    assert.ok((await call) instanceof ClientClosedError);
    assert.ok((await copy) instanceof ClientClosedError);
  });
});

describe("an operation and a lost connection", () => {
  for (const resumed of [true, false]) {
    test(`is resumed with a cancel first and a new query ID (resumed: ${resumed})`, async () => {
      const made = await connectedPair();
      const { client, connection } = made;
      const read = client.startResendingEncryptedMessage(sealedRead);
      const copy = client.startResendingCopyCommand(writeCap, { courier });
      const first = await connection.expect(start);
      const firstCopy = await connection.expect("startResendingCopyCommand");
      await lose(made);
      const next = await reconnect(made, resumed);
      const order = await Promise.all([1, 2, 3, 4].map(() => next.next()));
      assert.deepEqual(
        order.map((request) => request?.kind),
        [cancel, "cancelResendingCopyCommand", start, "startResendingCopyCommand"],
      );
      const again = order[2] as typeof first;
      const againCopy = order[3] as typeof firstCopy;
      assert.deepEqual({ ...again, queryId: null }, { ...first, queryId: null });
      assert.deepEqual({ ...againCopy, queryId: null }, { ...firstCopy, queryId: null });
      assert.equal(equalBytes(again.queryId!, first.queryId!), false);
      // The daemon's answer to the old start, code 24, is too late to matter.
      next.send(startReply(first, { errorCode: 24 }));
      assert.equal(await isPending(read), true);
      next.send(startReply(again, { plaintext: filled(3) }));
      next.send(copyReply(againCopy));
      assert.deepEqual((await read).plaintext, filled(3));
      await copy;
      await client.stop();
    });
  }

  test("started without a connection, is sent once there is one, without a cancel before it", async () => {
    const made = await connectedPair();
    await lose(made);
    const call = made.client.startResendingEncryptedMessage(sealedRead);
    const next = await reconnect(made);
    const request = await next.expect(start);
    next.send(startReply(request, { plaintext: filled(1) }));
    assert.deepEqual((await call).plaintext, filled(1));
    await made.client.stop();
  });

  test("aborted without a connection, is cancelled at the daemon after the reconnect", async () => {
    const made = await connectedPair();
    const abort = new AbortController();
    const call = made.client.startResendingEncryptedMessage(sealedRead, { signal: abort.signal });
    await made.connection.expect(start);
    await lose(made);
    abort.abort();
    await reasonOf(call);
    const next = await reconnect(made);
    assert.deepEqual((await next.expect(cancel)).envelopeHash, hash);
    await turn();
    assert.deepEqual(next.requests, []);
    await made.client.stop();
  });

  test("a local request is simply sent again", async () => {
    const made = await connectedPair();
    const call = made.client.encryptRead(sealedRead.readCap, sealedRead.messageBoxIndex);
    const first = await made.connection.expect("encryptRead");
    await lose(made);
    const next = await reconnect(made);
    const again = await next.expect("encryptRead");
    assert.deepEqual({ ...again, queryId: null }, { ...first, queryId: null });
    call.catch(() => {});
    await made.client.stop();
  });
});

describe("two starts of one envelope", () => {
  test("have their own query IDs and answers", async () => {
    const { client, connection } = await connectedPair();
    const one = client.startResendingEncryptedMessage(sealedRead);
    const two = client.startResendingEncryptedMessage(sealedRead);
    const first = await connection.expect(start);
    const second = await connection.expect(start);
    assert.equal(equalBytes(first.queryId!, second.queryId!), false);
    connection.send(startReply(second, { plaintext: filled(2) }));
    assert.deepEqual((await two).plaintext, filled(2));
    assert.equal(await isPending(one), true);
    connection.send(startReply(first, { plaintext: filled(1) }));
    assert.deepEqual((await one).plaintext, filled(1));
    await client.stop();
  });

  test("continue when one is aborted; aborting both cancels them at the daemon", async () => {
    const { client, connection } = await connectedPair();
    const aborts = [new AbortController(), new AbortController()];
    const calls = aborts.map(({ signal }) =>
      client.startResendingEncryptedMessage(sealedRead, { signal }),
    );
    await connection.expect(start);
    await connection.expect(start);
    aborts[0]!.abort();
    await reasonOf(calls[0]!);
    await turn();
    assert.deepEqual(connection.requests, []);
    aborts[1]!.abort();
    await reasonOf(calls[1]!);
    await connection.expect(cancel);
    await client.stop();
  });

  test("are both ended by one cancel, although the daemon answers only the newer", async () => {
    const { client, connection } = await connectedPair();
    const one = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    const two = reasonOf(client.startResendingEncryptedMessage(sealedRead));
    await connection.expect(start);
    const second = await connection.expect(start);
    const ended = client.cancelResendingEncryptedMessage(hash);
    const told = await connection.expect(cancel);
    connection.send(startReply(second, { errorCode: 24 }));
    connection.send(codeReply(told));
    await ended;
    assert.ok((await one) instanceof StartResendingCancelledError);
    assert.ok((await two) instanceof StartResendingCancelledError);
    await client.stop();
  });

  test("are both started again after a reconnect, after a cancel for each", async () => {
    const made = await connectedPair();
    const calls = [1, 2].map(() => made.client.startResendingEncryptedMessage(sealedRead));
    for (const call of calls) call.catch(() => {});
    await made.connection.expect(start);
    await made.connection.expect(start);
    await lose(made);
    const next = await reconnect(made);
    for (const kind of [cancel, cancel, start, start] as const) await next.expect(kind);
    await turn();
    assert.deepEqual(next.requests, []);
    await made.client.stop();
  });
});
