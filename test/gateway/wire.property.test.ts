import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { type Bytes, concatBytes, randomBytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { AUTH_PAYLOAD_LENGTH, encodeAuthPayload } from "../../src/gateway/auth-payload.js";
import { CommandCodec, type Consensus2, type WireCommand } from "../../src/gateway/commands.js";
import {
  ConsensusAssembler,
  MAX_COMPRESSED_CONSENSUS_BYTES,
  MAX_CONSENSUS_BYTES,
  unpackConsensus,
} from "../../src/gateway/consensus-chunks.js";
import { FrameOpener, FrameSealer } from "../../src/gateway/frames.js";
import {
  HandshakeInitiator,
  HandshakeResponder,
  handshakeLengths,
} from "../../src/gateway/noise.js";
import { kyber768X25519Kem, mlKem768X25519Kem } from "../../src/kem/registry.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { xwingKem } from "../../src/kem/xwing.js";
import { Geometry } from "../../src/pki/geometry.js";
import * as browserGzip from "../../src/platform/browser-gzip.js";
import * as nodeGzip from "../../src/platform/node-gzip.js";

const geometry = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 64 });
const codec = new CommandCodec(geometry);
const payload = encodeAuthPayload({ additionalData: new Uint8Array(32).fill(5), unixTime: 7 });

const fixed = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const some = fc.uint8Array({ minLength: 1, maxLength: 300 });
const command: fc.Arbitrary<WireCommand> = fc.oneof(
  fc.record({ type: fc.constantFrom("NoOp" as const, "Disconnect" as const) }),
  fc.record({
    type: fc.constantFrom("SendPacket" as const, "SendRetrievePacket" as const),
    sphinxPacket: some,
  }),
  fc.record({
    type: fc.constant("SendRetrievePacketReply" as const),
    surbId: fixed(16),
    payload: some,
  }),
  fc.record({
    type: fc.constantFrom("MessageDelivered" as const, "RetrieveMessage" as const),
    sequence: u32,
  }),
  fc.record({
    type: fc.constant("Message" as const),
    sequence: u32,
    surbId: fixed(16),
    ciphertext: fixed(geometry.payloadTagLength + geometry.forwardPayloadLength),
  }),
  fc.record({
    type: fc.constantFrom("GetConsensus" as const, "GetConsensus2" as const),
    epoch: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({
    type: fc.constant("Consensus" as const),
    errorCode: fc.nat(255),
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({
    type: fc.constant("Consensus2" as const),
    errorCode: fc.nat(255),
    chunkNumber: u32,
    chunkTotal: u32,
    chunk: fc.uint8Array({ maxLength: 300 }),
  }),
);

function protocolErrorOrValue(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    assert.ok(hasCode(error, "ERR_PROTOCOL"), String(error));
  }
}

test("commands survive encoding and decoding on both kinds of session", () => {
  const unpadded = new CommandCodec(null);
  fc.assert(
    fc.property(command, (one) => {
      assert.deepEqual(codec.decode(codec.encode(one)), { ...one });
      if (one.type === "Message") return;
      assert.deepEqual(unpadded.decode(unpadded.encode(one)), { ...one });
    }),
    { numRuns: 500 },
  );
});

test("truncated and changed commands give commands or a ProtocolError", () => {
  fc.assert(
    fc.property(command, fc.nat(), fc.nat(255), (one, at, value) => {
      const encoded = codec.encode(one);
      for (let length = 0; length < encoded.length; length += 1 + (length > 40 ? 37 : 0)) {
        protocolErrorOrValue(() => codec.decode(encoded.subarray(0, length)));
      }
      encoded[at % Math.min(encoded.length, 40)] = value;
      protocolErrorOrValue(() => codec.decode(encoded));
      protocolErrorOrValue(() => new CommandCodec(null).decode(encoded));
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
      protocolErrorOrValue(() => codec.decode(body));
    }),
    { numRuns: 2000 },
  );
});

test("frames open in order, however they are split, and one wrong bit ends the link for good", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
      fc.nat(),
      (bodies, cuts, damage) => {
        const key = randomBytes(32);
        const sealer = new FrameSealer(key);
        const frames = bodies.map((body) => sealer.seal(body));
        const all = concatBytes(...frames);
        const feed = (bytes: Uint8Array, opener: FrameOpener): string[] => {
          const opened: string[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const length = cuts[turn % cuts.length]!;
            opener.push(bytes.slice(at, at + length));
            at += length;
            for (let next = opener.next(); next !== null; next = opener.next()) {
              opened.push(toHex(next));
            }
          }
          return opened;
        };
        assert.deepEqual(feed(all, new FrameOpener(key, 400)), bodies.map(toHex));
        const wrong = all.slice();
        wrong[damage % wrong.length]! ^= 1 << (damage & 7);
        const opener = new FrameOpener(key, 400);
        assert.throws(() => feed(wrong, opener), { name: "ProtocolError" });
        opener.push(all);
        assert.throws(() => opener.next(), { name: "ProtocolError", message: /broken/ });
        const swapped = new FrameOpener(key, 400);
        if (frames.length < 2) return;
        assert.throws(() => feed(concatBytes(...frames.toReversed()), swapped), {
          name: "ProtocolError",
        });
      },
    ),
    { numRuns: 100 },
  );
});

