import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../src/clock/virtual.js";
import type { ReplicaCommand } from "../../../src/crypto/envelope/wire-commands.js";
import { upstreamTiming } from "../../../src/mixnet/timing.js";
import { Replication } from "../../../src/network/replica/replication.js";
import type { StorageLink } from "../../../src/network/storage-link.js";

test("a tombstone that replaces a box while that is offered is offered next", async () => {
  const clock = new VirtualClock();
  const offers: number[] = [];
  let answer: ((ok: boolean) => void) | null = null;
  const link = {
    request: (command: ReplicaCommand) =>
      new Promise<ReplicaCommand>((resolve, reject) => {
        assert.ok(command.kind === "replicaWrite");
        offers.push(command.payload.length);
        answer = (ok) => {
          if (ok) resolve({ kind: "replicaWriteReply", errorCode: 0 });
          else reject(new Error("not there"));
        };
      }),
  };
  const replication = new Replication({
    clock,
    timing: upstreamTiming,
    document: () => null,
    linkTo: () => link as unknown as StorageLink,
  });
  const box = { boxId: new Uint8Array(32), signature: new Uint8Array(64) };
  const data = replication.send(1, { ...box, payload: new Uint8Array(5) });
  answer!(false);
  await data;
  await clock.advance(upstreamTiming.replicationRetryMs.first);
  const answerData = answer!;
  const tombstone = replication.send(1, { ...box, payload: new Uint8Array(0) });
  answer!(false);
  await tombstone;
  answerData(true);
  await clock.advance(0);
  assert.deepEqual([offers, replication.waiting], [[5, 5, 0], 1]);
  await clock.advance(upstreamTiming.replicationRetryMs.first);
  answer!(true);
  await clock.advance(0);
  assert.deepEqual([offers, replication.waiting], [[5, 5, 0, 0], 0]);
  replication.close();
  assert.equal(clock.pending, 0);
});
