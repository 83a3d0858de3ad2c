import assert from "node:assert/strict";
import { test } from "node:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { utf8 } from "../../src/bytes/bytes.js";
import {
  decodeCourierQuery,
  encodeCourierQueryReply,
} from "../../src/crypto/envelope/courier-messages.js";
import type { ReplicaReadReply } from "../../src/crypto/envelope/replica-messages.js";
import { generateKeypair } from "../../src/bacap/capabilities.js";
import { MAX_ABSENT_OPERATIONS, MAX_OPERATIONS } from "../../src/daemon/arq.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import { replicaEpoch } from "../../src/pki/epoch.js";
import {
  courierAnswer,
  freshId,
  PERIOD_MS,
  hex,
  message,
  noGateway,
  noPath,
  padded,
  replicaAnswer,
  turn,
  until,
} from "./fixture.js";
import { type Start, boxes, nothing } from "./boxes-fixture.js";

const noRetry = { noRetryOnBoxIdNotFound: true };
const verdict = { noIdempotentBoxAlreadyExists: true };
const reply = "startResendingEncryptedMessageReply";

test("a default write is done with the courier's ACK, after one round trip", async () => {
  const { client, link, daemon, start } = await boxes();
  const request = await start("write");
  link.reply(link.last, courierAnswer(link.last));
  const answer = await client.expect(reply);
  assert.deepEqual(
    [answer.queryId, answer.errorCode, answer.plaintext],
    [request.queryId, 0, null],
  );
  assert.equal(answer.courierIdentityHash?.length, 32);
  assert.equal(daemon.load.operations, 0);
});

for (const [what, flags] of [
  ["read", {}],
  ["write", verdict],
] as const) {
  test(`a ${what} that waits for a replica asks again after an ACK, with a fresh reply block`, async () => {
    const { client, link, start } = await boxes();
    await start(what, flags);
    const first = link.last;
    for (let follow = 1; follow <= 4; follow++) {
      link.reply(link.last, courierAnswer(link.last));
      await until(() => link.packets.length === follow + 1);
    }
    const ids = new Set(link.packets.map(({ surbId }) => hex(surbId!)));
    assert.equal(ids.size, 5);
    for (const packet of link.packets) {
      // The whole operation uses one courier, and sends the same bytes each time.
      assert.deepEqual({ ...packet, surbId: null }, { ...first, surbId: null });
    }
    assert.deepEqual(client.responses, []);
  });
}

const courierCodes: [courier: number, thin: number][] = [
  [1, 31],
  [2, 12],
  [3, 13],
  [4, 32],
  [9, 31],
];
for (const [courier, thin] of courierCodes) {
  test(`a courier's code ${courier} ends the operation with ${thin}, whatever its state`, async () => {
    for (const acknowledged of [false, true]) {
      const { client, link, start } = await boxes();
      await start("read");
      if (acknowledged) {
        link.reply(link.last, courierAnswer(link.last));
        await until(() => link.packets.length === 2);
      }
      link.reply(link.last, courierAnswer(link.last, courier));
      const answer = await client.expect(reply);
      assert.equal(answer.errorCode, thin);
      assert.equal(answer.courierIdentityHash?.length, 32);
    }
  });
}

/** The box that a write leaves at a replica, as the reply to a read. */
async function stored(
  made: Awaited<ReturnType<typeof boxes>>,
  plaintext: Uint8Array<ArrayBuffer>,
): Promise<Omit<ReplicaReadReply, "errorCode">> {
  let box: Omit<ReplicaReadReply, "errorCode"> | null = null;
  await made.start("write", {}, plaintext);
  await replicaAnswer(made.link.last, (message) => {
    assert.ok(message.kind === "write");
    box = { ...message, kind: "read" };
    return { kind: "write", errorCode: 0 };
  });
  made.link.reply(made.link.last, courierAnswer(made.link.last));
  await made.client.expect(reply);
  assert.ok(box);
  return box;
}

