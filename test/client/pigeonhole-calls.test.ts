import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ThinClient } from "../../src/client/thin-client.js";
import { DaemonRequestError, ProtocolError, hasCode } from "../../src/errors/errors.js";
import type { DaemonRequest, RequestKind } from "../../src/wire/requests.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { connectedPair, isPending, reasonOf } from "./fixture.js";
import {
  ciphertext,
  courier,
  descriptor,
  filled,
  hashOf,
  index,
  nextIndex,
  readCap,
  sealedRead,
  sealedWrite,
  writeCap,
} from "./pigeonhole-fixture.js";

/** One call: its request, its reply and its result. */
interface Case {
  readonly name: string;
  readonly kind: RequestKind;
  readonly call: (client: ThinClient) => Promise<unknown>;
  /** The fields of the request, without the query ID. */
  readonly sent: Record<string, unknown>;
  /** The fields of the reply, without query ID and code. */
  readonly reply: Record<string, unknown>;
  readonly result: unknown;
  /** The fields that a successful reply must have. */
  readonly needed: readonly string[];
  /** Whether the client's default deadline applies. */
  readonly quick?: boolean;
}

const sealed = {
  messageCiphertext: ciphertext,
  envelopeDescriptor: descriptor,
  envelopeHash: hashOf(1),
  nextMessageBoxIndex: nextIndex,
};
const stream = { voucherWriteCap: writeCap, voucherReadCap: readCap };
const start = { isStart: true, isLast: false };