test("a frame that announces too much is refused at its header", () => {
  const key = randomBytes(32);
  const frame = new FrameSealer(key).seal(new Uint8Array(1001));
  const opener = new FrameOpener(key, 1000);
  opener.push(frame.slice(0, 19));
  assert.equal(opener.next(), null);
  opener.push(frame.slice(19, 20));
  assert.throws(() => opener.next(), {
    name: "ProtocolError",
    message: "frame: body of 1001 bytes, at most 1000",
  });
});

test("each KEM gives both sides the same keys", () => {
  for (const kem of [xwingKem, kyber768X25519Kem, mlKem768X25519Kem, x25519Kem]) {
    const initiator = new HandshakeInitiator({ kem, staticKeys: kem.generate() });
    const responder = new HandshakeResponder({ kem, staticKeys: kem.generate() });
    const lengths = handshakeLengths(kem, AUTH_PAYLOAD_LENGTH);
    const first = initiator.writeFirst();
    responder.readFirst(first);
    const second = responder.writeSecond(payload);
    assert.deepEqual(initiator.readSecond(second).payload, payload);
    const third = initiator.writeThird(payload);
    assert.deepEqual(responder.readThird(third).payload, payload);
    const fourth = responder.writeFourth();
    assert.deepEqual(initiator.readFourth(fourth.message), fourth.keys, kem.name);
    const messages = [first, second, third, fourth.message];
    assert.deepEqual(
      messages.map(({ length }) => length),
      [lengths.first, lengths.second, lengths.third, lengths.fourth],
    );
  }
});

test("a wrong message or a step out of turn in the handshake gives a ProtocolError", () => {
  const kem = x25519Kem;
  const newPair = () => ({
    initiator: new HandshakeInitiator({ kem, staticKeys: kem.generate() }),
    responder: new HandshakeResponder({ kem, staticKeys: kem.generate() }),
  });
  type Pair = ReturnType<typeof newPair>;
  // Each step takes the message of the step before; `damage` may change the message in between.
  const steps: ((pair: Pair, message: Bytes) => Bytes)[] = [
    ({ initiator }) => initiator.writeFirst(),
    ({ responder }, message) => (responder.readFirst(message), responder.writeSecond(payload)),
    ({ initiator }, message) => (initiator.readSecond(message), initiator.writeThird(payload)),
    ({ responder }, message) => (responder.readThird(message), responder.writeFourth().message),
    ({ initiator }, message) => (initiator.readFourth(message), message),
  ];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.oneof(
        fc.record({ flip: fc.nat() }),
        fc.record({ cut: fc.nat() }),
        fc.record({ garbage: fc.uint8Array({ maxLength: 700 }) }),
        fc.record({ extra: fc.integer({ min: 1, max: 50 }) }),
      ),
      (at, damage) => {
        const pair = newPair();
        let message: Bytes = new Uint8Array(0);
        for (let step = 0; step < at; step++) message = steps[step]!(pair, message);
        if ("flip" in damage) message[damage.flip % message.length]! ^= 1;
        else if ("cut" in damage) message = message.slice(0, damage.cut % message.length);
        else if ("extra" in damage) message = concatBytes(message, new Uint8Array(damage.extra));
        else message = concatBytes(damage.garbage);
        // Message one is not encrypted: a change in its key is noticed when message two is opened.
        const last = at === 1 && "flip" in damage && message[0] === 3 ? 2 : at;
        assert.throws(
          () => {
            for (let step = at; step <= last; step++) message = steps[step]!(pair, message);
          },
          (error) => hasCode(error, "ERR_PROTOCOL"),
        );
      },
    ),
    { numRuns: 300 },
  );
  const { initiator } = newPair();
  assert.throws(() => initiator.writeThird(payload), { name: "InvalidStateError" });
  initiator.writeFirst();
  assert.throws(() => initiator.writeFirst(), { name: "InvalidStateError" });
});

