import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/bytes/bytes.js";
import {
  decodeCopyStreamElement,
  encodeCopyStreamElement,
} from "../../../src/crypto/copy-stream/element.js";
import * as courier from "../../../src/crypto/envelope/courier-messages.js";
import {
  decodeEnvelopeDescriptor,
  encodeEnvelopeDescriptor,
} from "../../../src/crypto/envelope/descriptor.js";
import { FieldWriter } from "../../../src/crypto/envelope/fixed-layout.js";
import * as padding from "../../../src/crypto/envelope/padding.js";
import * as replica from "../../../src/crypto/envelope/replica-messages.js";
import { pigeonholeSizes } from "../../../src/pki/pigeonhole-sizes.js";
import { hasCode } from "../../../src/errors/errors.js";
import { hex, loadVectors } from "../../reference/load-vectors.js";

const vectors = loadVectors("trunnel");

/* oxlint-disable typescript/no-explicit-any -- the fields of a vector depend on its type */
interface Codec {
  /** Our message, built from the vector's fields. */
  from(fields: any): any;
  encode(message: any): Uint8Array;
  decode(bytes: Uint8Array): any;
}

const courierEnvelope = (f: any): courier.CourierEnvelope => ({
  intermediateReplicas: f.intermediate_replicas,
  deks: [hex(f.dek1), hex(f.dek2)],
  replyIndex: f.reply_index,
  epoch: BigInt(f.epoch),
  senderPublicKey: hex(f.sender_pubkey),
  ciphertext: hex(f.ciphertext),
});
const envelopeReply = (f: any): courier.CourierEnvelopeReply => ({
  envelopeHash: hex(f.envelope_hash),
  replyIndex: f.reply_index,
  replyType: (["ack", "payload"] as const)[f.reply_type as 0 | 1],
  payload: hex(f.payload),
  errorCode: f.error_code,
});
const copyReply = (f: any): courier.CopyCommandReply => ({
  status: f.status,
  errorCode: f.error_code,
  failedEnvelopeIndex: BigInt(f.failed_envelope_index),
});
const signedBox = (f: any): replica.SignedBox => ({
  boxId: hex(f.box_id),
  signature: hex(f.signature),
  payload: hex(f.payload),
});
const readReply = (f: any) => ({ errorCode: f.error_code as number, ...signedBox(f) });

const codecs: Record<string, Codec> = {
  CourierEnvelope: {
    from: courierEnvelope,
    encode: courier.encodeCourierEnvelope,
    decode: courier.decodeCourierEnvelope,
  },
  CourierQuery: {
    from: (f) =>
      f.query_type === 0
        ? { kind: "envelope", envelope: courierEnvelope(f.envelope) }
        : { kind: "copy", writeCap: hex(f.copy_command.write_cap) },
    encode: courier.encodeCourierQuery,
    decode: courier.decodeCourierQuery,
  },
  CopyCommand: {
    from: (f) => ({ writeCap: hex(f.write_cap) }),
    encode: (m) => courier.encodeCopyCommand(m.writeCap),
    decode: courier.decodeCopyCommand,
  },
  CourierEnvelopeReply: {
    from: envelopeReply,
    encode: courier.encodeCourierEnvelopeReply,
    decode: courier.decodeCourierEnvelopeReply,
  },
  CopyCommandReply: {
    from: copyReply,
    encode: courier.encodeCopyCommandReply,
    decode: courier.decodeCopyCommandReply,
  },
  CourierQueryReply: {
    from: (f) =>
      f.reply_type === 0
        ? { kind: "envelope", reply: envelopeReply(f.envelope_reply) }
        : { kind: "copy", reply: copyReply(f.copy_command_reply) },
    encode: courier.encodeCourierQueryReply,
    decode: courier.decodeCourierQueryReply,
  },
  ReplicaRead: {
    from: (f) => ({ boxId: hex(f.box_id) }),
    encode: (m) => replica.encodeReplicaRead(m.boxId),
    decode: replica.decodeReplicaRead,
  },
  ReplicaWrite: {
    from: signedBox,
    encode: replica.encodeReplicaWrite,
    decode: replica.decodeReplicaWrite,
  },
  ReplicaInnerMessage: {
    from: (f) =>
      f.message_type === 0
        ? { kind: "read", boxId: hex(f.read_msg.box_id) }
        : { kind: "write", ...signedBox(f.write_msg) },
    encode: replica.encodeReplicaInnerMessage,
    decode: replica.decodeReplicaInnerMessage,
  },
  ReplicaReadReply: {
    from: readReply,
    encode: replica.encodeReplicaReadReply,
    decode: replica.decodeReplicaReadReply,
  },
  ReplicaWriteReply: {
    from: (f) => ({ errorCode: f.error_code }),
    encode: (m) => replica.encodeReplicaWriteReply(m.errorCode),
    decode: replica.decodeReplicaWriteReply,
  },
  ReplicaMessageReplyInnerMessage: {
    from: (f) =>
      f.message_type === 0
        ? { kind: "read", ...readReply(f.read_reply) }
        : { kind: "write", errorCode: f.write_reply.error_code },
    encode: replica.encodeReplicaReplyMessage,
    decode: replica.decodeReplicaReplyMessage,
  },
  Box: {
    from: signedBox,
    encode: replica.encodeStoredBox,
    decode: replica.decodeStoredBox,
  },
  CopyStreamElement: {
    from: (f) => ({ flags: f.flags, data: hex(f.envelope_data) }),
    encode: encodeCopyStreamElement,
    decode: decodeCopyStreamElement,
  },
};

