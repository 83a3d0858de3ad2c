import assert from "node:assert/strict";
import { test } from "node:test";
import { x25519PublicKey } from "#platform";
import * as fc from "fast-check";
import { type Bytes, concatBytes, randomBytes, toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { Geometry, type GeometryFields } from "../../src/pki/geometry.js";
import { aezDecrypt, aezEncrypt } from "../../src/sphinx/aez.js";
import {
  type RoutingCommand,
  encodeRoutingCommands,
  parseRoutingCommands,
} from "../../src/sphinx/commands.js";
import { decodeForwardPayload, encodeForwardPayload } from "../../src/sphinx/payload.js";
import { Sphinx } from "../../src/sphinx/sphinx.js";

const fixed = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const command: fc.Arbitrary<RoutingCommand> = fc.oneof(
  fc.record({ type: fc.constant("NextNodeHop" as const), id: fixed(32), mac: fixed(32) }),
  fc.record({ type: fc.constant("Recipient" as const), id: fixed(32) }),
  fc.record({ type: fc.constant("SURBReply" as const), id: fixed(16) }),
  fc.record({
    type: fc.constant("NodeDelay" as const),
    delayMs: fc.integer({ min: 0, max: 0xffffffff }),
  }),
);

test("AEZ is invertible at every length, and one changed bit changes everything", () => {
  fc.assert(
    fc.property(
      fixed(48),
      fixed(16),
      fc.uint8Array({ minLength: 32, maxLength: 700 }),
      fc.nat(),
      (key, nonce, message, bit) => {
        const sealed = aezEncrypt(key, nonce, message);
        assert.equal(sealed.length, message.length);
        assert.equal(toHex(aezDecrypt(key, nonce, sealed)), toHex(message));
        const other = message.slice();
        other[(bit >> 3) % message.length]! ^= 1 << (bit & 7);
        const otherSealed = aezEncrypt(key, nonce, other);
        const same = sealed.filter((byte, i) => byte === otherSealed[i]).length;
        // By chance one byte in 256 stays the same; a third of them never does.
        assert.ok(same < message.length / 3, `${same} of ${message.length} bytes stayed`);
      },
    ),
    { numRuns: 300 },
  );
});

test("commands decode, with or without trailing zeros, and truncations are refused", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 5 }), fc.nat(40), (commands, zeros) => {
      const encoded = encodeRoutingCommands(commands);
      const padded = concatBytes(encoded, new Uint8Array(zeros));
      const read = parseRoutingCommands(padded);
      assert.equal(toHex(encodeRoutingCommands(read)), toHex(encoded));
      assert.equal(read.length, commands.length);
      for (let length = 0; length < encoded.length; length++) {
        try {
          assert.ok(parseRoutingCommands(encoded.slice(0, length)).length < commands.length);
        } catch (error) {
          assert.ok(hasCode(error, "ERR_PROTOCOL"), String(error));
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("arbitrary bytes decode to commands or give a ProtocolError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (block) => {
      try {
        parseRoutingCommands(block);
      } catch (error) {
        assert.ok(hasCode(error, "ERR_PROTOCOL"), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

interface Node {
  readonly privateKey: Bytes;
  readonly id: Bytes;
  readonly publicKey: Bytes;
}

function newNode(): Node {
  const privateKey = randomBytes(32);
  return { privateKey, publicKey: x25519PublicKey(privateKey), id: randomBytes(32) };
}

const nodes = Array.from({ length: 6 }, newNode);
const recipient = { type: "Recipient", id: new Uint8Array(32).fill(7) } as const;

test("packets and replies of any geometry arrive complete, and only at their recipients", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.nat(5),
      fc.uint8Array({ maxLength: 120 }),
      fc.nat(),
      (nrHops, skipped, message, damage) => {
        const geometry = Geometry.forNike({
          nike: "x25519",
          nrHops,
          userForwardPayloadLength: 120,
        });
        const sphinx = new Sphinx(geometry);
        const hops = nodes.slice(0, Math.max(1, nrHops - skipped));
        const path = (last: RoutingCommand[]) =>
          hops.map(({ id, publicKey }, i) => ({
            id,
            publicKey,
            commands: i < hops.length - 1 ? [{ type: "NodeDelay", delayMs: i } as const] : last,
          }));
        const surb = sphinx.newSurb(path([recipient, { type: "SURBReply", id: randomBytes(16) }]));
        const block = encodeForwardPayload(geometry, surb.surb, message);
        let packet: Bytes = sphinx.newPacket(path([recipient]), block);
        for (const [i, { privateKey }] of hops.entries()) {
          assert.equal(packet.length, geometry.packetLength);
          const wrong = packet.slice();
          const at = 2 + (damage % (geometry.headerLength - 2));
          wrong[at]! ^= 1 << (damage & 7);
          assert.throws(() => sphinx.unwrap(privateKey, wrong), { name: "ProtocolError" });
          assert.throws(() => sphinx.unwrap(nodes[(i + 1) % 6]!.privateKey, packet), {
            name: "ProtocolError",
          });
          const found = sphinx.unwrap(privateKey, packet);
          if (i < hops.length - 1) packet = found.packet!;
          else assert.equal(toHex(found.payload!), toHex(block));
        }
        const answer = sphinx.newPacketFromSurb(
          decodeForwardPayload(geometry, block).surb!,
          message,
        );
        assert.equal(toHex(answer.firstHop), toHex(hops[0]!.id));
        packet = answer.packet;
        for (const { privateKey } of hops) {
          const found = sphinx.unwrap(privateKey, packet);
          packet = found.packet ?? found.payload!;
        }
        const reply = sphinx.decryptSurbPayload(packet, surb.keys);
        assert.equal(toHex(reply.slice(0, message.length)), toHex(message));
        assert.ok(reply.slice(message.length).every((byte) => byte === 0));
        packet[damage % packet.length]! ^= 1;
        assert.throws(() => sphinx.decryptSurbPayload(packet, surb.keys), {
          name: "ProtocolError",
        });
      },
    ),
    { numRuns: 25 },
  );
});

test("packets of any other length are refused", () => {
  const geometry = Geometry.forNike({ nike: "x25519", nrHops: 2, userForwardPayloadLength: 10 });
  const sphinx = new Sphinx(geometry);
  const { privateKey, id, publicKey } = nodes[0]!;
  const packet = sphinx.newPacket(
    [{ id, publicKey, commands: [recipient] }],
    new Uint8Array(geometry.forwardPayloadLength),
  );
  for (let length = 0; length < packet.length; length++) {
    assert.throws(() => sphinx.unwrap(privateKey, packet.slice(0, length)), {
      name: "ProtocolError",
      message: "sphinx: invalid packet, truncated",
    });
  }
  assert.throws(() => sphinx.unwrap(privateKey, concatBytes(packet, new Uint8Array(1))), {
    name: "ProtocolError",
  });
});

test("geometries that do not fit their scheme, or name an unsupported one, are refused", () => {
  const geometry = Geometry.forNike({ nike: "x25519", nrHops: 5, userForwardPayloadLength: 2000 });
  const fields: GeometryFields = Object.assign({}, geometry);
  const wrong: [Partial<typeof fields>, RegExp][] = [
    [{ headerLength: 475 }, /`geometry\.headerLength` must be 476, got 475/],
    [{ packetLength: 2 ** 40 }, /`geometry\.packetLength` must be 3082/],
    [{ forwardPayloadLength: 0, packetLength: 508 }, /`geometry\.forwardPayloadLength`/],
    [{ perHopRoutingInfoLength: 83 }, /`geometry\.perHopRoutingInfoLength`/],
    [{ nikeName: "x448" }, /NIKE scheme x25519/],
    [{ nikeName: "", kemName: "" }, /NIKE scheme x25519/],
    [{ nikeName: "", kemName: "HQC-256" }, /no KEM scheme with the name "HQC-256"/],
  ];
  for (const [change, message] of wrong) {
    assert.throws(() => new Sphinx({ ...fields, ...change }), { name: "RangeError", message });
  }
});
