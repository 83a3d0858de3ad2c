/** The lengths of a network's storage messages (spec/thin-protocol §6.3). */
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

/** The fields of a {@link PigeonholeGeometry}; lengths in bytes. */
export interface PigeonholeGeometryFields {
  /** The most bytes that one box holds, M; 0 by default. */
  readonly maxPlaintextPayloadLength?: number | undefined;
  /**
   * A query that reads: M + 291 + the NIKE's public key (160 with CTIDH1024-X25519). 0 by default.
   */
  readonly courierQueryReadLength?: number | undefined;
  /** A query that writes: the same. 0 by default. */
  readonly courierQueryWriteLength?: number | undefined;
  /**
   * M + 169, as daemons publish it for the reply to a read; the real length is 25 bytes more. 0 by
   * default.
   */
  readonly courierQueryReplyReadLength?: number | undefined;
  /** The same for the reply to a write. 0 by default. */
  readonly courierQueryReplyWriteLength?: number | undefined;
  /** NIKE scheme of the envelopes, e.g. `CTIDH1024-X25519`; "" by default. */
  readonly nikeName?: string | undefined;
  /** Scheme of the boxes' signatures; always `Ed25519`, which is the default. */
  readonly signatureSchemeName?: string | undefined;
}

const lengthKeys = [
  ["maxPlaintextPayloadLength", "MaxPlaintextPayloadLength"],
  ["courierQueryReadLength", "CourierQueryReadLength"],
  ["courierQueryWriteLength", "CourierQueryWriteLength"],
  ["courierQueryReplyReadLength", "CourierQueryReplyReadLength"],
  ["courierQueryReplyWriteLength", "CourierQueryReplyWriteLength"],
] as const;

/** The lengths of a network's storage messages. */
export class PigeonholeGeometry {
  /** Length of the prefix that holds each plaintext's length, in bytes. */
  static readonly LENGTH_PREFIX_SIZE = 4;

  /** The most bytes that one box holds. */
  readonly maxPlaintextPayloadLength: number;
  /** A query that reads: M (the most a box holds) + 291 + the NIKE's public key. */
  readonly courierQueryReadLength: number;
  /** A query that writes: as long as one that reads, so that they cannot be told apart. */
  readonly courierQueryWriteLength: number;
  /**
   * M + 169 for the reply to a read; the real length is 25 bytes more (spec/thin-protocol §6.3).
   */
  readonly courierQueryReplyReadLength: number;
  /** The same for the reply to a write. */
  readonly courierQueryReplyWriteLength: number;
  /** The NIKE scheme of the envelopes. */
  readonly nikeName: string;
  /** The scheme of the boxes' signatures: `Ed25519`. */
  readonly signatureSchemeName: string;

  /**
   * Missing members are 0, an empty name, and `Ed25519`. {@link validate} checks whether the values
   * make sense; this does not.
   * @throws TypeError or RangeError when a length is not an integer from 0 up or a name is not a
   * string.
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
    // The client returns the same object that it uses internally.
    Object.freeze(this);
  }

  /**
   * Reads a geometry as daemons send it: a map with all 7 members. Other members are ignored.
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
   * @param nikePublicKeyBytes length of a public key of the scheme; needed only for unknown
   * schemes.
   * @throws RangeError when the length is not an integer above 0 or the scheme is unknown;
   * TypeError when the length is not a number.
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
   * The geometry of the largest boxes whose queries fit into one Sphinx payload. A daemon derives
   * it from its network's Sphinx geometry.
   * @param nikePublicKeyBytes length of a public key of the scheme; needed only for unknown
   * schemes.
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
   * @throws RangeError when the scheme is unknown or `nrHops` is not an integer from 0 up;
   * TypeError when it is not a number.
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
   * @throws RangeError when boxes hold nothing, the NIKE's name is empty, or the signature scheme
   * is wrong.
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
   * Length of a plaintext with its length prefix: every box is padded to this before encryption.
   */
  paddedPayloadLength(): number {
    return PigeonholeGeometry.LENGTH_PREFIX_SIZE + this.maxPlaintextPayloadLength;
  }

  /** Every member as `Name: value`, one per line; lengths with their unit. */
  toString(): string {
    const lines = Object.entries(this.toWire()).map(([key, value]) =>
      typeof value === "number" ? `${key}: ${value} bytes` : `${key}: ${value}`,
    );
    return lines.join("\n");
  }
}
