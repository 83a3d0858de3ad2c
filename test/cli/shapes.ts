/** The fields of the objects of `--json`: exactly these, with these types. */
import assert from "node:assert/strict";

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number" && Number.isFinite(value);
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const flag: Check = (value) => typeof value === "boolean";
const time: Check = (value) => text(value) && new Date(value as string).toISOString() === value;
const hash: Check = (value) => text(value) && /^[0-9a-f]{64}$/.test(value as string);
const token: Check = (value) => text(value) && /^[0-9a-f]{32}$/.test(value as string);
const base64: Check = (value) => text(value) && /^[A-Za-z0-9+/]+=*$/.test(value as string);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every((element) => check(element));
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const oneOf =
  (...choices: readonly string[]): Check =>
  (value) =>
    choices.includes(value as string);
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).sort().join() === Object.keys(fields).sort().join() &&
    Object.entries(fields).every(([name, check]) =>
      check((value as Record<string, unknown>)[name]),
    );

const node = { name: text, identityHash: hash, addresses: listOf(text) };
const nodes = listOf(object(node));
const network = {
  epoch: count,
  gateways: nodes,
  layers: listOf(nodes),
  serviceNodes: listOf(object({ ...node, services: listOf(text) })),
  replicas: listOf(object({ ...node, replicaId: count })),
};
const event = { event: text, time };

/** The fields of each kind of record, besides `type`; named as docs/cli.md names them. */
export const shapes: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  error: { code: text, message: text, exitCode: count },
  listening: {
    time,
    addresses: listOf(text),
    anonymity: flag,
    mixing: oneOf("instant", "realistic", "sphinx"),
    epochMs: count,
    couriers: count,
    replicas: count,
    gateway: orNull(text),
    data: orNull(text),
    config: orNull(text),
    clientConfig: orNull(text),
    pid: count,
  },
  pages: {
    address: text,
    origins: listOf(text),
    tokenFile: orNull(text),
    token: orNull(token),
  },
  refused: {
    time,
    origin: orNull(text),
    reason: text,
  },
  epoch: { time, epoch: count, leftMs: number },
  fault: { time, message: text },
  stopping: { time },
  check: {
    name: text,
    status: oneOf("ok", "warning", "failed", "skipped"),
    ms: orNull(number),
    detail: text,
    advice: orNull(text),
    code: orNull(text),
  },
  "summary of doctor": { ok: count, warning: count, failed: count, skipped: count },
  reply: { seq: count, service: text, node: text, ms: number, intact: flag },
  loss: { seq: count, service: text, code: text, message: text },
  unsent: { seq: count, service: text, reason: text },
  "summary of ping": {
    service: text,
    sent: count,
    received: count,
    waiting: count,
    unsent: count,
    lossPercent: number,
    minMs: orNull(number),
    avgMs: orNull(number),
    maxMs: orNull(number),
    mdevMs: orNull(number),
    histogram: listOf(object({ fromMs: number, toMs: number, count })),
  },
  "step network": {
    step: text,
    epoch: count,
    leftMs: number,
    authorities: listOf(text),
    signers: listOf(text),
    couriers: count,
    replicas: count,
    packetBytes: count,
    boxBytes: count,
  },
  "step refusal": { step: text, code: text, message: text },
  "step message": { step: text, text, ms: number },
  "step tombstone": { step: text, code: text },
  "step file": { step: text, bytes: count, copyMs: number, readMs: number, sha256: hash },
  "summary of tour": { ms: number, anonymity: flag },
  playground: { time: time, url: text, pid: count },
  completion: { shell: oneOf("bash", "zsh", "fish"), script: text },
  service: { service: text, node: text, endpoint: text, identityHash: hash },
  authority: {
    identifier: text,
    pkiSignatureScheme: text,
    wireKemScheme: text,
    addresses: listOf(text),
    identityKeyHash: hash,
    identityPublicKeyPem: text,
    linkPublicKeyPem: text,
  },
  pki: {
    ...network,
    genesisEpoch: count,
    version: text,
    pkiSignatureScheme: text,
    mu: number,
    lambdaP: number,
    lambdaL: number,
    lambdaM: number,
    lambdaG: number,
    lambdaR: number,
    sphinxGeometryHash: hash,
    configuredReplicaIds: listOf(count),
    signatures: count,
    expiration: count,
    verified: flag,
    threshold: orNull(count),
    signers: orNull(listOf(text)),
    rejected: orNull(listOf(object({ identifier: text, reason: text }))),
  },
  pkiRaw: { epoch: count, certificateBase64: base64 },
  map: { ...network, file: orNull(text) },
  "event connectionStatus": {
    ...event,
    isConnected: flag,
    err: text,
    instanceToken: orNull(token),
  },
  "event newPkiDocument": { ...event, epoch: orNull(count) },
  "event daemonDisconnected": { ...event, isGraceful: flag, error: orNull(text) },
  "event reconnected": { ...event, resumed: flag, newInstance: flag },
  "event shutdown": { ...event },
  "event closed": { ...event, reason: text, error: orNull(text) },
  ticket: { ticket: text, bytes: count, names: listOf(text) },
  sent: { bytes: count, boxes: count, ms: count },
  received: { name: text, path: text, bytes: count, sha256: hash },
  voucher: { voucher: base64 },
  message: { id: text, text: orNull(text), gap: count },
  channel: {
    name: text,
    kind: oneOf("writer", "reader"),
    queued: count,
    isForked: flag,
    position: orNull(text),
    acknowledged: orNull(text),
  },
  contact: {
    name: text,
    role: oneOf("newcomer", "member"),
    state: text,
    displayName: orNull(text),
    failure: orNull(text),
  },
  group: { name: text, isJoined: flag, failure: orNull(text) },
  delivery: { id: text, bytes: count, state: oneOf("queued", "sent", "stored") },
  "message of channel": {
    id: text,
    kind: oneOf("message", "deleted", "sideStream", "tooLong", "other"),
    bytes: count,
    gap: count,
    plaintextBase64: orNull((value) => value === "" || base64(value)),
  },
  keypair: { write: text, read: text },
  written: { number: count, bytes: count },
  box: { number: count, bytes: count, plaintextBase64: base64 },
  deleted: { number: count, boxes: count },
  copied: { bytes: count, streams: count, ms: count },
  case: {
    area: text,
    name: text,
    verdict: oneOf("pass", "fail", "differs (allowed)"),
    reason: text,
  },
  "summary of conform": { passed: count, failed: count, differed: count },
};

/** Fails unless `record` has exactly the fields of its shape, with the right types. */
export function assertShape(record: Readonly<Record<string, unknown>>, name: string): void {
  const shape = shapes[name];
  assert.ok(shape, `there is no shape ${name}`);
  assert.equal(record["type"], name.split(" ")[0]);
  assert.deepEqual(Object.keys(record).sort(), ["type", ...Object.keys(shape)].sort());
  for (const [field, check] of Object.entries(shape)) {
    assert.ok(check(record[field]), `${name}.${field} is ${JSON.stringify(record[field])}`);
  }
}
