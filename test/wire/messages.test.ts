import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { fromHex } from "../../src/bytes/bytes.js";
import { ProtocolError } from "../../src/errors/errors.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import {
  type DaemonRequest,
  decodeRequest,
  encodeRequest,
  requestSchemas,
} from "../../src/wire/requests.js";
import {
  type DaemonResponse,
  decodeResponse,
  encodeResponse,
  responseSchemas,
} from "../../src/wire/responses.js";
import { requestKinds, requestsOf, responseKinds, responsesOf } from "./message-arbitraries.js";

const id = new Uint8Array(16).fill(5);

/** The only member of a message, with its name. */
function member(body: Uint8Array): [name: string, fields: CborMap] {
  const message = decodeCbor(body) as Map<string, CborMap>;
  assert.equal(message.size, 1);
  return [...message][0]!;
}

test("there are 21 requests and 25 responses", () => {
  assert.deepEqual(requestKinds.toSorted(), Object.keys(requestSchemas).toSorted());
  assert.deepEqual(responseKinds.toSorted(), Object.keys(responseSchemas).toSorted());
  assert.deepEqual([requestKinds.length, responseKinds.length], [21, 25]);
});

for (const kind of requestKinds) {
  test(`request ${kind} survives encoding and decoding, with null for absent fields`, () => {
    let runs = 0;
    fc.assert(
      fc.property(requestsOf(kind), (request) => {
        runs++;
        const body = encodeRequest(request);
        assert.deepEqual(decodeRequest(body), request);
        const [name, fields] = member(body);
        assert.equal(name, requestSchemas[kind][0]);
        // Null counts as absent, and an unknown key is ignored.
        const sparse = new Map<string, Encodable>([["no_such_key", 1]]);
        for (const [key, value] of fields) if (value !== null) sparse.set(key as string, value);
        assert.deepEqual(decodeRequest(encodeCbor(new Map([[name, sparse]]))), request);
      }),
      { numRuns: 60 },
    );
    assert.equal(runs, 60);
  });
}

for (const kind of responseKinds) {
  test(`response ${kind} survives encoding and decoding, with null for absent fields`, () => {
    let runs = 0;
    fc.assert(
      fc.property(responsesOf(kind), (response) => {
        runs++;
        const body = encodeResponse(response);
        assert.deepEqual(decodeResponse(body), response);
        const [name, fields] = member(body);
        assert.equal(name, responseSchemas[kind][0]);
        const sparse = new Map<string, Encodable>([["no_such_key", [{}]]]);
        for (const [key, value] of fields) if (value !== null) sparse.set(key as string, value);
        const read = decodeResponse(encodeCbor(new Map([[name, sparse]])));
        assert.deepEqual(read, response);
      }),
      { numRuns: 60 },
    );
    assert.equal(runs, 60);
  });
}

test("wire names are the request's name in snake case, except surbid", () => {
  const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
  for (const kind of requestKinds) assert.equal(requestSchemas[kind][0], snake(kind));
  for (const kind of responseKinds) assert.equal(responseSchemas[kind][0], snake(kind));
  const surbIds: string[] = [];
  for (const kind of [...requestKinds, ...responseKinds]) {
    const schema = kind in requestSchemas ? requestsOf(kind as never) : responsesOf(kind as never);
    const [sample] = fc.sample(schema as fc.Arbitrary<DaemonRequest>, { numRuns: 1, seed: 1 });
    const body =
      kind in requestSchemas
        ? encodeRequest(sample!)
        : encodeResponse(sample as unknown as DaemonResponse);
    const [, fields] = member(body);
    const names = Object.keys(sample!).filter((name) => name !== "kind");
    for (const key of fields.keys()) {
      const found = names.some((name) => snake(name) === key);
      if (!found) surbIds.push(key as string);
    }
  }
  assert.deepEqual([...new Set(surbIds)], ["surbid"]);
});

test("Go's form of a message, with every key present and all but one null, is decoded", () => {
  const all = new Map<string, Encodable>(
    requestKinds.map((kind) => [requestSchemas[kind][0], null]),
  );
  assert.equal(decodeRequest(encodeCbor(all)), null);
  all.set(
    "get_pki_document",
    new Map<string, Encodable>([
      ["query_id", id],
      ["epoch", 7],
    ]),
  );
  assert.deepEqual(decodeRequest(encodeCbor(all)), {
    kind: "getPkiDocument",
    queryId: id,
    epoch: 7n,
  });
  const none = new Map(responseKinds.map((kind) => [responseSchemas[kind][0], null]));
  assert.equal(decodeResponse(encodeCbor(none)), null);
});

