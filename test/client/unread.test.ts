import assert from "node:assert/strict";
import { test } from "node:test";
import { SurbId } from "../../src/bytes/opaque.js";
import { Unread } from "../../src/client/unread.js";

test("answers that arrive out of order take nothing back", () => {
  const unread = new Unread();
  for (let i = 0; i < 9; i++) unread.sent();
  unread.hasLeft(5);
  unread.hasLeft(3);
  assert.deepEqual([unread.leftCount, unread.count], [5, 4]);
  unread.answered(8);
  unread.answered(6);
  assert.equal(unread.count, 1);
});

test("a message of an earlier connection says nothing about the new one", () => {
  const unread = new Unread();
  const surbId = SurbId.random();
  for (let i = 0; i < 9; i++) unread.sent();
  unread.sent(surbId);
  unread.reset();
  unread.sent();
  unread.messageLeft(surbId);
  assert.deepEqual([unread.leftCount, unread.count], [0, 1]);
});

test("a thousand messages are tracked until they leave, and of more the last ones", () => {
  const unread = new Unread();
  const surbIds = Array.from({ length: 1001 }, () => SurbId.random());
  for (const surbId of surbIds) unread.sent(surbId);
  unread.messageLeft(surbIds[0]!);
  assert.equal(unread.leftCount, 0);
  unread.messageLeft(surbIds[1]!);
  assert.equal(unread.leftCount, 2);
});
