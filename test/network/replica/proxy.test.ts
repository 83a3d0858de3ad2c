import assert from "node:assert/strict";
import { test } from "node:test";
import { makeReadMessage } from "../../../src/crypto/envelope/box-messages.js";
import { x25519Nike } from "../../../src/crypto/nike/x25519.js";
import { upstreamTiming } from "../../../src/mixnet/timing.js";
import { Proxy } from "../../../src/network/replica/proxy.js";
import type { StorageLink } from "../../../src/network/storage-link.js";
import { StorageFixture, sizes, stream } from "../storage-fixture.js";

test("a replica proxies 32 messages at a time, queues 256 more, and refuses others with 9 at once", async () => {
  const fixture = await StorageFixture.start();
  const keys = stream(1);
  const message = makeReadMessage(keys.readCap, keys.firstMessageIndex);
  const asked: number[] = [];
  const release: (() => void)[] = [];
  const link = {
    request: () => {
      asked.push(fixture.clock.now());
      return new Promise((_, reject) => release.push(() => reject(new Error("no answer"))));
    },
  };
  const proxy = new Proxy({
    replicaEpoch: () => fixture.replicaEpoch,
    random: fixture.random,
    timing: upstreamTiming,
    scheme: x25519Nike,
    sizes,
    linkTo: () => link as unknown as StorageLink,
    onMissedAt: () => {},
  });
  const [shard] = fixture.document.storageReplicas;
  let answered = 0;
  const pass = async (): Promise<number> => {
    const { errorCode } = await proxy.pass(message, [shard!]);
    answered++;
    return errorCode;
  };
  const all = Array.from({ length: 32 + 256 }, pass);
  while (asked.length < 32) await fixture.settle();
  await fixture.settle();
  assert.deepEqual([asked.length, answered], [32, 0]);
  assert.equal(await pass(), 9);
  assert.deepEqual([asked.length, answered], [32, 1]);
  while (answered < 1 + all.length) {
    for (const end of release.splice(0)) end();
    await fixture.settle();
  }
  assert.deepEqual(new Set(await Promise.all(all)), new Set([9]));
  assert.equal(asked.length, 288);
  await fixture.network.close();
});
