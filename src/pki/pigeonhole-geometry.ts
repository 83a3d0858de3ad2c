/** The lengths that a network's storage messages have. spec/thin-protocol §6.3. */
import { describeType } from "../bytes/bytes.js";
import type { CborValue } from "../cbor/cbor.js";
import { Geometry, checkCount } from "./geometry.js";
import {
  PIGEONHOLE_SIGNATURE_SCHEME,
  payloadThatFits,
  pigeonholeSizesFrom,
} from "./pigeonhole-sizes.js";
import { nikePublicKeyLength } from "./scheme-names.js";
import { asMap, requiredText, requiredUint } from "../cbor/fields.js";

/** What a {@link PigeonholeGeometry} holds; lengths in bytes. */
export interface PigeonholeGeometryFields {
  /** The most that one box holds, M; 0 unless given. */
  readonly maxPlaintextPayloadLength?: number | undefined;
  /**
   * A query that reads: M + 291 + the NIKE's public key (160 with CTIDH1024-X25519). 0 unless
   * given.
   */
  readonly courierQueryReadLength?: number | undefined;
  /** A query that writes: the same. 0 unless given. */
  readonly courierQueryWriteLength?: number | undefined;
  /**
   * M + 169, as daemons publish it for the reply to a read; the real one is 25 bytes longer. 0
   * unless given.
   */
  readonly courierQueryReplyReadLength?: number | undefined;
  /** The same for the reply to a write. 0 unless given. */
  readonly courierQueryReplyWriteLength?: number | undefined;
  /** NIKE scheme of the envelopes, e.g. `CTIDH1024-X25519`; "" unless given. */
  readonly nikeName?: string | undefined;
  /** Scheme of the boxes' signatures; `Ed25519` unless given, and there is no other. */
  readonly signatureSchemeName?: string | undefined;
}

const lengthKeys = [
  ["maxPlaintextPayloadLength", "MaxPlaintextPayloadLength"],
  ["courierQueryReadLength", "CourierQueryReadLength"],
  ["courierQueryWriteLength", "CourierQueryWriteLength"],
  ["courierQueryReplyReadLength", "CourierQueryReplyReadLength"],
  ["courierQueryReplyWriteLength", "CourierQueryReplyWriteLength"],
] as const;

/** The lengths that a network's storage messages have. */
export class PigeonholeGeometry {
  /** What stands before each plaintext to say how long it is. */
  static readonly LENGTH_PREFIX_SIZE = 4;

  /** The most that one box holds. */
  readonly maxPlaintextPayloadLength: number;
  /** A query that reads: M (the most a box holds) + 291 + the NIKE's public key. */
  readonly courierQueryReadLength: number;
  /** A query that writes: as long as one that reads, so that nobody can tell. */
  readonly courierQueryWriteLength: number;
  /**
   * M + 169 for the reply to a read; the real one is 25 bytes longer (spec/thin-protocol §6.3).
   */
  readonly courierQueryReplyReadLength: number;
  /** The same for the reply to a write. */
  readonly courierQueryReplyWriteLength: number;
  /** The NIKE scheme of the envelopes. */
  readonly nikeName: string;
  /** The scheme of the boxes' signatures: `Ed25519`. */
  readonly signatureSchemeName: string;

  /**
   * Members left out are 0, an empty name, and `Ed25519`.
   * @throws TypeError or RangeError when a length is not an integer from 0 up or a name is not a string;
   * whether the values make sense is {@link validate}'s business.
   */
  constructor(fields: PigeonholeGeometryFields = {}) {
    for (const [name] of lengthKeys) {
      if (fields[name] !== undefined) checkCount(name, fields[name]);
    }
    for (const name of ["nikeName", "signatureSchemeName"] as const) {
      const value = fields[name];
      if (value !== undefined && typeof value !== "string") {
        throw new TypeError(`\`${name}\` must be a string, got ${describeType(value)}`);
      }
    }
    this.maxPlaintextPayloadLength = fields.maxPlaintextPayloadLength ?? 0;
    this.courierQueryReadLength = fields.courierQueryReadLength ?? 0;
    this.courierQueryWriteLength = fields.courierQueryWriteLength ?? 0;
    this.courierQueryReplyReadLength = fields.courierQueryReplyReadLength ?? 0;
    this.courierQueryReplyWriteLength = fields.courierQueryReplyWriteLength ?? 0;
    this.nikeName = fields.nikeName ?? "";
    this.signatureSchemeName = fields.signatureSchemeName ?? PIGEONHOLE_SIGNATURE_SCHEME;
    // The client hands out the very one that it works with.
    Object.freeze(this);
  }