const cases: readonly Case[] = [
  {
    name: "newKeypair",
    kind: "newKeypair",
    call: (client) => client.newKeypair(filled(32, 5)),
    sent: { seed: filled(32, 5) },
    reply: { writeCap, readCap, firstMessageIndex: index },
    result: { writeCap, readCap, firstMessageIndex: index },
    needed: ["writeCap", "readCap", "firstMessageIndex"],
    quick: true,
  },
  {
    name: "encryptRead",
    kind: "encryptRead",
    call: (client) => client.encryptRead(readCap, index),
    sent: { readCap, messageBoxIndex: index },
    reply: sealed,
    result: { kind: "read", readCap, messageBoxIndex: index, ...sealed },
    needed: Object.keys(sealed),
  },
  {
    name: "encryptWrite",
    kind: "encryptWrite",
    call: (client) => client.encryptWrite(filled(1549), writeCap, index),
    sent: { plaintext: filled(1549), writeCap, messageBoxIndex: index },
    reply: sealed,
    result: { kind: "write", writeCap, messageBoxIndex: index, ...sealed },
    needed: Object.keys(sealed),
  },
  {
    name: "encryptWrite of a tombstone",
    kind: "encryptWrite",
    call: (client) => client.encryptWrite(filled(0), writeCap, index),
    sent: { plaintext: filled(0), writeCap, messageBoxIndex: index },
    reply: sealed,
    result: { kind: "write", writeCap, messageBoxIndex: index, ...sealed },
    needed: [],
  },
  {
    name: "nextMessageBoxIndex",
    kind: "nextMessageBoxIndex",
    call: (client) => client.nextMessageBoxIndex(index),
    sent: { messageBoxIndex: index },
    reply: { nextMessageBoxIndex: nextIndex },
    result: nextIndex,
    needed: ["nextMessageBoxIndex"],
    quick: true,
  },
  {
    name: "getMessageBoxIndexCounter",
    kind: "getMessageBoxIndexCounter",
    call: (client) => client.getMessageBoxIndexCounter(index),
    sent: { messageBoxIndex: index },
    reply: { counter: 2n ** 64n - 1n },
    result: 2n ** 64n - 1n,
    needed: [],
    quick: true,
  },
  {
    name: "createCourierEnvelopesFromPayload",
    kind: "createCourierEnvelopesFromPayload",
    call: (client) =>
      client.createCourierEnvelopesFromPayload({
        payload: filled(3000),
        destWriteCap: writeCap,
        destStartIndex: index,
        ...start,
      }),
    sent: { payload: filled(3000), destWriteCap: writeCap, destStartIndex: index, ...start },
    reply: { envelopes: [filled(3), filled(2)], nextDestIndex: nextIndex },
    result: {
      envelopes: [filled(3), filled(2)],
      buffer: filled(0),
      nextDestIndex: nextIndex,
      nextDestIndices: null,
    },
    needed: ["nextDestIndex"],
  },
  {
    name: "createCourierEnvelopesFromPayload of an empty payload",
    kind: "createCourierEnvelopesFromPayload",
    call: (client) =>
      client.createCourierEnvelopesFromPayload({
        payload: filled(0),
        destWriteCap: writeCap,
        destStartIndex: index,
        isStart: false,
        isLast: false,
      }),
    sent: {
      payload: filled(0),
      destWriteCap: writeCap,
      destStartIndex: index,
      isStart: false,
      isLast: false,
    },
    reply: { envelopes: null, nextDestIndex: index },
    result: { envelopes: [], buffer: filled(0), nextDestIndex: index, nextDestIndices: null },
    needed: [],
  },
  {
    name: "createCourierEnvelopesFromMultiPayload",
    kind: "createCourierEnvelopesFromMultiPayload",
    call: (client) =>
      client.createCourierEnvelopesFromMultiPayload({
        destinations: [
          { payload: filled(10), writeCap, startIndex: index },
          { payload: filled(20), writeCap, startIndex: nextIndex },
        ],
        ...start,
        buffer: filled(4, 9),
      }),
    sent: {
      destinations: [
        { payload: filled(10), writeCap, startIndex: index },
        { payload: filled(20), writeCap, startIndex: nextIndex },
      ],
      ...start,
      buffer: filled(4, 9),
    },
    reply: { envelopes: [filled(3)], buffer: filled(6), nextDestIndices: [nextIndex, index] },
    result: {
      envelopes: [filled(3)],
      buffer: filled(6),
      nextDestIndex: null,
      nextDestIndices: [nextIndex, index],
    },
    needed: ["nextDestIndices"],
  },
  {
    name: "createCourierEnvelopesFromMultiPayload without a buffer on either side",
    kind: "createCourierEnvelopesFromMultiPayload",
    call: (client) =>
      client.createCourierEnvelopesFromMultiPayload({
        destinations: [{ payload: filled(10), writeCap, startIndex: index }],
        isStart: true,
        isLast: true,
      }),
    sent: {
      destinations: [{ payload: filled(10), writeCap, startIndex: index }],
      isStart: true,
      isLast: true,
      buffer: null,
    },
    reply: { envelopes: [filled(3)], buffer: null, nextDestIndices: [nextIndex] },
    result: {
      envelopes: [filled(3)],
      buffer: filled(0),
      nextDestIndex: null,
      nextDestIndices: [nextIndex],
    },
    needed: [],
  },
  {
    name: "createCourierEnvelopesFromTombstoneRange",
    kind: "createCourierEnvelopesFromTombstoneRange",
    call: (client) =>
      client.createCourierEnvelopesFromTombstoneRange({
        destWriteCap: writeCap,
        destStartIndex: index,
        maxCount: 3,
        ...start,
      }),
    sent: { destWriteCap: writeCap, destStartIndex: index, maxCount: 3, ...start, buffer: null },
    reply: { envelopes: [filled(3)], buffer: filled(6), nextDestIndex: nextIndex },
    result: {
      envelopes: [filled(3)],
      buffer: filled(6),
      nextDestIndex: nextIndex,
      nextDestIndices: null,
    },
    needed: ["nextDestIndex"],
  },
  {
    name: "startResendingEncryptedMessage of a read",
    kind: "startResendingEncryptedMessage",
    call: (client) => client.startResendingEncryptedMessage({ ...sealedRead, replyIndex: 1 }),
    sent: {
      readCap,
      writeCap: null,
      messageBoxIndex: index,
      replyIndex: 1,
      envelopeDescriptor: descriptor,
      messageCiphertext: ciphertext,
      envelopeHash: hashOf(1),
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: false,
    },
    reply: {
      plaintext: filled(5),
      courierIdentityHash: courier[0],
      courierQueueId: courier[1],
    },
    result: {
      plaintext: filled(5),
      courierIdentityHash: courier[0],
      courierQueueId: courier[1],
    },
    needed: ["plaintext"],
  },
  {
    name: "startResendingEncryptedMessageNoRetry",
    kind: "startResendingEncryptedMessage",
    call: (client) => client.startResendingEncryptedMessageNoRetry(sealedRead),
    sent: {
      readCap,
      writeCap: null,
      messageBoxIndex: index,
      replyIndex: null,
      envelopeDescriptor: descriptor,
      messageCiphertext: ciphertext,
      envelopeHash: hashOf(1),
      noRetryOnBoxIdNotFound: true,
      noIdempotentBoxAlreadyExists: false,
    },
    reply: { plaintext: filled(0), courierIdentityHash: null, courierQueueId: null },
    result: { plaintext: filled(0), courierIdentityHash: null, courierQueueId: null },
    needed: [],
  },
  {
    name: "startResendingEncryptedMessageReturnBoxExists",
    kind: "startResendingEncryptedMessage",
    call: (client) => client.startResendingEncryptedMessageReturnBoxExists(sealedWrite),
    sent: {
      readCap: null,
      writeCap,
      messageBoxIndex: index,
      replyIndex: null,
      envelopeDescriptor: descriptor,
      messageCiphertext: ciphertext,
      envelopeHash: hashOf(2),
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: true,
    },
    reply: { plaintext: null, courierIdentityHash: courier[0], courierQueueId: courier[1] },
    result: {
      plaintext: filled(0),
      courierIdentityHash: courier[0],
      courierQueueId: courier[1],
    },
    needed: [],
  },
  {
    name: "startResendingEncryptedMessage of a tombstone without its index",
    kind: "startResendingEncryptedMessage",
    call: (client) =>
      client.startResendingEncryptedMessage({
        messageCiphertext: ciphertext,
        envelopeDescriptor: descriptor,
        envelopeHash: hashOf(3),
        boxIndex: index,
        writeCap,
      }),
    sent: {
      readCap: null,
      writeCap,
      messageBoxIndex: null,
      replyIndex: null,
      envelopeDescriptor: descriptor,
      messageCiphertext: ciphertext,
      envelopeHash: hashOf(3),
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: false,
    },
    reply: { plaintext: null, courierIdentityHash: null, courierQueueId: null },
    result: { plaintext: filled(0), courierIdentityHash: null, courierQueueId: null },
    needed: [],
  },
  {
    name: "startResendingCopyCommand",
    kind: "startResendingCopyCommand",
    call: (client) => client.startResendingCopyCommand(writeCap),
    sent: { writeCap, courierIdentityHash: null, courierQueueId: null },
    reply: { replicaErrorCode: null, failedEnvelopeIndex: null },
    result: undefined,
    needed: [],
  },
  {
    name: "startResendingCopyCommand with a courier",
    kind: "startResendingCopyCommand",
    call: (client) => client.startResendingCopyCommand(writeCap, { courier }),
    sent: { writeCap, courierIdentityHash: courier[0], courierQueueId: courier[1] },
    reply: { replicaErrorCode: null, failedEnvelopeIndex: null },
    result: undefined,
    needed: [],
  },
  {
    name: "voucherMint",
    kind: "voucherMint",
    call: (client) => client.voucherMint(writeCap, "Zoë"),
    sent: { messageWriteCap: writeCap, displayName: "Zoë" },
    reply: {
      voucher: filled(32, 1),
      voucherPayload: filled(300, 2),
      ...stream,
      voucherSecretKey: filled(162, 3),
      voucherPublicKey: filled(160, 4),
    },
    result: {
      voucher: filled(32, 1),
      voucherPayload: filled(300, 2),
      ...stream,
      voucherSecretKey: filled(162, 3),
      voucherPublicKey: filled(160, 4),
    },
    needed: [
      "voucher",
      "voucherPayload",
      "voucherWriteCap",
      "voucherReadCap",
      "voucherSecretKey",
      "voucherPublicKey",
    ],
  },
  {
    name: "voucherInduct",
    kind: "voucherInduct",
    call: (client) => client.voucherInduct(filled(32), filled(300, 2), filled(0)),
    sent: { voucher: filled(32), voucherPayload: filled(300, 2), whoReply: filled(0) },
    reply: {
      displayName: "",
      mutatedMessageReadCap: readCap,
      sealedReply: filled(400),
      ...stream,
      salt: filled(32, 8),
    },
    result: {
      displayName: "",
      mutatedMessageReadCap: readCap,
      sealedReply: filled(400),
      ...stream,
      salt: filled(32, 8),
    },
    needed: [
      "displayName",
      "mutatedMessageReadCap",
      "sealedReply",
      "voucherWriteCap",
      "voucherReadCap",
      "salt",
    ],
  },
  {
    name: "voucherOpen",
    kind: "voucherOpen",
    call: (client) => client.voucherOpen(filled(162), filled(400), writeCap),
    sent: {
      voucherSecretKey: filled(162),
      sealedReply: filled(400),
      messageWriteCap: writeCap,
    },
    reply: { whoReply: filled(9), salt: filled(32, 8), mutatedMessageWriteCap: writeCap },
    result: { whoReply: filled(9), salt: filled(32, 8), mutatedMessageWriteCap: writeCap },
    needed: ["whoReply", "salt", "mutatedMessageWriteCap"],
  },
  {
    name: "voucherDeriveStream",
    kind: "voucherDeriveStream",
    call: (client) => client.voucherDeriveStream(filled(32)),
    sent: { voucher: filled(32) },
    reply: stream,
    result: stream,
    needed: ["voucherWriteCap", "voucherReadCap"],
  },
];

