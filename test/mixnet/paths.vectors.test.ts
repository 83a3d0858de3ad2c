import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, toHex } from "../../src/bytes/bytes.js";
import type { IdentityHash } from "../../src/bytes/opaque.js";
import { chooseRoute, hopDelay, type PathHop, type Route } from "../../src/mixnet/path.js";
import { derivedRandom } from "../../src/network/random.js";
import { PkiDocument } from "../../src/pki/document.js";
import { identityHash } from "../../src/pki/services.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-paths");
const document = PkiDocument.decode(hex(vectors.documentCBOR));
const random = derivedRandom(new Uint8Array(32), "paths");
const gateway = identityHash(document.gatewayNodes[0]!.identityKey);
const service = identityHash(document.serviceNodes[0]!.identityKey);

function choose(wantsReply: boolean, from = gateway, to = service): Route {
  return chooseRoute({
    document,
    gateway: from,
    destination: to,
    wantsReply,
    random,
    delay: () => hopDelay(random, document.mu),
    epochIn: () => document.epoch,
    periodMs: 1_200_000,
  });
}

interface Shape {
  readonly place: string;
  readonly rests: boolean;
}

/** Where in the network each hop is, and whether the packet rests there. */
function shape(names: readonly { name: string; rests: boolean }[]): Shape[] {
  const places = new Map<string, string>([
    ...document.gatewayNodes.map((n) => [n.name, "gateway"] as const),
    ...document.serviceNodes.map((n) => [n.name, "service"] as const),
    ...document.topology.flatMap((layer, i) => layer.map((n) => [n.name, `layer ${i}`] as const)),
  ]);
  return names.map(({ name, rests }) => ({ place: places.get(name) ?? "nowhere", rests }));
}

const ours = (hops: readonly PathHop[]): Shape[] =>
  shape(hops.map(({ node, delayMs }) => ({ name: node.name, rests: delayMs > 0 })));

interface ReferenceHop {
  readonly node: string;
  readonly id: string;
  readonly publicKey: string;
  readonly commands: readonly { type: string; delayMs?: number }[];
}

const theirs = (hops: readonly ReferenceHop[]): Shape[] =>
  shape(
    hops.map(({ node, commands }) => ({
      name: node,
      rests: commands.some((command) => command.type === "NodeDelay"),
    })),
  );

test("paths have the reference's shape of nodes and delays", () => {
  let compared = 0;
  for (const entry of vectors.cases) {
    if (entry.error !== null) continue;
    const route = choose(entry.name !== "forward without SURB");
    const hops = entry.name.startsWith("forward") ? route.forward : route.reply;
    assert.deepEqual(ours(hops), theirs(entry.hops), entry.name);
    compared++;
  }
  assert.equal(compared, 5);
  assert.deepEqual(choose(false).reply, []);
});

test("the delays of a path add up to its total, as in the reference", () => {
  for (const entry of vectors.cases) {
    if (entry.error !== null) continue;
    const delays = entry.hops.flatMap((hop: ReferenceHop) =>
      hop.commands.map((c) => c.delayMs ?? 0),
    );
    assert.equal(
      delays.reduce((a: number, b: number) => a + b, 0),
      entry.totalDelayMs,
    );
  }
  for (let i = 0; i < 50; i++) {
    const route = choose(i % 2 === 0);
    const sum = (hops: readonly PathHop[]): number => hops.reduce((a, hop) => a + hop.delayMs, 0);
    assert.equal(sum(route.forward), route.forwardMs + route.serviceMs);
    assert.equal(sum(route.reply), route.replyMs);
    if (i % 2 === 1) assert.deepEqual([route.serviceMs, route.replyMs], [0, 0]);
  }
});

test("hops are the nodes of the document, with the same keys as in the reference", () => {
  const nodes = new Map(
    [...document.gatewayNodes, ...document.serviceNodes, ...document.topology.flat()].map(
      (node) => [node.name, node] as const,
    ),
  );
  let compared = 0;
  for (const entry of vectors.cases) {
    for (const hop of (entry.hops ?? []) as ReferenceHop[]) {
      const node = nodes.get(hop.node)!;
      assert.equal(toHex(identityHash(node.identityKey)), hop.id);
      assert.equal(toHex(node.mixKeys.get(vectors.epoch)!), hop.publicKey);
      compared++;
    }
  }
  assert.equal(compared, 24);
});

test("a path begins at a gateway and ends at a service node, as in the reference", () => {
  const errors = vectors.cases.filter((entry: { error: string | null }) => entry.error !== null);
  assert.equal(errors.length, 4);
  assert.throws(() => choose(true, service), { name: "LinkError", message: /source gateway node/ });
  assert.throws(() => choose(true, gateway, gateway), {
    name: "LinkError",
    message:
      "client/conn: PKI error: client: failed to find destination service node: " +
      "pki: service not found",
  });
  const nobody = new Uint8Array(32) as Bytes as IdentityHash;
  assert.throws(() => choose(true, gateway, nobody), { name: "LinkError" });
});
