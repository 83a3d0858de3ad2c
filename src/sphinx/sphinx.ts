/** Sphinx packets and single-use reply blocks of one geometry. spec/mixnet §4. */
import {
  type Bytes,
  type RandomSource,
  checkBytes,
  concatBytes,
  copyBytes,
  randomBytes,
} from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { kemSchemeByName } from "../kem/registry.js";
import type { GeometryFields } from "../pki/geometry.js";
import { AEZ_KEY_LENGTH, aezDecrypt, aezEncrypt } from "./aez.js";
import { NEXT_NODE_HOP_LENGTH, type RoutingCommand } from "./commands.js";
import { createHeader, elementOf, openHeader, payloadKeyOf } from "./header.js";
import { type HopScheme, type SphinxHop, checkPath, kemHops, x25519Hops } from "./path.js";
import { MAC_LENGTH, PAYLOAD_KEY_LENGTH, replayTagOf } from "./primitives.js";

const nodeIdLength = 32;
const surbIdLength = 16;
const associatedDataLength = 2;

/** A reply block, and the keys with which its creator reads the reply. */
export interface CreatedSurb {
  /** `surbLength` bytes, for the party that replies. */
  readonly surb: Bytes;
  /** 64 bytes per hop, and 64 more: for {@link Sphinx.decryptSurbPayload}, once. Secret. */
  readonly keys: Bytes;
}

/** A packet as a hop sees it. */
export interface UnwrappedPacket {
  /** Compare it with the tags of the packets seen under the same key: 32 bytes. */
  readonly replayTag: Bytes;
  /** The commands for the hop. */
  readonly commands: readonly RoutingCommand[];
  /** The packet for the next hop; null at the last one. */
  readonly packet: Bytes | null;
  /**
   * At the last hop: the payload, `forwardPayloadLength` bytes; with a SURBReply the ciphertext for
   * its creator, which is `payloadTagLength` bytes longer. Null at every other hop.
   */
  readonly payload: Bytes | null;
}

function hopSchemeOf(geometry: GeometryFields): HopScheme {
  const nike = geometry.nikeName ?? "";
  const kem = geometry.kemName ?? "";
  if (kem !== "" && nike === "") return kemHops(kemSchemeByName(kem));
  if (nike.toLowerCase() === "x25519" && kem === "") return x25519Hops;
  throw new RangeError(
    `\`geometry\` must name the NIKE scheme x25519 or a KEM scheme, ` +
      `got NIKE ${JSON.stringify(nike)} and KEM ${JSON.stringify(kem)}`,
  );
}

/** Packets are cut by these lengths, so they must equal those of the formulas. */
function checkGeometry(geometry: GeometryFields, scheme: HopScheme): void {
  const { nrHops, userForwardPayloadLength } = geometry;
  const perHop = NEXT_NODE_HOP_LENGTH + 1 + surbIdLength + scheme.elementInBlock;
  const routing = perHop * nrHops;
  const header = associatedDataLength + scheme.elementLength + routing + MAC_LENGTH;
  const surb = header + nodeIdLength + PAYLOAD_KEY_LENGTH;
  const forward = userForwardPayloadLength + 2 + surb;
  const wanted = {
    perHopRoutingInfoLength: perHop,
    routingInfoLength: routing,
    headerLength: header,
    surbLength: surb,
    sphinxPlaintextHeaderLength: 2,
    payloadTagLength: 32,
    nextNodeHopLength: NEXT_NODE_HOP_LENGTH,
    sprpKeyMaterialLength: PAYLOAD_KEY_LENGTH,
    packetLength: header + 32 + geometry.forwardPayloadLength,
  };
  for (const [name, length] of Object.entries(wanted)) {
    const given = geometry[name as keyof typeof wanted];
    if (given !== length) {
      throw new RangeError(`\`geometry.${name}\` must be ${length}, got ${given}`);
    }
  }
  // Services of a network without reply blocks get only the payload.
  if (geometry.forwardPayloadLength !== forward) {
    if (geometry.forwardPayloadLength !== userForwardPayloadLength) {
      throw new RangeError(
        `\`geometry.forwardPayloadLength\` must be ${forward}, got ${geometry.forwardPayloadLength}`,
      );
    }
  }
}

/** Makes and opens the packets of one geometry. */
export class Sphinx {
  /** The lengths of its packets. */
  readonly geometry: GeometryFields;
  readonly #hops: HopScheme;
  readonly #random: RandomSource;

