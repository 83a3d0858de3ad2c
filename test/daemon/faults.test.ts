/**
 * Unexpected errors inside a daemon: `onFault` receives them, and clients receive an internal
 * error.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeypair } from "../../src/bacap/capabilities.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import type { NikeScheme } from "../../src/crypto/nike/scheme.js";
import { boxes, nothing } from "./boxes-fixture.js";
import { courierAnswer, freshId, message, replicaAnswer, until, world } from "./fixture.js";

const INVALID_REQUEST = 3;
const INTERNAL_ERROR = 4;
/** The error of a runtime that lacks a primitive. */
const lacking = new TypeError("Unsupported digest: blake2b512");
const fail = (): never => {
  throw lacking;
};
const broken: NikeScheme = { ...x25519Nike, generate: fail, sharedSecret: fail };

test("a request that needs a primitive which the runtime lacks is an internal error, and a fault", async () => {
  const { daemon, faults, connect } = world({ scheme: broken, voucherScheme: broken });
  const client = connect();
  await client.hello(freshId());
  const { readCap, writeCap, firstMessageIndex: messageBoxIndex } = generateKeypair();
  const queryId = freshId();
  client.send({ kind: "encryptRead", queryId, readCap, messageBoxIndex });
  assert.equal((await client.expect("encryptReadReply")).errorCode, INTERNAL_ERROR);
  const plaintext = new Uint8Array(3);
  client.send({ kind: "encryptWrite", queryId, writeCap, messageBoxIndex, plaintext });
  assert.equal((await client.expect("encryptWriteReply")).errorCode, INTERNAL_ERROR);
  const displayName = "Alice";
  client.send({ kind: "voucherMint", queryId, messageWriteCap: writeCap, displayName });
  assert.equal((await client.expect("voucherMintReply")).errorCode, INTERNAL_ERROR);
  assert.deepEqual(faults, [lacking, lacking, lacking]);
  await daemon.close();
});

test("a wrong request is not reported as a fault", async () => {
  const { daemon, faults, connect } = world();
  const client = connect();
  await client.hello(freshId());
  const { writeCap, firstMessageIndex: messageBoxIndex } = generateKeypair();
  const damaged = writeCap.slice();
  damaged[40]! ^= 1;
  const plaintext = new Uint8Array(3);
  const queryId = freshId();
  client.send({ kind: "encryptWrite", queryId, writeCap: damaged, messageBoxIndex, plaintext });
  assert.equal((await client.expect("encryptWriteReply")).errorCode, INVALID_REQUEST);
  client.send({ kind: "newKeypair", queryId, seed: new Uint8Array(31) });
  assert.equal((await client.expect("newKeypairReply")).errorCode, INVALID_REQUEST);
  client.send({ kind: "voucherMint", queryId, messageWriteCap: damaged, displayName: "Alice" });
  assert.equal((await client.expect("voucherMintReply")).errorCode, INVALID_REQUEST);
  assert.deepEqual(faults, []);
  await daemon.close();
});

test("a reply that cannot be opened because a primitive is missing is a fault", async () => {
  const working = { ...x25519Nike };
  // Another daemon sealed it, so this one has to compute the reply key.
  const start = await (await boxes()).ready("read");
  const { client, link, faults } = await boxes({ scheme: working });
  client.send(start);
  await until(() => link.packets.length > 0);
  const answer = await replicaAnswer(link.last, () => nothing(1));
  Object.assign(working, { sharedSecret: fail });
  link.reply(link.last, answer);
  const { errorCode } = await client.expect("startResendingEncryptedMessageReply");
  assert.equal(errorCode, INTERNAL_ERROR);
  assert.deepEqual(faults, [lacking]);
});

test("a packet that cannot be built for a reason outside the network is a fault", async () => {
  const { client, link, faults, start } = await boxes();
  await start("read");
  link.failure = lacking;
  link.reply(link.last, courierAnswer(link.last));
  await until(() => faults.length > 0);
  client.send(message());
  assert.match((await client.expect("messageSentEvent")).err!, /internal error/);
  assert.deepEqual(faults, [lacking, lacking]);
});
