/**
 * Damages the files of a channel store on disk. LevelDB silently drops damaged records, so opening
 * the store must detect every loss and report its position.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ClassicLevel } from "classic-level";
import { ChannelStoreError, type Channels, openChannels } from "../../src/channels/index.js";
import { realClock } from "../../src/clock/real.js";
import { SeededNumbers } from "../e2e/pigeonhole-model/pigeonhole-schedule.js";
import { BoxesDouble } from "./boxes-double.js";
import { type Answer, type Question, offline } from "./damage-child.js";

const key = new Uint8Array(32).fill(7);

let root: string;
before(() => {
  root = mkdtempSync(join(tmpdir(), "katz-damage-"));
});
after(() => rmSync(root, { recursive: true }));

/** Opens stores in another process, and starts a new process when LevelDB ended the last one. */
class Opener {
  #child: ChildProcess | null = null;

  /** The result of opening a store; null if LevelDB ended the process. */
  async open(question: Question): Promise<Answer | null> {
    this.#child ??= fork(fileURLToPath(new URL("./damage-child.js", import.meta.url)), {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    const child = this.#child;
    let said = "";
    const onSaid = (text: Buffer): unknown => (said += text.toString());
    child.stderr!.on("data", onSaid);
    child.send(question);
    const answer = await new Promise<Answer | null>((resolve) => {
      child.once("message", (message: Answer) => resolve(message));
      child.once("close", () => resolve(null));
    });
    child.removeAllListeners();
    child.stderr!.off("data", onSaid);
    if (answer === null) {
      this.#child = null;
      assert.match(said, /leveldb.*Assertion/, "LevelDB itself ended the process");
    }
    return answer;
  }

  close(): void {
    this.#child?.kill("SIGKILL");
  }
}

const opener = new Opener();
after(() => opener.close());

/** Fills a store, so that it has tables and a log. */
async function fill(path: string, options: { readonly key?: Uint8Array }): Promise<void> {
  const boxes = new BoxesDouble(realClock);
  boxes.fate = () => ({ delayMs: 0, lost: null });
  let channels = await openChannels(boxes.client(), path, options);
  const there = await channels.create("there");
  const reader = await channels.import("in", await there.invitation());
  for (let n = 0; n < 40; n++) await there.send(`${n}: ${"read ".repeat(n)}`);
  let read = 0;
  for await (const message of reader) {
    if (++read < 40) continue;
    await message.ack();
    break;
  }
  await channels.contacts.invite("Bob");
  await channels.groups.create("friends", { displayName: "Alice" });
  await channels.close();
  // LevelDB writes its log into a table when it is opened. Everything else stays in the log.
  channels = await openChannels(offline(), path, options);
  await queue(channels, "out", 40);
  await channels.close();
  channels = await openChannels(offline(), path, options);
  await queue(channels, "other", 40);
  const [one, other] = [await channels.writer("out"), await channels.writer("other")];
  await channels.atomically((batch) => {
    batch.send(one, "to one");
    batch.send(other, "to the other");
  });
  await channels.close();
}

async function queue(channels: Channels, name: string, count: number): Promise<void> {
  const writer = await channels.create(name);
  for (let n = 0; n < count; n++) await writer.send(`${n}: ${"waiting ".repeat(n)}`);
}

function flip(file: string, bit: number): void {
  const bytes = readFileSync(file);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  writeFileSync(file, bytes);
}

