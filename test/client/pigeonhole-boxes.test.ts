import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { Bytes } from "../../src/bytes/bytes.js";
import { utf8 } from "../../src/bytes/bytes.js";
import { MAX_REFUSED_ENVELOPES } from "../../src/client/boxes.js";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  ClientClosedError,
  InvalidEpochError,
  MKEMDecryptionFailedError,
  RequestTimeoutError,
  TombstoneError,
  hasCode,
} from "../../src/errors/errors.js";
import { TombstoneRangeError } from "../../src/errors/partial-results.js";
import { PkiDocument } from "../../src/pki/document.js";
import type { ScriptedConnection } from "../../src/testing/scripted-daemon.js";
import type { Encodable } from "../../src/cbor/cbor.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import { connectedPair, isPending, pkiDocument, reasonOf, turn } from "./fixture.js";
import {
  codeReply,
  courier,
  filled,
  hashOf,
  index,
  indexOf,
  nextIndex,
  numberOf,
  readCap,
  sealedReply,
  serve,
  startReply,
  writeCap,
} from "./pigeonhole-fixture.js";

const start = "startResendingEncryptedMessage";
const cancel = "cancelResendingEncryptedMessage";

const replicas = PkiDocument.decode(pkiDocument()).storageReplicas;

/**
 * A document whose replicas have the envelope keys of `epochs`, except the first replica, which has
 * those of `first`. The document does not list the replicas in `absent`.
 */
function documentWithKeys(
  epochs: readonly number[],
  {
    absent = [],
    salt = 0,
    first = epochs,
  }: {
    readonly absent?: readonly number[];
    readonly salt?: number;
    readonly first?: readonly number[];
  } = {},
): Bytes {
  const listed = replicas
    .filter((_, i) => !absent.includes(i))
    .map((replica) => {
      const own = replica === replicas[0] ? first : epochs;
      const keys = new Map(
        own.map((epoch) => [epoch, filled(160, epoch + replica.replicaId + salt)]),
      );
      return new Map([...replica.fields, ["EnvelopeKeys", keys]]);
    });
  return pkiDocument({ StorageReplicas: listed as Encodable });
}

function announce(connection: ScriptedConnection, payload: Bytes | null): void {
  connection.send({ kind: "newPkiDocumentEvent", payload });
}

/** Answers the next request to seal an envelope; the envelope's hash is made from `hash`. */
async function seal(
  connection: ScriptedConnection,
  kind: "encryptRead" | "encryptWrite",
  hash: number,
): Promise<void> {
  connection.send(sealedReply(await connection.expect(kind), hash));
}

