import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, utf8 } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import {
  encodeRoutingCommands,
  parseRoutingCommands,
  recipientOf,
  sortHopCommands,
} from "../../src/sphinx/commands.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import { commandOf, commandVector, failureOf } from "./sphinx-cases.js";

const vectors = loadVectors("mixnet-sphinx-routing-commands");

test("each command has the reference's bytes, and decodes", () => {
  for (const v of vectors.encode) {
    assert.equal(toHex(encodeRoutingCommands([commandOf(v.command)])), v.bytes);
    assert.deepEqual(parseRoutingCommands(hex(v.bytes)).map(commandVector), [v.command]);
  }
  assert.equal(vectors.encode.length, 7);
  assert.deepEqual(recipientOf(utf8("+echo")), commandOf(vectors.encode[1].command));
});

test("blocks are decoded and refused as by the reference", () => {
  let refused = 0;
  for (const v of vectors.parse) {
    if (v.error === undefined) {
      assert.deepEqual(parseRoutingCommands(hex(v.input)).map(commandVector), v.commands, v.name);
      continue;
    }
    assert.ok(
      hasCode(
        failureOf(() => parseRoutingCommands(hex(v.input))),
        "ERR_PROTOCOL",
      ),
      v.name,
    );
    refused++;
  }
  assert.deepEqual([vectors.parse.length, refused], [13, 6]);
});

test("commands are sorted by kind, and none may occur twice", () => {
  const block = vectors.parse.find((v: { name: string }) => v.name.startsWith("forward hop"));
  const commands = parseRoutingCommands(hex(block.input));
  const sorted = sortHopCommands(commands);
  assert.deepEqual(sorted.nodeDelay, commands[0]);
  assert.deepEqual(sorted.nextNodeHop, commands[1]);
  assert.deepEqual([sorted.recipient, sorted.surbReply], [null, null]);
  const twice = failureOf(() => sortHopCommands([commands[0]!, ...commands]));
  assert.match(twice.message, /NodeDelay appears twice/);
});

test("invalid commands are refused by name", () => {
  const encode = (delayMs: number) => encodeRoutingCommands([{ type: "NodeDelay", delayMs }]);
  for (const delayMs of [-1, 0.5, 2 ** 32, NaN]) {
    assert.throws(() => encode(delayMs), { name: "RangeError", message: /`delayMs`/ });
  }
  for (const length of [0, 33]) {
    assert.throws(() => recipientOf(new Uint8Array(length)), { name: "RangeError" });
  }
});