test("every message has the reference's bytes, and decodes", () => {
  const seen = new Set<string>();
  let absent = 0;
  for (const v of vectors.cases) {
    const codec = codecs[v.type]!;
    seen.add(v.type);
    if (v.fields.absent_member) {
      // Our types cannot express a message without its member; its bytes are refused, as by the
      // reference.
      assert.throws(() => codec.decode(hex(v.bytes)), { message: "data too short" });
      absent++;
      continue;
    }
    const message = codec.from(v.fields);
    const bytes = codec.encode(message);
    assert.equal(toHex(bytes), v.bytes, v.type);
    assert.equal(bytes.length, v.size);
    assert.deepEqual(codec.decode(hex(v.bytes)), message, v.type);
    if (v.fields.envelope_hash && v.type === "CourierEnvelope") {
      assert.equal(toHex(courier.envelopeHashOf(message)), v.fields.envelope_hash);
    }
    if (v.type === "CourierEnvelope") {
      assert.equal(courier.courierEnvelopeLength(message), v.size);
    }
  }
  assert.equal(vectors.cases.length, 89);
  assert.equal(absent, 2);
  assert.deepEqual([...seen].sort(), Object.keys(codecs).sort());
});

test("refuses what the reference refuses, with its error texts; ignores trailing bytes", () => {
  let parsed = 0;
  for (const v of vectors.negative) {
    if (v.type === "marshal") continue;
    const codec = codecs[v.type]!;
    const bytes = v.length === undefined ? hex(v.bytes) : new Uint8Array(v.length);
    parsed++;
    if (v.accepted) assert.doesNotThrow(() => codec.decode(bytes), v.name);
    else {
      assert.throws(
        () => codec.decode(bytes),
        (error) => hasCode(error, "ERR_PROTOCOL") && error.message === v.error,
        `${v.type} ${v.name}`,
      );
    }
  }
  assert.equal(parsed, 51);
});

test("messages of an unknown type are not encoded", () => {
  const marshal = vectors.negative.filter((v: any) => v.type === "marshal");
  // The third case, a length field that contradicts the data, cannot be expressed, because lengths
  // are computed.
  assert.deepEqual(
    marshal.map((v: any) => v.error),
    [
      "array length constraint violated",
      "integer constraint violated",
      "integer constraint violated",
    ],
  );
  const reply = {
    ...envelopeReply({ envelope_hash: "00".repeat(32), payload: "" }),
    replyIndex: 0,
  };
  assert.throws(
    () => courier.encodeCourierEnvelopeReply({ ...reply, errorCode: 0, replyType: "x" as "ack" }),
    /integer constraint violated/,
  );
  const query = { kind: "x" as "copy", writeCap: hex("") };
  assert.throws(() => courier.encodeCourierQuery(query), /integer constraint violated/);
});

function runPadding(v: any): string {
  switch (v.function) {
    case "CreatePaddedPayload":
      return toHex(padding.padMessage(hex(v.message), v.target_size));
    case "ExtractMessageFromPaddedPayload":
      return toHex(padding.unpadMessage(hex(v.padded)));
    case "PadToSize":
      return toHex(new FieldWriter().bytes("data", hex(v.message)).finish(v.target_size));
    case "PadInnerMessageForEncryption": {
      const sizes = pigeonholeSizes(v.geometry_max_plaintext, "x25519");
      return toHex(padding.padInnerMessage(sizes, hex(v.message)));
    }
    case "PadReplyInnerMessageForEncryption": {
      const sizes = pigeonholeSizes(v.geometry_max_plaintext, "x25519");
      return toHex(padding.padReplyMessage(sizes, hex(v.message)));
    }
    default:
      throw new assert.AssertionError({ message: `unknown function ${v.function}` });
  }
}

test("padding and unpadding match the reference", () => {
  for (const v of vectors.padding) {
    if (v.error !== "") {
      assert.throws(() => runPadding(v), { message: v.error });
      continue;
    }
    const extracting = v.function === "ExtractMessageFromPaddedPayload";
    assert.equal(runPadding(v), extracting ? v.message : v.padded);
  }
  assert.equal(vectors.padding.length, 24);
});

test("envelope descriptors match the reference in both directions", () => {
  for (const v of vectors.envelope_descriptor) {
    const fields = {
      epoch: BigInt(v.epoch),
      replicaIds: v.replica_nums,
      envelopeKey: hex(v.envelope_key),
    };
    assert.equal(toHex(encodeEnvelopeDescriptor(fields)), v.cbor);
    assert.deepEqual(decodeEnvelopeDescriptor(hex(v.cbor)), fields);
  }
  assert.equal(vectors.envelope_descriptor.length, 3);
});
