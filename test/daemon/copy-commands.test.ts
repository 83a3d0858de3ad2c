/** The daemon's copy commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { utf8 } from "../../src/bytes/bytes.js";
import {
  decodeCourierQuery,
  encodeCourierQueryReply,
} from "../../src/crypto/envelope/courier-messages.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import { freshId, noPath, padded, turn, until } from "./fixture.js";
import { boxes } from "./boxes-fixture.js";

const copyReply = "startResendingCopyCommandReply";
const copyAnswer = (status: number, errorCode = 0, failedEnvelopeIndex = 0n) =>
  padded(
    encodeCourierQueryReply({ kind: "copy", reply: { status, errorCode, failedEnvelopeIndex } }),
  );

async function copying(fields: Partial<DaemonRequest<"startResendingCopyCommand">> = {}) {
  const made = await boxes();
  const request: DaemonRequest<"startResendingCopyCommand"> = {
    kind: "startResendingCopyCommand",
    queryId: freshId(),
    writeCap: made.keys.writeCap,
    courierIdentityHash: null,
    courierQueueId: null,
    ...fields,
  };
  made.client.send(request);
  await until(() => made.link.packets.length > 0 || made.client.responses.length > 0);
  return { ...made, request };
}

test("a copy command is sent with its capability, and polled every 5 s while in progress", async () => {
  const { client, link, clock, keys } = await copying();
  assert.equal(upstreamTiming.copyPollMs, 5000);
  assert.deepEqual(decodeCourierQuery(link.last.payload), {
    kind: "copy",
    writeCap: keys.writeCap,
  });
  for (let polls = 1; polls < 5; polls++) {
    link.reply(link.last, copyAnswer(1));
    await turn();
    await clock.advance(4999);
    assert.equal(link.packets.length, polls);
    await clock.advance(1);
    assert.equal(link.packets.length, polls + 1);
  }
  link.reply(link.last, copyAnswer(0));
  const answer = await client.expect(copyReply);
  assert.deepEqual(
    [answer.errorCode, answer.replicaErrorCode, answer.failedEnvelopeIndex],
    [0, null, null],
  );
});

test("a copy command to an unreachable courier is answered with 4 at once", async () => {
  const made = await boxes();
  made.link.failure = noPath;
  const queryId = freshId();
  made.client.send({
    kind: "startResendingCopyCommand",
    queryId,
    writeCap: made.keys.writeCap,
    courierIdentityHash: new Uint8Array(32).fill(6),
    courierQueueId: utf8("courier"),
  });
  const answer = await made.client.expect(copyReply);
  assert.deepEqual([answer.queryId, answer.errorCode], [queryId, 4]);
  assert.equal(made.daemon.load.operations, 0);
});

test("an unanswered copy command is polled again after 20 s", async () => {
  const { link, clock } = await copying();
  await clock.advance(20_099);
  assert.equal(link.packets.length, 1);
  await clock.advance(1);
  assert.equal(link.packets.length, 2);
});

test("a failed copy gives 26 with the replica's code and the position; an unknown status gives 4", async () => {
  const failed = await copying();
  failed.link.reply(failed.link.last, copyAnswer(2, 10, 3n));
  const answer = await failed.client.expect(copyReply);
  assert.deepEqual(
    [answer.errorCode, answer.replicaErrorCode, answer.failedEnvelopeIndex],
    [26, 10, 3n],
  );
  const silent = await copying();
  silent.link.reply(silent.link.last, copyAnswer(2));
  const without = await silent.client.expect(copyReply);
  assert.deepEqual([without.errorCode, without.replicaErrorCode], [26, null]);
  const unknown = await copying();
  unknown.link.reply(unknown.link.last, copyAnswer(7));
  assert.equal((await unknown.client.expect(copyReply)).errorCode, 4);
  const crossed = await copying();
  const ack = {
    envelopeHash: new Uint8Array(32),
    replyIndex: 0,
    replyType: "ack",
    payload: new Uint8Array(0),
    errorCode: 0,
  } as const;
  crossed.link.reply(
    crossed.link.last,
    padded(encodeCourierQueryReply({ kind: "envelope", reply: ack })),
  );
  assert.equal((await crossed.client.expect(copyReply)).errorCode, 4);
  const unreadable = await copying();
  unreadable.link.reply(unreadable.link.last, padded(Uint8Array.of(77, 1, 2)));
  assert.equal((await unreadable.client.expect(copyReply)).errorCode, 4);
});

test("a copy command is cancelled by the hash of its capability, between polls too", async () => {
  const { client, link, clock, keys, request } = await copying();
  link.reply(link.last, copyAnswer(1));
  await turn();
  const writeCapHash = Uint8Array.from(blake2b(keys.writeCap!, { dkLen: 32 }));
  // The other kind of cancel does not find the operation (upstream sends replies of the wrong
  // kind).
  client.send({
    kind: "cancelResendingEncryptedMessage",
    queryId: freshId(),
    envelopeHash: writeCapHash,
  });
  await client.expect("cancelResendingEncryptedMessageReply");
  client.send({ kind: "cancelResendingCopyCommand", queryId: freshId(), writeCapHash });
  const answer = await client.expect(copyReply);
  assert.deepEqual([answer.queryId, answer.errorCode], [request.queryId, 24]);
  assert.equal((await client.expect("cancelResendingCopyCommandReply")).errorCode, 0);
  await clock.advance(100_000);
  assert.equal(link.packets.length, 1);
});

test("a copy command goes to the named courier; half a name is refused (upstream: ignored)", async () => {
  const node = new Uint8Array(32).fill(6);
  const queue = utf8("courier");
  const named = await copying({ courierIdentityHash: node, courierQueueId: queue });
  assert.deepEqual([named.link.last.destination, named.link.last.recipient], [node, queue]);
  const halves: Partial<DaemonRequest<"startResendingCopyCommand">>[] = [
    { courierIdentityHash: node },
    { courierQueueId: queue },
    { courierIdentityHash: node.slice(1), courierQueueId: queue },
    { courierIdentityHash: node, courierQueueId: new Uint8Array(33) },
    { writeCap: null },
    { writeCap: new Uint8Array(167) },
    { queryId: null },
  ];
  for (const fields of halves) {
    const { client, link } = await copying(fields);
    assert.equal((await client.expect(copyReply)).errorCode, 3);
    assert.equal(link.packets.length, 0);
  }
});
