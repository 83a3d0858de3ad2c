/** Functions, constants, errors and configuration under the Python binding's names. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as api from "../../../src/index.js";

test("constants have the binding's names and numbers", () => {
  const numbers = {
    SURB_ID_SIZE: 16,
    MESSAGE_ID_SIZE: 16,
    MAX_MESSAGE_SIZE: 41_943_040,
    REPLICA_SUCCESS: 0,
    REPLICA_ERROR_BOX_ID_NOT_FOUND: 1,
    REPLICA_ERROR_INVALID_BOX_ID: 2,
    REPLICA_ERROR_INVALID_SIGNATURE: 3,
    REPLICA_ERROR_DATABASE_FAILURE: 4,
    REPLICA_ERROR_INVALID_PAYLOAD: 5,
    REPLICA_ERROR_STORAGE_FULL: 6,
    REPLICA_ERROR_INTERNAL_ERROR: 7,
    REPLICA_ERROR_INVALID_EPOCH: 8,
    REPLICA_ERROR_REPLICATION_FAILED: 9,
    REPLICA_ERROR_BOX_ALREADY_EXISTS: 10,
    REPLICA_ERROR_TOMBSTONE: 11,
    THIN_CLIENT_SUCCESS: 0,
    THIN_CLIENT_ERROR_CONNECTION_LOST: 1,
    THIN_CLIENT_ERROR_TIMEOUT: 2,
    THIN_CLIENT_ERROR_INVALID_REQUEST: 3,
    THIN_CLIENT_ERROR_INTERNAL_ERROR: 4,
    THIN_CLIENT_ERROR_MAX_RETRIES: 5,
    THIN_CLIENT_ERROR_INVALID_CHANNEL: 6,
    THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND: 7,
    THIN_CLIENT_ERROR_PERMISSION_DENIED: 8,
    THIN_CLIENT_ERROR_INVALID_PAYLOAD: 9,
    THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE: 10,
    THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY: 11,
    THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: 12,
    THIN_CLIENT_PROPAGATION_ERROR: 13,
    THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY: 14,
    THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY: 15,
    THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST: 16,
    THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST: 17,
    THIN_CLIENT_IMPOSSIBLE_HASH_ERROR: 18,
    THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR: 19,
    THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR: 20,
    THIN_CLIENT_CAPABILITY_ALREADY_IN_USE: 21,
    THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: 22,
    THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: 23,
    THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: 24,
    THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: 25,
    THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: 26,
    THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: 27,
    THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: 28,
    THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: 29,
    THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: 30,
    THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: 31,
    THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: 32,
  };
  for (const [name, number] of Object.entries(numbers)) {
    assert.equal((api as Record<string, unknown>)[name], number, name);
  }
});

test("codes become the errors that the binding raises", () => {
  const classes = [
    [1, api.BoxIDNotFoundError, api.ReplicaError],
    [2, api.InvalidBoxIDError, api.ReplicaError],
    [3, api.InvalidSignatureError, api.ReplicaError],
    [4, api.DatabaseFailureError, api.ReplicaError],
    [5, api.InvalidPayloadError, api.ReplicaError],
    [6, api.StorageFullError, api.ReplicaError],
    [7, api.ReplicaInternalError, api.ReplicaError],
    [8, api.InvalidEpochError, api.ReplicaError],
    [9, api.ReplicationFailedError, api.ReplicaError],
    [10, api.BoxAlreadyExistsError, api.ReplicaError],
    [11, api.TombstoneError, api.ReplicaError],
    [12, api.CourierCacheCorruptionError, api.CourierError],
    [13, api.CourierPropagationError, api.CourierError],
    [22, api.MKEMDecryptionFailedError, api.ThinClientError],
    [23, api.BACAPDecryptionFailedError, api.ThinClientError],
    [24, api.StartResendingCancelledError, api.ThinClientError],
    [25, api.InvalidTombstoneSignatureError, api.ThinClientError],
    [27, api.PayloadTooLargeError, api.ThinClientError],
    [31, api.CourierInvalidEnvelopeError, api.CourierError],
    [32, api.CourierInvalidEpochError, api.CourierError],
  ] as const;
  for (const [code, error, parent] of classes) {
    const made = api.errorCodeToException(code);
    assert.ok(made instanceof error && made instanceof parent, error.name);
  }
  assert.equal(api.errorCodeToException(0), null);
  assert.equal(api.thinClientErrorToString(24), "Start resending cancelled");
  assert.equal(api.thinClientErrorToString(200), "Unknown thin client error code: 200");
});

test("a copy reply becomes an error that says where it failed", () => {
  const failed = api.copyReplyToException({
    errorCode: 26,
    replicaErrorCode: 10,
    failedEnvelopeIndex: 3n,
  });
  assert.ok(failed instanceof api.CopyCommandFailedError);
  assert.equal(failed.replicaErrorCode, 10);
  assert.equal(failed.failedEnvelopeIndex, 3n);
  assert.equal(api.copyReplyToException({}), null);
  const { replicaErrorCode, failedEnvelopeIndex } = new api.CopyCommandFailedError();
  assert.deepEqual([replicaErrorCode, failedEnvelopeIndex], [0, 0n]);
  assert.throws(() => api.copyReplyToException({ error_code: 26 } as never), TypeError);
});

test("three outcomes are expected, and the rest are failures", () => {
  for (const code of [1, 10, 11]) {
    assert.ok(api.isExpectedOutcome(api.errorCodeToException(code)));
  }
  for (const code of [2, 3, 4, 5, 6, 7, 8, 9, 12, 22, 26]) {
    assert.ok(!api.isExpectedOutcome(api.errorCodeToException(code)));
  }
  assert.ok(!api.isExpectedOutcome(new api.ThinClientOfflineError("offline")));
});

test("a dump and a hash are computed as in the binding", () => {
  assert.equal(api.prettyPrintObj({ a: new Uint8Array([1, 2]) }), "{\n    a: 0102\n}");
  const empty = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8";
  assert.equal(api.toHex(api.blake2256Sum(new Uint8Array(0))), empty);
});

test("a Sphinx geometry has the binding's members", () => {
  const geometry = new api.Geometry({
    packetLength: 3082,
    nrHops: 5,
    headerLength: 476,
    routingInfoLength: 410,
    perHopRoutingInfoLength: 82,
    surbLength: 572,
    sphinxPlaintextHeaderLength: 2,
    payloadTagLength: 32,
    forwardPayloadLength: 2574,
    userForwardPayloadLength: 2000,
    nextNodeHopLength: 65,
    sprpKeyMaterialLength: 64,
    nikeName: "x25519",
    kemName: "",
  });
  assert.deepEqual(
    geometry,
    api.SphinxGeometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 2000 }),
  );
  assert.match(geometry.toString(), /UserForwardPayloadLength: 2000/);
});

test("a Pigeonhole geometry has the binding's members, and can be validated and padded", () => {
  const geometry = new api.PigeonholeGeometry({
    maxPlaintextPayloadLength: 1549,
    courierQueryReadLength: 2000,
    courierQueryWriteLength: 2000,
    courierQueryReplyReadLength: 1718,
    courierQueryReplyWriteLength: 1718,
    nikeName: "CTIDH1024-X25519",
    signatureSchemeName: "Ed25519",
  });
  geometry.validate();
  assert.equal(geometry.paddedPayloadLength(), 1553);
  assert.equal(api.PigeonholeGeometry.LENGTH_PREFIX_SIZE, 4);
  assert.deepEqual(geometry, api.PigeonholeGeometry.fromMaxPlaintext(1549, "CTIDH1024-X25519"));
  assert.throws(() => new api.PigeonholeGeometry({ nikeName: "x" }).validate(), RangeError);
  assert.match(geometry.toString(), /MaxPlaintextPayloadLength: 1549 bytes/);
});

test("the configuration file has the binding's keys, and an invalid one gives a ConfigError", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "katz-parity-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "thinclient.toml");
  await writeFile(path, '[Dial.Tcp]\nAddress = "localhost:64331"\nNetwork = "tcp4"\n');
  const { dial } = await api.ConfigFile.load(path);
  const tcp = dial.resolve();
  const short = new api.TcpDialConfig("localhost:64331");
  assert.deepEqual([short.address, short.network], ["localhost:64331", "tcp"]);
  assert.ok(dial.tcp instanceof api.TcpDialConfig && tcp === dial.tcp);
  assert.equal(tcp.address, "localhost:64331");
  assert.equal(tcp.network, "tcp4");
  const { dial: unix } = api.ConfigFile.parse('[Dial.Unix]\nAddress = "@katzenpost"\n');
  assert.ok(unix.unix instanceof api.UnixDialConfig);
  assert.equal(unix.unix.address, "@katzenpost");
  const { dial: ws } = api.ConfigFile.parse('[Dial.Ws]\nAddress = "ws://localhost:1/"\n');
  assert.ok(ws.ws instanceof api.WsDialConfig);
  assert.equal(ws.ws.address, "ws://localhost:1/");
  const config = await api.Config.load(path);
  assert.equal(config.address, "localhost:64331");
  assert.equal(config.network, "tcp4");
  const fromTable = api.DialConfig.fromTomlDict({ Unix: { Address: "/run/kp.sock" } });
  assert.equal(fromTable.resolve().network, "unix");
  await assert.rejects(api.ConfigFile.load(join(folder, "none.toml")), api.ConfigError);
  assert.throws(() => api.ConfigFile.parse("[Dial]\n"), api.ConfigError);
});

test("each kind of address can be dialled", async () => {
  const { startTestNetwork } = await import("../../../src/testing/index.js");
  await using network = await startTestNetwork({
    listen: [`unix:@katz-parity-${process.pid}`, "tcp:127.0.0.1:0", "ws://127.0.0.1:0"],
  });
  for (const i of [0, 1, 2]) {
    const transport = await network.daemon.config(i).dial.resolve().dial();
    const first = new Promise((resolve) => transport.open({ onData: resolve, onClose: () => {} }));
    assert.ok(((await first) as Uint8Array).length > 0);
    transport.destroy();
  }
});
