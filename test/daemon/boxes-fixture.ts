/** A client for the daemon's tests that has a stream, and replies about its boxes. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/bytes/bytes.js";
import type { ReplicaReadReply } from "../../src/crypto/envelope/replica-messages.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { freshId, until, world } from "./fixture.js";

/** A start of an envelope. */
export type Start = DaemonRequest<"startResendingEncryptedMessage">;
type Keypair = DaemonResponse<"newKeypairReply">;

/** A client that has a stream and can start reads and writes of its first box. */
export async function boxes(options: Parameters<typeof world>[0] = {}) {
  const made = world(options);
  const client = made.connect();
  const token = freshId();
  await client.hello(token);
  client.send({ kind: "newKeypair", queryId: freshId(), seed: new Uint8Array(32).fill(5) });
  const keys = (await client.expect("newKeypairReply")) as Keypair;
  /** A start with its own envelope, not sent yet. */
  const ready = async (
    what: "read" | "write",
    flags: Partial<Start> = {},
    plaintext: Uint8Array<ArrayBuffer> = utf8("hello"),
  ): Promise<Start> => {
    const place = { queryId: freshId(), messageBoxIndex: keys.firstMessageIndex };
    if (what === "read") client.send({ kind: "encryptRead", readCap: keys.readCap, ...place });
    else client.send({ kind: "encryptWrite", writeCap: keys.writeCap, plaintext, ...place });
    const sealed = await client.expect(what === "read" ? "encryptReadReply" : "encryptWriteReply");
    assert.equal(sealed.errorCode, 0);
    return {
      kind: "startResendingEncryptedMessage",
      queryId: freshId(),
      readCap: what === "read" ? keys.readCap : null,
      writeCap: what === "write" ? keys.writeCap : null,
      messageBoxIndex: keys.firstMessageIndex,
      replyIndex: null,
      envelopeDescriptor: sealed.envelopeDescriptor,
      messageCiphertext: sealed.messageCiphertext,
      envelopeHash: sealed.envelopeHash,
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: false,
      ...flags,
    };
  };
  const start = async (...what: Parameters<typeof ready>): Promise<Start> => {
    const request = await ready(...what);
    const before = made.link.packets.length;
    client.send(request);
    await until(() => made.link.packets.length > before || client.responses.length > 0);
    return request;
  };
  return { ...made, client, keys, token, ready, start };
}

/** A read reply without a box. */
export const nothing = (errorCode: number): ReplicaReadReply => ({
  kind: "read",
  errorCode,
  boxId: new Uint8Array(32),
  signature: new Uint8Array(64),
  payload: new Uint8Array(0),
});
