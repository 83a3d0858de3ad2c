import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../src/clock/virtual.js";
import { samplingCap } from "../../src/pki/epoch.js";
import { chooseRoute, hopDelay } from "../../src/mixnet/path.js";
import { EmbeddedNetwork } from "../../src/network/network.js";
import { derivedRandom } from "../../src/network/random.js";

const network = new EmbeddedNetwork({ clock: new VirtualClock(), seed: 1, mixesPerLayer: 3 });
await network.start();
const document = network.currentDocument()!;
const random = derivedRandom(new Uint8Array(32), "path tests");

function request(change: {
  readonly delay?: () => number;
  readonly epochIn?: (ms: number) => number;
  readonly periodMs?: number;
}) {
  return {
    document,
    gateway: network.topology.gateways[0]!.identityHash,
    destination: network.serviceNodes[1]!.identityHash,
    wantsReply: true,
    random,
    delay: () => 1,
    epochIn: () => document.epoch,
    periodMs: 1_200_000,
    ...change,
  };
}

test("delays are exponential with the rate's mean, whole, capped and at least 1 ms", () => {
  for (const mu of [0.005, 0.1]) {
    const delays = Array.from({ length: 4000 }, () => hopDelay(random, mu));
    const mean = delays.reduce((a, b) => a + b, 0) / delays.length;
    // Rounding down loses half a millisecond on average and 1 is added.
    assert.ok(Math.abs(mean - (1 / mu + 0.5)) < 0.08 / mu, `mean ${mean} for ${mu}`);
    assert.ok(delays.every((delay) => Number.isInteger(delay) && delay >= 1));
    assert.ok(delays.every((delay) => delay <= samplingCap(mu)));
    const long = delays.filter((delay) => delay > Math.log(2) / mu).length;
    assert.ok(Math.abs(long - 2000) < 200, `${long} above the median`);
  }
  const most = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(255);
  assert.equal(hopDelay(most, 0.005), samplingCap(0.005));
  const least = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length);
  assert.equal(hopDelay(least, 0.005), 1);
});

test("mixes are chosen uniformly in their layer, independently for both directions", () => {
  const counts = new Map<string, number>();
  let alike = 0;
  for (let i = 0; i < 900; i++) {
    const { forward, reply } = chooseRoute(request({}));
    for (const { node } of [...forward.slice(1, 4), ...reply.slice(0, 3)]) {
      counts.set(node.name, (counts.get(node.name) ?? 0) + 1);
    }
    if (forward[1]!.node === reply[0]!.node) alike++;
  }
  assert.equal(counts.size, 9);
  for (const [name, count] of counts) {
    assert.ok(Math.abs(count - 600) < 120, `${name} ${count} times`);
  }
  assert.ok(Math.abs(alike - 300) < 80, `${alike} times the same first mix`);
});

test("a path whose delays reach over two epochs is drawn again, up to 32 times", () => {
  let draws = 0;
  const delay = (): number => (draws++ < 8 * 32 ? 25 : 1);
  assert.equal(chooseRoute(request({ delay, periodMs: 100 })).forwardMs, 4);
  assert.equal(draws, 8 * 33);
  assert.throws(() => chooseRoute(request({ delay: () => 25, periodMs: 100 })), {
    name: "LinkError",
  });
});

test("a hop must have a key for the epoch in which the packet arrives there", () => {
  const { epoch } = document;
  const arrivals: number[] = [];
  const epochIn = (ms: number): number => {
    arrivals.push(ms);
    return ms < 3 ? epoch : epoch + 1;
  };
  chooseRoute(request({ epochIn }));
  assert.deepEqual(arrivals, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  let asked = 0;
  const never = (): number => {
    asked++;
    return epoch + 3;
  };
  assert.throws(() => chooseRoute(request({ epochIn: never })), { name: "LinkError" });
  assert.equal(asked, 4);
});
