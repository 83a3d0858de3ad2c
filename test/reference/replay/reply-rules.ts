/**
 * How a live reply is compared with a recorded one, field by field. Values that follow from the
 * script must be equal. Random values must have the length that the live geometry requires, and
 * from then on replace the recorded value.
 */
import assert from "node:assert/strict";
import { toHex } from "../../../src/bytes/bytes.js";
import { PkiDocument } from "../../../src/pki/document.js";
import { type CborMap, type CborValue, decodeCbor } from "../../../src/cbor/cbor.js";
import { type Scene, sizesOf } from "./scene.js";

type Rule = (scene: Scene, recorded: CborValue, live: CborValue, where: string) => void;

const isNothing = (value: CborValue): boolean => value === null || value === undefined;

function bothBytes(recorded: CborValue, live: CborValue, where: string): [Uint8Array, Uint8Array] {
  assert.ok(recorded instanceof Uint8Array, `${where}: recorded bytes`);
  assert.ok(live instanceof Uint8Array, `${where}: live bytes`);
  return [recorded, live];
}

/** The value follows from earlier messages. */
const same: Rule = (scene, recorded, live, where) => {
  assert.deepEqual(live, scene.names.value(recorded), where);
};

/** The daemon draws the value; a formula gives its length. */
function drawn(length: (recorded: number, scene: Scene) => number): Rule {
  return (scene, recordedValue, liveValue, where) => {
    const [recorded, live] = bothBytes(recordedValue, liveValue, where);
    const known = scene.names.known(recorded);
    if (known) {
      assert.deepEqual(live, known, `${where}: as before`);
      return;
    }
    assert.equal(live.length, length(recorded.length, scene), `${where}: length`);
    scene.names.learn(recorded, live);
  };
}

const drawnAsLong = drawn((recorded) => recorded);

const query = drawn((recorded, { sizes }) => {
  assert.equal(recorded, sizes.recorded.query);
  return sizes.live.query;
});

/** The lengths of descriptors differ by that of the private key that opens the reply. */
const descriptor = drawn(
  (recorded, { sizes }) => recorded - sizes.recorded.privateKey + sizes.live.privateKey,
);

const courier: Rule = (scene, _recorded, live, where) => {
  assert.ok(live instanceof Uint8Array && scene.couriers.has(toHex(live)), `${where}: a courier`);
};

const anyText: Rule = (_scene, recorded, live, where) => {
  assert.ok(typeof recorded === "string" && recorded !== "");
  assert.ok(typeof live === "string" && live !== "", `${where}: says why`);
};

const sendFailure: Rule = (scene, recorded, live, where) => {
  anyText(scene, recorded, live, where);
  const { payload } = scene.sizes.live;
  if (!(recorded as string).startsWith("message too large")) return;
  assert.equal(live, `message too large: ${payload + 1} > ${payload}`, where);
};

const unsigned: Rule = (_scene, _recorded, live, where) => {
  assert.ok(typeof live === "number" && Number.isSafeInteger(live) && live >= 0, where);
};

/** The time to a reply is zero if none can come; otherwise it depends on the network. */
const replyEta: Rule = (scene, recorded, live, where) => {
  unsigned(scene, recorded, live, where);
  if (recorded === 0) assert.equal(live, 0, where);
};

/** Keys of a map whose values are not null. */
function keysOf(value: CborValue): string[] {
  const members = [...(value as CborMap)].filter(([, member]) => !isNothing(member));
  return members.map(([key]) => String(key)).sort();
}

/** The same kind of nodes, described by the same fields. */
const document: Rule = (scene, recordedValue, liveValue, where) => {
  const [recorded, live] = bothBytes(recordedValue, liveValue, where);
  const maps = [decodeCbor(recorded), decodeCbor(live)] as [CborMap, CborMap];
  assert.deepEqual(keysOf(maps[1]), keysOf(maps[0]), `${where}: fields of the document`);
  const [ours, theirs] = [PkiDocument.decode(live), PkiDocument.decode(recorded)];
  assert.equal(ours.version, theirs.version, `${where}: version`);
  assert.ok(ours.lambdaP > 0, `${where}: lambdaP`);
  const first = (key: string): CborValue[] =>
    maps.map((map) => {
      const list = map.get(key) as CborValue[];
      const node = Array.isArray(list[0]) ? (list[0] as CborValue[])[0]! : list[0]!;
      return node instanceof Uint8Array ? decodeCbor(node) : node;
    });
  for (const key of ["GatewayNodes", "ServiceNodes", "Topology", "StorageReplicas"]) {
    const [theirNode, ourNode] = first(key);
    assert.deepEqual(keysOf(ourNode!), keysOf(theirNode!), `${where}: fields of ${key}`);
  }
  scene.takeDocuments(recorded, live);
};

