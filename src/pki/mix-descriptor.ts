/** The descriptors of nodes in a consensus (spec/mixnet §3.4). */
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

/** Keys by their epoch. */
export type KeysByEpoch = ReadonlyMap<number, Bytes>;
/** URLs by transport: `tcp`, `tcp4`, `tcp6`, `quic`, `ws`, `onion`. */
export type AddressesByTransport = ReadonlyMap<string, readonly string[]>;
/** Parameters by service name. */
export type ServiceParameters = ReadonlyMap<string, ReadonlyMap<string, CborValue>>;

/** The descriptor of a mix, a gateway or a service node. */
export interface MixDescriptor {
  /** 1 to 32 bytes of UTF-8 in a well-formed document; for people. */
  readonly name: string;
  /** The epoch of the descriptor. */
  readonly epoch: number;
  /** Raw signature public key; its BLAKE2b-256 identifies the node. */
  readonly identityKey: Bytes;
  /** Public key of the node's link layer. */
  readonly linkKey: Bytes;
  /** Sphinx public keys: 32 bytes each with x25519. */
  readonly mixKeys: KeysByEpoch;
  /**
   * Addresses where it listens; empty if the document does not list any. `onion` only on gateways.
   */
  readonly addresses: AddressesByTransport;
  /** The services on this node by capability, each with its `endpoint`; null if there are none. */
  readonly kaetzchen: ServiceParameters | null;
  /** Additional data of services, e.g. `courier`'s `linkPublicKey`. */
  readonly kaetzchenAdvertizedData: ServiceParameters | null;
  /** Whether it is in the document's GatewayNodes. */
  readonly isGatewayNode: boolean;
  /** Whether it is in the document's ServiceNodes; only then can it have services. */
  readonly isServiceNode: boolean;
  /** 0 on today's networks; routes are chosen without it (spec/mixnet §6). */
  readonly loadWeight: number;
  /** `tofu`, `oob` or ""; it has no effect on clients. */
  readonly authenticationType: string;
  /** `v0`, or empty in the documents of some networks. */
  readonly version: string;
  /** Every member as decoded, including those above. */
  readonly fields: ReadonlyMap<unknown, CborValue>;
}

/** The descriptor of a storage replica. */
export interface ReplicaDescriptor {
  /** For people; envelopes use `replicaId`. */
  readonly name: string;
  /** 0 to 255. */
  readonly replicaId: number;
  /** The epoch of the descriptor, not a replica epoch. */
  readonly epoch: number;
  /** Raw signature public key; its hash with a box's ID decides which replicas hold the box. */
  readonly identityKey: Bytes;
  /** Public key of its link layer, with which couriers and replicas connect. */
  readonly linkKey: Bytes;
  /** Envelope public keys by replica epoch (a week each). */
  readonly envelopeKeys: KeysByEpoch;
  /** Addresses where it listens; empty if the document does not list any. */
  readonly addresses: AddressesByTransport;
  /** Every member as decoded, including those above. */
  readonly fields: ReadonlyMap<unknown, CborValue>;
}

const nothing: ReadonlyMap<never, never> = new Map<never, never>();

// The three readers below check a decoded map and return it unchanged: rebuilding each map would
// cost a third of the time to decode a document.

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
 * @param budget of the document that contains it.
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