describe("read", () => {
  test("seals, sends and waits, and returns the plaintext and the next box", async () => {
    const { client, connection } = await connectedPair();
    const result = client.read(readCap, index);
    const asked = await connection.expect("encryptRead");
    assert.deepEqual(asked.readCap, readCap);
    assert.deepEqual(asked.messageBoxIndex, index);
    connection.send(sealedReply(asked));
    const sent = await connection.expect(start);
    assert.deepEqual(sent.envelopeHash, hashOf(1));
    assert.deepEqual(sent.readCap, readCap);
    assert.equal(sent.noRetryOnBoxIdNotFound, true, "an empty box is requested again");
    connection.send(startReply(sent, { plaintext: utf8("hello") }));
    assert.deepEqual(await result, { plaintext: utf8("hello"), nextMessageBoxIndex: nextIndex });
    await client.stop();
  });

  test("fails at once without waiting when the box is empty", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.read(readCap, index, { wait: false }));
    await seal(connection, "encryptRead", 1);
    const sent = await connection.expect(start);
    assert.equal(sent.noRetryOnBoxIdNotFound, true);
    connection.send(startReply(sent, { errorCode: 1 }));
    const error = await reason;
    assert.ok(error instanceof BoxIDNotFoundError);
    assert.equal(error.operation, "read");
    await client.stop();
  });

  test("passes verdicts on the box to the caller and does not ask again", async () => {
    const { client, connection } = await connectedPair();
    for (const errorCode of [2, 3, 4, 5, 6, 7, 9, 11, 23, 24, 25]) {
      const reason = reasonOf(client.read(readCap, index));
      await seal(connection, "encryptRead", 1);
      connection.send(startReply(await connection.expect(start), { errorCode }));
      assert.equal(((await reason) as TombstoneError).errorCode, errorCode);
      await turn();
      assert.deepEqual(connection.requests, []);
    }
    await client.stop();
  });

  for (const errorCode of [8, 12, 13, 22, 31, 32]) {
    test(`seals a fresh envelope for the same box after code ${errorCode}`, async () => {
      const { client, connection } = await connectedPair();
      const result = client.read(readCap, index);
      await seal(connection, "encryptRead", 1);
      connection.send(startReply(await connection.expect(start), { errorCode }));
      const again = await connection.expect("encryptRead");
      assert.deepEqual(again.messageBoxIndex, index);
      connection.send(sealedReply(again, 2));
      const sent = await connection.expect(start);
      assert.deepEqual(sent.envelopeHash, hashOf(2));
      connection.send(startReply(sent, { plaintext: filled(1) }));
      assert.deepEqual((await result).plaintext, filled(1));
      await client.stop();
    });
  }

  test("gives up after four envelopes in a row were refused", async () => {
    const { client, connection } = await connectedPair();
    const seen = serve(connection, (request) => {
      if (request.kind === "encryptRead") return sealedReply(request);
      return startReply(request as DaemonRequest<typeof start>, { errorCode: 8 });
    });
    const error = await reasonOf(client.read(readCap, index));
    assert.ok(error instanceof InvalidEpochError);
    assert.equal(error.operation, "read");
    await turn();
    assert.equal(seen.filter(({ kind }) => kind === start).length, MAX_REFUSED_ENVELOPES);
    assert.equal(MAX_REFUSED_ENVELOPES, 4);
    await client.stop();
  });

  test("passes an error of sealing to the caller unchanged", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.read(readCap, index));
    const request = await connection.expect("encryptRead");
    const nothing = {
      messageCiphertext: null,
      envelopeDescriptor: null,
      envelopeHash: null,
      nextMessageBoxIndex: null,
    };
    const { queryId } = request;
    connection.send({ kind: "encryptReadReply", queryId, ...nothing, errorCode: 4 });
    const error = await reason;
    assert.ok(hasCode(error, "THIN_CLIENT_ERROR_INTERNAL_ERROR"));
    assert.equal(error.operation, "read");
    await client.stop();
  });

  test("tells the daemon and rejects with the reason when it is aborted", async () => {
    const { client, connection } = await connectedPair();
    const abort = new AbortController();
    const result = client.read(readCap, index, { signal: abort.signal });
    await seal(connection, "encryptRead", 1);
    await connection.expect(start);
    abort.abort("enough");
    assert.equal(await reasonOf(result), "enough");
    assert.deepEqual((await connection.expect(cancel)).envelopeHash, hashOf(1));
    assert.equal(client.pendingCalls, 0);
    await client.stop();
  });

  test("has one deadline for all its steps", async () => {
    const { client, connection, clock } = await connectedPair();
    const reason = reasonOf(client.read(readCap, index, { timeoutMs: 10_000 }));
    const asked = await connection.expect("encryptRead");
    await clock.advance(6000);
    connection.send(sealedReply(asked));
    await connection.expect(start);
    await clock.advance(4000);
    const error = await reason;
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.operation, "read");
    await connection.expect(cancel);
    assert.equal(clock.pending, 0);
    await client.stop();
  });

  test("waits for days without a deadline", async () => {
    const { client, connection, clock } = await connectedPair();
    const result = client.read(readCap, index);
    await seal(connection, "encryptRead", 1);
    const sent = await connection.expect(start);
    await clock.advance(30 * 24 * 3_600_000);
    assert.equal(await isPending(result), true);
    connection.send(startReply(sent, { plaintext: filled(1) }));
    await result;
    await client.stop();
  });
});

