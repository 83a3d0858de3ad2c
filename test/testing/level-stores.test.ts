import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import { toHex } from "../../src/bytes/bytes.js";
import { LevelBoxStore } from "../../src/network/replica/level-box-store.js";
import { LevelEnvelopeLog } from "../../src/network/courier/level-envelope-log.js";
import type { CourierRecord } from "../../src/network/courier/envelope-log.js";
import { type KeptBox, MemoryBoxStore } from "../../src/network/replica/box-store.js";
import { levelPlaceIn } from "../../src/platform/node-level.js";
import { RecordStore } from "../../src/store/record-store.js";

let folder: string;
let path: string;
let stores = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "level-stores-"));
});
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  path = join(folder, `store${stores++}`);
});

async function open(at = path): Promise<RecordStore> {
  const onFault = (error: Error): never => assert.fail(error);
  return RecordStore.open(await levelPlaceIn(at, "the store"), { onFault });
}

function box(id: number, payload: Uint8Array = Uint8Array.of(id)) {
  return {
    boxId: new Uint8Array(32).fill(id),
    signature: new Uint8Array(64).fill(id + 1),
    payload: new Uint8Array(payload),
  };
}

async function sorted(boxes: Iterable<KeptBox> | AsyncIterable<KeptBox>): Promise<string[]> {
  const found: string[] = [];
  for await (const { epoch, box } of boxes) {
    const { boxId, signature, payload } = box;
    found.push([epoch, toHex(boxId), toHex(signature), toHex(payload)].join(" "));
  }
  return found.sort();
}

void describe("boxes in a record store", () => {
  void test("behave as those in memory, over any number of reopenings", async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("put" as const),
        replica: fc.integer({ min: 1, max: 2 }),
        epoch: fc.integer({ min: 8, max: 11 }),
        id: fc.integer({ min: 0, max: 5 }),
        payload: fc.uint8Array({ maxLength: 20 }),
      }),
      fc.record({
        kind: fc.constant("delete" as const),
        replica: fc.integer({ min: 1, max: 2 }),
        epoch: fc.integer({ min: 8, max: 12 }),
      }),
      fc.record({ kind: fc.constant("reopen" as const) }),
    );
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const own = `${path}-${runs++}`;
        // A name that is the beginning of the other name.
        const models = [1, 12].map(() => new MemoryBoxStore());
        let store = await open(own);
        const opened = () => [1, 12].map((replica) => new LevelBoxStore(store, replica));
        let boxes = opened();
        for (const one of steps) {
          if (one.kind === "reopen") {
            await store.close();
            store = await open(own);
            boxes = opened();
            continue;
          }
          const [mine, model] = [boxes[one.replica - 1]!, models[one.replica - 1]!];
          if (one.kind === "put") {
            await mine.put(one.epoch, box(one.id, one.payload));
            model.put(one.epoch, box(one.id, one.payload));
            const { boxId } = box(one.id);
            assert.deepEqual(await mine.get(one.epoch, boxId), model.get(one.epoch, boxId));
          } else {
            assert.equal(await mine.deleteBefore(one.epoch), model.deleteBefore(one.epoch));
          }
        }
        for (const [i, model] of models.entries()) {
          assert.equal(boxes[i]!.size, model.size);
          assert.equal(boxes[i]!.sizeBytes, model.sizeBytes);
          assert.deepEqual(await sorted(boxes[i]!.boxes()), await sorted(model.boxes()));
        }
        await store.close();
      }),
      { numRuns: 30 },
    );
    assert.equal(runs, 30);
  });
});

function courierRecord(kind: CourierRecord["kind"], id: number): CourierRecord {
  return { kind, key: new Uint8Array(32).fill(id), body: new Uint8Array(3).fill(id) };
}

async function entries(log: LevelEnvelopeLog): Promise<CourierRecord[]> {
  const found: CourierRecord[] = [];
  for await (const { kind, key, body } of log.entries()) {
    found.push({ kind, key, body: new Uint8Array(body) });
  }
  return found;
}

void describe("a courier's log in a record store", () => {
  void test("keeps the newest record of each key, oldest first, without removed ones", async () => {
    const store = await open();
    const log = new LevelEnvelopeLog(store, 0);
    await log.append(courierRecord("envelope", 3));
    await log.append(courierRecord("copy", 2));
    await log.append(courierRecord("envelope", 1));
    await log.append(courierRecord("clear", 2));
    await new LevelEnvelopeLog(store, 1).append(courierRecord("envelope", 9));
    log.remove(courierRecord("envelope", 3).key);
    log.remove(courierRecord("envelope", 7).key);
    await store.close();
    const again = await open();
    const expected = [courierRecord("envelope", 1), courierRecord("clear", 2)];
    assert.deepEqual(await entries(new LevelEnvelopeLog(again, 0)), expected);
    await again.close();
  });

  void test("contains a record that was removed and added again", async () => {
    const store = await open();
    const log = new LevelEnvelopeLog(store, 0);
    await log.append(courierRecord("envelope", 1));
    log.remove(courierRecord("envelope", 1).key);
    await log.append(courierRecord("envelope", 1));
    await store.close();
    const again = await open();
    assert.deepEqual(await entries(new LevelEnvelopeLog(again, 0)), [courierRecord("envelope", 1)]);
    await again.close();
  });
});
