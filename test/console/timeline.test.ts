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

  test("tells each step of a read in words", () => {
    const timeline = new Timeline();
    let seq = 0;
    const add = (event: object): void => {
      timeline.add({ source: "daemon", at: 10 * seq, seq: seq++, ...event } as ConsoleEvent);
    };
    const session = "aa";
    const of = { session, request: "r1" };
    const hops = (...names: string[]) => names.map((node) => ({ node, delayMs: 1 }));
    const link = { source: "link", event: "sent", forward: hops("gateway1"), reply: hops("mix1") };
    add({ event: "request", session, request: "q1", kind: "encryptRead", envelope: null });
    add({ event: "answered", session, request: "q1", code: 0, envelope: "e1" });
    add({ event: "queued", ...of, operation: "read", envelope: "e1", waiting: 2, meanMs: 500 });
    // A decoy with the same short ID does not count.
    add({ ...link, packet: "p1", decoy: false });
    add({ ...link, packet: "p1", decoy: true, forward: hops("decoy") });
    add({ event: "sent", ...of, packet: "p1", attempt: 1 });
    add({ source: "link", event: "lost", packet: "p1", way: "forward" });
    add({ event: "again", ...of, attempt: 2, inMs: 0, why: "silence" });
    add({ ...link, packet: "p2", decoy: false });
    add({ event: "sent", ...of, packet: "p2", attempt: 2 });
    add({ source: "link", event: "reply", packet: "p2", decoy: false });
    add({ event: "acknowledged", ...of });
    add({ event: "again", ...of, attempt: 3, inMs: 1500.4, why: "answer" });
    add({ source: "link", event: "lost", packet: "p2", way: "reply" });
    add({ event: "answered", ...of, code: 99, envelope: null });
    add({ event: "answered", ...of, code: 0, envelope: null });
    add({ event: "sent", session: "bb", request: "unheard of", packet: "p9", attempt: 1 });
    add({ source: "link", event: "lost", packet: null, way: "forward" });
    const [row] = timeline.rows;
    assert.equal(timeline.rows.length, 1);
    assert.deepEqual([...timeline.sessions], ["aa", "bb"]);
    const { title, began, ended, outcome, code, attempts, steps } = row!;
    assert.deepEqual(
      { title, began, ended, outcome, code, attempts },
      { title: "read", began: 0, ended: 140, outcome: "refused", code: 99, attempts: 2 },
    );
    assert.deepEqual(
      steps.map(({ at, kind, text }) => `${at} ${kind}: ${text}`),
      [
        "10 sealed: sealed in an envelope for two replicas",
        "20 queued: waits for a tick, 2 in the queue, 1000 ms on average",
        "50 sent: packet out on a tick",
        "60 lost: the packet was lost; only the embedded network knows",
        "70 again: nothing came back: asks again (attempt 2)",
        "90 sent: packet out on a tick (attempt 2)",
        "100 reply: the reply arrived and was opened",
        "110 ack: the courier has it, but no answer yet",
        "120 again: asks again in 1500 ms (attempt 3)",
        "130 lost: the reply was lost; only the embedded network knows",
        "140 end: ended with code 99",
      ],
    );
    const ways = steps.filter(({ kind }) => kind === "sent").map(({ way }) => way);
    assert.deepEqual(ways, [hops("gateway1", "mix1"), hops("gateway1", "mix1")]);
    // The same request again, sealed by nobody we know of, on a network without a rate.
    add({ event: "queued", ...of, operation: "read", envelope: "e9", waiting: 1, meanMs: 0 });
    add({ event: "answered", session, request: "q1", code: 0, envelope: "e1" });
    add({ event: "answered", ...of, code: 0, envelope: null });
    const [again] = timeline.rows;
    assert.deepEqual(
      again!.steps.map(({ kind, text }) => `${kind}: ${text}`),
      ["queued: waits for a tick, 1 in the queue", "end: done"],
    );
    assert.equal(again!.began, 180);
  });

  test("shows the client's calls only if there is no daemon's trace", () => {
    const timeline = new Timeline();
    const began = { source: "client", event: "began", at: 1, call: 1, operation: "read" } as const;
    timeline.add({ ...began, seq: 0 });
    const ended = { ...began, event: "ended", outcome: "timeout", durationMs: 5 } as const;
    timeline.add({ ...ended, seq: 1 });
    timeline.add({ ...began, call: 9, at: 2, operation: "write", seq: 1 });
    timeline.add({ ...ended, call: 9, at: 3, outcome: "ok", operation: "write", seq: 1 });
    timeline.add({ ...ended, call: 10, seq: 1 });
    assert.deepEqual(
      timeline.rows.map(({ title, outcome, session, ended: at }) => [title, outcome, session, at]),
      [
        ["write", "ok", null, 3],
        ["read", "refused", null, 1],
      ],
    );
    const state = { source: "daemon", event: "session", session: "aa", state: "attached" } as const;
    timeline.add({ ...state, at: 2, seq: 2 });
    timeline.add({ ...began, call: 2, seq: 3 });
    assert.equal(timeline.rows.length, 2);
  });
});