describe("a read that waits while envelope keys change", () => {
  const greeted = { document: documentWithKeys([20, 21]) };

  test("cancels the old envelope and continues with a fresh one", async () => {
    const { client, connection } = await connectedPair({}, greeted);
    const result = client.read(readCap, index);
    await seal(connection, "encryptRead", 1);
    await connection.expect(start);
    announce(connection, documentWithKeys([21, 22]));
    assert.deepEqual((await connection.expect(cancel)).envelopeHash, hashOf(1));
    await seal(connection, "encryptRead", 2);
    const sent = await connection.expect(start);
    assert.deepEqual(sent.envelopeHash, hashOf(2));
    connection.send(startReply(sent, { plaintext: filled(1) }));
    assert.deepEqual((await result).plaintext, filled(1));
    await client.stop();
  });

  test("replaces its envelope week after week", async () => {
    const { client, connection } = await connectedPair({}, greeted);
    const result = client.read(readCap, index);
    await seal(connection, "encryptRead", 1);
    await connection.expect(start);
    for (let week = 1; week <= 6; week++) {
      announce(connection, documentWithKeys([20 + week, 21 + week]));
      await connection.expect(cancel);
      await seal(connection, "encryptRead", 1 + week);
      await connection.expect(start);
    }
    assert.equal(await isPending(result), true);
    result.catch(() => {});
    await client.stop();
  });

  test("keeps its envelope while all the keys still exist", async () => {
    const { client, connection } = await connectedPair({}, greeted);
    const result = client.read(readCap, index);
    await seal(connection, "encryptRead", 1);
    const sent = await connection.expect(start);
    announce(connection, documentWithKeys([20, 21]));
    announce(connection, documentWithKeys([19, 20, 21, 22]));
    announce(connection, null);
    announce(connection, documentWithKeys([20, 21]));
    await turn();
    assert.deepEqual(connection.requests, []);
    connection.send(startReply(sent, { plaintext: filled(1) }));
    await result;
    await client.stop();
  });

  test("keeps its envelope when replicas leave and come back", async () => {
    const { client, connection } = await connectedPair({}, greeted);
    const result = client.read(readCap, index);
    await seal(connection, "encryptRead", 1);
    const sent = await connection.expect(start);
    for (const absent of [[0], [], [1, 2], [2], []]) {
      announce(connection, documentWithKeys([20, 21], { absent }));
    }
    // These documents do not allow anyone to seal another envelope.
    for (const absent of [replicas.keys(), [...replicas.keys()].slice(1)]) {
      announce(connection, documentWithKeys([20, 21], { absent: [...absent] }));
    }
    await turn();
    assert.deepEqual(connection.requests, []);
    connection.send(startReply(sent, { plaintext: filled(1) }));
    await result;
    await client.stop();
  });

  test("seals once for an epoch that ends at the replicas one after the other", async () => {
    const document = documentWithKeys([20, 21], { first: [19, 20, 21] });
    const { client, connection } = await connectedPair({}, { document });
    client.read(readCap, index).catch(() => {});
    await seal(connection, "encryptRead", 1);
    await connection.expect(start);
    // Only one of the replicas had that key.
    announce(connection, documentWithKeys([20, 21]));
    await turn();
    assert.deepEqual(connection.requests, []);
    announce(connection, documentWithKeys([20, 21, 22], { first: [21, 22] }));
    await connection.expect(cancel);
    await seal(connection, "encryptRead", 2);
    await connection.expect(start);
    announce(connection, documentWithKeys([21, 22]));
    await turn();
    assert.deepEqual(connection.requests, []);
    await client.stop();
  });

  test("treats changed keys of the same epoch, and a document with only a later epoch's, as replaced", async () => {
    for (const document of [
      documentWithKeys([20, 21], { salt: 5 }),
      documentWithKeys([21, 22], { absent: [1, 2] }),
    ]) {
      const { client, connection } = await connectedPair({}, greeted);
      client.read(readCap, index).catch(() => {});
      await seal(connection, "encryptRead", 1);
      await connection.expect(start);
      announce(connection, document);
      await connection.expect(cancel);
      await connection.expect("encryptRead");
      await client.stop();
    }
  });

  test("seals again when keys change while it is sealing", async () => {
    const { client, connection } = await connectedPair({}, greeted);
    const result = client.read(readCap, index);
    const late = await connection.expect("encryptRead");
    announce(connection, documentWithKeys([21, 22]));
    await seal(connection, "encryptRead", 2);
    connection.send(sealedReply(late, 1));
    const sent = await connection.expect(start);
    assert.deepEqual(sent.envelopeHash, hashOf(2), "only the fresh one is sent");
    connection.send(startReply(sent, { plaintext: filled(1) }));
    await result;
    await client.stop();
  });

  test("learns of changed keys after a reconnect from the handshake's document", async () => {
    const { client, connection, daemon, clock } = await connectedPair({}, greeted);
    client.read(readCap, index).catch(() => {});
    await seal(connection, "encryptRead", 1);
    await connection.expect(start);
    connection.transport.destroy();
    const accepted = daemon.accept();
    const next = await clock.runUntil(accepted);
    next.send(daemon.status());
    announce(next, documentWithKeys([30, 31]));
    await next.expect("sessionToken");
    next.send({ kind: "sessionTokenReply", appId: filled(16), resumed: true });
    assert.deepEqual((await next.expect(cancel)).envelopeHash, hashOf(1));
    const again = await next.expect("encryptRead");
    assert.deepEqual(again.messageBoxIndex, index);
    await turn();
    assert.deepEqual(next.requests, [], "the old envelope is not sent again");
    await client.stop();
  });

  test("may be refused four times again after each document", async () => {
    const { client, connection } = await connectedPair({}, greeted);
    const reason = reasonOf(client.read(readCap, index));
    for (let n = 0; n < 3; n++) {
      await seal(connection, "encryptRead", 1);
      connection.send(startReply(await connection.expect(start), { errorCode: 22 }));
    }
    await seal(connection, "encryptRead", 1);
    await connection.expect(start);
    announce(connection, documentWithKeys([21, 22]));
    await connection.expect(cancel);
    for (let n = 0; n < 4; n++) {
      await seal(connection, "encryptRead", 2);
      connection.send(startReply(await connection.expect(start), { errorCode: 22 }));
    }
    assert.ok((await reason) instanceof MKEMDecryptionFailedError);
    await client.stop();
  });
});

