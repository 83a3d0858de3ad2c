import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeCbor } from "../../src/cbor/cbor.js";
import {
  type ConsoleAction,
  decodeAction,
  decodeToPage,
  encodeMessage,
} from "../../src/console/protocol.js";
import { testCodeFor } from "../../src/console/test-code.js";

const actions: readonly ConsoleAction[] = [
  { do: "echo" },
  { do: "write" },
  { do: "read" },
  { do: "readMissing" },
  { do: "delete" },
  { do: "newStream" },
  { do: "online", value: false },
  { do: "withhold", value: true },
  { do: "loss", value: 0.3 },
  { do: "delay", value: 2000 },
  { do: "dropNext", way: "reply" },
  { do: "epoch" },
  { do: "crash" },
  { do: "restart" },
  { do: "clearFaults" },
  { do: "replicaOffline", replica: "replica2", value: true },
  { do: "replicaFail", replica: "replica2", code: 5 },
  { do: "replicaSlow", replica: "replica1", value: 3000 },
  { do: "clock", how: "step", ms: 1000 },
];

describe("the protocol between the console's page and its process", () => {
  test("carries every action", () => {
    for (const action of actions) assert.deepEqual(decodeAction(encodeMessage(action)), action);
  });

  test("rejects anything that is not an action, and omits unknown fields", () => {
    const wrong = [
      {},
      { do: "rm" },
      { do: "toString" },
      { do: "__proto__" },
      { do: 5 },
      { do: "online" },
      { do: "online", value: "yes" },
      { do: "dropNext", way: "sideways" },
      { do: "clock", how: "step" },
      [],
      "echo",
      null,
    ];
    for (const value of wrong) assert.equal(decodeAction(encodeCbor(value)), null);
    assert.equal(decodeAction(new Uint8Array(0)), null);
    assert.equal(decodeAction(Uint8Array.of(0xff, 1, 2)), null);
    const more = encodeCbor({ do: "loss", value: 0.5, path: "/etc" });
    assert.deepEqual(decodeAction(more), { do: "loss", value: 0.5 });
  });

  test("carries state with nulls, fractions and lists", () => {
    const message = {
      type: "changes" as const,
      state: { load: null, traffic: { sent: 3 }, clock: { now: 1.5, running: true } },
      events: [],
    };
    assert.deepEqual(decodeToPage(encodeMessage(message)), message);
  });

  test("every action has a line of test code", () => {
    const lines = actions.map((action) => testCodeFor(action, ["replica1", "replica2"]));
    assert.equal(new Set(lines).size, actions.length);
    assert.ok(lines.includes("daemon.storage.replicas[1].faults.failNext(5);"));
    for (const line of lines) assert.ok(!line.includes("undefined"), line);
  });
});
