import assert from "node:assert/strict";
import { test } from "node:test";
import { differences } from "../../src/console/document-differences.js";
import { documentView } from "../../src/console/documents.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { EmbeddedNetwork } from "../../src/network/network.js";

test("describes the changes from epoch to epoch in words", async () => {
  const clock = new VirtualClock();
  const network = new EmbeddedNetwork({ clock, seed: "documents" });
  await network.start();
  const view = () => documentView(network.documents().at(-1)!.certificate, null);
  const before = view();
  assert.equal(before.nodes.length, 15);
  assert.equal(before.signatureCount, 3);
  assert.deepEqual(differences(before, before), []);
  network.storage.replicas[1]!.faults.offline = true;
  await network.advanceEpoch();
  const current = view();
  assert.equal(current.epoch, before.epoch + 1);
  const told = differences(current, before);
  assert.ok(told.includes("replica2 is gone"), told.join("; "));
  const moved = {
    ...current,
    rates: { ...current.rates, mu: 0.5 },
    nodes: current.nodes.map((node) =>
      node.name === "mix1" ? { ...node, layer: 2, identity: "00" } : node,
    ),
  };
  const more = differences(moved, current);
  assert.deepEqual(more, [
    "mix1 has another identity key",
    "mix1 went from layer 1 to layer 2",
    `mu went from ${current.rates["mu"]} to 0.5 per ms`,
  ]);
  await network.close();
});
