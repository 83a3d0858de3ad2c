import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import { toHex } from "../../../src/bytes/bytes.js";
import { FileBoxStore } from "../../../src/embedded/file-box-store.js";
import { FileEnvelopeLog } from "../../../src/embedded/file-envelope-log.js";
import type { CourierRecord } from "../../../src/network/courier/envelope-log.js";
import { type KeptBox, MemoryBoxStore } from "../../../src/network/replica/box-store.js";

let folder: string;
let path: string;
let files = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "file-stores-"));
});
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  path = join(folder, `store${files++}`);
});

function box(id: number, payload: Uint8Array = Uint8Array.of(id)) {
  return {
    boxId: new Uint8Array(32).fill(id),
    signature: new Uint8Array(64).fill(id + 1),
    payload: new Uint8Array(payload),
  };
}

void describe("boxes in a file", () => {
  void test("are there after opening again, the newest of each", async () => {
    const store = await FileBoxStore.open(path);
    await store.put(5, box(1));
    await store.put(5, box(2, new Uint8Array(1000).fill(7)));
    await store.put(6, box(1, Uint8Array.of(9)));
    await store.put(5, box(1, new Uint8Array(0)));
    await store.close();
    const again = await FileBoxStore.open(path);
    assert.deepEqual(again.get(5, box(1).boxId), box(1, new Uint8Array(0)));
    assert.deepEqual(again.get(5, box(2).boxId), box(2, new Uint8Array(1000).fill(7)));
    assert.deepEqual(again.get(6, box(1).boxId), box(1, Uint8Array.of(9)));
    assert.equal(again.get(6, box(2).boxId), null);
    assert.equal(again.get(4, box(1).boxId), null);
    assert.equal(again.size, 3);
    assert.equal(again.sizeBytes, 100 + 1100 + 101);
    await again.close();
  });

  void test("behave as those in memory, over any number of openings", async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("put" as const),
        epoch: fc.integer({ min: 1, max: 4 }),
        id: fc.integer({ min: 0, max: 5 }),
        payload: fc.uint8Array({ maxLength: 20 }),
      }),
      fc.record({ kind: fc.constant("delete" as const), epoch: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant("reopen" as const), torn: fc.nat(30) }),
    );
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        runs++;
        const own = `${path}-${runs}`;
        const model = new MemoryBoxStore();
        let store = await FileBoxStore.open(own);
        let oldest = 0;
        for (const one of steps) {
          if (one.kind === "put") {
            if (one.epoch < oldest) continue;
            await store.put(one.epoch, box(one.id, one.payload));
            model.put(one.epoch, box(one.id, one.payload));
          } else if (one.kind === "delete") {
            oldest = Math.max(oldest, one.epoch);
            assert.equal(await store.deleteBefore(one.epoch), model.deleteBefore(one.epoch));
          } else {
            await store.close();
            appendFileSync(own, new Uint8Array(one.torn).fill(1));
            store = await FileBoxStore.open(own);
            await store.deleteBefore(oldest);
          }
          assert.equal(store.size, model.size);
          assert.equal(store.sizeBytes, model.sizeBytes);
        }
        const sorted = (boxes: Iterable<KeptBox>): string[] =>
          Array.from(boxes, ({ epoch, box: { boxId, signature, payload } }) =>
            [epoch, toHex(boxId), toHex(signature), toHex(payload)].join(" "),
          ).sort();
        assert.deepEqual(sorted(store.boxes()), sorted(model.boxes()));
        await store.close();
      }),
      { numRuns: 40 },
    );
    assert.equal(runs, 40);
  });

  void test("the file shrinks when most of it is not wanted any more", async () => {
    const store = await FileBoxStore.open(path);
    const payload = new Uint8Array(60_000).fill(3);
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.put(1, box(i, payload))));
    await store.put(2, box(1, Uint8Array.of(1)));
    assert.ok(statSync(path).size > 6_000_000);
    const deleting = store.deleteBefore(2);
    const adding = store.put(2, box(2, Uint8Array.of(2)));
    assert.equal(await deleting, 100);
    await adding;
    assert.ok(statSync(path).size < 1000);
    assert.deepEqual(store.get(2, box(1).boxId), box(1, Uint8Array.of(1)));
    assert.deepEqual(store.get(2, box(2).boxId), box(2, Uint8Array.of(2)));
    await store.close();
    const again = await FileBoxStore.open(path);
    assert.equal(again.size, 2);
    assert.deepEqual(again.get(2, box(2).boxId), box(2, Uint8Array.of(2)));
    await again.close();
  });

  void test("a box that was cut off is gone, and only that one", async () => {
    const store = await FileBoxStore.open(path);
    await store.put(1, box(1));
    await store.put(1, box(2));
    await store.close();
    truncateSync(path, statSync(path).size - 1);
    const again = await FileBoxStore.open(path);
    assert.deepEqual(again.get(1, box(1).boxId), box(1));
    assert.equal(again.get(1, box(2).boxId), null);
    await again.close();
  });
});

