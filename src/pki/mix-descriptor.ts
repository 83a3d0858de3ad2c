/** What a consensus says about one node. spec/mixnet §3.4. */
import { type Bytes, describeType, isBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { type CborBudget, type CborMap, type CborValue, decodeCbor } from "../cbor/cbor.js";
import {
  asMap,
  boolField,
  bytesField,
  mapField,
  textField,
  uintField,
  wrongField,
} from "../cbor/fields.js";

/** Keys by the epoch they are for. */
export type KeysByEpoch = ReadonlyMap<number, Bytes>;
/** URLs by transport: `tcp`, `tcp4`, `tcp6`, `quic`, `ws`, `onion`. */
export type AddressesByTransport = ReadonlyMap<string, readonly string[]>;
/** Parameters by service name. */
export type ServiceParameters = ReadonlyMap<string, ReadonlyMap<string, CborValue>>;

/** What a consensus says about a mix, a gateway or a service node. */
export interface MixDescriptor {
  /** 1 to 32 bytes of UTF-8 in a well-formed document; for people. */
  readonly name: string;
  /** The epoch it was published for. */
  readonly epoch: number;
  /** Raw signature public key; its BLAKE2b-256 names the node. */
  readonly identityKey: Bytes;
  /** Public key of the node's link layer. */
  readonly linkKey: Bytes;
  /** Sphinx public keys: 32 bytes each with x25519. */
  readonly mixKeys: KeysByEpoch;
  /** Where it listens; empty when the document does not say. `onion` only on gateways. */
  readonly addresses: AddressesByTransport;
  /**
   * The services on this node by capability, each with its `endpoint`; null where there are none.
   */
  readonly kaetzchen: ServiceParameters | null;
  /** What services publish besides, e.g. `courier`'s `linkPublicKey`. */
  readonly kaetzchenAdvertizedData: ServiceParameters | null;
  /** Whether it stands in the document's GatewayNodes. */
  readonly isGatewayNode: boolean;
  /** Whether it stands in the document's ServiceNodes; only then it has services. */
  readonly isServiceNode: boolean;
  /** 0 on networks of today; ways are chosen without it (spec/mixnet §6). */
  readonly loadWeight: number;
  /** `tofu`, `oob` or ""; of no effect on clients. */
  readonly authenticationType: string;
  /** `v0`, or empty in the documents of some networks. */
  readonly version: string;
  /** Every member as decoded, those above included. */
  readonly fields: ReadonlyMap<unknown, CborValue>;
}

/** What a consensus says about a storage replica. */
export interface ReplicaDescriptor {
  /** For people; envelopes name it by `replicaId`. */
  readonly name: string;
  /** 0 to 255. */
  readonly replicaId: number;
  /** The epoch it was published for, not a replica epoch. */
  readonly epoch: number;
  /** Raw signature public key: its hash with a box's ID decides who holds the box. */
  readonly identityKey: Bytes;
  /** Public key of its link layer; couriers and replicas connect with it. */
  readonly linkKey: Bytes;
  /** Envelope public keys by replica epoch (a week each). */
  readonly envelopeKeys: KeysByEpoch;
  /** Where it listens; empty when the document does not say. */
  readonly addresses: AddressesByTransport;
  /** Every member as decoded, those above included. */
  readonly fields: ReadonlyMap<unknown, CborValue>;
}

const nothing: ReadonlyMap<never, never> = new Map<never, never>();

// The three readers below check a decoded map and hand it on as it is: rebuilding each of them
// would cost a third of the time that decoding a document takes.

function keysByEpoch(map: CborMap, key: string, where: string): KeysByEpoch {
  const value = mapField(map, key, where);
  if (value === null) return nothing;
  for (const [epoch, bytes] of value) {
    if (typeof epoch !== "number" || epoch < 0 || !isBytes(bytes)) {
      throw wrongField(where, key, "a map from epoch to byte string", value);
    }
  }
  return value as KeysByEpoch as Map<number, Bytes>;
}

function addressesByTransport(map: CborMap, where: string): AddressesByTransport {
  const value = mapField(map, "Addresses", where);
  if (value === null) return nothing;
  for (const [transport, urls] of value) {
    if (typeof transport !== "string" || !isTextArray(urls)) {
      throw wrongField(where, "Addresses", "a map from transport to an array of texts", value);
    }
  }
  return value as Map<unknown, unknown> as Map<string, string[]>;
}

function isTextArray(value: CborValue): boolean {
  if (!Array.isArray(value)) return false;
  for (const element of value) if (typeof element !== "string") return false;
  return true;
}

function serviceParameters(map: CborMap, key: string, where: string): ServiceParameters | null {
  const value = mapField(map, key, where);
  if (value === null) return null;
  for (const [service, parameters] of value) {
    if (typeof service !== "string" || !(parameters instanceof Map)) {
      throw wrongField(where, key, "a map from service to its parameters", value);
    }
  }
  return value as Map<unknown, unknown> as Map<string, Map<string, CborValue>>;
}

function requiredKey(map: CborMap, key: string, where: string): Bytes {
  const value = bytesField(map, key, where);
  if (value.length === 0) throw new ProtocolError(`\`${where}\` has no ${key}`);
  return value;
}

/**
 * Reads a mix descriptor: a byte string that holds a CBOR map.
 * @param budget of the document that it is in.
 * @throws ProtocolError when it is not one, has no identity key, or a known member has another
 * type.
 */
export function decodeMixDescriptor(
  value: CborValue,
  where: string,
  budget?: CborBudget,
): MixDescriptor {
  if (!isBytes(value)) {
    throw new ProtocolError(`\`${where}\` must be a byte string, got ${describeType(value)}`);
  }
  const map = asMap(decodeCbor(value, budget), where);
  return {
    name: textField(map, "Name", where),
    epoch: uintField(map, "Epoch", where),
    identityKey: requiredKey(map, "IdentityKey", where),
    linkKey: bytesField(map, "LinkKey", where),
    mixKeys: keysByEpoch(map, "MixKeys", where),
    addresses: addressesByTransport(map, where),
    kaetzchen: serviceParameters(map, "Kaetzchen", where),
    kaetzchenAdvertizedData: serviceParameters(map, "KaetzchenAdvertizedData", where),
    isGatewayNode: boolField(map, "IsGatewayNode", where),
    isServiceNode: boolField(map, "IsServiceNode", where),
    loadWeight: uintField(map, "LoadWeight", where),
    authenticationType: textField(map, "AuthenticationType", where),
    version: textField(map, "Version", where),
    fields: map,
  };
}

/**
 * Reads a replica descriptor: a plain map inside the document.
 * @throws ProtocolError when it is not a map, has no identity key, or a known member has another type.
 */
export function decodeReplicaDescriptor(value: CborValue, where: string): ReplicaDescriptor {
  const map = asMap(value, where);
  const replicaId = uintField(map, "ReplicaID", where);
  if (replicaId > 255) throw wrongField(where, "ReplicaID", "at most 255", replicaId);
  return {
    name: textField(map, "Name", where),
    replicaId,
    epoch: uintField(map, "Epoch", where),
    identityKey: requiredKey(map, "IdentityKey", where),
    linkKey: bytesField(map, "LinkKey", where),
    envelopeKeys: keysByEpoch(map, "EnvelopeKeys", where),
    addresses: addressesByTransport(map, where),
    fields: map,
  };
}
