import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import { isThinClientError, hasCode } from "../../src/errors/errors.js";
import { encryptBox, signTombstone } from "../../src/bacap/box.js";
import { generateKeypair } from "../../src/bacap/capabilities.js";
import { nextMessageBoxIndex } from "../../src/bacap/message-box-index.js";
import {
  makeReadMessage,
  makeWriteMessage,
  openReadReply,
} from "../../src/crypto/envelope/box-messages.js";
import {
  createCourierEnvelope,
  createReplicaMessage,
  openEnvelopeReply,
  openReplicaReply,
  replicaMessageOf,
} from "../../src/crypto/envelope/client-envelope.js";
import {
  decodeCourierQuery,
  encodeCourierQueryReply,
  envelopeHashOf,
} from "../../src/crypto/envelope/courier-messages.js";
import { decodeEnvelopeDescriptor } from "../../src/crypto/envelope/descriptor.js";
import { padInnerMessage } from "../../src/crypto/envelope/padding.js";
import {
  openReplicaMessage,
  sealReplicaReply,
} from "../../src/crypto/envelope/replica-envelope.js";
import type {
  ReplicaReadReply,
  ReplicaWriteMessage,
} from "../../src/crypto/envelope/replica-messages.js";
import { encodeReplicaCommand } from "../../src/crypto/envelope/wire-commands.js";
import { pigeonholeSizesFromSphinx } from "../../src/pki/pigeonhole-sizes.js";
import { mkemEncapsulate, mkemSealReply } from "../../src/crypto/mkem/mkem.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";

const scheme = x25519Nike;
const sizes = pigeonholeSizesFromSphinx(2000, "x25519");
const keys = [scheme.generate(), scheme.generate()] as const;
const recipients = [
  { replicaId: 3, publicKey: keys[0].publicKey },
  { replicaId: 200, publicKey: keys[1].publicKey },
] as const;
const publicKeyOf = (replicaId: number) =>
  recipients.find((replica) => replica.replicaId === replicaId)?.publicKey;
const { writeCap, readCap, firstMessageIndex } = generateKeypair();

test("a write travels through the courier to either replica, and its answer returns", async () => {
  const message = makeWriteMessage(sizes, writeCap, firstMessageIndex, utf8("hello"));
  assert.equal(message.payload.length, sizes.boxCiphertextLength);
  const sent = await createCourierEnvelope({ scheme, sizes, message, recipients, epoch: 476 });
  assert.equal(sent.query.length, sizes.courierQueryWriteLength);
  assert.equal(sent.query.length, 2000);
  const query = decodeCourierQuery(sent.query);
  assert.ok(query.kind === "envelope");
  assert.deepEqual(query.envelope, sent.envelope);
  assert.equal(toHex(envelopeHashOf(query.envelope)), toHex(sent.envelopeHash));
  assert.equal(query.envelope.epoch, 476n);
  assert.deepEqual(query.envelope.intermediateReplicas, [3, 200]);
  for (const slot of [0, 1] as const) {
    const command = replicaMessageOf(query.envelope, slot);
    assert.equal(toHex(envelopeHashOf(command)), toHex(sent.envelopeHash));
    assert.equal(encodeReplicaCommand(command).length, sizes.wireCommandLength);
    const { privateKey } = keys[slot];
    const opened = await openReplicaMessage({ scheme, privateKey, command });
    assert.deepEqual(opened.message, message);
    const reply = sealReplicaReply(sizes, opened.replyKey, { kind: "write", errorCode: 10 });
    assert.equal(reply.length, sizes.envelopeReplyLength);
    assert.deepEqual(openReplicaReply(sent.replyKeys, reply), { kind: "write", errorCode: 10 });
    const { envelopeDescriptor } = sent;
    assert.deepEqual(
      await openEnvelopeReply({ scheme, envelopeDescriptor, sealedReply: reply, publicKeyOf }),
      { kind: "write", errorCode: 10 },
    );
    const answer = encodeCourierQueryReply({
      kind: "envelope",
      reply: {
        envelopeHash: sent.envelopeHash,
        replyIndex: slot,
        replyType: "payload",
        payload: reply,
        errorCode: 0,
      },
    });
    assert.equal(answer.length, sizes.courierQueryReplyLength);
  }
});

