/** The picture of the network: well-formed for any node names, and of any size. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { mapSvg } from "../../src/cli/commands/map/map-svg.js";
import type { NetworkView } from "../../src/cli/network-view.js";

const node = (name: string) => ({ name, identityHash: new Uint8Array(32), addresses: [] });

function network(perColumn: number, name: (kind: string, i: number) => string): NetworkView {
  const nodes = (kind: string) =>
    Array.from({ length: perColumn }, (_, i) => node(name(kind, i + 1)));
  return {
    epoch: 7,
    gateways: nodes("gateway"),
    layers: [nodes("a"), nodes("b"), nodes("c")],
    serviceNodes: nodes("service").map((one) => ({ ...one, services: [name("echo", 0)] })),
    replicas: nodes("replica").map((one, replicaId) => ({ ...one, replicaId })),
  };
}

/** Checks tags, quotes and references: all of XML that the picture uses. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(\/?)>/g,
    (_, closing: string, name: string, _attributes: string, empty: string) => {
      if (closing !== "") assert.equal(open.pop(), name);
      else if (empty === "") open.push(name);
      return "";
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest, /[<]/);
  assert.doesNotMatch(rest, /&(?!amp;|lt;|gt;|quot;|#x[0-9a-f]+;)/);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(svg, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
}

test("draws every node as a box with its name", () => {
  const svg = mapSvg(network(2, (kind, i) => `${kind}${i}`));
  assertWellFormed(svg);
  assert.equal(svg.match(/<rect class="node /g)?.length, 1 + 6 * 2);
  for (const name of ["gateway1", "a2", "b1", "c2", "service1", "replica2"]) {
    assert.ok(svg.includes(`>${name}</text>`), name);
  }
});

test("draws one route from column to column without a break", () => {
  const svg = mapSvg(network(3, (kind, i) => `${kind}${i}`));
  const ways = [...svg.matchAll(/class="way" d="M(\S+) (\S+)C\S+ \S+ \S+ \S+ (\S+) (\S+)"/g)];
  assert.equal(ways.length, 6);
  for (const [i, way] of ways.slice(1).entries()) {
    assert.equal(way[2], ways[i]![4], "it leaves at the height where it entered");
  }
});

test("names from outside never become markup", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (name) => {
      assertWellFormed(mapSvg(network(1, () => name)));
    }),
    { numRuns: 300 },
  );
  const svg = mapSvg(network(1, () => `"><script>alert(1)</script>&`));
  assertWellFormed(svg);
  assert.ok(!svg.includes("<script"));
});

test("draws large networks with bands instead of thousands of lines", () => {
  const svg = mapSvg(network(60, (kind, i) => `${kind}${i}`));
  assertWellFormed(svg);
  assert.equal(svg.match(/class="band"/g)?.length, 5);
  assert.ok(svg.length < 150_000, `${svg.length} characters`);
});

test("omits columns without nodes", () => {
  const bare = { ...network(1, (kind) => kind), replicas: [], serviceNodes: [], layers: [] };
  const svg = mapSvg(bare);
  assertWellFormed(svg);
  assert.equal(svg.match(/class="heading"/g)?.length, 2);
});
