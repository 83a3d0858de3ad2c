import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/bytes/bytes.js";
import { envelopeHashOf } from "../../../src/crypto/envelope/courier-messages.js";
import {
  type ReplicaCommand,
  decodeReplicaCommand,
  encodeReplicaCommand,
} from "../../../src/crypto/envelope/wire-commands.js";
import { pigeonholeSizesFromSphinx } from "../../../src/pki/pigeonhole-sizes.js";
import { hasCode } from "../../../src/errors/errors.js";
import { asReference } from "../../pki/pigeonhole-fields.js";
import { hex, loadVectors } from "../../reference/load-vectors.js";

const vectors = loadVectors("wire_replica_commands");
const sizes = pigeonholeSizesFromSphinx(vectors.sphinx.UserForwardPayloadLength, "x25519");

// oxlint-disable-next-line typescript/no-explicit-any
function commandOf(name: string, f: any): ReplicaCommand {
  switch (name) {
    case "ReplicaMessage":
      return {
        kind: "replicaMessage",
        senderPublicKey: hex(f.sender_epubkey),
        dek: hex(f.dek),
        ciphertext: hex(f.ciphertext),
      };
    case "ReplicaMessageReply":
      return {
        kind: "replicaMessageReply",
        errorCode: f.error_code,
        envelopeHash: hex(f.envelope_hash),
        replicaId: f.replica_id,
        envelopeReply: hex(f.envelope_reply),
      };
    case "ReplicaWrite":
      return {
        kind: "replicaWrite",
        boxId: hex(f.box_id),
        signature: hex(f.signature),
        payload: hex(f.payload),
      };
    case "ReplicaWriteReply":
      return { kind: "replicaWriteReply", errorCode: f.error_code };
    case "ReplicaDecoy":
      return { kind: "replicaDecoy" };
    case "NoOp":
      return { kind: "noOp" };
    case "Disconnect":
      return { kind: "disconnect" };
    default:
      throw new Error(`unknown command ${name}`);
  }
}

test("commands match the reference in both directions", () => {
  assert.deepEqual(asReference(sizes), vectors.pigeonhole);
  assert.equal(sizes.wireCommandLength, vectors.max_command_size);
  const seen = new Set<string>();
  for (const v of vectors.cases) {
    const command = commandOf(v.command, v.fields);
    seen.add(v.command);
    const bytes = encodeReplicaCommand(command, v.unpadded ? undefined : sizes.wireCommandLength);
    assert.equal(toHex(bytes), v.bytes);
    assert.equal(bytes.length, v.size);
    assert.deepEqual(decodeReplicaCommand(hex(v.bytes), 32), command);
    if (command.kind === "replicaMessage") {
      assert.equal(toHex(envelopeHashOf(command)), v.fields.envelope_hash);
    }
  }
  assert.equal(vectors.cases.length, 13);
  assert.equal(seen.size, 7);
});

test("refuses what the reference refuses, with its error texts", () => {
  for (const v of vectors.negative) {
    const run = () => decodeReplicaCommand(hex(v.bytes), 32);
    if (v.accepted) assert.doesNotThrow(run, v.name);
    else {
      assert.throws(run, (e) => hasCode(e, "ERR_PROTOCOL") && e.message === v.error, v.name);
    }
  }
  assert.equal(vectors.negative.length, 10);
});
