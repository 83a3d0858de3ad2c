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
  const [first, second] = current.nodes;
  const others = {
    ...current,
    nodes: [
      { ...first!, link: "00", addresses: ["tcp://192.0.2.1:1"], services: ["echo", "more"] },
      { ...second!, services: [], keys: ["1: 00"] },
      { ...second!, name: "newcomer", keys: ["1: 00"] },
      ...current.nodes.slice(2),
    ],
  };
  assert.deepEqual(differences(others, { ...current, nodes: current.nodes.slice(0, -1) }), [
    `${first!.name} has another link key`,
    `${first!.name} moved to tcp://192.0.2.1:1`,
    `${first!.name} now offers echo, more`,
    "newcomer (mix) is new",
    `${current.nodes.at(-1)!.name} (replica) is new`,
    "1 node published new keys of coming epochs",
  ]);
  assert.deepEqual(
    differences(
      { ...current, nodes: [{ ...first!, services: [] }] },
      {
        ...current,
        nodes: [{ ...first!, services: ["echo"] }],
      },
    ),
    [`${first!.name} now offers nothing`],
  );
  const more = differences(moved, current);
  assert.deepEqual(more, [
    "mix1 has another identity key",
    "mix1 went from layer 1 to layer 2",
    `mu went from ${current.rates["mu"]} to 0.5 per ms`,
  ]);
  await network.close();
});