test("reads, writes and tombstones are indistinguishable, and so are their answers", async () => {
  const messages = [
    makeReadMessage(readCap, firstMessageIndex),
    makeWriteMessage(sizes, writeCap, firstMessageIndex, utf8("x")),
    makeWriteMessage(sizes, writeCap, firstMessageIndex, randomBytes(1677)),
    makeWriteMessage(sizes, writeCap, firstMessageIndex, new Uint8Array(0)),
  ];
  const lengths = new Set<number>();
  for (const message of messages) {
    const sent = await createCourierEnvelope({ scheme, sizes, message, recipients, epoch: 1n });
    lengths.add(sent.query.length);
  }
  assert.deepEqual([...lengths], [2000]);
  const [, write, , tombstone] = messages;
  const answers = [
    { ...(write as ReplicaWriteMessage), kind: "read" as const, errorCode: 0 },
    { ...(tombstone as ReplicaWriteMessage), kind: "read" as const, errorCode: 11 },
    { kind: "write" as const, errorCode: 0 },
  ].map((reply) => sealReplicaReply(sizes, randomBytes(32), reply).length);
  assert.deepEqual(new Set(answers), new Set([sizes.envelopeReplyLength]));
});

test("a read's answer opens to the message", () => {
  const write = makeWriteMessage(sizes, writeCap, firstMessageIndex, utf8("hello"));
  const reply: ReplicaReadReply = { ...write, kind: "read", errorCode: 0 };
  assert.equal(toHex(openReadReply(readCap, firstMessageIndex, reply)), toHex(utf8("hello")));
});

test("each failure of a read has its own error", () => {
  const index = firstMessageIndex;
  const good: ReplicaReadReply = {
    ...makeWriteMessage(sizes, writeCap, index, utf8("hello")),
    kind: "read",
    errorCode: 0,
  };
  const dead: ReplicaReadReply = {
    ...makeWriteMessage(sizes, writeCap, index, new Uint8Array(0)),
    kind: "read",
    errorCode: 11,
  };
  const signature = randomBytes(64);
  const hollow = encryptBox(writeCap, index, new Uint8Array(0));
  const unpadded = encryptBox(writeCap, index, Uint8Array.of(255, 255, 255, 255));
  const elsewhere = signTombstone(writeCap, nextMessageBoxIndex(index));
  const cases: [ReplicaReadReply, string][] = [
    [{ ...good, errorCode: 1 }, "REPLICA_ERROR_BOX_ID_NOT_FOUND"],
    [{ ...good, errorCode: 4 }, "REPLICA_ERROR_DATABASE_FAILURE"],
    [{ ...good, errorCode: 200 }, "THIN_CLIENT_ERROR_UNKNOWN"],
    [{ ...good, signature }, "THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED"],
    [dead, "REPLICA_ERROR_TOMBSTONE"],
    [{ ...dead, errorCode: 0 }, "REPLICA_ERROR_TOMBSTONE"],
    [{ ...dead, signature }, "THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG"],
    [
      { ...dead, boxId: elsewhere.boxId, signature: elsewhere.signature },
      "THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG",
    ],
    [{ ...good, ...hollow, payload: hollow.ciphertext }, "REPLICA_ERROR_TOMBSTONE"],
    [{ ...good, ...unpadded, payload: unpadded.ciphertext }, "ERR_PROTOCOL"],
  ];
  for (const [reply, code] of cases) {
    assert.throws(
      () => openReadReply(readCap, index, reply),
      (error) => isThinClientError(error) && error.code === code,
      code,
    );
  }
});

test("a message longer than a box is refused by its length", () => {
  assert.throws(
    () => makeWriteMessage(sizes, writeCap, firstMessageIndex, new Uint8Array(1678)),
    /`plaintext` must be at most 1677 bytes, got 1678/,
  );
});

test("an envelope must use the scheme of its geometry", async () => {
  const message = makeReadMessage(readCap, firstMessageIndex);
  const hybridSizes = pigeonholeSizesFromSphinx(2000, "CTIDH1024-X25519");
  await assert.rejects(
    createCourierEnvelope({ scheme, sizes: hybridSizes, message, recipients, epoch: 1 }),
    /CTIDH1024-X25519, got x25519/,
  );
});

