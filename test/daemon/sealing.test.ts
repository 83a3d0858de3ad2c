/** Sealing that takes long, and what else the daemon does meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import type { NikeScheme } from "../../src/crypto/nike/scheme.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { type Start, boxes, nothing } from "./boxes-fixture.js";
import { freshId, replicaAnswer, turn, until } from "./fixture.js";

/** A scheme that answers only when the test allows it. */
function slowNike() {
  let held: (() => void)[] = [];
  let isOpen = true;
  const gate = async <T>(work: () => T | Promise<T>): Promise<T> => {
    if (!isOpen) await new Promise<void>((resolve) => held.push(resolve));
    return work();
  };
  const scheme: NikeScheme = {
    ...x25519Nike,
    generate: (random) => gate(() => x25519Nike.generate(random)),
    sharedSecret: (privateKey, publicKey) =>
      gate(() => x25519Nike.sharedSecret(privateKey, publicKey)),
  };
  const hold = (): void => void (isOpen = false);
  const release = (): void => {
    isOpen = true;
    for (const go of held) go();
    held = [];
  };
  return { scheme, hold, release, held: () => held.length };
}

async function scene(sealingsAtOnce?: number) {
  const nike = slowNike();
  const made = await boxes({ scheme: nike.scheme, sealingsAtOnce });
  nike.hold();
  const seal = (): void =>
    made.client.send({
      kind: "encryptWrite",
      queryId: freshId(),
      writeCap: made.keys.writeCap,
      messageBoxIndex: made.keys.firstMessageIndex,
      plaintext: utf8("hello"),
    });
  const newKeypair = (): void =>
    made.client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32) });
  const kinds = (): DaemonResponse["kind"][] => made.client.responses.map(({ kind }) => kind);
  return { ...made, nike, seal, newKeypair, kinds };
}

test("a daemon that may seal several envelopes at once answers other requests meanwhile", async () => {
  const { nike, seal, newKeypair, kinds } = await scene(4);
  seal();
  seal();
  newKeypair();
  await until(() => kinds().includes("newKeypairReply") && nike.held() === 2);
  assert.deepEqual(kinds(), ["newKeypairReply"]);
  nike.release();
  await until(() => kinds().length === 3);
  assert.deepEqual(kinds().slice(1), ["encryptWriteReply", "encryptWriteReply"]);
});

test("a client's requests beyond that number wait until one is done", async () => {
  const { nike, seal, newKeypair, kinds } = await scene(2);
  for (let i = 0; i < 3; i++) seal();
  newKeypair();
  await until(() => nike.held() === 2);
  for (let i = 0; i < 20; i++) await turn();
  assert.deepEqual([nike.held(), kinds()], [2, []]);
  nike.release();
  await until(() => kinds().length === 4);
  assert.equal(kinds().filter((kind) => kind === "encryptWriteReply").length, 3);
});

test("requests are served one after the other by default, as by a real daemon", async () => {
  const { nike, seal, newKeypair, kinds } = await scene();
  seal();
  newKeypair();
  await until(() => nike.held() === 1);
  for (let i = 0; i < 20; i++) await turn();
  assert.deepEqual(kinds(), []);
  nike.release();
  await until(() => kinds().length === 2);
  assert.deepEqual(kinds(), ["encryptWriteReply", "newKeypairReply"]);
});

test("a client that leaves while its envelopes are sealed does not cause a fault", async () => {
  const { nike, seal, client, faults, daemon } = await scene(4);
  seal();
  await until(() => nike.held() === 1);
  client.send({ kind: "thinClose" });
  await until(() => daemon.load.sessions === 0);
  nike.release();
  for (let i = 0; i < 20; i++) await turn();
  assert.deepEqual(faults, []);
});

/** Reads a missing box once with an envelope, and returns the code of the answer. */
async function missWith(made: Awaited<ReturnType<typeof boxes>>, start: Start): Promise<number> {
  const before = made.link.packets.length;
  made.client.send(start);
  await until(() => made.link.packets.length > before);
  made.link.reply(made.link.last, await replicaAnswer(made.link.last, () => nothing(1)));
  return (await made.client.expect("startResendingEncryptedMessageReply")).errorCode;
}

test("a reply to an envelope that the daemon sealed needs no key exchange", async () => {
  let exchanges = 0;
  const scheme: NikeScheme = {
    ...x25519Nike,
    sharedSecret: (privateKey, publicKey) => {
      exchanges++;
      return x25519Nike.sharedSecret(privateKey, publicKey);
    },
  };
  const made = await boxes({ scheme });
  const start = await made.ready("read", { noRetryOnBoxIdNotFound: true });
  assert.equal(exchanges, 2, "one for each replica");
  assert.equal(await missWith(made, start), 1);
  assert.equal(exchanges, 2);
});

test("a reply to an envelope that another daemon sealed is still opened", async () => {
  const start = await (await boxes()).ready("read", { noRetryOnBoxIdNotFound: true });
  assert.equal(await missWith(await boxes(), start), 1);
});

test("a reply is opened with the descriptor, whatever the hash, and not with another descriptor", async () => {
  const made = await boxes();
  const one = await made.ready("read", { noRetryOnBoxIdNotFound: true });
  const { envelopeDescriptor } = await made.ready("read");
  assert.equal(await missWith(made, { ...one, envelopeDescriptor }), 22);
});
