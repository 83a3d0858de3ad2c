/** Boxes from one application to another: spec/thin-protocol §9, "Integration". */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { equalBytes, utf8 } from "../../src/bytes/bytes.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  TombstoneError,
} from "../../src/errors/errors.js";
import {
  DAEMON_PLACES,
  TwoClients,
  newStream,
  readAll,
  somePayload,
  writeAll,
} from "./two-clients.js";

for (const place of DAEMON_PLACES) {
  describe(`boxes, daemon ${place}`, { timeout: 300_000 }, () => {
    let both: TwoClients;
    let alice: ThinClient;
    let bob: ThinClient;

    before(async () => {
      both = await TwoClients.startAt(place);
      ({ alice, bob } = both);
    });

    after(() => both[Symbol.asyncDispose]());

    test("one client reads what the other writes", async () => {
      const stream = await newStream(alice);
      const { writeCap, readCap, firstMessageIndex } = stream;
      const sealed = await alice.encryptWrite(utf8("hello Bob"), writeCap, firstMessageIndex);
      const written = await alice.startResendingEncryptedMessage(sealed);
      assert.equal(written.plaintext.length, 0);
      const asked = await bob.encryptRead(readCap, firstMessageIndex);
      const read = await bob.startResendingEncryptedMessage(asked);
      assert.deepEqual(read.plaintext, utf8("hello Bob"));
      const couriers = bob.getAllCouriers();
      const named = couriers.find(([node]) => equalBytes(node, read.courierIdentityHash!));
      assert.ok(named, "the reply names a courier of the document");
      assert.deepEqual(read.courierQueueId, named[1]);
    });

    test("a sequence of messages is read in the order in which it was written", async () => {
      const stream = await newStream(alice);
      const messages = Array.from({ length: 5 }, (_, i) => utf8(`message ${i}`));
      const end = await writeAll(alice, stream.writeCap, stream.firstMessageIndex, messages);
      const { boxes, next } = await readAll(bob, stream, messages.length);
      assert.deepEqual(boxes, messages);
      assert.deepEqual(next, end);
    });

    test("boxes written at the same time can be read at the same time", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const plaintexts = Array.from({ length: 24 }, (_, i) => somePayload(40 + i));
      const indices = [firstMessageIndex];
      while (indices.length < plaintexts.length) {
        indices.push(await alice.nextMessageBoxIndex(indices.at(-1)!));
      }
      const writes = plaintexts.map((plaintext, i) =>
        alice.write(writeCap, indices[i]!, plaintext),
      );
      await Promise.all(writes);
      const reads = await Promise.all(indices.map((index) => bob.read(readCap, index)));
      assert.deepEqual(
        reads.map(({ plaintext }) => plaintext),
        plaintexts,
      );
    });

    test("a box holds exactly as much as the geometry says", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const { maxPlaintextPayloadLength } = alice.pigeonholeGeometry;
      assert.equal(maxPlaintextPayloadLength, 1549);
      const full = somePayload(maxPlaintextPayloadLength);
      const { nextMessageBoxIndex } = await alice.write(writeCap, firstMessageIndex, full);
      assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext, full);
      const one = new Uint8Array([7]);
      await alice.write(writeCap, nextMessageBoxIndex, one);
      assert.deepEqual((await bob.read(readCap, nextMessageBoxIndex)).plaintext, one);
      const tooLong = new Uint8Array(maxPlaintextPayloadLength + 1);
      await assert.rejects(alice.encryptWrite(tooLong, writeCap, firstMessageIndex), RangeError);
    });

    test("reading an empty box without retries gives BoxIDNotFoundError", async () => {
      const { readCap, firstMessageIndex } = await newStream(alice);
      const sealed = await bob.encryptRead(readCap, firstMessageIndex);
      await assert.rejects(bob.startResendingEncryptedMessageNoRetry(sealed), BoxIDNotFoundError);
      const flagged = await bob.encryptRead(readCap, firstMessageIndex);
      await assert.rejects(
        bob.startResendingEncryptedMessage({ ...flagged, noRetryOnBoxIdNotFound: true }),
        BoxIDNotFoundError,
      );
      await assert.rejects(
        bob.read(readCap, firstMessageIndex, { wait: false }),
        BoxIDNotFoundError,
      );
    });

    test("a read that began before the write ends after it", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const sealed = await bob.encryptRead(readCap, firstMessageIndex);
      const settled: ("read" | "written")[] = [];
      const primitive = bob.startResendingEncryptedMessage(sealed).finally(() => {
        settled.push("read");
      });
      const convenient = bob.read(readCap, firstMessageIndex);
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.equal(settled.length, 0, "nothing to read yet");
      await alice.write(writeCap, firstMessageIndex, "at last");
      settled.push("written");
      assert.deepEqual((await primitive).plaintext, utf8("at last"));
      assert.deepEqual((await convenient).plaintext, utf8("at last"));
      assert.equal(settled.at(-1), "read");
    });

    test("writing other content to a box gives BoxAlreadyExistsError on request", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const seal = (text: string) => alice.encryptWrite(utf8(text), writeCap, firstMessageIndex);
      await alice.startResendingEncryptedMessageReturnBoxExists(await seal("first"));
      await assert.rejects(
        alice.startResendingEncryptedMessageReturnBoxExists(await seal("second")),
        BoxAlreadyExistsError,
      );
      await assert.rejects(
        alice.startResendingEncryptedMessage({
          ...(await seal("third")),
          noIdempotentBoxAlreadyExists: true,
        }),
        BoxAlreadyExistsError,
      );
      await assert.rejects(
        alice.write(writeCap, firstMessageIndex, "fourth", { ifExists: "error" }),
        BoxAlreadyExistsError,
      );
      const { plaintext } = await bob.read(readCap, firstMessageIndex);
      assert.deepEqual(plaintext, utf8("first"), "the box is unchanged");
    });

    test("writing the same content to a box again is a success, with the flag too", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      for (let i = 0; i < 2; i++) {
        const sealed = await alice.encryptWrite(utf8("same"), writeCap, firstMessageIndex);
        await alice.startResendingEncryptedMessageReturnBoxExists(sealed);
        await alice.write(writeCap, firstMessageIndex, "same", { ifExists: "error" });
      }
      assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext, utf8("same"));
    });

    test("without the flag a write to a full box reports nothing and changes nothing", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      await alice.write(writeCap, firstMessageIndex, "mine", { ifExists: "error" });
      const sealed = await alice.encryptWrite(utf8("yours"), writeCap, firstMessageIndex);
      await alice.startResendingEncryptedMessage(sealed);
      assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext, utf8("mine"));
    });

    test("the index differs with each step, and its counter grows by one", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const seen = new Set<string>();
      let index = firstMessageIndex;
      const first = await alice.getMessageBoxIndexCounter(firstMessageIndex);
      for (let step = 0; step < 8; step++) {
        seen.add(Buffer.from(index).toString("hex"));
        const counter = await alice.getMessageBoxIndexCounter(index);
        assert.equal(counter, first + BigInt(step));
        const next = await alice.nextMessageBoxIndex(index);
        const write = await alice.encryptWrite(utf8("x"), writeCap, index);
        const read = await bob.encryptRead(readCap, index);
        assert.deepEqual(write.nextMessageBoxIndex, next);
        assert.deepEqual(read.nextMessageBoxIndex, next);
        assert.notDeepEqual(write.envelopeHash, read.envelopeHash);
        index = next;
      }
      assert.equal(seen.size, 8);
    });

    test("one seed always gives the same stream, and two seeds give different ones", async () => {
      const seed = somePayload(32);
      const one = await alice.newKeypair(seed);
      assert.deepEqual(await bob.newKeypair(seed), one);
      const other = await alice.newKeypair(somePayload(32));
      assert.notDeepEqual(other.writeCap, one.writeCap);
      assert.deepEqual(one.readCap, one.writeCap.subarray(32));
      assert.deepEqual(one.firstMessageIndex, one.writeCap.subarray(64));
    });

    test("a tombstone deletes a box, which reads and later writes report", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      await alice.write(writeCap, firstMessageIndex, "to be deleted", { ifExists: "error" });
      assert.deepEqual((await bob.read(readCap, firstMessageIndex)).plaintext.length, 13);
      const grave = await alice.encryptWrite(new Uint8Array(0), writeCap, firstMessageIndex);
      await alice.startResendingEncryptedMessageReturnBoxExists(grave);
      await assert.rejects(bob.read(readCap, firstMessageIndex), TombstoneError);
      const sealed = await bob.encryptRead(readCap, firstMessageIndex);
      await assert.rejects(bob.startResendingEncryptedMessage(sealed), TombstoneError);
      await assert.rejects(
        alice.write(writeCap, firstMessageIndex, "again", { ifExists: "error" }),
        BoxAlreadyExistsError,
      );
    });

    test("a tombstone may precede the content that it deletes", async () => {
      const { writeCap, readCap, firstMessageIndex } = await newStream(alice);
      const reading = bob.read(readCap, firstMessageIndex);
      const grave = await alice.encryptWrite(new Uint8Array(0), writeCap, firstMessageIndex);
      await alice.startResendingEncryptedMessage(grave);
      await assert.rejects(reading, TombstoneError);
    });

    test("a range of three tombstones deletes exactly three boxes", async () => {
      const stream = await newStream(alice);
      const { writeCap, readCap, firstMessageIndex } = stream;
      const plaintexts = ["a", "b", "c", "d"].map((text) => utf8(text));
      const end = await writeAll(alice, writeCap, firstMessageIndex, plaintexts);
      await readAll(bob, stream, 4);
      const range = await alice.tombstoneRange(writeCap, firstMessageIndex, 3);
      assert.equal(range.envelopes.length, 3);
      for (const envelope of range.envelopes) {
        await alice.startResendingEncryptedMessageReturnBoxExists({ writeCap, ...envelope });
      }
      for (const { boxIndex } of range.envelopes) {
        await assert.rejects(bob.read(readCap, boxIndex), TombstoneError);
      }
      const fourth = await bob.read(readCap, range.next);
      assert.deepEqual(fourth.plaintext, utf8("d"));
      assert.deepEqual(fourth.nextMessageBoxIndex, end);
      const none = await alice.tombstoneRange(writeCap, range.next, 0);
      assert.deepEqual(none, { envelopes: [], next: range.next });
    });

    test("boxes cannot be read with the capability of another stream", async () => {
      const stream = await newStream(alice);
      const other = await newStream(alice);
      await alice.write(stream.writeCap, stream.firstMessageIndex, "x", { ifExists: "error" });
      // The other stream's key with this stream's index gives the ID of a box that was never
      // written.
      await assert.rejects(
        bob.read(other.readCap, stream.firstMessageIndex, { wait: false }),
        BoxIDNotFoundError,
      );
    });
  });
}