test("an empty map and null at the top are messages without content", () => {
  assert.equal(decodeRequest(fromHex("a0")), null);
  assert.equal(decodeRequest(fromHex("f6")), null);
  assert.equal(decodeRequest(fromHex("f7")), null);
  assert.equal(decodeResponse(fromHex("a0")), null);
  assert.equal(decodeRequest(encodeCbor({ no_such_request: {} })), null);
  assert.equal(decodeResponse(encodeCbor({ no_such_event: { query_id: id } })), null);
});

test("only a map is a message at the top", () => {
  for (const body of ["80", "01", "6161", "4101", "f5", "fb3ff8000000000000"]) {
    assert.throws(() => decodeRequest(fromHex(body)), ProtocolError);
    assert.throws(() => decodeResponse(fromHex(body)), ProtocolError);
  }
  assert.throws(() => decodeResponse(fromHex("f6")), ProtocolError);
});

test("the first of several members in the order of precedence is used, wherever it is", () => {
  const order = requestKinds.map((kind) => requestSchemas[kind][0]);
  const tables = Object.values(requestSchemas).map(([name]) => name);
  assert.deepEqual(tables.slice(0, 2), ["thin_close", "session_token"]);
  assert.deepEqual(tables.slice(-3), [
    "send_message",
    "start_resending_encrypted_message",
    "start_resending_copy_command",
  ]);
  for (let i = 0; i < order.length; i++) {
    // With later members only, in reverse, so that the position in the map does not matter.
    const several = new Map<string, Encodable>();
    for (const name of tables.slice(i).reverse()) several.set(name, {});
    const found = decodeRequest(encodeCbor(several));
    assert.equal(requestSchemas[found!.kind][0], tables[i]);
  }
});

const wrongFields: [what: string, name: string, fields: Encodable][] = [
  ["text for bytes", "new_keypair", { query_id: id, seed: "seed" }],
  ["an array of integers for bytes (upstream: accepted)", "new_keypair", { seed: [1, 2, 3] }],
  ["bytes for text", "voucher_mint", { display_name: id }],
  ["a negative epoch", "get_pki_document", { epoch: -1 }],
  ["a fractional epoch", "get_pki_document", { epoch: 1.5 }],
  ["an integer for a boolean", "send_message", { with_surb: 1 }],
  [
    "max_count above 2^32 - 1",
    "create_courier_envelopes_from_tombstone_range",
    { max_count: 2 ** 32 },
  ],
  ["reply_index above 255", "start_resending_encrypted_message", { reply_index: 256 }],
  ["bytes for a list", "create_courier_envelopes_from_multi_payload", { destinations: id }],
  [
    "a list of bytes for a list of maps",
    "create_courier_envelopes_from_multi_payload",
    { destinations: [id] },
  ],
  ["a request that is not a map", "thin_close", 1],
  ["a request that is a list", "session_token", [id]],
];

for (const [what, name, fields] of wrongFields) {
  test(`a request is refused for ${what}, and the error names the field`, () => {
    assert.throws(
      () => decodeRequest(encodeCbor({ [name]: fields })),
      (error: Error) => error instanceof ProtocolError && error.message.includes(`\`${name}`),
    );
  });
}

test("keys are matched exactly (upstream: case-insensitively if there is no exact match)", () => {
  const request = decodeRequest(encodeCbor({ new_keypair: { Seed: id, query_id: id } }));
  assert.deepEqual(request, { kind: "newKeypair", queryId: id, seed: null });
  assert.equal(decodeRequest(encodeCbor({ New_Keypair: { seed: id } })), null);
});

