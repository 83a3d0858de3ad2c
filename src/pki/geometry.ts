/** The lengths of a network's Sphinx packets (spec/mixnet §4.1). */
import { type Bytes, describeType } from "../bytes/bytes.js";
import { type CborValue, encodeCbor } from "../cbor/cbor.js";
import { hash256 } from "../bytes/hash.js";
import {
  isKemScheme,
  isNikeScheme,
  kemCiphertextLength,
  nikePublicKeyLength,
} from "./scheme-names.js";
import { asMap, requiredText, requiredUint } from "../cbor/fields.js";

/**
 * The fields of a {@link Geometry}; lengths in bytes. Exactly one of the two names is not empty.
 */
export interface GeometryFields {
  /**
   * A whole packet on the wire: header, payload tag, forward payload. 3,082 with x25519, 5 hops and
   * 2,000 bytes.
   */
  readonly packetLength: number;
  /** Hops of the longest path (not a length): gateway, mix layers, service node. */
  readonly nrHops: number;
  /**
   * 2 bytes, the group element (32 with x25519, or a KEM's ciphertext), `routingInfoLength`, and a
   * MAC of 32.
   */
  readonly headerLength: number;
  /** `nrHops` times `perHopRoutingInfoLength`. */
  readonly routingInfoLength: number;
  /** One hop's commands: 82 with a NIKE; with a KEM, the KEM's ciphertext in addition. */
  readonly perHopRoutingInfoLength: number;
  /** A single-use reply block: `headerLength`, a node ID of 32, `sprpKeyMaterialLength`. */
  readonly surbLength: number;
  /** Flags and a reserved byte before a plaintext: 2. */
  readonly sphinxPlaintextHeaderLength: number;
  /** Zeros before a payload that let the receiver check its integrity: 32. */
  readonly payloadTagLength: number;
  /** `userForwardPayloadLength`, 2 and `surbLength`; only the first on a network without SURBs. */
  readonly forwardPayloadLength: number;
  /** The most bytes that a sender may put into one message. */
  readonly userForwardPayloadLength: number;
  /** The command that names the next hop: 1, its ID of 32, its MAC of 32. */
  readonly nextNodeHopLength: number;
  /** Key (48) and IV (16) of the payload's cipher: 64. */
  readonly sprpKeyMaterialLength: number;
  /** NIKE scheme of the header, e.g. `x25519`; "" (the default) if it has a KEM. */
  readonly nikeName?: string | undefined;
  /** KEM scheme of the header, e.g. `XWING`; "" (the default) if it has a NIKE. */
  readonly kemName?: string | undefined;
}

/** The parameters that determine the shape of a packet. */
export interface GeometryParameters {
  /** Hops of the longest path. */
  readonly nrHops: number;
  /** Bytes that a sender may fill. */
  readonly userForwardPayloadLength: number;
  /** Whether a payload has room for a reply block; true by default. */
  readonly withSurb?: boolean | undefined;
}

/** The lengths, with our name and the wire's, in the order of the text form. */
export const geometryLengths = [
  ["packetLength", "PacketLength"],
  ["nrHops", "NrHops"],
  ["headerLength", "HeaderLength"],
  ["routingInfoLength", "RoutingInfoLength"],
  ["perHopRoutingInfoLength", "PerHopRoutingInfoLength"],
  ["surbLength", "SURBLength"],
  ["sphinxPlaintextHeaderLength", "SphinxPlaintextHeaderLength"],
  ["payloadTagLength", "PayloadTagLength"],
  ["forwardPayloadLength", "ForwardPayloadLength"],
  ["userForwardPayloadLength", "UserForwardPayloadLength"],
  ["nextNodeHopLength", "NextNodeHopLength"],
  ["sprpKeyMaterialLength", "SPRPKeyMaterialLength"],
] as const;

/** The lengths that must not be zero, in the order in which they are checked. */
const nonZeroKeys = [
  ["packetLength", "PacketLength"],
  ["nrHops", "NrHops"],
  ["headerLength", "HeaderLength"],
  ["routingInfoLength", "RoutingInfoLength"],
  ["perHopRoutingInfoLength", "PerHopRoutingInfoLength"],
] as const;

