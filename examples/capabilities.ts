/** Boxes without a daemon: making, signing, verifying and opening them in this process. */
import assert from "node:assert/strict";
import { utf8, utf8ToText } from "katzenpost-thinclient";

// #region bacap
import {
  encryptBox,
  generateKeypair,
  nextMessageBoxIndex,
  openBox,
  verifyBox,
} from "katzenpost-thinclient/bacap";

const { writeCap, readCap, firstMessageIndex } = generateKeypair();
const box = encryptBox(writeCap, firstMessageIndex, utf8("hello"));
console.log(verifyBox(box)); // anybody can verify a box, but nobody learns whose it is
const opened = openBox(readCap, firstMessageIndex, box);
const next = nextMessageBoxIndex(firstMessageIndex); // each index gives the next one, not the one before
// #endregion
assert.ok(opened.kind === "message" && utf8ToText(opened.plaintext) === "hello");
assert.equal(next.length, 104);