function courierRecord(kind: CourierRecord["kind"], id: number, length = 3): CourierRecord {
  return { kind, key: new Uint8Array(32).fill(id), body: new Uint8Array(length).fill(id) };
}

void describe("a courier's log in a file", () => {
  void test("keeps the newest record of each key, without those removed", async () => {
    const log = await FileEnvelopeLog.open(path);
    await log.append(courierRecord("envelope", 1));
    await log.append(courierRecord("copy", 2));
    await log.append(courierRecord("envelope", 3));
    await log.append(courierRecord("clear", 2));
    log.remove(courierRecord("envelope", 1).key);
    log.remove(courierRecord("envelope", 9).key);
    const expected = [courierRecord("envelope", 3), courierRecord("clear", 2)];
    assert.deepEqual([...log.entries()], expected);
    await log.close();
    const again = await FileEnvelopeLog.open(path);
    assert.deepEqual([...again.entries()], expected);
    await again.append(courierRecord("result", 2));
    await again.close();
    const third = await FileEnvelopeLog.open(path);
    assert.deepEqual([...third.entries()], [expected[0], courierRecord("result", 2)]);
    await third.close();
  });

  void test("what is removed and added again is there", async () => {
    const log = await FileEnvelopeLog.open(path);
    await log.append(courierRecord("envelope", 1));
    log.remove(courierRecord("envelope", 1).key);
    await log.append(courierRecord("envelope", 1));
    await log.close();
    const again = await FileEnvelopeLog.open(path);
    assert.deepEqual([...again.entries()], [courierRecord("envelope", 1)]);
    await again.close();
  });

  void test("a sudden end may bring removed records back, and loses none", async () => {
    const log = await FileEnvelopeLog.open(path);
    await log.append(courierRecord("envelope", 1));
    await log.append(courierRecord("envelope", 2));
    log.remove(courierRecord("envelope", 1).key);
    // As the file is now, a process that is killed leaves it.
    const left = readFileSync(path);
    await log.close();
    rmSync(path);
    appendFileSync(path, left);
    const again = await FileEnvelopeLog.open(path);
    assert.deepEqual(
      [...again.entries()],
      [courierRecord("envelope", 1), courierRecord("envelope", 2)],
    );
    await again.close();
  });

  void test("the file does not grow without end", async () => {
    const log = await FileEnvelopeLog.open(path);
    for (let round = 0; round < 60; round++) {
      const batch = Array.from({ length: 20 }, (_, i) => courierRecord("envelope", i, 2000));
      await Promise.all(batch.map((one) => log.append(one)));
      for (const { key } of batch.slice(1)) log.remove(key);
    }
    await log.close();
    assert.ok(statSync(path).size < 1_300_000, `${statSync(path).size}`);
    const again = await FileEnvelopeLog.open(path);
    assert.deepEqual([...again.entries()], [courierRecord("envelope", 0, 2000)]);
    await again.close();
  });
});
