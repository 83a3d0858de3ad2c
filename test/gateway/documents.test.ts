import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsensusError } from "../../src/gateway/commands.js";
import { LinkDocuments } from "../../src/gateway/documents.js";
import { epochStart } from "../../src/pki/epoch.js";
import { Geometry } from "../../src/pki/geometry.js";

const periodMs = 120_000;

test("a gateway's answer about one epoch's document is not reported in the next epoch", async () => {
  let nowMs = epochStart(500, periodMs) + 1000;
  const geometry = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 2000 });
  const documents = new LinkDocuments(
    { periodMs, authorities: [], geometry },
    () => nowMs,
    () => Promise.resolve(),
    { onDocument: () => {}, onRefused: () => {} },
  );
  const source = {
    gateway: { name: "gateway1" },
    fetchConsensus: () => Promise.resolve({ errorCode: ConsensusError.NOT_FOUND, signed: null }),
  };
  assert.equal(documents.problem(), null, "before the first answer");
  await documents.wake(source);
  assert.equal(documents.problem(), "gateway1 does not have it yet");
  nowMs += periodMs;
  assert.equal(documents.problem(), null, "before the first answer about this epoch");
  await documents.wake(source);
  assert.equal(documents.problem(), "gateway1 does not have it yet");
});