  /**
   * @throws RangeError when the geometry names an unknown scheme, or its lengths are not those of
   * the scheme.
   */
  constructor(
    geometry: GeometryFields,
    options: {
      /** The source of randomness: the platform's generator, except in tests. */
      readonly random?: RandomSource | undefined;
    } = {},
  ) {
    this.#hops = hopSchemeOf(geometry);
    checkGeometry(geometry, this.#hops);
    this.geometry = geometry;
    this.#random = options.random ?? randomBytes;
  }

  /**
   * Makes a packet of `packetLength` bytes.
   * @param path 1 to `nrHops` hops.
   * @param payload `forwardPayloadLength` bytes from `encodeForwardPayload`.
   * @throws TypeError or RangeError for an invalid path, commands that do not fit, or another
   * length.
   */
  newPacket(path: readonly SphinxHop[], payload: Uint8Array): Bytes {
    const { forwardPayloadLength, payloadTagLength, nrHops } = this.geometry;
    checkPath(path, nrHops);
    checkBytes("payload", payload, forwardPayloadLength);
    const { header, payloadKeys } = createHeader(this.#hops, this.geometry, path, this.#random);
    let body = concatBytes(new Uint8Array(payloadTagLength), payload);
    for (const key of payloadKeys.toReversed()) body = encrypt(key, body);
    return concatBytes(header, body);
  }

  /**
   * Makes a reply block for a path back to ourselves, whose last hop has Recipient and SURBReply.
   * @throws TypeError or RangeError as {@link newPacket}.
   */
  newSurb(path: readonly SphinxHop[]): CreatedSurb {
    checkPath(path, this.geometry.nrHops);
    const ownKey = this.#random(PAYLOAD_KEY_LENGTH);
    const { header, payloadKeys } = createHeader(this.#hops, this.geometry, path, this.#random);
    return {
      surb: concatBytes(header, path[0]!.id, ownKey),
      keys: concatBytes(...payloadKeys.toReversed(), ownKey),
    };
  }

  /**
   * Makes the packet that answers with a reply block; returns it with its first hop (32 bytes).
   * @param payload at most `forwardPayloadLength` bytes; padded with zeros.
   * @throws ProtocolError when the reply block has a wrong length; RangeError when the payload is
   * too long.
   */
  newPacketFromSurb(
    surb: Uint8Array,
    payload: Uint8Array,
  ): { readonly packet: Bytes; readonly firstHop: Bytes } {
    const { surbLength, headerLength, forwardPayloadLength, payloadTagLength } = this.geometry;
    if (surb.length !== surbLength) {
      throw new ProtocolError("sphinx: invalid packet, truncated SURB");
    }
    if (payload.length > forwardPayloadLength) {
      throw new RangeError(
        `\`payload\` must be at most ${forwardPayloadLength} bytes, got ${payload.length}`,
      );
    }
    const body = new Uint8Array(payloadTagLength + forwardPayloadLength);
    body.set(payload, payloadTagLength);
    const key = surb.subarray(headerLength + nodeIdLength);
    return {
      packet: concatBytes(surb.subarray(0, headerLength), encrypt(key, body)),
      firstHop: copyBytes(surb.subarray(headerLength, headerLength + nodeIdLength)),
    };
  }

  /**
   * Decrypts a reply: `forwardPayloadLength` bytes, the answer, then zeros.
   * @param ciphertext from the gateway.
   * @param keys from {@link newSurb}.
   * @throws ProtocolError when it is not the reply to that block, or was damaged; RangeError when
   * `keys` do not belong to a reply block.
   */
  decryptSurbPayload(ciphertext: Uint8Array, keys: Uint8Array): Bytes {
    const { payloadTagLength, forwardPayloadLength } = this.geometry;
    if (keys.length < PAYLOAD_KEY_LENGTH || keys.length % PAYLOAD_KEY_LENGTH !== 0) {
      throw new RangeError(
        `\`keys\` must be a multiple of ${PAYLOAD_KEY_LENGTH} bytes, got ${keys.length}`,
      );
    }
    if (ciphertext.length !== payloadTagLength + forwardPayloadLength) {
      throw new ProtocolError("sphinx: truncated payload");
    }
    // Each hop decrypted, so encrypting undoes each step; the replier encrypted.
    let body = copyBytes(ciphertext);
    const last = keys.length - PAYLOAD_KEY_LENGTH;
    for (let at = 0; at < last; at += PAYLOAD_KEY_LENGTH) {
      body = encrypt(keys.subarray(at, at + PAYLOAD_KEY_LENGTH), body);
    }
    return this.#checkTag(decrypt(keys.subarray(last), body));
  }

  /**
   * Removes one layer from a packet, as a hop does. The caller must detect replays.
   * @param privateKey the hop's Sphinx key, 32 bytes with x25519.
   * @throws ProtocolError when the packet must be dropped: not for this key, or damaged.
   */
  unwrap(privateKey: Uint8Array, packet: Uint8Array): UnwrappedPacket {
    const { headerLength, packetLength } = this.geometry;
    const replayTag = this.replayTag(packet);
    if (packet.length !== packetLength) {
      throw new ProtocolError("sphinx: invalid packet, truncated");
    }
    const { keys, commands, next } = openHeader(this.#hops, this.geometry, privateKey, packet);
    const body = decrypt(payloadKeyOf(keys), packet.subarray(headerLength));
    if (next !== null) {
      return { replayTag, commands, packet: concatBytes(next, body), payload: null };
    }
    const isReply = commands.some(({ type }) => type === "SURBReply");
    return { replayTag, commands, packet: null, payload: isReply ? body : this.#checkTag(body) };
  }

  /** The replay tag of any packet. @throws ProtocolError when it has no header. */
  replayTag(packet: Uint8Array): Bytes {
    return replayTagOf(elementOf(this.#hops, this.geometry, packet));
  }

  #checkTag(body: Uint8Array): Bytes {
    const { payloadTagLength } = this.geometry;
    let difference = 0;
    for (let i = 0; i < payloadTagLength; i++) difference |= body[i]!;
    if (difference !== 0) throw new ProtocolError("sphinx: payload auth failed");
    return copyBytes(body.subarray(payloadTagLength));
  }
}

function encrypt(key: Uint8Array, body: Uint8Array): Bytes {
  return aezEncrypt(key.subarray(0, AEZ_KEY_LENGTH), key.subarray(AEZ_KEY_LENGTH), body);
}

function decrypt(key: Uint8Array, body: Uint8Array): Bytes {
  return aezDecrypt(key.subarray(0, AEZ_KEY_LENGTH), key.subarray(AEZ_KEY_LENGTH), body);
}