test("a low-order key from the other side is refused at any step", () => {
  const kem = x25519Kem;
  const zeros = new Uint8Array(32);
  const responder = new HandshakeResponder({ kem, staticKeys: kem.generate() });
  responder.readFirst(concatBytes(Uint8Array.of(3), zeros));
  assert.throws(() => responder.writeSecond(payload), {
    name: "ProtocolError",
    message: "handshake: the other side's key cannot be used",
  });
  const initiator = new HandshakeInitiator({ kem, staticKeys: kem.generate() });
  initiator.writeFirst();
  assert.throws(() => initiator.readSecond(concatBytes(zeros, new Uint8Array(324))), {
    name: "ProtocolError",
    message: "handshake: ciphertext cannot be used",
  });
  const evil = new HandshakeResponder({
    kem,
    staticKeys: { publicKey: zeros, privateKey: zeros },
  });
  const victim = new HandshakeInitiator({ kem, staticKeys: kem.generate() });
  evil.readFirst(victim.writeFirst());
  victim.readSecond(evil.writeSecond(payload));
  assert.throws(() => victim.writeThird(payload), { name: "ProtocolError" });
});

const chunk = (change: Partial<Consensus2> = {}): Consensus2 => ({
  type: "Consensus2",
  errorCode: 0,
  chunkNumber: 0,
  chunkTotal: 3,
  chunk: new Uint8Array(10),
  ...change,
});

test("chunks of a consensus that are out of order, too many, too long or changing are refused", () => {
  const after = (...commands: Consensus2[]): ConsensusAssembler => {
    const assembler = new ConsensusAssembler(10);
    for (const one of commands) assert.equal(assembler.add(one), null);
    return assembler;
  };
  const wrong: [ConsensusAssembler, Consensus2][] = [
    [after(), chunk({ chunkNumber: 1 })],
    [after(), chunk({ chunkTotal: 0 })],
    [after(), chunk({ chunkTotal: 2049 })],
    [after(), chunk({ chunkTotal: 0xffffffff })],
    [after(), chunk({ chunk: new Uint8Array(11) })],
    [after(), chunk({ errorCode: 1 })],
    [after(), chunk({ errorCode: 1, chunkTotal: 1 })],
    [after(chunk()), chunk()],
    [after(chunk()), chunk({ chunkNumber: 2 })],
    [after(chunk()), chunk({ chunkNumber: 1, chunkTotal: 4 })],
    [after(chunk()), chunk({ errorCode: 2, chunkTotal: 1, chunk: new Uint8Array(0) })],
  ];
  for (const [assembler, one] of wrong) {
    assert.throws(() => assembler.add(one), { name: "ProtocolError" }, JSON.stringify(one));
  }
  const big = new ConsensusAssembler(2 ** 20);
  const piece = (chunkNumber: number) =>
    chunk({ chunkNumber, chunkTotal: 5, chunk: new Uint8Array(2 ** 20) });
  for (let i = 0; i < 4; i++) assert.equal(big.add(piece(i)), null);
  assert.throws(() => big.add(piece(4)), {
    message: `consensus: more than ${MAX_COMPRESSED_CONSENSUS_BYTES} bytes before unpacking`,
  });
  for (const errorCode of [1, 2, 200]) {
    const none = chunk({ errorCode, chunkTotal: 1, chunk: new Uint8Array(0) });
    assert.deepEqual(new ConsensusAssembler(10).add(none), { errorCode, packed: null });
  }
});

test("both platforms decompress gzip within its limit, and damage gives a ProtocolError", async () => {
  for (const [name, { gzip, gunzip }] of Object.entries({ nodeGzip, browserGzip })) {
    const data = concatBytes(randomBytes(10_000), new Uint8Array(20_000));
    const packed = await gzip(data);
    assert.deepEqual(await gunzip(packed, data.length), data, name);
    await assert.rejects(gunzip(packed, data.length - 1), {
      name: "ProtocolError",
      message: `gzip: more than ${data.length - 1} bytes`,
    });
    const wrong = packed.slice();
    wrong[wrong.length >> 1]! ^= 1;
    for (const damaged of [wrong, packed.slice(0, -9), packed.slice(9), new Uint8Array(0), data]) {
      await assert.rejects(gunzip(damaged, 2 ** 20), { name: "ProtocolError" }, name);
    }
  }
});

test("a gzip bomb is refused without allocating its memory", async () => {
  // 4 MiB that would unpack to 4 GiB: a sequence of gzip members with 64 MiB of zeros each.
  const member = gzipSync(new Uint8Array(64 * 2 ** 20));
  const bomb = concatBytes(
    ...Array.from(
      { length: Math.floor(MAX_COMPRESSED_CONSENSUS_BYTES / member.length) },
      () => member,
    ),
  );
  const before = process.memoryUsage.rss();
  const message = `gzip: more than ${MAX_CONSENSUS_BYTES} bytes`;
  await assert.rejects(unpackConsensus(bomb), { message: `consensus: ${message}` });
  await assert.rejects(browserGzip.gunzip(bomb, MAX_CONSENSUS_BYTES), { message });
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
  assert.ok(grown < 256, `${grown} MiB more`);
});