for (const [kind, options] of [
  ["plain", {}],
  ["encrypted", { key }],
] as const) {
  void describe(`a damaged store, ${kind}`, () => {
    let store: string;
    let whole: ReadonlyMap<string, string>;

    before(async () => {
      store = join(root, kind);
      await fill(store, options);
      const answer = await opener.open({ path: copied(), options });
      assert.ok(answer && "records" in answer, JSON.stringify(answer));
      whole = answer.records;
    });

    function copied(): string {
      const copy = join(root, `${kind}-copy`);
      rmSync(copy, { recursive: true, force: true });
      cpSync(store, copy, { recursive: true });
      return copy;
    }

    /** Damages a copy. Returns whether the damage was reported; if not, nothing may be lost. */
    async function check(damage: (copy: string) => void, what: string): Promise<boolean> {
      const copy = copied();
      damage(copy);
      const answer = await opener.open({ path: copy, options });
      if (answer === null) return true;
      assert.ok(!("failure" in answer), `${what}: ${JSON.stringify(answer)}`);
      if ("error" in answer) {
        assert.match(answer.error, /damaged|lost|missing|[Cc]orrupt|cannot be opened/, what);
        return true;
      }
      for (const [name, value] of whole) {
        assert.equal(answer.records.get(name), value, `${what}: ${name}`);
      }
      return false;
    }

    const files = (ending: string): string[] =>
      readdirSync(store).filter((name) => name.endsWith(ending) || name.startsWith(ending));

    void test("an undamaged copy opens completely", async () => {
      assert.equal(await check(() => {}, "nothing"), false);
    });

    for (const ending of [".ldb", ".log", "MANIFEST"]) {
      const seed = Math.floor(Math.random() * 1e6);
      void test(`a flipped bit in ${ending} loses nothing, or is reported`, async (t) => {
        const numbers = new SeededNumbers(seed);
        assert.ok(files(ending).length > 0);
        let told = 0;
        for (let round = 0; round < 25; round++) {
          const names = files(ending);
          const name = names[numbers.below(names.length)]!;
          const bit = numbers.below(statSync(join(store, name)).size * 8);
          const what = `seed ${seed}, bit ${bit} of ${name}`;
          if (await check((copy) => flip(join(copy, name), bit), what)) told++;
        }
        t.diagnostic(`seed ${seed}: 25 flips, ${told} told`);
      });

      void test(`a truncated ${ending} loses nothing, or is reported`, async (t) => {
        const numbers = new SeededNumbers(seed);
        let told = 0;
        for (let round = 0; round < 10; round++) {
          const names = files(ending);
          const name = names[numbers.below(names.length)]!;
          const length = round === 0 ? 0 : numbers.below(statSync(join(store, name)).size);
          const what = `seed ${seed}, ${name} truncated to ${length} bytes`;
          if (await check((copy) => truncateSync(join(copy, name), length), what)) told++;
        }
        t.diagnostic(`seed ${seed}: 10 cuts, ${told} told`);
      });
    }

    void test("a missing file is reported", async () => {
      for (const name of readdirSync(store)) {
        if (!/\.(?:ldb|log)$|^MANIFEST|^CURRENT$/.test(name)) continue;
        const what = `${name} removed`;
        const isEmpty = statSync(join(store, name)).size === 0;
        const isTold = await check((copy) => rmSync(join(copy, name)), what);
        assert.ok(isTold || isEmpty, what);
      }
    });
  });
}

/**
 * A number in a table's format (LevelDB, doc/table_format.md), and the position of the next byte.
 */
function varint(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    value += (bytes[at]! & 0x7f) * 2 ** shift;
    if (bytes[at]! < 0x80) return [value, at + 1];
  }
}

/**
 * Lowers the key that ends the second block of an outbox in a table's index to that of message 1.
 * Then lookups of later messages skip that block, while an iterator that comes from the first block
 * reads it.
 */
function hideBlock(file: string): void {
  const bytes = readFileSync(file);
  // The footer has 48 bytes: offset and length of the metaindex, then offset of the index, …
  let at = bytes.length - 48;
  let index = 0;
  for (let i = 0; i < 3; i++) [index, at] = varint(bytes, at);
  // An entry: bytes shared with the key before, other bytes of the key, length of the value, key,
  // value. A key ends with 8 bytes of LevelDB's own.
  for (let outboxes = 0; outboxes < 2;) {
    const [, first] = varint(bytes, index);
    const [keyLength, second] = varint(bytes, first);
    const [valueLength, key] = varint(bytes, second);
    if (bytes.toString("latin1", key, key + 4) === "out!" && ++outboxes === 2) {
      bytes.write("01", key + keyLength - 8 - 2);
    }
    index = key + keyLength + valueLength;
  }
  writeFileSync(file, bytes);
}

test("a record that LevelDB lists but cannot find by its key is reported", async () => {
  const path = join(root, "index");
  // A caller's own database, whose tables the test can read.
  const open = (): ClassicLevel<string, Uint8Array> =>
    new ClassicLevel(path, { valueEncoding: "view", compression: false });
  const channels = await openChannels(offline(), open() as never);
  await queue(channels, "out", 80);
  await channels.close();
  const again = open();
  await again.open();
  const listed = await again.keys().all();
  await again.close();
  const [table] = readdirSync(path).filter((name) => name.endsWith(".ldb"));
  hideBlock(join(path, table!));

  const damaged = open();
  assert.deepEqual(await damaged.keys().all(), listed);
  const found = await damaged.getMany(listed);
  assert.ok(found[0] !== undefined && found.includes(undefined));
  await assert.rejects(openChannels(offline(), damaged as never), (error) => {
    assert.ok(error instanceof ChannelStoreError, String(error));
    assert.match(error.message, /the store is damaged: the record .* is damaged/);
    return true;
  });
});
