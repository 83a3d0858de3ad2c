/**
 * `null` is accepted wherever the Python binding 0.0.15 takes `None`, and means the same: the five
 * handlers of `Config`, the transports of `DialConfig`, the capabilities, index and reply index of
 * the three calls that send an envelope, the courier of a copy command, the buffer of two builders.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Config,
  DialConfig,
  ProtocolError,
  type ReadRequest,
  type ThinClient,
  type WriteRequest,
  utf8,
  utf8ToText,
} from "../../../src/index.js";
import { startTestNetwork } from "../../../src/testing/index.js";

test("handlers and transports of a configuration may be null", () => {
  const config = new Config({
    dial: { tcp: { address: "localhost:64331" }, unix: null, ws: null },
    onConnectionStatus: null,
    onNewPkiDocument: null,
    onMessageSent: null,
    onMessageReply: null,
    onDaemonDisconnected: null,
  });
  assert.equal(config.network, "tcp");
  assert.equal(config.dial.unix, undefined);
  config.onMessageReply = () => {};
  config.onMessageReply = null;
  assert.throws(() => new DialConfig({ unix: null, tcp: null }).resolve(), {
    name: "ConfigError",
    message: /no dial transport configured/,
  });
});

test("a client whose handlers are null works without events", async () => {
  await using network = await startTestNetwork();
  const handlers = { onConnectionStatus: null, onMessageReply: null, onMessageSent: null };
  const client = await network.client({ handlers });
  const echo = client.getService("echo").toDestination();
  assert.match(utf8ToText(await client.blockingSendMessage("hi", ...echo)), /^hi\0/);
});

/**
 * The arguments of the binding's call for an envelope, with null for absent ones as in the binding.
 */
async function requests(
  client: ThinClient,
): Promise<{ readonly write: WriteRequest; readonly read: ReadRequest }> {
  const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32));
  const sealed = await client.encryptWrite(utf8("hello"), writeCap, firstMessageIndex);
  const asked = await client.encryptRead(readCap, firstMessageIndex);
  return {
    write: {
      readCap: null,
      writeCap,
      messageBoxIndex: null,
      replyIndex: null,
      envelopeDescriptor: sealed.envelopeDescriptor,
      messageCiphertext: sealed.messageCiphertext,
      envelopeHash: sealed.envelopeHash,
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: false,
    },
    read: {
      readCap,
      writeCap: null,
      messageBoxIndex: firstMessageIndex,
      replyIndex: null,
      envelopeDescriptor: asked.envelopeDescriptor,
      messageCiphertext: asked.messageCiphertext,
      envelopeHash: asked.envelopeHash,
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: false,
    },
  };
}

test("the capability, index and reply index that an envelope does not need may be null", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { write, read } = await requests(client);
  await client.startResendingEncryptedMessage(write);
  const { plaintext } = await client.startResendingEncryptedMessage(read);
  assert.equal(utf8ToText(plaintext), "hello");
});

test("they may also be null in the two variants", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { write, read } = await requests(client);
  await client.startResendingEncryptedMessageReturnBoxExists(write);
  const { plaintext } = await client.startResendingEncryptedMessageNoRetry(read);
  assert.equal(utf8ToText(plaintext), "hello");
});

test("two nulls are not a capability, and a read needs its index", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { write, read } = await requests(client);
  const either = { name: "TypeError", message: /either `readCap` or `writeCap`/ };
  const neither = { ...write, writeCap: null } as never;
  await assert.rejects(client.startResendingEncryptedMessage(neither), either);
  const both = { ...read, writeCap: (write as { writeCap: Uint8Array }).writeCap } as never;
  await assert.rejects(client.startResendingEncryptedMessage(both), either);
  const placeless = { ...read, messageBoxIndex: null } as never;
  await assert.rejects(client.startResendingEncryptedMessage(placeless), {
    name: "TypeError",
    message: /`request\.messageBoxIndex` must be .* got null/,
  });
});

test("the courier of a copy command and the buffer of a builder may be null", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const temporary = await client.newKeypair(new Uint8Array(32).fill(1));
  const ada = await client.newKeypair(new Uint8Array(32).fill(2));
  const payloads = await client.createCourierEnvelopesFromMultiPayload({
    destinations: [
      { payload: utf8("hello"), writeCap: ada.writeCap, startIndex: ada.firstMessageIndex },
    ],
    isStart: true,
    isLast: true,
    buffer: null,
  });
  const tombstones = await client.createCourierEnvelopesFromTombstoneRange({
    destWriteCap: ada.writeCap,
    destStartIndex: ada.firstMessageIndex,
    maxCount: 1,
    isStart: true,
    isLast: true,
    buffer: null,
  });
  assert.ok(tombstones.envelopes.length > 0);
  let index = temporary.firstMessageIndex;
  for (const element of payloads.envelopes) {
    ({ nextMessageBoxIndex: index } = await client.write(temporary.writeCap, index, element));
  }
  await client.startResendingCopyCommand(temporary.writeCap, { courier: null });
  const { plaintext } = await client.read(ada.readCap, ada.firstMessageIndex);
  assert.equal(utf8ToText(plaintext), "hello");
});

test("parse_status and parse_pki_doc refuse invalid input, as the binding does", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  for (const wrong of [null, undefined, "text", { is_connected: true }, {}]) {
    assert.throws(() => client.parseStatus(wrong as never), {
      name: "TypeError",
      message: /^`event` must /,
    });
  }
  assert.equal(client.isConnected(), true);
  for (const wrong of [null, undefined, {}, { Payload: new Uint8Array(1) }, { payload: "text" }]) {
    assert.throws(() => client.parsePkiDoc(wrong as never), {
      name: "TypeError",
      message: /^`event(\.payload)?` must /,
    });
  }
  assert.throws(() => client.parsePkiDoc({ payload: new Uint8Array(3) }), ProtocolError);
});