const certificate: Rule = (_scene, recordedValue, liveValue, where) => {
  const [recorded, live] = bothBytes(recordedValue, liveValue, where);
  const maps = [decodeCbor(recorded), decodeCbor(live)] as [CborMap, CborMap];
  assert.deepEqual(keysOf(maps[1]), keysOf(maps[0]), `${where}: fields of the certificate`);
  PkiDocument.decode(maps[1].get("Certified") as Uint8Array);
};

/** Sizes follow from U and k; everything else is the same mixnet. */
const sphinxGeometry: Rule = (_scene, recorded, live, where) => {
  const [theirs, ours] = [recorded as CborMap, live as CborMap];
  const longer =
    (ours.get("UserForwardPayloadLength") as number) -
    (theirs.get("UserForwardPayloadLength") as number);
  const grows = ["PacketLength", "ForwardPayloadLength", "UserForwardPayloadLength"];
  assert.deepEqual(keysOf(ours), keysOf(theirs), where);
  for (const [key, value] of theirs) {
    const wanted = grows.includes(String(key)) ? (value as number) + longer : value;
    assert.equal(ours.get(key), wanted, `${where}.${String(key)}`);
  }
};

const pigeonholeGeometry: Rule = (_scene, recorded, live, where) => {
  const [theirs, ours] = [recorded as CborMap, live as CborMap];
  assert.deepEqual(keysOf(ours), keysOf(theirs), where);
  const box = ours.get("MaxPlaintextPayloadLength") as number;
  assert.equal(box, theirs.get("MaxPlaintextPayloadLength"), `${where}: M`);
  for (const key of ["CourierQueryReplyReadLength", "CourierQueryReplyWriteLength"]) {
    assert.equal(ours.get(key), box + 169, `${where}.${key}`);
  }
  assert.equal(ours.get("CourierQueryReadLength"), ours.get("CourierQueryWriteLength"), where);
  assert.equal(ours.get("SignatureSchemeName"), theirs.get("SignatureSchemeName"), where);
};

/** An echo: the sent bytes, then zeros up to the capacity of a reply packet. */
const echo: Rule = (scene, recordedValue, liveValue, where) => {
  const [recorded, live] = bothBytes(recordedValue, liveValue, where);
  assert.equal(recorded.length, scene.sizes.recorded.reply);
  assert.equal(live.length, scene.sizes.live.reply, `${where}: length`);
  const sent = scene.lastSent;
  assert.deepEqual(live.subarray(0, sent.length), sent, `${where}: what was sent`);
  assert.ok(
    live.subarray(sent.length).every((byte) => byte === 0),
    `${where}: zeros`,
  );
};

const authorities: Rule = (_scene, recorded, live, where) => {
  const [theirs, ours] = [recorded as CborMap[], live as CborMap[]];
  assert.equal(ours.length, theirs.length, `${where}: how many`);
  for (const authority of ours) {
    assert.deepEqual(keysOf(authority), keysOf(theirs[0]!), where);
    assert.equal((authority.get("identity_key_hash") as Uint8Array).length, 32, where);
    for (const key of ["identity_public_key_pem", "link_public_key_pem"]) {
      assert.match(authority.get(key) as string, /^-----BEGIN [A-Z0-9-]+ PUBLIC KEY-----\n/, where);
    }
  }
};

/** Elements of a copy stream: all but the last are full. */
const envelopes: Rule = (scene, recordedValue, liveValue, where) => {
  const [recorded, live] = [recordedValue as Uint8Array[], liveValue as Uint8Array[]];
  assert.equal(live.length, recorded.length, `${where}: how many`);
  const { box } = scene.sizes.live;
  for (const [place, element] of live.entries()) {
    if (recorded[place]!.length === scene.sizes.recorded.box) {
      assert.equal(element.length, box, `${where}[${place}]: full`);
    } else {
      assert.ok(element.length < box, `${where}[${place}]: not full`);
    }
    scene.names.learn(recorded[place]!, element);
  }
};

/** The bytes that a copy stream keeps back; {@link checkStreamLength} checks their length. */
const buffer: Rule = (scene, recordedValue, liveValue, where) => {
  const [recorded, live] = bothBytes(recordedValue, liveValue, where);
  scene.names.learn(recorded, live);
};