describe("write", () => {
  test("is done when a courier has it, whatever the box held", async () => {
    const { client, connection } = await connectedPair();
    const result = client.write(writeCap, index, "grüß dich");
    const asked = await connection.expect("encryptWrite");
    assert.deepEqual(asked.plaintext, utf8("grüß dich"));
    assert.deepEqual(asked.writeCap, writeCap);
    connection.send(sealedReply(asked, 4));
    const sent = await connection.expect(start);
    assert.deepEqual(sent.writeCap, writeCap);
    assert.equal(sent.readCap, null);
    assert.equal(sent.noIdempotentBoxAlreadyExists, false);
    connection.send(startReply(sent));
    assert.deepEqual(await result, { nextMessageBoxIndex: nextIndex });
    await client.stop();
  });

  test("fails on request when the box holds something else", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.write(writeCap, index, filled(3), { ifExists: "error" }));
    await seal(connection, "encryptWrite", 1);
    const sent = await connection.expect(start);
    assert.equal(sent.noIdempotentBoxAlreadyExists, true);
    connection.send(startReply(sent, { errorCode: 10 }));
    const error = await reason;
    assert.ok(error instanceof BoxAlreadyExistsError);
    assert.equal(error.operation, "write");
    await client.stop();
  });

  test("writes the same content to the same box when the envelope was refused", async () => {
    const { client, connection } = await connectedPair();
    const plaintext = filled(3);
    const result = client.write(writeCap, index, plaintext);
    plaintext.fill(9);
    const first = await connection.expect("encryptWrite");
    connection.send(sealedReply(first, 1));
    connection.send(startReply(await connection.expect(start), { errorCode: 32 }));
    const second = await connection.expect("encryptWrite");
    assert.deepEqual({ ...second, queryId: null }, { ...first, queryId: null });
    assert.deepEqual(second.plaintext, filled(3));
    connection.send(sealedReply(second, 2));
    connection.send(startReply(await connection.expect(start)));
    assert.deepEqual(await result, { nextMessageBoxIndex: nextIndex });
    await client.stop();
  });

  test("writes a tombstone as an empty plaintext", async () => {
    const { client, connection } = await connectedPair();
    const result = client.tombstone(writeCap, index);
    const asked = await connection.expect("encryptWrite");
    assert.equal(asked.plaintext!.length, 0);
    connection.send(sealedReply(asked));
    connection.send(startReply(await connection.expect(start)));
    assert.deepEqual(await result, { nextMessageBoxIndex: nextIndex });
    await client.stop();
  });
});

