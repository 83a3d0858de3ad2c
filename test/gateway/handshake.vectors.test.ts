import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { concatBytes, toHex, utf8ToText } from "../../src/bytes/bytes.js";
import { decodeAuthPayload, encodeAuthPayload } from "../../src/gateway/auth-payload.js";
import { CommandCodec } from "../../src/gateway/commands.js";
import { FRAME_OVERHEAD, FrameOpener, FrameSealer } from "../../src/gateway/frames.js";
import {
  HandshakeInitiator,
  HandshakeResponder,
  type SymmetricState,
  handshakeLengths,
} from "../../src/gateway/noise.js";
import { xwingKem } from "../../src/kem/xwing.js";
import { Geometry } from "../../src/pki/geometry.js";
import { hash256 } from "../../src/bytes/hash.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import { commandFrom } from "./wire-cases.js";
import { geometryOf, scripted } from "../sphinx/sphinx-cases.js";

const vectors = loadVectors("mixnet-wire-handshake");
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

// oxlint-disable-next-line typescript/no-explicit-any -- one session of the vector file
type Session = any;

function checkState(state: SymmetricState, wanted: Session): void {
  assert.equal(toHex(state.hash), wanted.h, wanted.after);
  assert.equal(toHex(state.chainingKey), wanted.ck, wanted.after);
  assert.equal(state.key === null ? "" : toHex(state.key), wanted.k, wanted.after);
  assert.equal(state.counter, wanted.n, wanted.after);
}

function sides(v: Session) {
  const pair = (seed: string) => xwingKem.generate(scripted(hex(seed)));
  const [ekem, skemThird, skemFourth] = v.encapsulations.map(({ eseed }: { eseed: string }) =>
    hex(eseed),
  );
  const initiator = new HandshakeInitiator({
    kem: xwingKem,
    staticKeys: pair(v.initiator.staticSeed),
    random: scripted(hex(v.initiator.ephemeralSeed), skemThird),
  });
  const responder = new HandshakeResponder({
    kem: xwingKem,
    staticKeys: pair(v.responder.staticSeed),
    random: scripted(ekem, skemFourth),
  });
  return { initiator, responder };
}

test("handshakes match the reference byte for byte, in both roles and every intermediate state", () => {
  for (const v of vectors.sessions) {
    const { initiator, responder } = sides(v);
    const [afterName, afterFirst, afterSecond, afterThird] = v.states;
    const checkBoth = (wanted: Session): void => {
      checkState(initiator.state, wanted);
      checkState(responder.state, wanted);
    };
    assert.equal(`Noise_pqXX_${xwingKem.name}_ChaChaPoly_BLAKE2b`, v.noiseProtocolName);
    checkBoth(afterName);
    const first = initiator.writeFirst();
    assert.equal(toHex(first), v.wire.message1.bytes);
    responder.readFirst(first);
    checkBoth(afterFirst);
    const secondPayload = encodeAuthPayload({
      additionalData: hex(v.message2Payload.additionalData),
      unixTime: v.message2Payload.unixTime,
    });
    assert.equal(toHex(secondPayload), v.message2Payload.bytes);
    const second = responder.writeSecond(secondPayload);
    assert.equal(toHex(second), v.wire.message2.bytes);
    const server = initiator.readSecond(second);
    checkBoth(afterSecond);
    assert.equal(toHex(server.staticKey), v.responder.staticPublicKey);
    assert.equal(sha256(server.staticKey), v.clientSawPeer.publicKeySHA256);
    const serverSaid = decodeAuthPayload(server.payload);
    assert.equal(toHex(serverSaid.additionalData), v.clientSawPeer.additionalData);
    assert.equal(serverSaid.unixTime, v.message2Payload.unixTime);
    const thirdPayload = encodeAuthPayload({
      additionalData: hex(v.message3Payload.additionalData),
      unixTime: 0,
    });
    assert.equal(toHex(thirdPayload), v.message3Payload.bytes);
    const third = initiator.writeThird(thirdPayload);
    assert.equal(toHex(third), v.wire.message3.bytes);
    const client = responder.readThird(third);
    checkBoth(afterThird);
    assert.equal(sha256(client.staticKey), v.serverSawPeer.publicKeySHA256);
    const clientSaid = decodeAuthPayload(client.payload);
    assert.equal(toHex(clientSaid.additionalData), v.serverSawPeer.additionalData);
    assert.equal(clientSaid.unixTime, 0);
    const fourth = responder.writeFourth();
    assert.equal(toHex(fourth.message), v.wire.message4.bytes);
    const keys = initiator.readFourth(fourth.message);
    assert.deepEqual(keys, fourth.keys);
    assert.equal(toHex(keys.initiatorToResponder), v.transportKeys.initiatorToResponder);
    assert.equal(toHex(keys.responderToInitiator), v.transportKeys.responderToInitiator);
    assert.equal(toHex(initiator.state.hash), v.handshakeHash);
    assert.equal(toHex(responder.state.hash), v.handshakeHash);
    const lengths = handshakeLengths(xwingKem, thirdPayload.length);
    assert.deepEqual(
      [lengths.first, lengths.second, lengths.third, lengths.fourth],
      [1, 2, 3, 4].map((i) => v.wire[`message${i}`].length),
    );
  }
  assert.equal(vectors.sessions.length, 2);
});