  /**
   * Reads a geometry as daemons send it: a map that has all 7 members. Others are ignored.
   * @throws ProtocolError when one is missing or of the wrong type.
   */
  static fromWire(value: CborValue): PigeonholeGeometry {
    const where = "pigeonhole_geometry";
    const map = asMap(value, where);
    const fields: Record<string, number | string> = {};
    for (const [name, key] of lengthKeys) fields[name] = requiredUint(map, key, where);
    fields["nikeName"] = requiredText(map, "NIKEName", where);
    fields["signatureSchemeName"] = requiredText(map, "SignatureSchemeName", where);
    return new PigeonholeGeometry(fields);
  }

  /**
   * The geometry for boxes that hold `maxPlaintextPayloadLength` bytes.
   * @param nikePublicKeyBytes length of a public key of the scheme; needed only for unlisted ones.
   * @throws RangeError when the length is not above 0 or the scheme is unknown.
   */
  static fromMaxPlaintext(
    maxPlaintextPayloadLength: number,
    nikeName: string,
    nikePublicKeyBytes: number = nikePublicKeyLength(nikeName),
  ): PigeonholeGeometry {
    checkCount("maxPlaintextPayloadLength", maxPlaintextPayloadLength);
    const nike = { name: nikeName, publicKeyLength: nikePublicKeyBytes };
    const geometry = new PigeonholeGeometry(pigeonholeSizesFrom(maxPlaintextPayloadLength, nike));
    geometry.validate();
    return geometry;
  }

  /**
   * The geometry of the largest boxes whose queries fit into one Sphinx payload: what a daemon
   * derives from its network's Sphinx geometry.
   * @param nikePublicKeyBytes length of a public key of the scheme; needed only for unlisted ones.
   * @throws RangeError when the payload has no room for a box, or the scheme is unknown.
   */
  static fromSphinx(
    geometry: Geometry,
    nikeName: string,
    nikePublicKeyBytes: number = nikePublicKeyLength(nikeName),
  ): PigeonholeGeometry {
    const room = payloadThatFits(geometry.userForwardPayloadLength, nikePublicKeyBytes);
    return PigeonholeGeometry.fromMaxPlaintext(room, nikeName, nikePublicKeyBytes);
  }

  /**
   * The Sphinx geometry whose payload holds every query and reply; its header uses the same NIKE
   * scheme as the envelopes.
   * @throws RangeError when the scheme is unknown.
   */
  toSphinx(nrHops: number, withSurb = true): Geometry {
    const userForwardPayloadLength = Math.max(
      this.courierQueryReadLength,
      this.courierQueryWriteLength,
      this.courierQueryReplyReadLength,
      this.courierQueryReplyWriteLength,
    );
    return Geometry.forNike({ nike: this.nikeName, nrHops, userForwardPayloadLength, withSurb });
  }

  /** The map that {@link fromWire} reads. */
  toWire(): Record<string, number | string> {
    const map: Record<string, number | string> = {};
    for (const [name, key] of lengthKeys) map[key] = this[name];
    map["NIKEName"] = this.nikeName;
    map["SignatureSchemeName"] = this.signatureSchemeName;
    return map;
  }

  /**
   * @throws RangeError when boxes hold nothing, no NIKE is named, or the signatures' scheme is
   * wrong.
   */
  validate(): void {
    if (this.maxPlaintextPayloadLength <= 0) {
      throw new RangeError("max_plaintext_payload_length must be positive");
    }
    if (this.nikeName === "") throw new RangeError("nike_name must be set");
    if (this.signatureSchemeName !== PIGEONHOLE_SIGNATURE_SCHEME) {
      throw new RangeError(`signature_scheme_name must be '${PIGEONHOLE_SIGNATURE_SCHEME}'`);
    }
  }

  /**
   * Bytes of a plaintext with its length in front: what every box is padded to before encryption.
   */
  paddedPayloadLength(): number {
    return PigeonholeGeometry.LENGTH_PREFIX_SIZE + this.maxPlaintextPayloadLength;
  }

  /** Every member, one a line, as `Name: value`; lengths with their unit. */
  toString(): string {
    const lines = Object.entries(this.toWire()).map(([key, value]) =>
      typeof value === "number" ? `${key}: ${value} bytes` : `${key}: ${value}`,
    );
    return lines.join("\n");
  }
}
