/** Faults of couriers and replicas, as a client sees them. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import type { EncryptReadResult, EncryptWriteResult } from "../../src/client/envelopes.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import {
  decodeCourierQuery,
  encodeCourierQueryReply,
  envelopeHashOf,
} from "../../src/crypto/envelope/courier-messages.js";
import * as errors from "../../src/errors/errors.js";
import { TwoClients, newStream, readAll, somePayload } from "./two-clients.js";

type ErrorClass = abstract new (...args: never[]) => Error;

const replicaClasses: readonly (readonly [number, ErrorClass])[] = [
  [1, errors.BoxIDNotFoundError],
  [2, errors.InvalidBoxIDError],
  [3, errors.InvalidSignatureError],
  [4, errors.DatabaseFailureError],
  [5, errors.InvalidPayloadError],
  [6, errors.StorageFullError],
  [7, errors.ReplicaInternalError],
  [8, errors.InvalidEpochError],
  [9, errors.ReplicationFailedError],
  [10, errors.BoxAlreadyExistsError],
  [11, errors.TombstoneError],
];

const courierClasses: readonly (readonly [number, ErrorClass])[] = [
  [1, errors.CourierInvalidEnvelopeError],
  [2, errors.CourierCacheCorruptionError],
  [3, errors.CourierPropagationError],
  [4, errors.CourierInvalidEpochError],
  [77, errors.CourierInvalidEnvelopeError],
];

describe("faults", { timeout: 300_000 }, () => {
  let both: TwoClients;
  let alice: ThinClient;
  let bob: ThinClient;

  before(async () => {
    both = await TwoClients.start();
    ({ alice, bob } = both);
  });

  afterEach(() => {
    for (const replica of both.daemon.storage.replicas) replica.faults.clear();
  });

  after(() => both[Symbol.asyncDispose]());

  async function sealedWrite(text = "text"): Promise<EncryptWriteResult> {
    const { writeCap, firstMessageIndex } = await newStream(alice);
    return alice.encryptWrite(utf8(text), writeCap, firstMessageIndex);
  }

  async function sealedRead(): Promise<EncryptReadResult> {
    const { readCap, firstMessageIndex } = await newStream(bob);
    return bob.encryptRead(readCap, firstMessageIndex);
  }

  for (const [code, type] of replicaClasses) {
    test(`a replica's code ${code} to a write gives ${type.name}`, async () => {
      both.failReplicas(code);
      const writing = alice.startResendingEncryptedMessageReturnBoxExists(await sealedWrite());
      await assert.rejects(writing, (error: unknown) => {
        assert.ok(error instanceof type, String(error));
        assert.ok(error instanceof errors.ReplicaError);
        assert.equal(error.errorCode, code);
        return true;
      });
    });
  }

  for (const [code, type] of replicaClasses.slice(0, -1)) {
    test(`a replica's code ${code} to a read gives ${type.name}`, async () => {
      both.failReplicas(code);
      await assert.rejects(bob.startResendingEncryptedMessageNoRetry(await sealedRead()), type);
    });
  }

  test("a replica's code 11 to a read gives TombstoneError if the tombstone is signed", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const { nextMessageBoxIndex } = await alice.write(writeCap, firstMessageIndex, "still there", {
      ifExists: "error",
    });
    for (const { faults } of both.daemon.storage.replicas) {
      faults.serveTombstone(writeCap, firstMessageIndex);
    }
    const read = (index = firstMessageIndex) => bob.read(readCap, index, { wait: false });
    await assert.rejects(read(), (error: unknown) => {
      assert.ok(error instanceof errors.TombstoneError, String(error));
      assert.equal(error.errorCode, 11);
      return true;
    });
    await assert.rejects(read(nextMessageBoxIndex), errors.BoxIDNotFoundError);
    for (const { faults } of both.daemon.storage.replicas) faults.clear();
    assert.deepEqual((await read()).plaintext, utf8("still there"));
  });

  test("an unsigned tombstone gives InvalidTombstoneSignatureError", async () => {
    both.failReplicas(11);
    await assert.rejects(
      bob.startResendingEncryptedMessageNoRetry(await sealedRead()),
      errors.InvalidTombstoneSignatureError,
    );
  });

  for (const [code, type] of courierClasses) {
    test(`a courier's code ${code} gives ${type.name}`, async () => {
      const { couriers } = both.daemon.storage;
      for (const courier of couriers) {
        courier.handle = async ({ payload }) => {
          const query = decodeCourierQuery(payload);
          assert.ok(query.kind === "envelope");
          return encodeCourierQueryReply({
            kind: "envelope",
            reply: {
              envelopeHash: envelopeHashOf(query.envelope),
              replyIndex: 0,
              replyType: "ack",
              payload: new Uint8Array(0),
              errorCode: code,
            },
          });
        };
      }
      try {
        const writing = alice.startResendingEncryptedMessage(await sealedWrite());
        await assert.rejects(writing, (error: unknown) => {
          assert.ok(error instanceof type, String(error));
          assert.ok(error instanceof errors.CourierError);
          assert.ok(!(error instanceof errors.ReplicaError));
          assert.equal(errors.isExpectedOutcome(error), false);
          return true;
        });
        await assert.rejects(bob.startResendingEncryptedMessageNoRetry(await sealedRead()), type);
      } finally {
        // The class's own method comes back.
        for (const courier of couriers) Reflect.deleteProperty(courier, "handle");
      }
    });
  }

  test("the courier itself refuses a truncated envelope", async () => {
    const sealed = await sealedRead();
    const ciphertext = sealed.messageCiphertext.slice();
    // The length of the sealed message is in front of it: one byte less than the actual length.
    const at = 1 + 2 + 60 + 60 + 1 + 8 + 2 + 32;
    const view = new DataView(ciphertext.buffer);
    view.setUint32(at, view.getUint32(at) - 1);
    await assert.rejects(
      bob.startResendingEncryptedMessage({ ...sealed, messageCiphertext: ciphertext }),
      errors.CourierInvalidEnvelopeError,
    );
  });

  test("an answer sealed to another envelope's key gives MKEMDecryptionFailedError", async () => {
    const [mine, other] = [await sealedRead(), await sealedRead()];
    const { envelopeDescriptor } = other;
    await assert.rejects(
      bob.startResendingEncryptedMessageNoRetry({ ...mine, envelopeDescriptor }),
      errors.MKEMDecryptionFailedError,
    );
  });

  test("a box of another stream than requested gives BACAPDecryptionFailedError", async () => {
    const one = await newStream(alice);
    await alice.write(one.writeCap, one.firstMessageIndex, "one", { ifExists: "error" });
    const two = await newStream(alice);
    const sealed = await bob.encryptRead(one.readCap, one.firstMessageIndex);
    const { readCap, firstMessageIndex: messageBoxIndex } = two;
    await assert.rejects(
      bob.startResendingEncryptedMessage({ ...sealed, readCap, messageBoxIndex }),
      errors.BACAPDecryptionFailedError,
    );
  });

  test("full replicas refuse data and still accept tombstones", async () => {
    const stream = await newStream(alice);
    const { writeCap, readCap, firstMessageIndex } = stream;
    const { nextMessageBoxIndex } = await alice.write(writeCap, firstMessageIndex, "before", {
      ifExists: "error",
    });
    for (const { faults } of both.daemon.storage.replicas) faults.storageLimitBytes = 0;
    await assert.rejects(
      alice.write(writeCap, nextMessageBoxIndex, "no room", { ifExists: "error" }),
      errors.StorageFullError,
    );
    assert.deepEqual((await readAll(bob, stream, 1)).boxes, [utf8("before")]);
    await alice.tombstone(writeCap, firstMessageIndex);
    while (
      await bob.read(readCap, firstMessageIndex).then(
        () => true,
        (error: unknown) => !(error instanceof errors.TombstoneError),
      )
    );
    await assert.rejects(bob.read(readCap, firstMessageIndex), errors.TombstoneError);
  });

  test("a write that replicas temporarily refuse is lost, although a courier acknowledged it", async () => {
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    both.failReplicas(7);
    await alice.write(writeCap, firstMessageIndex, "in time");
    both.failReplicas(null);
    await assert.rejects(
      bob.read(readCap, firstMessageIndex, { wait: false }),
      errors.BoxIDNotFoundError,
    );
    // The answer of the replicas counts: `ifExists: "error"` waits for it, and the same bytes do
    // not conflict.
    await alice.write(writeCap, firstMessageIndex, "in time", { ifExists: "error" });
    const { plaintext } = await bob.read(readCap, firstMessageIndex);
    assert.deepEqual(plaintext, utf8("in time"));
  });

  test("boxes can be written and read while any single replica is offline", async () => {
    for (const { faults } of both.daemon.storage.replicas) {
      faults.offline = true;
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const payload = somePayload(99);
      await alice.write(writeCap, firstMessageIndex, payload, { ifExists: "error" });
      assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext, payload);
      faults.offline = false;
    }
  });

  test("lost packets are sent again", async () => {
    const { faults } = both.daemon.network;
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    const lost = both.daemon.network.describe().traffic.lost;
    faults.dropNext(1, "forward");
    await alice.write(writeCap, firstMessageIndex, "resent");
    faults.dropNext(1, "reply");
    const { plaintext } = await bob.read(readCap, firstMessageIndex);
    assert.deepEqual(plaintext, utf8("resent"));
    assert.equal(both.daemon.network.describe().traffic.lost, lost + 2);
  });

  test("operations started while the mixnet is away complete when it is back", async () => {
    const { faults } = both.daemon.network;
    const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
    faults.setOnline(false);
    const writing = alice.write(writeCap, firstMessageIndex, "patience");
    const reading = bob.read(readCap, firstMessageIndex);
    await newStream(alice);
    assert.equal(alice.isConnected(), false);
    faults.setOnline(true);
    await writing;
    assert.deepEqual((await reading).plaintext, utf8("patience"));
  });
});