test("the responder identifies itself by the hash of its identity key, a client by its queue ID", () => {
  const [gateway] = vectors.sessions;
  const identity = toHex(hash256(hex(vectors.responderIdentityPublicKeyEd25519)));
  assert.equal(gateway.clientSawPeer.additionalData, identity);
  assert.equal(utf8ToText(hex(gateway.serverSawPeer.additionalData)).length, 32);
});

test("frames, their keys and counters match the reference in both directions", () => {
  let frames = 0;
  for (const v of vectors.sessions) {
    const isGateway = v.name.includes("gateway");
    const codec = new CommandCodec(isGateway ? geometryOf(v.geometry) : null);
    for (const from of ["initiator", "responder"]) {
      const key =
        v.transportKeys[from === "initiator" ? "initiatorToResponder" : "responderToInitiator"];
      const sealer = new FrameSealer(hex(key));
      const opener = new FrameOpener(hex(key), 4000);
      const sent = v.transport.filter((frame: Session) => frame.from === from);
      for (const frame of sent) {
        assert.equal(toHex(sealer.state.key), frame.keyBefore);
        assert.equal(sealer.state.counter, frame.nonceBefore);
        const body = codec.encode(commandFrom(frame.command));
        assert.equal(body.length, frame.plaintextLength);
        assert.equal(toHex(sealer.seal(body)), frame.frame);
        assert.equal(body.length + FRAME_OVERHEAD, frame.frameLength);
        assert.equal(toHex(sealer.state.key), frame.keyAfterRekey);
        assert.equal(sealer.state.counter, frame.nonceAfter);
        opener.push(hex(frame.frame));
        const opened = opener.next();
        assert.deepEqual(opened, body);
        assert.deepEqual(codec.decode(opened!), commandFrom(frame.command));
        assert.deepEqual(opener.state, sealer.state);
        assert.equal(opener.next(), null);
        frames++;
      }
      const all = concatBytes(...sent.map((frame: Session) => hex(frame.frame)));
      const bytewise = new FrameOpener(hex(key), 4000);
      let opened = 0;
      for (const byte of all) {
        bytewise.push(Uint8Array.of(byte));
        if (bytewise.next() !== null) opened++;
      }
      assert.equal(opened, sent.length);
    }
  }
  assert.equal(frames, 11);
});

test("the geometry of the recorded session gives the recorded lengths", () => {
  const codec = new CommandCodec(
    Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 64 }),
  );
  const recorded = loadVectors("mixnet-wire-commands");
  assert.equal(codec.clientLength, recorded.maxMessageLenClientToServer);
  assert.equal(codec.gatewayLength, recorded.maxMessageLenServerToClient);
});