const adLength = 2;
const nodeIdLength = 32;
const surbIdLength = 16;
const macLength = 32;
const payloadTagLength = 32;
const sprpKeyMaterialLength = 48 + 16;
const plaintextHeaderLength = 2;
const nextNodeHopLength = 1 + nodeIdLength + macLength;

/** @throws TypeError or RangeError unless `value` is an integer from 0 up. */
export function checkCount(name: string, value: unknown): asserts value is number {
  if (typeof value !== "number") {
    throw new TypeError(`\`${name}\` must be a number, got ${describeType(value)}`);
  }
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`\`${name}\` must be an integer from 0 to 2^53 - 1, got ${value}`);
  }
}

/** The lengths of a network's Sphinx packets: 12 lengths in bytes and the name of a scheme. */
export class Geometry implements GeometryFields {
  /** A whole packet on the wire. */
  readonly packetLength: number;
  /** Hops of the longest path. */
  readonly nrHops: number;
  readonly headerLength: number;
  /** The part of the header that is encrypted in layers: one block per hop. */
  readonly routingInfoLength: number;
  readonly perHopRoutingInfoLength: number;
  /** A single-use reply block. */
  readonly surbLength: number;
  /** The header of a plaintext with its reply block: flags and a reserved byte. */
  readonly sphinxPlaintextHeaderLength: number;
  readonly payloadTagLength: number;
  /** A payload as a service receives it, and the length of every reply. */
  readonly forwardPayloadLength: number;
  /** The most bytes that a sender may put into one message. */
  readonly userForwardPayloadLength: number;
  readonly nextNodeHopLength: number;
  readonly sprpKeyMaterialLength: number;
  /** The NIKE scheme of the header; empty if it has a KEM. */
  readonly nikeName: string;
  /** The KEM scheme of the header; empty if it has a NIKE. */
  readonly kemName: string;

  /**
   * {@link validate} checks whether the numbers make sense; this does not.
   * @throws TypeError or RangeError when a length is not an integer from 0 up or a name is not a
   * string.
   */
  constructor(fields: GeometryFields) {
    for (const [name] of geometryLengths) checkCount(name, fields[name]);
    for (const name of ["nikeName", "kemName"] as const) {
      const value = fields[name];
      if (value !== undefined && typeof value !== "string") {
        throw new TypeError(`\`${name}\` must be a string, got ${describeType(value)}`);
      }
    }
    this.packetLength = fields.packetLength;
    this.nrHops = fields.nrHops;
    this.headerLength = fields.headerLength;
    this.routingInfoLength = fields.routingInfoLength;
    this.perHopRoutingInfoLength = fields.perHopRoutingInfoLength;
    this.surbLength = fields.surbLength;
    this.sphinxPlaintextHeaderLength = fields.sphinxPlaintextHeaderLength;
    this.payloadTagLength = fields.payloadTagLength;
    this.forwardPayloadLength = fields.forwardPayloadLength;
    this.userForwardPayloadLength = fields.userForwardPayloadLength;
    this.nextNodeHopLength = fields.nextNodeHopLength;
    this.sprpKeyMaterialLength = fields.sprpKeyMaterialLength;
    this.nikeName = fields.nikeName ?? "";
    this.kemName = fields.kemName ?? "";
    // The client returns the same object that it uses internally.
    Object.freeze(this);
  }

  /**
   * Reads a geometry as daemons send it: a map with all 14 members (spec/thin-protocol §6.3). Other
   * members are ignored.
   * @throws ProtocolError when one is missing or of the wrong type.
   */
  static fromWire(value: CborValue): Geometry {
    const where = "sphinx_geometry";
    const map = asMap(value, where);
    const fields: Record<string, number | string> = {};
    for (const [name, key] of geometryLengths) fields[name] = requiredUint(map, key, where);
    fields["nikeName"] = requiredText(map, "NIKEName", where);
    fields["kemName"] = requiredText(map, "KEMName", where);
    return new Geometry(fields as unknown as GeometryFields);
  }