describe("tombstoneRange", () => {
  test("creates tombstones one after the other, reports each, and sends none", async () => {
    const { client, connection } = await connectedPair();
    const seen = serve(connection, (request) => {
      const asked = request as DaemonRequest<"encryptWrite">;
      return sealedReply(asked, numberOf(asked.messageBoxIndex));
    });
    const told: unknown[] = [];
    const { envelopes, next } = await client.tombstoneRange(writeCap, index, 3, {
      onProgress: ({ boxesDone, boxesTotal, envelope }) =>
        told.push([boxesDone, boxesTotal, numberOf(envelope.boxIndex)]),
    });
    assert.deepEqual(
      envelopes.map(({ boxIndex, envelopeHash }) => [numberOf(boxIndex), envelopeHash[0]]),
      [
        [7, 7],
        [8, 8],
        [9, 9],
      ],
    );
    assert.equal(numberOf(next), 10);
    assert.deepEqual(told, [
      [1, 3, 7],
      [2, 3, 8],
      [3, 3, 9],
    ]);
    assert.deepEqual(
      seen.map((request) => (request as DaemonRequest<"encryptWrite">).plaintext?.length),
      [0, 0, 0],
    );
    await client.stop();
  });

  test("returns the first index for a count of zero, without a request to the daemon", async () => {
    const { client, connection } = await connectedPair();
    const result = await client.tombstoneRange(writeCap, index, 0);
    assert.deepEqual(result, { envelopes: [], next: index });
    assert.notEqual(result.next, index, "a copy");
    await turn();
    assert.deepEqual(connection.requests, []);
    await client.stop();
  });

  test("keeps the tombstones it created when the daemon fails in between", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.tombstoneRange(writeCap, index, 3));
    await seal(connection, "encryptWrite", 1);
    await seal(connection, "encryptWrite", 2);
    const { queryId } = await connection.expect("encryptWrite");
    connection.send({
      kind: "encryptWriteReply",
      queryId,
      messageCiphertext: null,
      envelopeDescriptor: null,
      envelopeHash: null,
      nextMessageBoxIndex: null,
      errorCode: 4,
    });
    const error = await reason;
    assert.ok(error instanceof TombstoneRangeError);
    assert.ok(hasCode(error, "ERR_TOMBSTONE_RANGE"));
    assert.ok(hasCode(error.cause, "THIN_CLIENT_ERROR_INTERNAL_ERROR"));
    assert.equal(error.errorCode, 4);
    assert.equal(error.operation, "tombstoneRange");
    assert.equal(error.retryable, error.cause.retryable);
    assert.equal(error.partial.envelopes.length, 2);
    assert.deepEqual(error.partial.next, indexOf(9));
    // An application that logs the error must not log private keys and indices with it.
    assert.ok(error.partial.envelopes.every(({ envelopeDescriptor }) => envelopeDescriptor.length));
    const printed = inspect(error, { depth: null, maxArrayLength: null });
    for (const shown of [
      printed,
      JSON.stringify(error),
      JSON.stringify(Object.assign({}, error)),
    ]) {
      assert.doesNotMatch(shown, /"partial"|partial:|Uint8Array|envelopes:|"0":/);
    }
    await client.stop();
  });

  test("rejects as every call does when it is aborted, stopped or at its deadline", async () => {
    const { client, connection, clock } = await connectedPair();
    const abort = new AbortController();
    const aborted = reasonOf(client.tombstoneRange(writeCap, index, 3, { signal: abort.signal }));
    await connection.expect("encryptWrite");
    abort.abort("enough");
    assert.equal(await aborted, "enough");
    const late = reasonOf(client.tombstoneRange(writeCap, index, 3, { timeoutMs: 100 }));
    await connection.expect("encryptWrite");
    await clock.advance(100);
    const error = await late;
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.operation, "tombstoneRange");
    const stopped = reasonOf(client.tombstoneRange(writeCap, index, 3));
    await connection.expect("encryptWrite");
    await client.stop();
    assert.ok((await stopped) instanceof ClientClosedError);
  });

  test("ends with the error of a progress callback that throws", async () => {
    const { client, connection } = await connectedPair();
    const why = new Error("no more");
    const onProgress = (): void => {
      throw why;
    };
    const reason = reasonOf(client.tombstoneRange(writeCap, index, 3, { onProgress }));
    await seal(connection, "encryptWrite", 1);
    assert.equal(await reason, why);
    await client.stop();
  });

  test("returns what startResendingEncryptedMessage takes", async () => {
    const { client, connection } = await connectedPair();
    const made = client.tombstoneRange(writeCap, index, 1);
    await seal(connection, "encryptWrite", 3);
    const [envelope] = (await made).envelopes;
    const sending = client.startResendingEncryptedMessage({ ...envelope!, writeCap });
    const sent = await connection.expect(start);
    assert.deepEqual(sent.envelopeHash, hashOf(3));
    connection.send(startReply(sent));
    assert.deepEqual((await sending).courierIdentityHash, courier[0]);
    const ended = client.cancelResendingEncryptedMessage(envelope!.envelopeHash);
    connection.send(codeReply(await connection.expect(cancel)));
    await ended;
    await client.stop();
  });
});
