import assert from "node:assert/strict";
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { JoinedDaemonState } from "katzenpost-thinclient/join";
import {
  linkText,
  readLinkState,
  removeLinkStates,
  writeLinkState,
} from "../../src/cli/link-state.js";
import { emptyEnvironment, temporaryFolder } from "./katz.js";

const state: JoinedDaemonState = {
  link: {
    phase: "connected",
    gateway: "gateway1",
    address: "tcp://192.0.2.1:30004",
    lastError: "read ECONNRESET",
    clockSkewMs: -1500,
    epoch: 7,
    documents: [{ epoch: 7, signers: ["auth1", "auth3"] }],
    documentProblem: null,
    sent: 12,
    decoys: 9,
    replies: 10,
    surbs: 2,
  },
  connections: 1,
  operations: 1,
  waiting: { packets: 3, ms: 3000, clients: [{ packets: 3, first: 1, last: 3, ms: 3000 }] },
};

test("the state shows gateway, skew, signers, packets, and how long each item has waited", () => {
  assert.deepEqual(linkText(state), [
    "connected to gateway1 at tcp://192.0.2.1:30004",
    "clock -1.5 s of the gateway's",
    "document of epoch 7 signed by auth1 auth3",
    "12 packets sent, including 9 decoys; 10 replies",
    "3 packets waiting, the last for 3.0 s",
    "1 operation",
  ]);
  const link = { ...state.link, phase: "waiting" as const, epoch: 8, clockSkewMs: null };
  assert.deepEqual(linkText({ ...state, link }).slice(0, 3), [
    "waiting: gateway1 at tcp://192.0.2.1:30004",
    "last failure: read ECONNRESET",
    "no document of epoch 8",
  ]);
  const wrong = { ...state.link, epoch: 8, clockSkewMs: -3_600_000, documentProblem: "gone" };
  assert.deepEqual(linkText({ ...state, link: wrong }).slice(1, 3), [
    "clock -60 min of the gateway's: set it, or set EnableTimeSync = true under [Debug] in the file",
    "no document of epoch 8 (gone)",
  ]);
});

test("the state shows the packets of each application if there are several", () => {
  const clients = [
    { packets: 2, first: 1, last: 3, ms: 3000 },
    { packets: 1, first: 2, last: 2, ms: 2000 },
  ];
  assert.equal(
    linkText({ ...state, waiting: { packets: 3, ms: 3000, clients } })[4],
    "3 packets waiting, the last for 3.0 s; by application: places 1 to 3 (3.0 s), place 2 (2.0 s)",
  );
  const many = Array.from({ length: 11 }, (_, i) => ({
    packets: 1,
    first: i + 1,
    last: i + 1,
    ms: 1,
  }));
  assert.match(
    linkText({ ...state, waiting: { packets: 11, ms: 11, clients: many } })[4]!,
    /place 8 \(1\.0 ms\), 3 more$/,
  );
});

test("a state can be read back, and that of a killed daemon is ignored and removed", async () => {
  const folder = temporaryFolder();
  const env = emptyEnvironment(folder);
  const [ours, dead] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
  assert.equal(await readLinkState(ours, env), null);
  await writeLinkState(ours, state, env);
  await writeLinkState(dead, state, env);
  const runtime = join(folder, "run", "katzenpost");
  utimesSync(join(runtime, `link-${"02".repeat(16)}.json`), 0, 0);
  assert.deepEqual(await readLinkState(ours, env), state);
  assert.equal(await readLinkState(dead, env), null);
  writeFileSync(join(runtime, "other.json"), "kept");
  await removeLinkStates(ours, env);
  assert.deepEqual(readdirSync(runtime), ["other.json"]);
});
