import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Bytes } from "../../../src/bytes/bytes.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { encodeCopyStreamElement } from "../../../src/crypto/copy-stream/element.js";
import { MAX_COPY_BOXES } from "../../../src/pki/copy-stream-plan.js";
import { encodeCourierEnvelope } from "../../../src/crypto/envelope/courier-messages.js";
import { Breather } from "../../../src/clock/breather.js";
import { CopyFailure, runCopy } from "../../../src/network/courier/copy-run.js";
import { ReadAhead } from "../../../src/network/courier/read-ahead.js";
import { places } from "../copy-stream-fixture.js";
import { sizes, stream } from "../storage-fixture.js";

const breather = new Breather(new VirtualClock());

/** The shortest possible envelope. */
const tiny = encodeCourierEnvelope({
  intermediateReplicas: [0, 1],
  deks: [new Uint8Array(60), new Uint8Array(60)],
  replyIndex: 0,
  epoch: 1n,
  senderPublicKey: new Uint8Array(0),
  ciphertext: new Uint8Array(0),
});

function prefixed(envelope: Uint8Array): Bytes {
  const bytes = new Uint8Array(4 + envelope.length);
  new DataView(bytes.buffer).setUint32(0, envelope.length);
  bytes.set(envelope, 4);
  return bytes;
}

void describe("running a copy", () => {
  void test("ends an endless stream of boxes at the limit", async () => {
    const box = encodeCopyStreamElement({ flags: 0, data: new Uint8Array(0) });
    let reads = 0;
    const source = {
      next: () => {
        reads++;
        return Promise.resolve(box);
      },
    };
    const write = () => Promise.resolve();
    const outcome = await runCopy({ sizes, source, write, breather });
    assert.deepEqual(outcome, { succeeded: false, errorCode: 0, failedEnvelope: 1 });
    assert.equal(reads, MAX_COPY_BOXES + 1);
  });

  void test("ends a stream of endless envelopes at a limit too", async () => {
    const large = { maxPlaintextPayloadLength: 2000, courierQueryWriteLength: 2000 };
    const many = new Uint8Array(14 * (4 + tiny.length));
    for (let i = 0; i < 14; i++) many.set(prefixed(tiny), i * (4 + tiny.length));
    const box = encodeCopyStreamElement({ flags: 0, data: many });
    let written = 0;
    const outcome = await runCopy({
      sizes: { ...sizes, ...large },
      source: { next: () => Promise.resolve(box) },
      write: () => {
        written++;
        return Promise.resolve();
      },
      breather,
    });
    assert.equal(written, MAX_COPY_BOXES);
    assert.deepEqual(outcome, { succeeded: false, errorCode: 0, failedEnvelope: written + 1 });
  });

  void test("writes an envelope only after the previous one is done", async () => {
    const data = new Uint8Array([...prefixed(tiny), ...prefixed(tiny)]);
    const large = { ...sizes, maxPlaintextPayloadLength: 2000, courierQueryWriteLength: 2000 };
    const boxes = [
      encodeCopyStreamElement({ flags: 1, data }),
      encodeCopyStreamElement({ flags: 2, data }),
    ];
    let underWay = 0;
    let written = 0;
    const outcome = await runCopy({
      sizes: large,
      source: { next: () => Promise.resolve(boxes.shift()!) },
      write: async () => {
        assert.equal(underWay++, 0);
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
        written++;
      },
      breather,
    });
    assert.deepEqual(outcome, { succeeded: true, boxes: 2 });
    assert.equal(written, 4);
  });

  void test("reports a failure with the code and the position", async () => {
    const data = new Uint8Array([...prefixed(tiny), ...prefixed(tiny)]);
    const large = { ...sizes, maxPlaintextPayloadLength: 2000, courierQueryWriteLength: 2000 };
    const box = encodeCopyStreamElement({ flags: 3, data });
    let writes = 0;
    const outcome = await runCopy({
      sizes: large,
      source: { next: () => Promise.resolve(box) },
      write: () =>
        ++writes === 2 ? Promise.reject(new CopyFailure("full", 6)) : Promise.resolve(),
      breather,
    });
    assert.deepEqual(outcome, { succeeded: false, errorCode: 6, failedEnvelope: 2 });
  });
});

void describe("reading ahead", () => {
  const { firstMessageIndex } = stream(4);

  void test("returns the boxes in order, however long each takes, and reads at most eight ahead", async () => {
    const all = places(firstMessageIndex, 40);
    let underWay = 0;
    let most = 0;
    const source = new ReadAhead(firstMessageIndex, async (index) => {
      const at = all.findIndex((place) => Buffer.compare(place, index) === 0);
      most = Math.max(most, ++underWay);
      const turns = 10 + ((at * 7) % 5);
      for (let i = 0; i < turns; i++) await new Promise((done) => setImmediate(done));
      underWay--;
      return Uint8Array.of(at);
    });
    for (let i = 0; i < 30; i++) assert.deepEqual(await source.next(), Uint8Array.of(i));
    assert.equal(most, 8);
  });

  void test("starts with one box and grows", async () => {
    let reads = 0;
    const source = new ReadAhead(firstMessageIndex, () => {
      reads++;
      return Promise.resolve(new Uint8Array(0));
    });
    const counts: number[] = [];
    for (let i = 0; i < 12; i++) {
      await source.next();
      counts.push(reads);
    }
    assert.deepEqual(counts, [1, 3, 5, 7, 9, 11, 13, 15, 16, 17, 18, 19]);
  });

  void test("reports a failure when its turn comes", async () => {
    let reads = 0;
    const source = new ReadAhead(firstMessageIndex, () =>
      ++reads === 3 ? Promise.reject(new Error("gone")) : Promise.resolve(new Uint8Array(0)),
    );
    await source.next();
    await source.next();
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(source.next(), /gone/);
  });

  void test("ends a stream at the highest possible counter", async () => {
    const last = firstMessageIndex.slice() as typeof firstMessageIndex;
    last.fill(255, 0, 8);
    const source = new ReadAhead(last, () => Promise.resolve(Uint8Array.of(1)));
    assert.deepEqual(await source.next(), Uint8Array.of(1));
    await assert.rejects(source.next(), /no more boxes/);
  });
});