  /**
   * The geometry of packets whose header uses the NIKE scheme `nike`, e.g. `x25519`.
   * @throws RangeError when the scheme is unknown or a parameter is not an integer from 0 up;
   * TypeError when a parameter is not a number.
   */
  static forNike(
    parameters: GeometryParameters & {
      /** Name of the scheme, in any case. */
      readonly nike: string;
    },
  ): Geometry {
    const elementLength = nikePublicKeyLength(parameters.nike);
    return fromFormula(parameters, elementLength, 0, { nikeName: parameters.nike });
  }

  /**
   * The geometry of packets whose header uses the KEM scheme `kem`, e.g. `XWING`.
   * @throws RangeError when the scheme or its sizes are unknown, or a parameter is not an integer from
   * 0 up; TypeError when a parameter is not a number.
   */
  static forKem(
    parameters: GeometryParameters & {
      /** Name of the scheme, in any case. */
      readonly kem: string;
    },
  ): Geometry {
    const elementLength = kemCiphertextLength(parameters.kem);
    return fromFormula(parameters, elementLength, elementLength, { kemName: parameters.kem });
  }

  /** The map that {@link fromWire} reads. */
  toWire(): Record<string, number | string> {
    const map: Record<string, number | string> = {};
    for (const [name, key] of geometryLengths) map[key] = this[name];
    map["NIKEName"] = this.nikeName;
    map["KEMName"] = this.kemName;
    return map;
  }

  /**
   * Checks what a daemon checks: exactly one known scheme, and no zero among the essential lengths.
   * @throws RangeError.
   */
  validate(): void {
    if (this.nikeName === "" && this.kemName === "") {
      throw new RangeError("geometry NIKEName or KEMName must be set");
    }
    if (this.nikeName !== "" && this.kemName !== "") {
      throw new RangeError("geometry NIKEName and KEMName must not both be set");
    }
    if (this.nikeName !== "" && !isNikeScheme(this.nikeName)) {
      throw new RangeError(`geometry has invalid NIKE Scheme ${this.nikeName}`);
    }
    if (this.kemName !== "" && !isKemScheme(this.kemName)) {
      throw new RangeError(`geometry has invalid KEM Scheme ${this.kemName}`);
    }
    for (const [name, key] of nonZeroKeys) {
      if (this[name] === 0) throw new RangeError(`geometry has ${key} of 0`);
    }
  }

  /**
   * The hash by which the consensus refers to a geometry: BLAKE2b-256 (32 bytes) of its canonical
   * CBOR (spec/mixnet §4.1).
   */
  hash(): Bytes {
    return hash256(encodeCbor(this.toWire()));
  }

  /** Every member as `Name: value`, one per line. */
  toString(): string {
    const lines = Object.entries(this.toWire()).map(([key, value]) => `${key}: ${value}`);
    return lines.join("\n");
  }
}

/** The formulas of spec/mixnet §4.1; `perHopExtra` is what a KEM adds to each hop's block. */
function fromFormula(
  parameters: GeometryParameters,
  elementLength: number,
  perHopExtra: number,
  names: { readonly nikeName?: string; readonly kemName?: string },
): Geometry {
  const { nrHops, userForwardPayloadLength, withSurb = true } = parameters;
  checkCount("nrHops", nrHops);
  checkCount("userForwardPayloadLength", userForwardPayloadLength);
  const perHopRoutingInfoLength = nextNodeHopLength + 1 + surbIdLength + perHopExtra;
  const routingInfoLength = perHopRoutingInfoLength * nrHops;
  const headerLength = adLength + elementLength + routingInfoLength + macLength;
  const surbLength = headerLength + nodeIdLength + sprpKeyMaterialLength;
  const forwardPayloadLength = withSurb
    ? userForwardPayloadLength + plaintextHeaderLength + surbLength
    : userForwardPayloadLength;
  return new Geometry({
    packetLength: headerLength + payloadTagLength + forwardPayloadLength,
    nrHops,
    headerLength,
    routingInfoLength,
    perHopRoutingInfoLength,
    surbLength,
    sphinxPlaintextHeaderLength: plaintextHeaderLength,
    payloadTagLength,
    forwardPayloadLength,
    userForwardPayloadLength,
    nextNodeHopLength,
    sprpKeyMaterialLength,
    ...names,
  });
}

export { Geometry as SphinxGeometry };