const rules: Readonly<Record<string, Rule>> = {
  "connection_status_event.instance_token": drawnAsLong,
  "connection_status_event.sphinx_geometry": sphinxGeometry,
  "connection_status_event.pigeonhole_geometry": pigeonholeGeometry,
  "new_pki_document_event.payload": document,
  "session_token_reply.app_id": drawnAsLong,
  "message_sent_event.sent_at": unsigned,
  "message_sent_event.reply_eta": replyEta,
  "message_sent_event.err": sendFailure,
  "message_reply_event.payload": echo,
  "get_pki_document_reply.payload": certificate,
  "get_directory_authorities_reply.authorities": authorities,
  "start_resending_encrypted_message_reply.courier_identity_hash": courier,
  "create_courier_envelopes_from_payload_reply.envelopes": envelopes,
  "create_courier_envelopes_from_multi_payload_reply.envelopes": envelopes,
  "create_courier_envelopes_from_multi_payload_reply.buffer": buffer,
  "create_courier_envelopes_from_tombstone_range_reply.envelopes": envelopes,
  "voucher_mint_reply.voucher": drawnAsLong,
  "voucher_mint_reply.voucher_payload": drawnAsLong,
  "voucher_mint_reply.voucher_write_cap": drawnAsLong,
  "voucher_mint_reply.voucher_read_cap": drawnAsLong,
  "voucher_mint_reply.voucher_secret_key": drawnAsLong,
  "voucher_mint_reply.voucher_public_key": drawnAsLong,
  "voucher_induct_reply.mutated_message_read_cap": drawnAsLong,
  "voucher_induct_reply.sealed_reply": drawnAsLong,
  "voucher_induct_reply.salt": drawnAsLong,
  "voucher_open_reply.mutated_message_write_cap": drawnAsLong,
};
for (const kind of ["encrypt_read_reply", "encrypt_write_reply"]) {
  Object.assign(rules, {
    [`${kind}.message_ciphertext`]: query,
    [`${kind}.envelope_descriptor`]: descriptor,
    [`${kind}.envelope_hash`]: drawnAsLong,
  });
}

/** A message of the daemon: the member that is not null, and its content. */
export function messageOf(body: Uint8Array): { readonly kind: string; readonly fields: CborMap } {
  const message = decodeCbor(body) as CborMap;
  const said = [...message].filter(([, value]) => !isNothing(value));
  assert.equal(said.length, 1, "a message has one member");
  const [[kind, fields]] = said as [[string, CborMap]];
  return { kind, fields };
}

/** The allowed alternatives to the recorded value of a field. */
export type FieldExceptions = ReadonlyMap<string, (live: CborValue) => boolean>;

const noExceptions: FieldExceptions = new Map();

/** Compares a live message with a recorded one. Both may omit null fields. */
export function compareMessages(
  scene: Scene,
  recorded: Uint8Array,
  live: Uint8Array,
  where: string,
  exceptions: FieldExceptions = noExceptions,
): void {
  const [theirs, ours] = [messageOf(recorded), messageOf(live)];
  assert.equal(ours.kind, theirs.kind, `${where}: kind`);
  if (theirs.kind === "connection_status_event") {
    scene.recorded = sizesOf(theirs.fields);
    scene.live = sizesOf(ours.fields);
  }
  for (const key of new Set([...theirs.fields.keys(), ...ours.fields.keys()])) {
    const [recordedField, liveField] = [theirs.fields.get(key), ours.fields.get(key)];
    const field = `${where}: ${theirs.kind}.${String(key)}`;
    const exception = exceptions.get(String(key));
    if (exception) {
      assert.ok(exception(liveField ?? null), `${field}: as the table of differences says`);
    } else if (isNothing(recordedField) || isNothing(liveField)) {
      assert.ok(isNothing(recordedField) && isNothing(liveField), `${field}: null or not`);
    } else {
      const rule = rules[`${theirs.kind}.${String(key)}`] ?? same;
      rule(scene, recordedField!, liveField!, field);
    }
  }
  if (theirs.kind.startsWith("create_courier_envelopes")) {
    checkStreamLength(scene, theirs.fields, ours.fields, where);
  }
}

/** The bytes that the last call kept back, recorded and live; zero at the start of a stream. */
const keptBack = new WeakMap<Scene, readonly [number, number]>();

/** The bytes of a stream are those of its envelopes, M + 294 + k each. spec/thin-protocol §7.4. */
function checkStreamLength(scene: Scene, theirs: CborMap, ours: CborMap, where: string): void {
  const elementHeader = 5;
  const { recorded, live } = scene.sizes;
  const total = (fields: CborMap): [number, number] => {
    const elements = (fields.get("envelopes") ?? []) as Uint8Array[];
    const kept = (fields.get("buffer") as Uint8Array | null)?.length ?? 0;
    return [elements.reduce((sum, one) => sum + one.length - elementHeader, 0) + kept, kept];
  };
  const before = keptBack.get(scene) ?? [0, 0];
  const [[theirTotal, theirKept], [ourTotal, ourKept]] = [total(theirs), total(ours)];
  keptBack.set(scene, [theirKept, ourKept]);
  const count = (theirTotal - before[0]) / (recorded.box + 294 + recorded.key);
  assert.ok(Number.isInteger(count), `${where}: the formula holds for the recording`);
  assert.equal(ourTotal - before[1], count * (live.box + 294 + live.key), `${where}: stream`);
}
