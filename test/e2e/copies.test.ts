/** Copy streams and copy commands: spec/thin-protocol §7.3, §7.4 and §9, "Integration". */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Bytes, concatBytes, utf8 } from "../../src/bytes/bytes.js";
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import { writeCapHash } from "../../src/client/copy-calls.js";
import type { KeypairResult } from "../../src/client/envelopes.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  CopyCommandFailedError,
  StartResendingCancelledError,
  TombstoneError,
} from "../../src/errors/errors.js";
import { CopyFailedError } from "../../src/errors/partial-results.js";
import {
  DAEMON_PLACES,
  TwoClients,
  newStream,
  readAll,
  somePayload,
  writeAll,
} from "./two-clients.js";

/** A payload with its length in front: four bytes of length, then the data. */
function withLength(data: Uint8Array): Bytes {
  const prefix = new Uint8Array(4);
  new DataView(prefix.buffer).setUint32(0, data.length);
  return concatBytes(prefix, data);
}

for (const place of DAEMON_PLACES) {
  describe(`copies, daemon ${place}`, { timeout: 600_000 }, () => {
    let both: TwoClients;
    let alice: ThinClient;
    let bob: ThinClient;

    before(async () => {
      both = await TwoClients.startAt(place);
      ({ alice, bob } = both);
    });

    after(() => both[Symbol.asyncDispose]());

    /** Writes elements into a new temporary stream and copies it. */
    async function copyElements(elements: readonly Uint8Array[]): Promise<KeypairResult> {
      const temporary = await newStream(alice);
      await writeAll(alice, temporary.writeCap, temporary.firstMessageIndex, elements);
      await alice.startResendingCopyCommand(temporary.writeCap);
      return temporary;
    }

    /** Reads boxes until a payload with its length prefix is complete. */
    async function readWithLength(stream: KeypairResult): Promise<Bytes> {
      let whole: Bytes = new Uint8Array(0);
      let index = stream.firstMessageIndex;
      for (;;) {
        const { plaintext, nextMessageBoxIndex } = await bob.read(stream.readCap, index);
        whole = concatBytes(whole, plaintext);
        index = nextMessageBoxIndex;
        const length = new DataView(whole.buffer).getUint32(0);
        if (whole.length >= 4 + length) return whole.subarray(4);
      }
    }

    async function assertEmpty(stream: KeypairResult, index: MessageBoxIndex): Promise<void> {
      await assert.rejects(bob.read(stream.readCap, index, { wait: false }), BoxIDNotFoundError);
    }

    test("a payload passes through a copy stream and is reassembled", async () => {
      const dest = await newStream(alice);
      const data = somePayload(512);
      const made = await alice.createCourierEnvelopesFromPayload({
        payload: withLength(data),
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      assert.equal(made.envelopes.length, 2, "one envelope takes two elements");
      await copyElements(made.envelopes);
      assert.deepEqual(await readWithLength(dest), data);
    });

    test("a payload of several boxes is reassembled", async () => {
      const dest = await newStream(alice);
      const data = somePayload(5000);
      const made = await alice.createCourierEnvelopesFromPayload({
        payload: withLength(data),
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      await copyElements(made.envelopes);
      assert.deepEqual(await readWithLength(dest), data);
      await assertEmpty(dest, made.nextDestIndex);
    });

    test("a hundred bytes fit into one box at the destination", async () => {
      const dest = await newStream(alice);
      const payload = somePayload(100);
      const made = await alice.createCourierEnvelopesFromPayload({
        payload,
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      await copyElements(made.envelopes);
      const { plaintext, nextMessageBoxIndex } = await bob.read(
        dest.readCap,
        dest.firstMessageIndex,
      );
      assert.deepEqual(plaintext, payload);
      assert.deepEqual(nextMessageBoxIndex, made.nextDestIndex);
      await assertEmpty(dest, nextMessageBoxIndex);
    });

    test("two calls fill two channels through one stream", async () => {
      const [one, two] = [await newStream(alice), await newStream(alice)];
      const payloads = [somePayload(300), somePayload(2000)];
      const calls = await Promise.all(
        [one, two].map((dest, i) =>
          alice.createCourierEnvelopesFromPayload({
            payload: payloads[i]!,
            destWriteCap: dest.writeCap,
            destStartIndex: dest.firstMessageIndex,
            isStart: i === 0,
            isLast: i === 1,
          }),
        ),
      );
      await copyElements(calls.flatMap(({ envelopes }) => envelopes));
      assert.deepEqual((await readAll(bob, one, 1)).boxes, [payloads[0]]);
      const { boxes } = await readAll(bob, two, 2);
      assert.deepEqual(concatBytes(...boxes), payloads[1]);
    });

    test("one call with several payloads fills two channels", async () => {
      const [one, two] = [await newStream(alice), await newStream(alice)];
      const payloads = [somePayload(700), somePayload(40)];
      const made = await alice.createCourierEnvelopesFromMultiPayload({
        destinations: [one, two].map(({ writeCap, firstMessageIndex }, i) => ({
          payload: payloads[i]!,
          writeCap,
          startIndex: firstMessageIndex,
        })),
        isStart: true,
        isLast: true,
      });
      assert.equal(made.nextDestIndices.length, 2);
      assert.equal(made.buffer.length, 0);
      await copyElements(made.envelopes);
      for (const [i, dest] of [one, two].entries()) {
        const { boxes, next } = await readAll(bob, dest, 1);
        assert.deepEqual(boxes, [payloads[i]]);
        assert.deepEqual(next, made.nextDestIndices[i]);
      }
    });

    test("three calls for one channel continue where the previous one ended", async () => {
      const dest = await newStream(alice);
      const payloads = [somePayload(1600), somePayload(10), somePayload(900)];
      const elements: Bytes[] = [];
      let destStartIndex = dest.firstMessageIndex;
      for (const [i, payload] of payloads.entries()) {
        const made = await alice.createCourierEnvelopesFromPayload({
          payload,
          destWriteCap: dest.writeCap,
          destStartIndex,
          isStart: i === 0,
          isLast: i === payloads.length - 1,
        });
        elements.push(...made.envelopes);
        assert.notDeepEqual(made.nextDestIndex, destStartIndex);
        destStartIndex = made.nextDestIndex;
      }
      await copyElements(elements);
      const { boxes, next } = await readAll(bob, dest, 4);
      assert.deepEqual(concatBytes(...boxes), concatBytes(...payloads));
      assert.deepEqual(
        boxes.map(({ length }) => length),
        [1545, 55, 10, 900],
      );
      assert.deepEqual(next, destStartIndex);
    });

    test("two calls with several payloads continue with buffer and indices", async () => {
      const channels = [await newStream(alice), await newStream(alice)];
      const parts = [
        [somePayload(100), somePayload(1700)],
        [somePayload(1545), somePayload(3)],
      ];
      const elements: Bytes[] = [];
      let buffer: Bytes | undefined;
      let indices = channels.map(({ firstMessageIndex }) => firstMessageIndex);
      for (const [call, payloads] of parts.entries()) {
        const made = await alice.createCourierEnvelopesFromMultiPayload({
          destinations: channels.map(({ writeCap }, i) => ({
            payload: payloads[i]!,
            writeCap,
            startIndex: indices[i]!,
          })),
          isStart: call === 0,
          isLast: call === 1,
          buffer,
        });
        elements.push(...made.envelopes);
        assert.equal(made.nextDestIndices.length, 2);
        if (call === 0) assert.ok(made.buffer.length > 0, "a part is kept for the next call");
        else assert.equal(made.buffer.length, 0);
        ({ buffer } = made);
        indices = made.nextDestIndices;
      }
      await copyElements(elements);
      const first = await readAll(bob, channels[0]!, 2);
      assert.deepEqual(first.boxes, [parts[0]![0], parts[1]![0]]);
      assert.deepEqual(first.next, indices[0]);
      const second = await readAll(bob, channels[1]!, 3);
      const expected = concatBytes(parts[0]![1]!, parts[1]![1]!);
      assert.deepEqual(concatBytes(...second.boxes), expected);
      assert.deepEqual(second.next, indices[1]);
    });

    test("a tombstone range passes through a copy stream", async () => {
      const dest = await newStream(alice);
      const plaintexts = ["a", "b", "c", "d"].map((text) => utf8(text));
      await writeAll(alice, dest.writeCap, dest.firstMessageIndex, plaintexts);
      await readAll(bob, dest, 4);
      const made = await alice.createCourierEnvelopesFromTombstoneRange({
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        maxCount: 3,
        isStart: true,
        isLast: true,
      });
      await copyElements(made.envelopes);
      let index = dest.firstMessageIndex;
      for (let i = 0; i < 3; i++) {
        await assert.rejects(bob.read(dest.readCap, index), TombstoneError);
        index = await bob.nextMessageBoxIndex(index);
      }
      assert.deepEqual(index, made.nextDestIndex);
      assert.deepEqual((await bob.read(dest.readCap, index)).plaintext, utf8("d"));
    });

    test("a copy onto a taken box fails with code 10 and the envelope's number", async () => {
      const dest = await newStream(alice);
      const second = await alice.nextMessageBoxIndex(dest.firstMessageIndex);
      await alice.write(dest.writeCap, second, "in the way", { ifExists: "error" });
      const payload = somePayload(4000);
      const made = await alice.createCourierEnvelopesFromPayload({
        payload,
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      await assert.rejects(copyElements(made.envelopes), (error: unknown) => {
        assert.ok(error instanceof CopyCommandFailedError);
        assert.equal(error.replicaErrorCode, 10);
        assert.equal(error.failedEnvelopeIndex, 2n);
        assert.ok(error.cause instanceof BoxAlreadyExistsError);
        return true;
      });
      const { boxes, next } = await readAll(bob, dest, 2);
      assert.deepEqual(boxes, [payload.subarray(0, 1545), utf8("in the way")]);
      await assertEmpty(dest, next);
    });

    test("a repeated copy is a success, and its stream does not change", async () => {
      const dest = await newStream(alice);
      const { envelopes } = await alice.createCourierEnvelopesFromPayload({
        payload: utf8("once"),
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      const temporary = await newStream(alice);
      await writeAll(alice, temporary.writeCap, temporary.firstMessageIndex, envelopes);
      const courier = alice.getAllCouriers()[0]!;
      await alice.startResendingCopyCommand(temporary.writeCap, { courier });
      await alice.startResendingCopyCommand(temporary.writeCap, { courier });
      assert.deepEqual((await readAll(bob, dest, 1)).boxes, [utf8("once")]);
      // As on a real network, where couriers try to delete the stream and cannot
      // (docs/differences.md).
      const left = await bob.read(temporary.readCap, temporary.firstMessageIndex);
      assert.deepEqual(left.plaintext, envelopes[0]);
    });

    test("a copy of a stream that ends within an envelope fails without blaming a replica", async () => {
      const dest = await newStream(alice);
      const { envelopes } = await alice.createCourierEnvelopesFromPayload({
        payload: somePayload(300),
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      const cut = envelopes[0]!.slice();
      // Flags: the first element of the stream is now also the last.
      cut[0] = 3;
      await assert.rejects(copyElements([cut]), (error: unknown) => {
        assert.ok(error instanceof CopyCommandFailedError);
        assert.equal(error.replicaErrorCode, 0);
        assert.equal(error.failedEnvelopeIndex, 1n);
        assert.equal(error.cause, undefined);
        return true;
      });
      await assertEmpty(dest, dest.firstMessageIndex);
    });

    test("a copy of a stream that lost a box in the middle fails and writes nothing", async () => {
      const dest = await newStream(alice);
      const { envelopes } = await alice.createCourierEnvelopesFromPayload({
        payload: somePayload(3000),
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      const holed = [envelopes[0]!, ...envelopes.slice(2)];
      await assert.rejects(copyElements(holed), (error: unknown) => {
        assert.ok(error instanceof CopyCommandFailedError);
        assert.equal(error.failedEnvelopeIndex, 1n);
        return true;
      });
      await assertEmpty(dest, dest.firstMessageIndex);
    });

    test("a copy of a stream without an end fails after all tries, with the reason", async () => {
      const dest = await newStream(alice);
      const { envelopes } = await alice.createCourierEnvelopesFromPayload({
        payload: somePayload(3000),
        destWriteCap: dest.writeCap,
        destStartIndex: dest.firstMessageIndex,
        isStart: true,
        isLast: true,
      });
      assert.ok(envelopes.length >= 3);
      await assert.rejects(copyElements(envelopes.slice(0, -1)), (error: unknown) => {
        assert.ok(error instanceof CopyCommandFailedError);
        assert.equal(error.replicaErrorCode, 1);
        assert.ok(error.failedEnvelopeIndex > 0n);
        assert.ok(error.cause instanceof BoxIDNotFoundError);
        return true;
      });
    });

    test("another call can cancel a copy command", async () => {
      const temporary = await newStream(alice);
      const copying = alice.startResendingCopyCommand(temporary.writeCap);
      const ended = assert.rejects(copying, StartResendingCancelledError);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await alice.cancelResendingCopyCommand(writeCapHash(temporary.writeCap));
      await ended;
      await both.nothingLeft();
    });

    // Through the gateway every box takes several real packets, each sealed and opened nine times.
    const length = place === "inside" ? 200_000 : 20_000;
    test(`copy() delivers ${length} bytes to two streams`, async () => {
      const [one, two] = [await newStream(alice), await newStream(alice)];
      const payload = somePayload(length);
      const phases = new Set<string>();
      const { nextDestIndices } = await alice.copy(
        payload,
        [one, two].map(({ writeCap, firstMessageIndex }) => ({
          writeCap,
          startIndex: firstMessageIndex,
        })),
        { onProgress: ({ phase }) => void phases.add(phase) },
      );
      assert.deepEqual([...phases], ["write", "copy"]);
      const count = Math.ceil(payload.length / 1545);
      for (const [i, dest] of [one, two].entries()) {
        const { boxes, next } = await readAll(bob, dest, count);
        assert.deepEqual(concatBytes(...boxes), payload);
        assert.deepEqual(next, nextDestIndices[i]);
      }
    });

    test("copy() names the taken box and says what stays written", async () => {
      const [one, two] = [await newStream(alice), await newStream(alice)];
      await alice.write(two.writeCap, two.firstMessageIndex, "taken", { ifExists: "error" });
      const destinations = [one, two].map(({ writeCap, firstMessageIndex }) => ({
        writeCap,
        startIndex: firstMessageIndex,
      }));
      await assert.rejects(alice.copy(somePayload(2000), destinations), (error: unknown) => {
        assert.ok(error instanceof CopyFailedError);
        assert.equal(error.phase, "copy");
        assert.equal(error.destination, 1);
        assert.deepEqual(error.boxesCopied, [2, 0]);
        return true;
      });
    });

    test("copy() continues while a replica is offline", async () => {
      const { replicas } = both.daemon.storage;
      const dest = await newStream(alice);
      const payload = somePayload(6000);
      replicas[1]!.faults.offline = true;
      try {
        await alice.copy(payload, [
          { writeCap: dest.writeCap, startIndex: dest.firstMessageIndex },
        ]);
        const { boxes } = await readAll(bob, dest, 4);
        assert.deepEqual(concatBytes(...boxes), payload);
      } finally {
        replicas[1]!.faults.offline = false;
      }
    });

    test("copy() can be aborted, and stops completely", async () => {
      const dest = await newStream(alice);
      const abort = new AbortController();
      const reason = new Error("enough");
      const copying = alice.copy(
        somePayload(100_000),
        [{ writeCap: dest.writeCap, startIndex: dest.firstMessageIndex }],
        {
          signal: abort.signal,
          onProgress: ({ boxesDone }) => {
            if (boxesDone === 3) abort.abort(reason);
          },
        },
      );
      await assert.rejects(copying, reason);
      await alice.getMessageBoxIndexCounter(dest.firstMessageIndex);
      assert.equal(alice.pendingCalls, 0);
      await both.nothingLeft();
    });
  });
}