test("a read returns the plaintext, in both states, with the courier that delivered it", async () => {
  for (const acknowledged of [false, true]) {
    const made = await boxes();
    const box = await stored(made, utf8("the text"));
    await made.start("read");
    if (acknowledged) {
      const before = made.link.packets.length;
      made.link.reply(made.link.last, courierAnswer(made.link.last));
      await until(() => made.link.packets.length > before);
    }
    const answer = await replicaAnswer(made.link.last, () => ({ ...box, errorCode: 0 }));
    made.link.reply(made.link.last, answer);
    const got = await made.client.expect(reply);
    assert.deepEqual([got.errorCode, got.plaintext], [0, utf8("the text")]);
    assert.deepEqual(got.courierIdentityHash, made.link.last.destination);
    assert.deepEqual(got.courierQueueId, made.link.last.recipient);
  }
});

test("a read of a missing box starts over forever, unless it asked not to", async () => {
  const patient = await boxes();
  await patient.start("read");
  for (let i = 0; i < 5; i++) {
    const before = patient.link.packets.length;
    const answer = await replicaAnswer(patient.link.last, () => nothing(1));
    patient.link.reply(patient.link.last, answer);
    await until(() => patient.link.packets.length > before);
  }
  assert.deepEqual(patient.client.responses, []);
  const hasty = await boxes();
  await hasty.start("read", noRetry);
  hasty.link.reply(hasty.link.last, await replicaAnswer(hasty.link.last, () => nothing(1)));
  assert.equal((await hasty.client.expect(reply)).errorCode, 1);
});

test("a replica's other codes end a read unchanged", async () => {
  for (const code of [2, 3, 4, 5, 6, 7, 8, 9, 10]) {
    const { client, link, start } = await boxes();
    await start("read");
    link.reply(link.last, await replicaAnswer(link.last, () => nothing(code)));
    const answer = await client.expect(reply);
    assert.deepEqual([answer.errorCode, answer.plaintext], [code, null]);
    assert.notEqual(answer.courierIdentityHash, null);
  }
});

test("a tombstone ends a read with 11, or with 25 if its signature does not verify", async () => {
  const made = await boxes();
  const tombstone = await stored(made, new Uint8Array(0));
  for (const [signature, code] of [
    [tombstone.signature, 11],
    [new Uint8Array(64), 25],
  ] as const) {
    await made.start("read");
    const answer = await replicaAnswer(made.link.last, () => ({
      ...tombstone,
      signature,
      errorCode: 11,
    }));
    made.link.reply(made.link.last, answer);
    assert.equal((await made.client.expect(reply)).errorCode, code);
  }
});

test("a box that does not open ends a read with 23, a reply that does not open with 22", async () => {
  const made = await boxes();
  const box = await stored(made, utf8("x"));
  await made.start("read");
  const payload = box.payload.slice();
  payload[3]! ^= 1;
  made.link.reply(
    made.link.last,
    await replicaAnswer(made.link.last, () => ({ ...box, payload, errorCode: 0 })),
  );
  assert.equal((await made.client.expect(reply)).errorCode, 23);
  await made.start("read");
  const answer = await replicaAnswer(made.link.last, () => ({ ...box, errorCode: 0 }));
  answer[100]! ^= 1;
  made.link.reply(made.link.last, answer);
  assert.equal((await made.client.expect(reply)).errorCode, 22);
});

const writeVerdicts: [code: number, plain: number, flagged: number][] = [
  [0, 0, 0],
  [10, 0, 10],
  [6, 6, 6],
  [8, 8, 8],
];
for (const [code, plain, flagged] of writeVerdicts) {
  test(`a replica's ${code} ends a default write with ${plain}, a flagged one with ${flagged}`, async () => {
    for (const [flags, wanted] of [
      [{}, plain],
      [verdict, flagged],
    ] as const) {
      const { client, link, start } = await boxes();
      await start("write", flags);
      const answer = await replicaAnswer(link.last, () => ({ kind: "write", errorCode: code }));
      link.reply(link.last, answer);
      const got = await client.expect(reply);
      assert.deepEqual([got.errorCode, got.plaintext], [wanted, null]);
    }
  });
}

