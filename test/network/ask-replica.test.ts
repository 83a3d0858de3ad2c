import assert from "node:assert/strict";
import { test } from "node:test";
import { makeReadMessage, makeWriteMessage } from "../../src/crypto/envelope/box-messages.js";
import { envelopeHashOf } from "../../src/crypto/envelope/courier-messages.js";
import {
  openReplicaMessage,
  sealReplicaReply,
} from "../../src/crypto/envelope/replica-envelope.js";
import type {
  ReplicaInnerMessage,
  ReplicaReplyMessage,
} from "../../src/crypto/envelope/replica-messages.js";
import type {
  ReplicaCommand,
  ReplicaMessageCommand,
} from "../../src/crypto/envelope/wire-commands.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { chacha20Random } from "../../src/bacap/seeded-random.js";
import { hasCode } from "../../src/errors/errors.js";
import { askReplica } from "../../src/network/ask-replica.js";
import type { StorageLink } from "../../src/network/storage-link.js";
import { seed, sizes, stream } from "./storage-fixture.js";

const keys = stream(1);
const read = makeReadMessage(keys.readCap, keys.firstMessageIndex);
const write = makeWriteMessage(sizes, keys.writeCap, keys.firstMessageIndex, Uint8Array.of(1));
const box = { boxId: write.boxId, signature: write.signature, payload: write.payload };
const random = chacha20Random(seed(3));
const replica = x25519Nike.generate(random);

/** Asks a replica that opens the message, and answers as the test wants. */
function ask(
  message: ReplicaInnerMessage,
  answer: ReplicaReplyMessage,
  outer: Partial<Extract<ReplicaCommand, { kind: "replicaMessageReply" }>> = {},
): Promise<ReplicaReplyMessage> {
  const request = async (command: ReplicaMessageCommand): Promise<ReplicaCommand> => {
    const { privateKey } = replica;
    const opened = await openReplicaMessage({
      scheme: x25519Nike,
      privateKey,
      command,
    });
    return {
      kind: "replicaMessageReply",
      errorCode: answer.errorCode,
      envelopeHash: envelopeHashOf(command),
      replicaId: 0,
      envelopeReply: sealReplicaReply(sizes, opened.replyKey, answer, random),
      ...outer,
    };
  };
  const link = { request } as unknown as StorageLink;
  const { publicKey } = replica;
  return askReplica({
    scheme: x25519Nike,
    sizes,
    random,
    link,
    publicKey,
    message,
    timeoutMs: 1000,
  });
}

const refused = (answer: Promise<unknown>, said: RegExp): Promise<void> =>
  assert.rejects(answer, (error) => {
    assert.ok(hasCode(error, "ERR_PROTOCOL"), String(error));
    assert.match(error.message, said);
    return true;
  });

test("an answer to the question is returned unchanged", async () => {
  const found: ReplicaReplyMessage = { kind: "read", errorCode: 0, ...box };
  assert.deepEqual(await ask(read, found), found);
  const written: ReplicaReplyMessage = { kind: "write", errorCode: 10 };
  assert.deepEqual(await ask(write, written), written);
});

test("an answer about another box is refused, even if it is sealed and the box is signed", async () => {
  const other = stream(2);
  const theirs = makeWriteMessage(sizes, other.writeCap, other.firstMessageIndex, Uint8Array.of(2));
  const { boxId, signature, payload } = theirs;
  await refused(
    ask(read, { kind: "read", errorCode: 0, boxId, signature, payload }),
    /answer about another box/,
  );
  await refused(
    ask(read, { kind: "read", errorCode: 1, ...box, boxId, payload: new Uint8Array(0) }),
    /answer about another box/,
  );
});

test("an answer to the other kind of message is refused", async () => {
  await refused(ask(read, { kind: "write", errorCode: 0 }), /another kind of message/);
  await refused(ask(write, { kind: "read", errorCode: 0, ...box }), /another kind of message/);
});

test("a box of an invalid length is refused", async () => {
  const payload = new Uint8Array(5);
  await refused(ask(read, { kind: "read", errorCode: 0, ...box, payload }), /box of 5 bytes/);
  await refused(ask(read, { kind: "read", errorCode: 11, ...box, payload }), /expected 0/);
});

test("a replica's bare code applies only to the message that it names", async () => {
  const bare = { envelopeReply: new Uint8Array(0), errorCode: 8 };
  const answer: ReplicaReplyMessage = { kind: "write", errorCode: 0 };
  assert.deepEqual(await ask(write, answer, bare), { kind: "write", errorCode: 8 });
  const named = { ...bare, envelopeHash: new Uint8Array(32) as never };
  await refused(ask(write, answer, named), /answer to another message/);
});
