/**
 * Every message of Pigeonhole decodes to what was encoded, and no truncation or change makes the
 * decoder crash.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes } from "../../../src/bytes/bytes.js";
import { hasCode } from "../../../src/errors/errors.js";
import {
  decodeCopyStreamElement,
  encodeCopyStreamElement,
} from "../../../src/crypto/copy-stream/element.js";
import * as courier from "../../../src/crypto/envelope/courier-messages.js";
import {
  decodeEnvelopeDescriptor,
  encodeEnvelopeDescriptor,
} from "../../../src/crypto/envelope/descriptor.js";
import { padMessage, unpadMessage } from "../../../src/crypto/envelope/padding.js";
import * as replica from "../../../src/crypto/envelope/replica-messages.js";
import {
  decodeReplicaCommand,
  encodeReplicaCommand,
} from "../../../src/crypto/envelope/wire-commands.js";

/** Records in the form of object literals, so that deep equality holds. */
function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}
const bytes = (minLength: number, maxLength = minLength) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => new Uint8Array(array));
const u8 = fc.integer({ min: 0, max: 255 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const payload = bytes(0, 80);

const envelope = record({
  intermediateReplicas: fc.tuple(u8, u8),
  deks: fc.tuple(bytes(60), bytes(60)),
  replyIndex: u8,
  epoch: u64,
  senderPublicKey: bytes(0, 40),
  ciphertext: payload,
});
const envelopeReply = record({
  envelopeHash: bytes(32),
  replyIndex: u8,
  replyType: fc.constantFrom("ack" as const, "payload" as const),
  payload,
  errorCode: u8,
});
const copyReply = record({ status: u8, errorCode: u8, failedEnvelopeIndex: u64 });
const signedBox = { boxId: bytes(32), signature: bytes(64), payload };

interface Codec<T> {
  readonly message: fc.Arbitrary<T>;
  readonly encode: (message: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
}

function codec<T>(
  message: fc.Arbitrary<T>,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): Codec<unknown> {
  return { message, encode: (value) => encode(value as T), decode };
}

const codecs: Record<string, Codec<unknown>> = {
  CourierEnvelope: codec(envelope, courier.encodeCourierEnvelope, courier.decodeCourierEnvelope),
  CourierQuery: codec(
    fc.oneof(
      record({ kind: fc.constant("envelope" as const), envelope }),
      record({ kind: fc.constant("copy" as const), writeCap: payload }),
    ),
    courier.encodeCourierQuery,
    courier.decodeCourierQuery,
  ),
  CourierEnvelopeReply: codec(
    envelopeReply,
    courier.encodeCourierEnvelopeReply,
    courier.decodeCourierEnvelopeReply,
  ),
  CopyCommandReply: codec(
    copyReply,
    courier.encodeCopyCommandReply,
    courier.decodeCopyCommandReply,
  ),
  CourierQueryReply: codec(
    fc.oneof(
      record({ kind: fc.constant("envelope" as const), reply: envelopeReply }),
      record({ kind: fc.constant("copy" as const), reply: copyReply }),
    ),
    courier.encodeCourierQueryReply,
    courier.decodeCourierQueryReply,
  ),
  ReplicaInnerMessage: codec(
    fc.oneof(
      record({ kind: fc.constant("read" as const), boxId: bytes(32) }),
      record({ kind: fc.constant("write" as const), ...signedBox }),
    ),
    replica.encodeReplicaInnerMessage,
    replica.decodeReplicaInnerMessage,
  ),
  ReplicaReplyMessage: codec(
    fc.oneof(
      record({ kind: fc.constant("read" as const), errorCode: u8, ...signedBox }),
      record({ kind: fc.constant("write" as const), errorCode: u8 }),
    ),
    replica.encodeReplicaReplyMessage,
    replica.decodeReplicaReplyMessage,
  ),
  Box: codec(record(signedBox), replica.encodeStoredBox, replica.decodeStoredBox),
  CopyStreamElement: codec(
    record({ flags: u8, data: payload }),
    encodeCopyStreamElement,
    decodeCopyStreamElement,
  ),
  padding: codec(
    payload,
    (message) => padMessage(message, message.length + 4),
    (padded) => unpadMessage(padded),
  ),
};

const isProtocolError = (error: unknown) => hasCode(error, "ERR_PROTOCOL");

for (const [name, { message, encode, decode }] of Object.entries(codecs)) {
  test(`${name}: decodes what was encoded, whatever follows; any truncation is an error`, () => {
    fc.assert(
      fc.property(message, bytes(0, 8), (value, trailing) => {
        const written = encode(value);
        assert.deepEqual(decode(concatBytes(written, trailing)), value);
        for (let cut = 0; cut < written.length; cut++) {
          assert.throws(() => decode(written.subarray(0, cut)), isProtocolError);
        }
      }),
      { numRuns: 30 },
    );
  });
}

const command = fc.oneof(
  record({
    kind: fc.constant("replicaMessage" as const),
    senderPublicKey: bytes(32),
    dek: bytes(60),
    ciphertext: bytes(4, 60),
  }),
  record({
    kind: fc.constant("replicaMessageReply" as const),
    errorCode: u8,
    envelopeHash: bytes(32),
    replicaId: u8,
    envelopeReply: payload,
  }),
  record({ kind: fc.constant("replicaWrite" as const), ...signedBox }),
  record({ kind: fc.constant("replicaWriteReply" as const), errorCode: u8 }),
  record({ kind: fc.constantFrom("noOp" as const, "disconnect", "replicaDecoy") }),
);

test("wire commands decode from any padding; any truncation without padding is an error", () => {
  fc.assert(
    fc.property(command, fc.nat(50), (value, padding) => {
      const bare = encodeReplicaCommand(value);
      assert.deepEqual(
        decodeReplicaCommand(encodeReplicaCommand(value, bare.length + padding), 32),
        value,
      );
      for (let cut = 0; cut < bare.length; cut++) {
        assert.throws(() => decodeReplicaCommand(bare.subarray(0, cut), 32), isProtocolError);
      }
    }),
    { numRuns: 60 },
  );
});

test("arbitrary bytes are either decoded or refused", () => {
  let read = 0;
  const decoders = [
    ...Object.values(codecs).map(({ decode }) => decode),
    (input: Uint8Array) => decodeReplicaCommand(input, 32),
    decodeEnvelopeDescriptor,
  ];
  fc.assert(
    fc.property(fc.nat(decoders.length - 1), fc.uint8Array({ maxLength: 300 }), (which, input) => {
      try {
        decoders[which]!(input);
        read++;
      } catch (error) {
        assert.ok(isProtocolError(error), String(error));
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(read > 0);
});

test("a descriptor decodes; no changed byte causes a crash, and truncations are refused", () => {
  fc.assert(
    fc.property(u64, fc.tuple(u8, u8), bytes(0, 60), fc.nat(), u8, (epoch, ids, key, at, to) => {
      const fields = { epoch, replicaIds: ids, envelopeKey: key };
      const written = encodeEnvelopeDescriptor(fields);
      assert.deepEqual(decodeEnvelopeDescriptor(written), fields);
      for (let cut = 0; cut < written.length; cut++) {
        assert.throws(() => decodeEnvelopeDescriptor(written.subarray(0, cut)), isProtocolError);
      }
      const changed = written.slice();
      changed[at % changed.length] = to;
      try {
        decodeEnvelopeDescriptor(changed);
      } catch (error) {
        assert.ok(isProtocolError(error), String(error));
      }
    }),
    { numRuns: 100 },
  );
});

test("a box in a command does not keep the padded command in memory", () => {
  for (const length of [0, 1500]) {
    const bytes = encodeReplicaCommand(
      {
        kind: "replicaWrite",
        boxId: new Uint8Array(32),
        signature: new Uint8Array(64),
        payload: new Uint8Array(length),
      },
      2000,
    );
    const read = decodeReplicaCommand(bytes, 32);
    assert.ok(read.kind === "replicaWrite");
    for (const field of [read.boxId, read.signature, read.payload]) {
      assert.equal(field.buffer.byteLength, field.length);
    }
  }
});
