import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type BoxStore,
  type KeptBox,
  MemoryBoxStore,
} from "../../../src/network/replica/box-store.js";
import { ReplicaBoxes } from "../../../src/network/replica/replica-boxes.js";
import { makeWriteMessage } from "../../../src/crypto/envelope/box-messages.js";
import { nextMessageBoxIndex } from "../../../src/bacap/message-box-index.js";
import type { SignedBox } from "../../../src/crypto/envelope/replica-messages.js";
import { sizes, stream } from "../storage-fixture.js";

const { writeCap, firstMessageIndex } = stream(1);

function box(text: string, index = firstMessageIndex): SignedBox {
  return makeWriteMessage(sizes, writeCap, index, new TextEncoder().encode(text));
}

const tombstone = box("");

class Bench {
  epoch = 500;
  limit = Number.POSITIVE_INFINITY;
  readonly boxes: ReplicaBoxes;
  readonly store: BoxStore;

  constructor(store: BoxStore = new MemoryBoxStore()) {
    this.store = store;
    this.boxes = new ReplicaBoxes({
      sizes,
      store,
      replicaEpoch: () => this.epoch,
      limitBytes: () => this.limit,
    });
  }

  async read(boxId = tombstone.boxId) {
    return this.boxes.read({ kind: "read", boxId });
  }
}

/** A store that is slow, and fails on request. */
class SlowStore implements BoxStore {
  failing = false;
  puts = 0;
  readonly #inner = new MemoryBoxStore();

  async get(epoch: number, boxId: Uint8Array): Promise<SignedBox | null> {
    await this.#work();
    return this.#inner.get(epoch, boxId);
  }

  async put(epoch: number, stored: SignedBox): Promise<void> {
    await this.#work();
    this.puts++;
    this.#inner.put(epoch, stored);
  }

  async #work(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failing) throw new Error("disk on fire");
  }

  deleteBefore(epoch: number): number {
    return this.#inner.deleteBefore(epoch);
  }

  boxes(): Iterable<KeptBox> {
    return this.#inner.boxes();
  }

  get size(): number {
    return this.#inner.size;
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }

  close(): void {}
}

