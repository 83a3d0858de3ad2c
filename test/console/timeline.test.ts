/** Rows of the timeline, from events of real calls and of test doubles. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ConsoleEvent } from "../../src/console/protocol.js";
import { Timeline } from "../../src/console/timeline.js";
import { ThinClient } from "../../src/index.js";
import { DevDaemon } from "../../src/testing/index.js";

/** Connections are made in memory; the address only appears in messages. */
const unused = { dial: { unix: { address: "@timeline" } } };

describe("the timeline", () => {
  test("has one row for each call, sealing included, with the paths of its packets", async () => {
    const timeline = new Timeline();
    let seq = 0;
    await using daemon = await DevDaemon.start({
      onTrace: (event) => timeline.add({ ...event, seq: seq++ }),
    });
    await using client = await ThinClient.connect(unused, { dial: daemon.dial });
    const keys = await client.newKeypair(new Uint8Array(32).fill(4));
    await client.write(keys.writeCap, keys.firstMessageIndex, "x", { ifExists: "error" });
    await client.read(keys.readCap, keys.firstMessageIndex);
    await client.blockingSendMessage("x", ...client.getService("echo").toDestination());
    assert.deepEqual(
      timeline.rows.map(({ title, outcome, code }) => [title, outcome, code]),
      [
        ["message", "ok", 0],
        ["read", "ok", 0],
        ["write", "ok", 0],
      ],
    );
    const [message, read, write] = timeline.rows;
    const kinds = write!.steps.map(({ kind }) => kind);
    assert.equal(kinds[0], "sealed");
    assert.ok(kinds.includes("queued") && kinds.at(-1) === "end", kinds.join());
    assert.ok(write!.attempts >= 2, "it waits for the replica's own answer");
    for (const { steps } of [message!, read!, write!]) {
      const sent = steps.find(({ kind }) => kind === "sent");
      assert.equal(sent!.way.length, 9, "five nodes there, four back");
    }
  });

  test("shows refusals and cancels, and forgets the oldest rows", () => {
    const timeline = new Timeline();
    let seq = 0;
    const add = (event: object): void =>
      timeline.add({ source: "daemon", at: seq, seq: seq++, ...event } as ConsoleEvent);
    const of = { session: "aa", envelope: null };
    const queued = { event: "queued", operation: "read", waiting: 1, meanMs: 1000, ...of };
    for (let i = 0; i < 400; i++) add({ ...queued, request: String(i) });
    add({ event: "answered", request: "399", code: 1, ...of });
    add({ event: "cancelled", request: "398", session: "aa" });
    add({ event: "answered", request: "398", code: 24, ...of });
    add({ event: "answered", request: "unheard of", code: 0, ...of });
    const { rows } = timeline;
    assert.equal(rows.length, 300);
    assert.deepEqual(
      rows.slice(0, 3).map(({ outcome, code }) => [outcome, code]),
      [
        ["refused", 1],
        ["cancelled", null],
        ["running", null],
      ],
    );
    assert.match(rows[0]!.steps.at(-1)!.text, /no such box/);
  });

  test("shows the client's calls only if there is no daemon's trace", () => {
    const timeline = new Timeline();
    const began = { source: "client", event: "began", at: 1, call: 1, operation: "read" } as const;
    timeline.add({ ...began, seq: 0 });
    const ended = { ...began, event: "ended", outcome: "timeout", durationMs: 5 } as const;
    timeline.add({ ...ended, seq: 1 });
    assert.deepEqual(
      timeline.rows.map(({ title, outcome, session }) => [title, outcome, session]),
      [["read", "refused", null]],
    );
    const state = { source: "daemon", event: "session", session: "aa", state: "attached" } as const;
    timeline.add({ ...state, at: 2, seq: 2 });
    timeline.add({ ...began, call: 2, seq: 3 });
    assert.equal(timeline.rows.length, 1);
  });
});