test("counters above 2^53 are exact in both directions", () => {
  for (const counter of [0n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
    const reply: DaemonResponse = {
      kind: "getMessageBoxIndexCounterReply",
      queryId: id,
      counter,
      errorCode: 0,
    };
    assert.deepEqual(decodeResponse(encodeResponse(reply)), reply);
  }
});

test("values that Go omits are omitted, and values that it writes as null are written", () => {
  const [, start] = member(
    encodeRequest({
      kind: "startResendingEncryptedMessage",
      queryId: id,
      readCap: null,
      writeCap: null,
      messageBoxIndex: null,
      replyIndex: null,
      envelopeDescriptor: id,
      messageCiphertext: id,
      envelopeHash: id,
      noRetryOnBoxIdNotFound: false,
      noIdempotentBoxAlreadyExists: false,
    }),
  );
  assert.deepEqual(([...start.keys()] as string[]).toSorted(), [
    "envelope_descriptor",
    "envelope_hash",
    "message_box_index",
    "message_ciphertext",
    "query_id",
    "read_cap",
    "write_cap",
  ]);
  assert.equal(start.get("read_cap"), null);
  const [, sent] = member(
    encodeRequest({
      kind: "sendMessage",
      id: null,
      withSurb: false,
      surbId: null,
      destinationIdHash: id,
      recipientQueueId: id,
      payload: id,
    }),
  );
  assert.deepEqual([sent.get("id"), sent.get("surbid")], [null, null]);
  const [, copy] = member(
    encodeResponse({
      kind: "startResendingCopyCommandReply",
      queryId: id,
      errorCode: 0,
      replicaErrorCode: null,
      failedEnvelopeIndex: null,
    }),
  );
  assert.deepEqual(([...copy.keys()] as string[]).toSorted(), ["error_code", "query_id"]);
});

test("a wrong reply that names its request is returned as malformed, so that only its call fails", () => {
  let replies = 0;
  for (const kind of responseKinds.filter((name) => name.endsWith("Reply"))) {
    if (kind === "sessionTokenReply") continue;
    replies++;
    const [name] = responseSchemas[kind];
    const read = decodeResponse(encodeCbor({ [name]: { query_id: id, error_code: "none" } }));
    assert.equal(read?.kind, "malformedReply");
    assert.ok("error" in read && read.error instanceof ProtocolError);
    assert.match(read.error.message, new RegExp(`\`${name}.error_code\``));
    assert.deepEqual(read.queryId, id);
  }
  assert.equal(replies, 18);
});

test("a wrong reply without a query ID, and a wrong event, end the connection", () => {
  for (const fields of [{ error_code: "x" }, { query_id: 5, error_code: 0 }, 5, []]) {
    assert.throws(
      () => decodeResponse(encodeCbor({ new_keypair_reply: fields as Encodable })),
      ProtocolError,
    );
  }
  const events: [string, Encodable][] = [
    ["connection_status_event", { is_connected: 1 }],
    ["connection_status_event", { instance_token: new Uint8Array(15) }],
    ["new_pki_document_event", { payload: "text" }],
    ["message_sent_event", { sent_at: 1.5 }],
    ["message_reply_event", { surbid: new Uint8Array(17) }],
    ["session_token_reply", { app_id: new Uint8Array(3) }],
    ["shutdown_event", false],
  ];
  for (const [name, fields] of events) {
    assert.throws(() => decodeResponse(encodeCbor({ [name]: fields })), ProtocolError);
  }
});

test("capabilities and indices of a wrong length in a reply fail only that call", () => {
  for (const [key, length] of [
    ["write_cap", 167],
    ["read_cap", 137],
    ["first_message_index", 0],
  ]) {
    const fields = {
      query_id: id,
      error_code: 0,
      [key as string]: new Uint8Array(length as number),
    };
    assert.equal(decodeResponse(encodeCbor({ new_keypair_reply: fields }))?.kind, "malformedReply");
  }
});

test("a missing query ID or one of another length is accepted, and matches no call", () => {
  const reply = decodeResponse(encodeCbor({ new_keypair_reply: { query_id: new Uint8Array(3) } }));
  assert.equal(reply?.kind, "newKeypairReply");
  assert.equal((reply as DaemonResponse<"newKeypairReply">).queryId?.length, 3);
});

test("the status event keeps the instance token", () => {
  const status: DaemonResponse = {
    kind: "connectionStatusEvent",
    isConnected: true,
    err: null,
    instanceToken: id,
    sphinxGeometry: null,
    pigeonholeGeometry: null,
  };
  assert.deepEqual(decodeResponse(encodeResponse(status)), status);
});