void describe("boxes of a replica", () => {
  void test("a box that was never written is a miss that names it", async () => {
    const reply = await new Bench().read();
    assert.equal(reply.errorCode, 1);
    assert.deepEqual(reply.boxId, tombstone.boxId);
    assert.equal(reply.payload.length, 0);
  });

  void test("a box is read with its signature", async () => {
    const bench = new Bench();
    assert.equal(await bench.boxes.write(box("one")), 0);
    const { kind: _, ...expected } = { ...box("one"), kind: 0 };
    assert.deepEqual(await bench.read(), { ...expected, kind: "read", errorCode: 0 });
  });

  void test("the same content again is a success, anything else a conflict", async () => {
    const bench = new Bench();
    assert.equal(await bench.boxes.write(box("one")), 0);
    assert.equal(await bench.boxes.write(box("one")), 0);
    assert.equal(await bench.boxes.write(box("two")), 10);
    assert.deepEqual((await bench.read()).payload, box("one").payload);
  });

  void test("the same payload with another valid signature is a conflict", async () => {
    const bench = new Bench();
    await bench.boxes.write(box("one"));
    const forged = { ...box("one"), signature: box("two").signature };
    assert.equal(await bench.boxes.write(forged), 3);
  });

  void test("wrong signatures and lengths are refused before anything is stored", async () => {
    const bench = new Bench();
    const good = box("one");
    assert.equal(await bench.boxes.write({ ...good, signature: new Uint8Array(64) }), 3);
    assert.equal(await bench.boxes.write({ ...good, boxId: stream(2).readCap.slice(0, 32) }), 3);
    assert.equal(await bench.boxes.write({ ...good, payload: good.payload.slice(1) }), 5);
    const longer = new Uint8Array([...good.payload, 0]);
    assert.equal(await bench.boxes.write({ ...good, payload: longer }), 5);
    assert.equal(bench.store.size, 0);
  });

  void test("a wrong signature is reported before a conflict", async () => {
    const bench = new Bench();
    await bench.boxes.write(box("one"));
    assert.equal(await bench.boxes.write({ ...box("two"), signature: new Uint8Array(64) }), 3);
  });

  void test("a tombstone replaces data, and only a tombstone replaces a tombstone", async () => {
    const bench = new Bench();
    await bench.boxes.write(box("one"));
    assert.equal(await bench.boxes.write(tombstone), 0);
    const reply = await bench.read();
    assert.equal(reply.errorCode, 11);
    assert.deepEqual(reply.signature, tombstone.signature);
    assert.equal(reply.payload.length, 0);
    assert.equal(await bench.boxes.write(box("one")), 10);
    assert.equal(await bench.boxes.write(tombstone), 0);
    assert.equal((await bench.read()).errorCode, 11);
  });

  void test("a tombstone may be the first thing in a box, but must be signed as one", async () => {
    const bench = new Bench();
    assert.equal(await bench.boxes.write({ ...tombstone, signature: box("one").signature }), 3);
    assert.equal((await bench.read()).errorCode, 1);
    assert.equal(await bench.boxes.write(tombstone), 0);
    assert.equal((await bench.read()).errorCode, 11);
  });

  void test("a full store refuses new data, but accepts tombstones and existing content", async () => {
    const bench = new Bench();
    assert.equal(await bench.boxes.write(box("one")), 0);
    bench.limit = bench.store.sizeBytes;
    const second = nextMessageBoxIndex(firstMessageIndex);
    assert.equal(await bench.boxes.write(box("two", second)), 6);
    assert.equal(await bench.boxes.write(box("one")), 0);
    assert.equal(await bench.boxes.write(box("", second)), 0);
    assert.equal(await bench.boxes.write(tombstone), 0);
    bench.limit = Number.POSITIVE_INFINITY;
    assert.equal(bench.store.size, 2);
    assert.equal(bench.store.sizeBytes, 200);
  });

  void test("a box lives through the epoch it was stored in and the next", async () => {
    const bench = new Bench();
    await bench.boxes.write(box("one"));
    bench.epoch++;
    assert.equal((await bench.read()).errorCode, 0);
    assert.equal(await bench.boxes.write(box("two")), 10);
    assert.equal(await bench.boxes.write(box("one")), 0);
    assert.equal(bench.store.size, 1, "an identical rewrite does not prolong it");
    bench.epoch++;
    assert.equal((await bench.read()).errorCode, 1, "not even before it is collected");
    for await (const kept of bench.boxes.kept()) assert.fail(`kept from epoch ${kept.epoch}`);
  });

  void test("garbage collection deletes expired boxes and keeps the others", async () => {
    const bench = new Bench();
    const second = nextMessageBoxIndex(firstMessageIndex);
    await bench.boxes.write(box("one"));
    bench.epoch++;
    await bench.boxes.write(box("two", second));
    assert.equal(await bench.boxes.collectGarbage(), 0);
    bench.epoch++;
    assert.equal(await bench.boxes.collectGarbage(), 1);
    assert.equal(bench.store.size, 1);
    assert.equal((await bench.read(box("two", second).boxId)).errorCode, 0);
    bench.epoch++;
    assert.equal(await bench.boxes.collectGarbage(), 1);
    assert.equal(bench.store.sizeBytes, 0);
    assert.ok(bench.boxes.isEmpty);
  });

  void test("a tombstone of a later epoch hides the data of the previous epoch", async () => {
    const bench = new Bench();
    await bench.boxes.write(box("one"));
    bench.epoch++;
    assert.equal(await bench.boxes.write(tombstone), 0);
    assert.equal((await bench.read()).errorCode, 11);
  });

  void test("exactly one of several simultaneous writers wins", async () => {
    const store = new SlowStore();
    const bench = new Bench(store);
    const texts = ["one", "two", "three", "one", "two"];
    const codes = await Promise.all(texts.map((text) => bench.boxes.write(box(text))));
    assert.deepEqual(codes, [0, 10, 10, 0, 10]);
    assert.equal(store.puts, 1);
  });

  void test("a failing store gives code 4, and the replica works again when the store does", async () => {
    const store = new SlowStore();
    const bench = new Bench(store);
    store.failing = true;
    assert.equal(await bench.boxes.write(box("one")), 4);
    const reply = await bench.read();
    assert.equal(reply.errorCode, 4);
    assert.deepEqual(reply.boxId, tombstone.boxId);
    store.failing = false;
    assert.equal(await bench.boxes.write(box("one")), 0);
  });
});