test("a reply of the other kind ends the operation with 4 (upstream: never answered)", async () => {
  const reading = await boxes();
  await reading.start("read");
  reading.link.reply(
    reading.link.last,
    await replicaAnswer(reading.link.last, () => ({ kind: "write", errorCode: 0 })),
  );
  assert.equal((await reading.client.expect(reply)).errorCode, 4);
  const writing = await boxes();
  await writing.start("write");
  writing.link.reply(writing.link.last, await replicaAnswer(writing.link.last, () => nothing(0)));
  assert.equal((await writing.client.expect(reply)).errorCode, 4);
  const copied = await boxes();
  await copied.start("read");
  const copyReply = { status: 0, errorCode: 0, failedEnvelopeIndex: 0n };
  copied.link.reply(
    copied.link.last,
    padded(encodeCourierQueryReply({ kind: "copy", reply: copyReply })),
  );
  assert.equal((await copied.client.expect(reply)).errorCode, 4);
});

test("an unreadable answer ends the operation with 4 (upstream: never answered)", async () => {
  const { client, daemon, link, clock, faults, start } = await boxes();
  const request = await start("write");
  link.reply(link.last, padded(Uint8Array.of(77, 1, 2)));
  const answer = await client.expect(reply);
  assert.deepEqual([answer.queryId, answer.errorCode], [request.queryId, 4]);
  assert.deepEqual(answer.courierIdentityHash, link.last.destination);
  assert.match(String(faults), /^ProtocolError: a courier's answer cannot be read: /);
  await clock.advance(100_000);
  assert.deepEqual([link.packets.length, daemon.load.operations], [1, 0]);
});

test("an unanswered packet is sent again 20 s after its planned round trip, forever", async () => {
  const { link, clock, start } = await boxes();
  assert.equal(upstreamTiming.resendMs, 20_000);
  link.etaMs = 700;
  await start("write");
  for (let sent = 1; sent < 6; sent++) {
    await clock.advance(20_699);
    assert.equal(link.packets.length, sent);
    await clock.advance(1);
    assert.equal(link.packets.length, sent + 1);
  }
  assert.equal(new Set(link.packets.map(({ surbId }) => hex(surbId!))).size, 6);
});

test("a start whose first packet cannot be built is answered with 4 at once, without a courier", async () => {
  const { client, daemon, link, clock, start } = await boxes();
  link.failure = noPath;
  const request = await start("write");
  const answer = await client.expect(reply);
  assert.deepEqual([answer.queryId, answer.errorCode], [request.queryId, 4]);
  assert.deepEqual([answer.courierIdentityHash, answer.courierQueueId], [null, null]);
  link.failure = null;
  await clock.advance(100_000);
  assert.deepEqual([link.packets.length, daemon.load.operations], [0, 0]);
});

test("a later packet that cannot be built is tried again after a second, forever", async () => {
  const { client, link, clock, start } = await boxes();
  await start("write");
  link.failure = noPath;
  await clock.advance(30_000);
  assert.equal(link.packets.length, 1);
  link.failure = null;
  await clock.advance(1000);
  assert.equal(link.packets.length, 2);
  link.reply(link.last, courierAnswer(link.last));
  assert.equal((await client.expect(reply)).errorCode, 0);
});

test("a first packet that is lost with the connection counts as unanswered", async () => {
  const { client, link, clock, start } = await boxes();
  link.failure = noGateway;
  const began = start("write").catch(() => {});
  await clock.advance(15_000);
  link.failure = null;
  await clock.advance(5000);
  await began;
  assert.equal(link.packets.length, 1);
  link.reply(link.last, courierAnswer(link.last));
  assert.equal((await client.expect(reply)).errorCode, 0);
});

test("an answer to a packet before the last is lost", async () => {
  const { client, link, clock, start } = await boxes();
  await start("write");
  const [first] = link.packets;
  await clock.advance(20_100);
  assert.equal(link.packets.length, 2);
  link.reply(first!, courierAnswer(first!));
  await turn();
  assert.deepEqual(client.responses, []);
  link.reply(link.last, courierAnswer(link.last));
  assert.equal((await client.expect(reply)).errorCode, 0);
});

test("an answer that arrives while the next packet waits for its tick makes that packet unnecessary", async () => {
  const { client, link, clock, daemon, start } = await boxes({ pace: "poisson" });
  const began = start("write");
  while (link.packets.length === 0) await clock.advance(10);
  await began;
  const [first] = link.packets;
  // The gateway is lost: resends wait, but answers that were under way still arrive.
  link.status(false);
  await clock.advance(30_000);
  link.reply(first!, courierAnswer(first!));
  await until(() => client.responses.some(({ kind }) => kind === reply));
  link.status(true);
  await clock.advance(30_000);
  assert.deepEqual([link.packets.length, daemon.load.operations], [1, 0]);
});

test("a resend leaves before its client's later requests", async () => {
  const { client, link, clock, start } = await boxes();
  await start("read");
  link.status(false);
  client.send(message(), message());
  await turn();
  await clock.advance(link.etaMs + 20_000);
  link.status(true);
  await until(() => link.packets.length === 4);
  const [first, second, ...later] = link.packets;
  assert.deepEqual(second!.payload, first!.payload);
  for (const { payload } of later) assert.deepEqual(payload, Uint8Array.of(1));
});

test("an ACK that arrives while the next packet waits for its turn does not add another", async () => {
  const { link, clock, start } = await boxes();
  await start("read");
  link.status(false);
  await clock.advance(link.etaMs + 20_000);
  link.reply(link.packets[0]!, courierAnswer(link.packets[0]!));
  await turn();
  link.status(true);
  await clock.advance(1000);
  assert.equal(link.packets.length, 2);
});

test("an answer sealed with keys from the previous document is opened", async () => {
  const { client, link, start } = await boxes();
  // This is the last epoch of a week, so the next document only has keys of the next week.
  while (replicaEpoch(link.current + 1, PERIOD_MS) === replicaEpoch(link.current, PERIOD_MS)) {
    link.current++;
  }
  link.document();
  await client.expect("newPkiDocumentEvent");
  await start("read", noRetry);
  const answer = await replicaAnswer(link.last, () => nothing(1));
  link.current++;
  link.document();
  await client.expect("newPkiDocumentEvent");
  link.reply(link.last, answer);
  assert.equal((await client.expect(reply)).errorCode, 1, "not 22, because it could be opened");
});

test("a read's box index is checked when the box is found: none gives 4, a wrong length 23", async () => {
  // spec/thin-protocol §4.4.
  for (const [messageBoxIndex, wanted] of [
    [null, 4],
    [new Uint8Array(103), 23],
    [new Uint8Array(105), 23],
    [new Uint8Array(0), 23],
  ] as const) {
    const { client, link, start } = await boxes();
    await start("read", { messageBoxIndex });
    assert.deepEqual(client.responses, [], "the start is accepted");
    link.reply(link.last, await replicaAnswer(link.last, () => nothing(0)));
    assert.equal((await client.expect(reply)).errorCode, wanted);
  }
});

test("an answer that arrives while nobody is connected is lost, and its operation never ends", async () => {
  const { client, connect, clock, link, start, daemon, token } = await boxes();
  const request = await start("write");
  client.transport.destroy();
  await turn();
  link.reply(link.last, courierAnswer(link.last));
  await turn();
  assert.equal(daemon.load.operations, 1, "it is still listed");
  const again = connect();
  assert.equal((await again.hello(token)).resumed, true);
  await clock.advance(100_000);
  assert.deepEqual([link.packets.length, again.responses.length], [1, 0]);
  again.send(cancel(request.envelopeHash));
  assert.equal((await again.expect(reply)).errorCode, 24);
});

test("a kind session keeps an answer that arrives while nobody is connected", async () => {
  const { client, connect, link, start, daemon, token } = await boxes({ kindSessions: true });
  const request = await start("write");
  client.transport.destroy();
  await turn();
  link.reply(link.last, courierAnswer(link.last));
  await turn();
  assert.equal(daemon.load.operations, 0);
  const again = connect();
  assert.equal((await again.hello(token)).resumed, true);
  const answer = await again.expect(reply);
  assert.deepEqual([answer.queryId, answer.errorCode], [request.queryId, 0]);
});

test("an operation pauses while its application is away, and ends with its session", async () => {
  const { client, connect, link, start, daemon, clock, token } = await boxes();
  await start("write");
  client.transport.destroy();
  await turn();
  await clock.advance(100_000);
  assert.equal(link.packets.length, 1);
  const again = connect();
  await again.hello(token);
  await clock.advance(100);
  assert.equal(link.packets.length, 2);
  again.transport.destroy();
  await turn();
  await clock.advance(600_000);
  assert.deepEqual([daemon.load.operations, daemon.load.sessions], [0, 0]);
  await clock.advance(100_000);
  assert.equal(link.packets.length, 2);
});

test("an operation resumes if its application left while the next packet waited for the mixnet", async () => {
  for (const isBackFirst of [false, true]) {
    const { client, connect, link, start, daemon, clock, token } = await boxes();
    await start("write");
    link.status(false);
    await clock.advance(link.etaMs + 20_000);
    client.transport.destroy();
    await turn();
    if (!isBackFirst) link.status(true);
    await clock.advance(1000);
    assert.equal(link.packets.length, 1, "nothing is sent for an application that is away");
    const again = connect();
    assert.equal((await again.hello(token)).resumed, true);
    if (isBackFirst) link.status(true);
    await clock.advance(1000);
    assert.equal(link.packets.length, 2);
    link.reply(link.last, courierAnswer(link.last));
    await until(() => again.responses.some(({ kind }) => kind === reply));
    assert.equal(daemon.load.operations, 0);
  }
});

test("requests that wait for their tick are lost with the connection, even if the session resumes", async () => {
  for (const kindSessions of [false, true]) {
    const { client, connect, clock, link, ready, token } = await boxes({ kindSessions });
    const [plain, start] = [message({ withSurb: false, surbId: null }), await ready("write")];
    client.send(plain, start);
    client.transport.end();
    await turn();
    await turn();
    const again = connect();
    assert.equal((await again.hello(token)).resumed, true);
    await clock.advance(1000);
    assert.equal(link.packets.length, kindSessions ? 2 : 0);
  }
});

// Validation

const invalid: [what: string, change: Partial<Start>][] = [
  ["no query ID", { queryId: null }],
  ["no envelope hash", { envelopeHash: null }],
  ["an envelope hash of 31 bytes", { envelopeHash: new Uint8Array(31) }],
  ["no ciphertext", { messageCiphertext: null }],
  ["an empty ciphertext", { messageCiphertext: new Uint8Array(0) }],
  ["no descriptor", { envelopeDescriptor: null }],
  ["an empty descriptor", { envelopeDescriptor: new Uint8Array(0) }],
  ["a descriptor that is too long", { envelopeDescriptor: new Uint8Array(1025) }],
  ["neither capability", { readCap: null }],
  ["both capabilities", { writeCap: new Uint8Array(168) }],
  ["a read capability of another length", { readCap: new Uint8Array(135) }],
];
for (const [what, change] of invalid) {
  test(`a start is refused with 3, without a courier, for ${what}`, async () => {
    const { client, link, start } = await boxes();
    await start("read", change);
    const answer = await client.expect(reply);
    assert.deepEqual([answer.errorCode, answer.courierIdentityHash], [3, null]);
    assert.equal(link.packets.length, 0);
  });
}

test("a ciphertext longer than U bytes is refused with 4", async () => {
  const { client, link, start } = await boxes();
  await start("write", { messageCiphertext: new Uint8Array(601) });
  assert.equal((await client.expect(reply)).errorCode, 4);
  assert.equal(link.packets.length, 0);
});

test("a start without a document is refused with 4", async () => {
  const { client, link, keys, clock } = await boxes();
  link.current += 5;
  client.send({
    kind: "startResendingEncryptedMessage",
    queryId: freshId(),
    readCap: keys.readCap,
    writeCap: null,
    messageBoxIndex: keys.firstMessageIndex,
    replyIndex: null,
    envelopeDescriptor: Uint8Array.of(1),
    messageCiphertext: Uint8Array.of(1),
    envelopeHash: new Uint8Array(32),
    noRetryOnBoxIdNotFound: false,
    noIdempotentBoxAlreadyExists: false,
  });
  await clock.advance(10_000);
  assert.equal((await client.expect(reply)).errorCode, 4);
});

// Cancels

const cancel = (envelopeHash: Uint8Array<ArrayBuffer> | null) =>
  ({ kind: "cancelResendingEncryptedMessage", queryId: freshId(), envelopeHash }) as const;

test("a cancel answers the start with 24, then itself with 0, and nothing more is sent", async () => {
  const { client, link, clock, daemon, start } = await boxes();
  const request = await start("read");
  const asked = cancel(request.envelopeHash);
  client.send(asked);
  const started = await client.expect(reply);
  assert.deepEqual([started.queryId, started.errorCode], [request.queryId, 24]);
  assert.notEqual(started.courierIdentityHash, null);
  assert.deepEqual(await client.expect("cancelResendingEncryptedMessageReply"), {
    kind: "cancelResendingEncryptedMessageReply",
    queryId: asked.queryId,
    errorCode: 0,
  });
  const sent = link.packets.length;
  link.reply(link.last, courierAnswer(link.last));
  await clock.advance(100_000);
  assert.deepEqual(
    [link.packets.length, client.responses.length, daemon.load.operations],
    [sent, 0, 0],
  );
});

test("a cancel of something unknown succeeds, and one without a 32-byte hash or a query ID gives 3", async () => {
  const { client } = await boxes();
  client.send(cancel(new Uint8Array(32).fill(9)));
  assert.equal((await client.expect("cancelResendingEncryptedMessageReply")).errorCode, 0);
  for (const hash of [null, new Uint8Array(31), new Uint8Array(33)]) {
    client.send(cancel(hash));
    assert.equal((await client.expect("cancelResendingEncryptedMessageReply")).errorCode, 3);
  }
  client.send({ ...cancel(new Uint8Array(32)), queryId: null });
  assert.equal((await client.expect("cancelResendingEncryptedMessageReply")).errorCode, 3);
  client.send({ kind: "cancelResendingCopyCommand", queryId: freshId(), writeCapHash: null });
  assert.equal((await client.expect("cancelResendingCopyCommandReply")).errorCode, 3);
});

test("a cancel also works after an ACK and while the operation waits to be sent again", async () => {
  for (const acknowledged of [true, false]) {
    const { client, link, clock, start } = await boxes();
    const request = await start("read");
    if (acknowledged) {
      link.reply(link.last, courierAnswer(link.last));
      await until(() => link.packets.length === 2);
    } else {
      await clock.advance(10_000);
    }
    client.send(cancel(request.envelopeHash));
    assert.equal((await client.expect(reply)).errorCode, 24);
    await client.expect("cancelResendingEncryptedMessageReply");
    const sent = link.packets.length;
    await clock.advance(100_000);
    assert.equal(link.packets.length, sent);
  }
});

test("a cancel that overtakes its start finds nothing, and the start runs forever", async () => {
  const { client, link, clock, daemon, ready } = await boxes();
  const request = await ready("read");
  client.send(request, cancel(request.envelopeHash));
  assert.equal((await client.expect("cancelResendingEncryptedMessageReply")).errorCode, 0);
  await until(() => link.packets.length === 1);
  await clock.advance(100_000);
  assert.deepEqual([link.packets.length, daemon.load.operations], [5, 1]);
  assert.deepEqual(client.responses, []);
  // A second cancel ends the start that the first one missed.
  client.send(cancel(request.envelopeHash));
  assert.equal((await client.expect(reply)).errorCode, 24);
});

test("a cancel can also overtake the start of a copy command", async () => {
  const { client, link, keys } = await boxes();
  const writeCapHash = blake2b(keys.writeCap!, { dkLen: 32 }) as Uint8Array<ArrayBuffer>;
  const start = {
    kind: "startResendingCopyCommand",
    queryId: freshId(),
    writeCap: keys.writeCap,
    courierIdentityHash: null,
    courierQueueId: null,
  } as const;
  const stop = { kind: "cancelResendingCopyCommand", queryId: freshId(), writeCapHash } as const;
  client.send(start, stop);
  assert.equal((await client.expect("cancelResendingCopyCommandReply")).errorCode, 0);
  await until(() => link.packets.length === 1);
  client.send(stop);
  assert.equal((await client.expect("startResendingCopyCommandReply")).errorCode, 24);
});

test("a refused start is answered at its tick, after later requests", async () => {
  const { client, ready } = await boxes();
  const request = await ready("read", { envelopeHash: null });
  client.send(request, { kind: "getDirectoryAuthorities", queryId: freshId() });
  await client.expect("getDirectoryAuthoritiesReply");
  assert.equal((await client.expect(reply)).errorCode, 3);
});

test("a kind cancel finds an operation whose first packet still waits for its turn", async () => {
  const { client, link, clock, ready, daemon } = await boxes({ kindCancels: true });
  link.status(false);
  await client.expect("connectionStatusEvent");
  const request = await ready("read");
  client.send(request, cancel(request.envelopeHash));
  assert.equal((await client.expect(reply)).errorCode, 24);
  await client.expect("cancelResendingEncryptedMessageReply");
  assert.equal(daemon.load.waitingPackets, 0, "its packet does not take a place");
  link.status(true);
  await clock.advance(100_000);
  assert.equal(link.packets.length, 0);
});

test("while 16 packets of a client wait, its requests are not read, not even a cancel or thin_close", async () => {
  for (const kindReading of [false, true]) {
    const { client, link, daemon } = await boxes({ kindReading });
    link.status(false);
    await client.expect("connectionStatusEvent");
    client.send(...Array.from({ length: 16 }, () => message()));
    client.send({ kind: "getDirectoryAuthorities", queryId: freshId() });
    await client.expect("getDirectoryAuthoritiesReply");
    client.send(message(), { kind: "getDirectoryAuthorities", queryId: freshId() });
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(client.responses.length, kindReading ? 1 : 0);
    client.send({ kind: "thinClose" });
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(daemon.load.sessions, kindReading ? 0 : 1);
    link.status(true);
    await until(() => daemon.load.sessions === 0);
  }
});

test("two starts of one envelope are two operations, and one cancel ends both (upstream: one is lost)", async () => {
  const { client, link, daemon, start } = await boxes();
  const first = await start("read");
  client.send({ ...first, queryId: freshId() });
  await until(() => link.packets.length === 2);
  assert.equal(daemon.load.operations, 2);
  client.send(cancel(first.envelopeHash));
  const answers = [await client.expect(reply), await client.expect(reply)];
  assert.deepEqual(
    answers.map(({ errorCode }) => errorCode),
    [24, 24],
  );
  assert.notDeepEqual(answers[0]!.queryId, answers[1]!.queryId);
  await client.expect("cancelResendingEncryptedMessageReply");
});

test("an application cannot cancel another's operations (upstream: it can)", async () => {
  const { connect, client, link, start } = await boxes();
  const request = await start("write");
  const other = connect();
  await other.hello(freshId());
  other.send(cancel(request.envelopeHash));
  assert.equal((await other.expect("cancelResendingEncryptedMessageReply")).errorCode, 0);
  await turn();
  assert.deepEqual(client.responses, []);
  link.reply(link.last, courierAnswer(link.last));
  assert.equal((await client.expect(reply)).errorCode, 0);
});

test("the reply index of a start goes into each packet, and nothing else changes (upstream: ignored)", async () => {
  for (const replyIndex of [null, 0, 1]) {
    const { link, start, client } = await boxes();
    const request = await start("read", { replyIndex });
    link.reply(link.last, courierAnswer(link.last));
    await until(() => link.packets.length === 2);
    const sealed = decodeCourierQuery(request.messageCiphertext!);
    assert.ok(sealed.kind === "envelope");
    for (const { payload } of link.packets) {
      assert.deepEqual(decodeCourierQuery(payload), {
        kind: "envelope",
        envelope: { ...sealed.envelope, replyIndex: replyIndex ?? 0 },
      });
      assert.equal(payload.length, request.messageCiphertext!.length);
    }
    link.reply(link.last, await replicaAnswer(link.last, () => nothing(2)));
    assert.equal((await client.expect(reply)).errorCode, 2);
  }
  const own = await boxes();
  await own.start("read", { replyIndex: 1, messageCiphertext: Uint8Array.of(0, 1, 2) });
  assert.deepEqual(
    own.link.last.payload,
    Uint8Array.of(0, 1, 2),
    "a payload that is not a query stays unchanged",
  );
});

test("every operation chooses a courier of its own", async () => {
  const { link, start, client } = await boxes();
  const chosen = new Set<string>();
  for (let i = 0; i < 40 && chosen.size < 2; i++) {
    await start("write");
    chosen.add(hex(link.last.destination));
    link.reply(link.last, courierAnswer(link.last));
    await client.expect(reply);
  }
  assert.equal(chosen.size, 2);
});

// Local requests that build envelopes and streams

test("a request whose result does not fit one reply is refused beforehand (upstream: breaks its client)", async () => {
  const { client, keys } = await boxes();
  const place = { destWriteCap: keys.writeCap, destStartIndex: keys.firstMessageIndex };
  const flags = { isStart: true, isLast: true };
  for (const maxCount of [0xffff_ffff, 70_000]) {
    client.send({
      kind: "createCourierEnvelopesFromTombstoneRange",
      queryId: freshId(),
      ...place,
      ...flags,
      maxCount,
      buffer: null,
    });
    const range = await client.expect("createCourierEnvelopesFromTombstoneRangeReply");
    assert.deepEqual([range.errorCode, range.envelopes], [3, null]);
  }
  const payload = new Uint8Array(10 * 1024 * 1024);
  const one = { payload, writeCap: keys.writeCap, startIndex: keys.firstMessageIndex };
  client.send({
    kind: "createCourierEnvelopesFromMultiPayload",
    queryId: freshId(),
    ...flags,
    destinations: [one, one, one],
    buffer: null,
  });
  assert.equal((await client.expect("createCourierEnvelopesFromMultiPayloadReply")).errorCode, 3);
  client.send({
    kind: "createCourierEnvelopesFromPayload",
    queryId: freshId(),
    ...place,
    ...flags,
    payload: new Uint8Array(10 * 1024 * 1024 + 1),
  });
  assert.equal((await client.expect("createCourierEnvelopesFromPayloadReply")).errorCode, 3);
});

test("a client's operations are limited: more starts are refused, cancels and others are served", async () => {
  const { client, connect, daemon, faults, link, ready } = await boxes();
  const request = await ready("read");
  const begin = (count: number): void => {
    for (let i = 0; i < count; i++) client.send({ ...request, queryId: freshId() });
  };
  begin(MAX_OPERATIONS);
  await until(() => daemon.load.operations === MAX_OPERATIONS);
  assert.deepEqual([client.responses, faults], [[], []]);
  const sent = link.packets.length;
  begin(3);
  for (let i = 0; i < 3; i++) {
    const refused = await client.expect(reply);
    // The reply does not name a courier, because the code comes from the daemon and not from a
    // replica.
    assert.deepEqual([refused.errorCode, refused.courierIdentityHash], [4, null]);
  }
  const copy = { kind: "startResendingCopyCommand" } as const;
  const writeCap = generateKeypair().writeCap;
  const nobody = { courierIdentityHash: null, courierQueueId: null };
  client.send({ ...copy, queryId: freshId(), writeCap, ...nobody });
  assert.equal((await client.expect("startResendingCopyCommandReply")).errorCode, 4);
  assert.equal(link.packets.length, sent, "nothing is sent for refused starts");
  assert.equal(daemon.load.operations, MAX_OPERATIONS);
  // The daemon reports the limit once, not for each request.
  assert.match(
    faults.map(({ message }) => message).join("; "),
    /^a client has 4096 unanswered operations/,
  );
  const other = connect();
  await other.hello(freshId());
  other.send({ ...request, queryId: freshId() });
  await until(() => daemon.load.operations === MAX_OPERATIONS + 1);
  // A client at the limit can cancel operations to make room.
  const { envelopeHash } = request;
  client.send({ kind: "cancelResendingEncryptedMessage", queryId: freshId(), envelopeHash });
  await until(() => client.responses.length === MAX_OPERATIONS + 1);
  assert.equal(client.responses.splice(0).at(-1)!.kind, "cancelResendingEncryptedMessageReply");
  assert.equal(daemon.load.operations, 1);
  begin(1);
  await until(() => daemon.load.operations === 2);
  await daemon.close();
});

test("absent applications together keep no more operations than a few clients may have", async () => {
  const { client, connect, daemon, ready } = await boxes();
  const request = await ready("read");
  const each = MAX_OPERATIONS / 2;
  for (let gone = 0; gone < 9; gone++) {
    const one = connect();
    await one.hello(freshId());
    const before = daemon.load.operations;
    for (let i = 0; i < each; i++) one.send({ ...request, queryId: freshId() });
    await until(() => daemon.load.operations === before + each);
    one.transport.end();
    await until(() => daemon.load.connections === 1);
    // The daemon forgets the clients that left first, with all their operations.
    assert.ok(daemon.load.operations <= MAX_ABSENT_OPERATIONS);
  }
  assert.equal(daemon.load.operations, MAX_ABSENT_OPERATIONS);
  assert.deepEqual(client.responses, []);
  await daemon.close();
});