test("a replica answers 7 to unusable keys, 8 without its own key, 5 to nonsense", async () => {
  const message = makeReadMessage(readCap, firstMessageIndex);
  const { privateKey, publicKey } = keys[0];
  const { command } = await createReplicaMessage({ scheme, sizes, message, publicKey });
  const nonsense = await mkemEncapsulate(scheme, [keys[0].publicKey], new Uint8Array(3));
  const wrongType = await mkemEncapsulate(
    scheme,
    [keys[0].publicKey],
    padInnerMessage(sizes, Uint8Array.of(9)),
  );
  const asCommand = (sealed: typeof nonsense) => ({
    kind: "replicaMessage" as const,
    senderPublicKey: sealed.ephemeralPublicKey,
    dek: sealed.deks[0]!,
    ciphertext: sealed.envelope,
  });
  const cases: [number, Parameters<typeof openReplicaMessage>[0]][] = [
    [7, { scheme, privateKey, command: { ...command, senderPublicKey: new Uint8Array(32) } }],
    [7, { scheme, privateKey, command: { ...command, senderPublicKey: new Uint8Array(31) } }],
    [8, { scheme, privateKey: keys[1].privateKey, command }],
    [8, { scheme, privateKey, command: { ...command, ciphertext: new Uint8Array(4) } }],
    [8, { scheme, privateKey, command: { ...command, dek: new Uint8Array(60) } }],
    [5, { scheme, privateKey, command: asCommand(nonsense) }],
    [5, { scheme, privateKey, command: asCommand(wrongType) }],
  ];
  for (const [code, request] of cases) {
    await assert.rejects(
      openReplicaMessage(request),
      (error) => isThinClientError(error) && error.errorCode === code,
    );
  }
  const opened = await openReplicaMessage({ scheme, privateKey, command });
  assert.deepEqual(opened.message, message);
});

test("a message to one replica is answered under the stored key", async () => {
  const message = makeReadMessage(readCap, firstMessageIndex);
  const sent = await createReplicaMessage({ scheme, sizes, message, publicKey: keys[1].publicKey });
  const opened = await openReplicaMessage({
    scheme,
    privateKey: keys[1].privateKey,
    command: sent.command,
  });
  assert.deepEqual(opened.message, message);
  const reply = sealReplicaReply(sizes, opened.replyKey, { kind: "write", errorCode: 0 });
  assert.deepEqual(openReplicaReply([sent.replyKey], reply), { kind: "write", errorCode: 0 });
});

test("a reply that no key opens is an MKEM failure; a reply with invalid contents is not", async () => {
  const message = makeReadMessage(readCap, firstMessageIndex);
  const sent = await createCourierEnvelope({ scheme, sizes, message, recipients, epoch: 5 });
  const request = { scheme, envelopeDescriptor: sent.envelopeDescriptor, publicKeyOf };
  const failed = (e: unknown) => hasCode(e, "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED");
  await assert.rejects(
    openEnvelopeReply({ ...request, sealedReply: randomBytes(sizes.envelopeReplyLength) }),
    failed,
  );
  const good = mkemSealReply(sent.replyKeys[1]!, Uint8Array.of(0, 0, 0, 2, 1, 0));
  assert.deepEqual(await openEnvelopeReply({ ...request, sealedReply: good }), {
    kind: "write",
    errorCode: 0,
  });
  await assert.rejects(
    openEnvelopeReply({ ...request, sealedReply: good, publicKeyOf: () => undefined }),
    failed,
  );
  assert.throws(() => openReplicaReply([], good), failed);
  const nonsense = mkemSealReply(sent.replyKeys[0]!, Uint8Array.of(0, 0, 0, 1, 7));
  await assert.rejects(openEnvelopeReply({ ...request, sealedReply: nonsense }), (e) =>
    hasCode(e, "ERR_PROTOCOL"),
  );
  await assert.rejects(
    openEnvelopeReply({ ...request, sealedReply: good, envelopeDescriptor: utf8("x") as never }),
    (e) => hasCode(e, "ERR_PROTOCOL"),
  );
});

test("the descriptor contains everything for opening, and names the epoch of the keys", async () => {
  const message = makeReadMessage(readCap, firstMessageIndex);
  const epoch = 2n ** 53n + 1n;
  const sent = await createCourierEnvelope({ scheme, sizes, message, recipients, epoch });
  const fields = decodeEnvelopeDescriptor(sent.envelopeDescriptor);
  assert.equal(fields.epoch, epoch);
  assert.deepEqual(fields.replicaIds, [3, 200]);
  const publicKey = scheme.publicKeyOf(fields.envelopeKey);
  assert.equal(toHex(publicKey), toHex(sent.envelope.senderPublicKey));
  const asked: [number, bigint][] = [];
  await assert.rejects(
    openEnvelopeReply({
      scheme,
      envelopeDescriptor: sent.envelopeDescriptor,
      sealedReply: new Uint8Array(40),
      publicKeyOf: (id, at) => {
        asked.push([id, at]);
        return undefined;
      },
    }),
  );
  assert.deepEqual(asked, [
    [3, epoch],
    [200, epoch],
  ]);
});
