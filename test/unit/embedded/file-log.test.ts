import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import { FileLog, type RecordPlace } from "../../../src/embedded/file-log.js";

let folder: string;
let path: string;
let files = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "file-log-"));
});
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  path = join(folder, `log${files++}`);
});

async function reopen(): Promise<{ log: FileLog; records: string[] }> {
  const records: string[] = [];
  const log = await FileLog.open(path, (record) => records.push(Buffer.from(record).toString()));
  return { log, records };
}

async function contents(): Promise<string[]> {
  const { log, records } = await reopen();
  await log.close();
  return records;
}

function record(text: string): Uint8Array {
  return Buffer.from(text);
}

async function fill(...texts: string[]): Promise<void> {
  const { log } = await reopen();
  for (const text of texts) await log.append(record(text));
  await log.close();
}

void describe("a file of records", () => {
  void test("gives back what was added, in order, also records without bytes", async () => {
    await fill("one", "", "three");
    assert.deepEqual(await contents(), ["one", "", "three"]);
    await fill("four");
    assert.deepEqual(await contents(), ["one", "", "three", "four"]);
  });

  void test("is readable by its owner only", async () => {
    await fill("secret");
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  void test("tells where each record is, and reads it from there", async () => {
    const { log } = await reopen();
    const places: RecordPlace[] = [];
    const added = ["alpha", "be", "gamma"].map((text) =>
      log.append(record(text), (place) => places.push(place)),
    );
    await Promise.all(added);
    assert.deepEqual(
      places.map((place) => Buffer.from(log.read(place)).toString()),
      ["alpha", "be", "gamma"],
    );
    assert.throws(() => log.read({ offset: log.length - 1, length: 5 }), /ends within/);
    await log.close();
  });

  void test("a cut anywhere in the last record loses that record and nothing else", async () => {
    await fill("first", "second");
    const whole = readFileSync(path);
    const start = 8 + 5;
    let cuts = 0;
    for (let cut = start; cut < whole.length; cut++) {
      writeFileSync(path, whole.subarray(0, cut));
      const { log, records } = await reopen();
      assert.deepEqual(records, ["first"]);
      assert.equal(log.cutBytes, cut - start);
      assert.equal(log.length, start);
      await log.append(record("third"));
      await log.close();
      assert.deepEqual(await contents(), ["first", "third"], `cut at ${cut}`);
      cuts++;
    }
    assert.equal(cuts, 14);
  });

  void test("damage in the middle loses the damaged record and none behind it", async () => {
    await fill("first", "second", "third");
    const whole = readFileSync(path);
    const start = 8 + 5 + 8;
    for (let at = start; at < start + 6; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1;
      writeFileSync(path, damaged);
      assert.deepEqual(await contents(), ["first", "third"]);
    }
  });

  void test("a damaged tail is cut off, whatever it looks like", async () => {
    await fill("first", "second");
    const whole = readFileSync(path);
    const start = 8 + 5;
    const tails: Uint8Array[] = [
      new Uint8Array(5000),
      Buffer.alloc(40, 255),
      Buffer.from([0, 0, 0, 3, 0, 0, 0, 0, 1, 2, 3]),
      Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (let at = start; at < whole.length; at++) {
      const flipped = Buffer.from(whole.subarray(start));
      flipped[at - start]! ^= 1;
      tails.push(flipped);
    }
    for (const tail of tails) {
      writeFileSync(path, Buffer.concat([whole.subarray(0, start), tail]));
      assert.deepEqual(await contents(), ["first"]);
      assert.equal(statSync(path).size, start);
    }
    assert.equal(tails.length, 18);
  });

  void test("any file at all can be opened", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
        runs++;
        writeFileSync(path, bytes);
        await contents();
        await fill("after");
        assert.equal((await contents()).at(-1), "after");
      }),
      { numRuns: 30 },
    );
    assert.equal(runs, 30);
  });

  void test("many at once are all there, in the order in which they were added", async () => {
    const { log } = await reopen();
    const texts = Array.from({ length: 500 }, (_, i) => `record ${i}`);
    await Promise.all(texts.map((text) => log.append(record(text))));
    await log.close();
    assert.deepEqual(await contents(), texts);
  });

  void test("records of more than a reading's length are read back", async () => {
    const long = "x".repeat(3_000_000);
    await fill("short", long, "end");
    const records = await contents();
    assert.deepEqual(
      records.map(({ length }) => length),
      [5, 3_000_000, 3],
    );
    const { log } = await reopen();
    await assert.rejects(log.append(new Uint8Array(16 * 1024 * 1024 + 1)), RangeError);
    await log.close();
  });

  void test("what is added lazily goes with the next record, or at the end", async () => {
    const { log } = await reopen();
    log.appendLazily(record("lazy"));
    assert.equal(statSync(path).size, 0);
    await log.append(record("keen"));
    log.appendLazily(record("last"));
    await log.close();
    assert.deepEqual(await contents(), ["lazy", "keen", "last"]);
  });

  void test("rewriting replaces all records, and goes on behind them", async () => {
    await fill("a", "b", "c");
    const { log } = await reopen();
    let told: readonly RecordPlace[] = [];
    const written: number[] = [];
    const adding = log.append(record("d"), () => written.push(1));
    let behind: Promise<void> | undefined;
    const rewriting = log.rewrite(
      () => {
        assert.equal(written.length, 1, "everything before is written and reported");
        behind = log.append(record("e"));
        return [record("new b"), record("new d")];
      },
      (places) => (told = places),
    );
    await Promise.all([adding, rewriting]);
    await behind;
    assert.deepEqual(
      told.map((place) => Buffer.from(log.read(place)).toString()),
      ["new b", "new d"],
    );
    await log.close();
    assert.deepEqual(await contents(), ["new b", "new d", "e"]);
  });

  void test("a rewriting that fails or was cut short changes nothing", async () => {
    await fill("a", "b");
    writeFileSync(`${path}.new`, "half of a new file");
    const { log, records } = await reopen();
    assert.deepEqual(records, ["a", "b"]);
    assert.ok(!existsSync(`${path}.new`));
    const failing = log.rewrite(
      () => {
        throw new Error("no");
      },
      () => assert.fail("not done"),
    );
    await assert.rejects(failing, /no/);
    assert.ok(!existsSync(`${path}.new`));
    await log.append(record("c"));
    await log.close();
    assert.deepEqual(await contents(), ["a", "b", "c"]);
  });

  void test("closed, it takes nothing more; closing twice is closing once", async () => {
    const { log } = await reopen();
    const last = log.append(record("last"));
    await Promise.all([log.close(), log.close()]);
    await last;
    await assert.rejects(log.append(record("late")), /closed/);
    log.appendLazily(record("late"));
    await log.rewrite(
      () => [],
      () => assert.fail("not done"),
    );
    assert.deepEqual(await contents(), ["last"]);
  });

  void test(
    "says so when the disk is full, and takes no more when it cannot undo half a record",
    { skip: existsSync("/dev/full") ? false : "there is no /dev/full" },
    async () => {
      const faults: string[] = [];
      const log = await FileLog.open(
        "/dev/full",
        () => assert.fail("no records"),
        ({ message }) => void faults.push(message),
      );
      await assert.rejects(log.append(record("x")), { code: "ENOSPC" });
      await assert.rejects(log.append(record("y")), /could not be repaired/);
      assert.equal(faults.length, 1);
      assert.match(faults[0]!, /^cannot write \/dev\/full: ENOSPC/);
      await log.close();
    },
  );
});