function replyOf(
  one: Case,
  request: DaemonRequest,
  fields: Record<string, unknown>,
): DaemonResponse {
  const { queryId } = request as { queryId: Uint8Array | null };
  const reply = { kind: `${one.kind}Reply`, queryId, errorCode: 0, ...one.reply, ...fields };
  return reply as unknown as DaemonResponse;
}

/** The daemon's reply to a failed request, which has only a code. */
function failureOf(one: Case, request: DaemonRequest, errorCode: number): DaemonResponse {
  const nothing = Object.keys(one.reply).map((name) => [name, name === "counter" ? 0n : null]);
  return replyOf(one, request, { ...Object.fromEntries(nothing), errorCode });
}

describe("each Pigeonhole call", () => {
  for (const one of cases) {
    test(`${one.name} sends its fields and returns the fields of the reply`, async () => {
      const { client, connection } = await connectedPair();
      const result = one.call(client);
      const request = await connection.expect(one.kind);
      const { kind, queryId, ...fields } = request as unknown as Record<string, unknown>;
      assert.equal(kind, one.kind);
      assert.equal((queryId as Uint8Array).length, 16);
      assert.deepEqual(fields, one.sent);
      connection.send(replyOf(one, request, {}));
      assert.deepEqual(await result, one.result);
      assert.equal(client.pendingCalls, 0);
      await client.stop();
    });

    test(`${one.name} reports the daemon's own errors by their code and names itself`, async () => {
      const { client, connection } = await connectedPair();
      const reason = reasonOf(one.call(client));
      const request = await connection.expect(one.kind);
      connection.send(failureOf(one, request, 3));
      const error = await reason;
      assert.ok(error instanceof DaemonRequestError, String(error));
      assert.equal(error.code, "THIN_CLIENT_ERROR_INVALID_REQUEST");
      assert.equal(error.errorCode, 3);
      assert.equal(error.operation, one.name.split(" ")[0]);
      await client.stop();
    });

    for (const name of one.needed) {
      test(`${one.name} does not accept success without ${name}`, async () => {
        const { client, connection } = await connectedPair();
        const reason = reasonOf(one.call(client));
        connection.send(replyOf(one, await connection.expect(one.kind), { [name]: null }));
        const error = await reason;
        assert.ok(error instanceof ProtocolError, String(error));
        assert.equal(error.operation, one.name.split(" ")[0]);
        await client.stop();
      });
    }

    test(`${one.name} has ${one.quick ? "the client's" : "no"} deadline by default`, async () => {
      const { client, connection, clock } = await connectedPair({ defaultTimeoutMs: 5000 });
      const result = one.call(client);
      result.catch(() => {});
      await connection.expect(one.kind);
      await clock.advance(4999);
      assert.equal(await isPending(result), true);
      await clock.advance(24 * 3_600_000);
      assert.equal(await isPending(result), !one.quick);
      if (one.quick) assert.ok(hasCode(await reasonOf(result), "ERR_TIMEOUT"));
      await client.stop();
    });
  }

  test("the table contains every call that is answered by one reply", () => {
    const kinds = new Set(cases.map(({ kind }) => kind));
    assert.equal(kinds.size, 14);
    assert.equal(cases.length, 21);
  });

  test("a payload that is too large for the daemon gives PayloadTooLargeError", async () => {
    const { client, connection } = await connectedPair();
    const reason = reasonOf(client.encryptWrite(filled(10), writeCap, index));
    const request = await connection.expect("encryptWrite");
    connection.send(failureOf(cases[2]!, request, 27));
    assert.ok(hasCode(await reason, "THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE"));
    await client.stop();
  });

  test("each voucher code has its class", async () => {
    const { client, connection } = await connectedPair();
    const codes = [
      [28, "THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH"],
      [29, "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID"],
      [30, "THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED"],
    ] as const;
    for (const [errorCode, code] of codes) {
      const induct = cases.find(({ name }) => name === "voucherInduct")!;
      const reason = reasonOf(induct.call(client));
      connection.send(failureOf(induct, await connection.expect("voucherInduct"), errorCode));
      assert.ok(hasCode(await reason, code), code);
    }
    await client.stop();
  });

  test("the reply must have one next index for each destination", async () => {
    const { client, connection } = await connectedPair();
    const multi = cases.find(({ name }) => name === "createCourierEnvelopesFromMultiPayload")!;
    const reason = reasonOf(multi.call(client));
    const request = await connection.expect(multi.kind);
    connection.send(replyOf(multi, request, { nextDestIndices: [index] }));
    assert.ok((await reason) instanceof ProtocolError);
    await client.stop();
  });

  test("a buffer that the daemon dropped for a range of no tombstones is returned", async () => {
    const { client, connection } = await connectedPair();
    const tombs = cases.find(({ name }) => name === "createCourierEnvelopesFromTombstoneRange")!;
    const request = { destWriteCap: writeCap, destStartIndex: index, maxCount: 0, isStart: false };
    const nothing = { envelopes: null, buffer: null, nextDestIndex: index };
    const buffer = filled(6, 3);
    const goesOn = client.createCourierEnvelopesFromTombstoneRange({
      ...request,
      isLast: false,
      buffer,
    });
    connection.send(replyOf(tombs, await connection.expect(tombs.kind), nothing));
    assert.deepEqual(await goesOn, {
      envelopes: [],
      buffer,
      nextDestIndex: index,
      nextDestIndices: null,
    });
    const last = reasonOf(
      client.createCourierEnvelopesFromTombstoneRange({ ...request, isLast: true, buffer }),
    );
    connection.send(replyOf(tombs, await connection.expect(tombs.kind), nothing));
    assert.ok((await last) instanceof ProtocolError, "the stream has no end");
    await client.stop();
  });
});

test("an empty ciphertext or descriptor is blamed on the daemon, not on the caller", async () => {
  for (const empty of ["messageCiphertext", "envelopeDescriptor"] as const) {
    for (const kind of ["encryptRead", "encryptWrite"] as const) {
      const { client, connection } = await connectedPair();
      const call = reasonOf(
        kind === "encryptRead"
          ? client.read(readCap, index)
          : client.write(writeCap, index, filled(3)),
      );
      const { queryId } = await connection.expect(kind);
      const fields = { ...sealed, [empty]: filled(0) };
      connection.send({ kind: `${kind}Reply`, queryId, ...fields, errorCode: 0 } as DaemonResponse);
      const error = await call;
      assert.ok(error instanceof ProtocolError, String(error));
      assert.match(error.message, /the daemon reports success but sent an empty/);
      await client.stop();
    }
  }
});
