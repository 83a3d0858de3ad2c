import assert from "node:assert/strict";
import { test } from "node:test";
import type { CourierEnvelope } from "../../../src/crypto/envelope/courier-messages.js";
import { CachedEnvelope } from "../../../src/network/courier/cached-envelope.js";

const entry = (kind = false): CachedEnvelope =>
  new CachedEnvelope(new Uint8Array(32) as never, {} as CourierEnvelope, 0, kind);
const reply = (errorCode: number, byte: number | null) => ({
  errorCode,
  payload: byte === null ? new Uint8Array(0) : Uint8Array.of(byte),
});

test("the first success of a replica stays, and later replies replace an error", () => {
  const made = entry(true);
  made.accept(0, reply(1, 1));
  assert.deepEqual(made.replyFor(0), { slot: 0, payload: Uint8Array.of(1) });
  made.accept(0, reply(4, 2));
  assert.deepEqual(made.replyFor(0)?.payload, Uint8Array.of(2));
  made.accept(0, reply(9, null));
  assert.deepEqual(
    made.replyFor(0)?.payload,
    Uint8Array.of(2),
    "a reply without a body does not replace one with a body",
  );
  assert.equal(made.succeeded, false);
  made.accept(0, reply(0, 3));
  assert.equal(made.succeeded, true);
  for (const late of [reply(1, 4), reply(11, 5), reply(0, 6)]) made.accept(0, late);
  assert.deepEqual(made.replyFor(0)?.payload, Uint8Array.of(3));
});

test("a later reply replaces an error, and a miss stays although the other replica found the box", () => {
  const made = entry();
  made.accept(0, reply(1, 1));
  made.accept(1, reply(0, 2));
  assert.deepEqual(made.replyFor(0), { slot: 0, payload: Uint8Array.of(1) }, "it is still served");
  assert.deepEqual(made.replyFor(1), { slot: 1, payload: Uint8Array.of(2) });
  made.accept(0, reply(9, null));
  assert.deepEqual(made.replyFor(0), { slot: 1, payload: Uint8Array.of(2) });
});
