/** The consensus, which describes the network in one epoch (spec/mixnet §3.4). */
import { isMarked, markOf } from "../errors/marks.js";
import { type Bytes, copyBytes, describeType, equalBytes, isBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import {
  CborBudget,
  type CborMap,
  type CborValue,
  type Encodable,
  decodeCbor,
  encodeCbor,
} from "../cbor/cbor.js";
import {
  type MixDescriptor,
  type ReplicaDescriptor,
  decodeMixDescriptor,
  decodeReplicaDescriptor,
} from "./mix-descriptor.js";
import {
  arrayField,
  asMap,
  bytesArrayField,
  bytesField,
  mapField,
  numberField,
  textField,
  uintField,
  wrongField,
} from "../cbor/fields.js";

const where = "document";

/**
 * From an authority (BLAKE2b-256 of its identity key, 32 bytes) to what it committed to or
 * revealed.
 */
export type SharedRandomByAuthority = ReadonlyMap<Uint8Array, Bytes>;

const pkiDocumentMark: unique symbol = markOf("PkiDocument") as typeof pkiDocumentMark;

/**
 * A decoded consensus. Its members share their content with `fields`, without copies: treat
 * everything as read-only. Members missing in the document are 0, null, or empty.
 */
export class PkiDocument {
  /** @internal */
  get [pkiDocumentMark](): true {
    return true;
  }
  /** The encoded document, without signatures. */
  readonly raw: Bytes;
  /** Every member as decoded, including those below. */
  readonly fields: ReadonlyMap<unknown, CborValue>;
  /** The epoch of the document, in periods since 2017-06-01T00:00:00Z (spec/mixnet §3.1). */
  readonly epoch: number;
  /** The network's first epoch. */
  readonly genesisEpoch: number;
  /** Rate of the delay at each hop, per millisecond: the mean delay is 1/mu. */
  readonly mu: number;
  /** Rate of a client's sends, per millisecond. */
  readonly lambdaP: number;
  /** Rate of a client's loop decoys, per millisecond. */
  readonly lambdaL: number;
  /** Rate of a mix's loop decoys, per millisecond. */
  readonly lambdaM: number;
  /** Rate of a gateway's decoys, per millisecond. */
  readonly lambdaG: number;
  /** Rate of couriers' and replicas' sends, per millisecond. */
  readonly lambdaR: number;
  /** The mix layers, first to last. */
  readonly topology: readonly (readonly MixDescriptor[])[];
  /** The gateways that daemons connect to, one at a time. */
  readonly gatewayNodes: readonly MixDescriptor[];
  /** The nodes with services, which are in each node's `kaetzchen`. */
  readonly serviceNodes: readonly MixDescriptor[];
  /** The storage replicas that are up. */
  readonly storageReplicas: readonly ReplicaDescriptor[];
  /** IDs of all configured replicas, up or down. */
  readonly configuredReplicaIds: readonly number[];
  /** Identity keys of all configured replicas, sorted; they decide which replicas hold a box. */
  readonly configuredReplicaIdentityKeys: readonly Bytes[];
  /** What authorities committed to; null in a consensus. */
  readonly sharedRandomCommit: SharedRandomByAuthority | null;
  /** What authorities revealed; null in a consensus. */
  readonly sharedRandomReveal: SharedRandomByAuthority | null;
  /** 32 bytes on which the authorities agreed. */
  readonly sharedRandomValue: Bytes;
  /** The values of earlier epochs, newest first. */
  readonly priorSharedRandom: readonly Bytes[];
  /** Identifies the Sphinx geometry: 32 bytes, see `Geometry.hash`. */
  readonly sphinxGeometryHash: Bytes;
  /** Always `v1`. */
  readonly version: string;
  /** The scheme of the authorities' signatures. */
  readonly pkiSignatureScheme: string;

  private constructor(raw: Bytes, map: CborMap, budget: CborBudget) {
    this.raw = raw;
    this.fields = map;
    const epoch = map.get("Epoch");
    if (epoch === undefined || epoch === null) throw new ProtocolError("document has no Epoch");
    this.epoch = uintField(map, "Epoch", where);
    this.genesisEpoch = uintField(map, "GenesisEpoch", where);
    this.mu = numberField(map, "Mu", where);
    this.lambdaP = numberField(map, "LambdaP", where);
    this.lambdaL = numberField(map, "LambdaL", where);
    this.lambdaM = numberField(map, "LambdaM", where);
    this.lambdaG = numberField(map, "LambdaG", where);
    this.lambdaR = numberField(map, "LambdaR", where);
    this.topology = layers(map, budget);
    this.gatewayNodes = descriptors(map, "GatewayNodes", budget);
    this.serviceNodes = descriptors(map, "ServiceNodes", budget);
    this.storageReplicas = arrayField(map, "StorageReplicas", where).map((value) =>
      decodeReplicaDescriptor(value, "StorageReplicas"),
    );
    this.configuredReplicaIds = Array.from(bytesField(map, "ConfiguredReplicaIDs", where));
    this.configuredReplicaIdentityKeys = bytesArrayField(
      map,
      "ConfiguredReplicaIdentityKeys",
      where,
    );
    this.sharedRandomCommit = sharedRandom(map, "SharedRandomCommit");
    this.sharedRandomReveal = sharedRandom(map, "SharedRandomReveal");
    this.sharedRandomValue = bytesField(map, "SharedRandomValue", where);
    this.priorSharedRandom = bytesArrayField(map, "PriorSharedRandom", where);
    this.sphinxGeometryHash = bytesField(map, "SphinxGeometryHash", where);
    this.version = textField(map, "Version", where);
    this.pkiSignatureScheme = textField(map, "PKISignatureScheme", where);
    // All callers get the same object. Maps and bytes in it cannot be frozen.
    freezeDeeply(this);
  }

  /**
   * Reads a document as daemons send it: without signatures, keys in any order. Embedded
   * descriptors are decoded too; unknown members are kept in `fields`. Nothing is verified: for
   * that see `verifyPkiDocument`.
   * @param budget of the message that contained `bytes`; a new one by default.
   * @throws ProtocolError when it is not CBOR, has no epoch, or a known member has another type;
   * TypeError when `bytes` is not a byte array.
   */
  static decode(bytes: Uint8Array, budget: CborBudget = new CborBudget()): PkiDocument {
    if (!isBytes(bytes)) {
      throw new TypeError(`\`bytes\` must be a Uint8Array, got ${describeType(bytes)}`);
    }
    const raw = copyBytes(bytes);
    return new PkiDocument(raw, asMap(decodeCbor(raw, budget), where), budget);
  }
}

/** Freezes objects and arrays recursively; shared content stays as it was decoded. */
function freezeDeeply(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  if (ArrayBuffer.isView(value)) return;
  if (value instanceof Map) {
    for (const member of value.values()) freezeDeeply(member);
    return;
  }
  Object.freeze(value);
  for (const [name, member] of Object.entries(value)) {
    // Unknown members may be large and are only for inspection, so they are not frozen.
    if (name !== "fields") freezeDeeply(member);
  }
}

/**
 * Whether two documents have the same content. A daemon encodes the first one that it sends in
 * another order than later ones (spec/thin-protocol §6.4).
 */
export function isSameDocument(a: PkiDocument, b: PkiDocument): boolean {
  if (a.epoch !== b.epoch) return false;
  if (equalBytes(a.raw, b.raw)) return true;
  try {
    return equalBytes(canonical(a), canonical(b));
  } catch {
    // No encoder writes such a member, so there is no canonical form to compare.
    return false;
  }
}

function canonical({ fields }: PkiDocument): Bytes {
  return encodeCbor(fields as CborMap as Encodable);
}

function descriptors(map: CborMap, key: string, budget: CborBudget): MixDescriptor[] {
  return arrayField(map, key, where).map((value) => decodeMixDescriptor(value, key, budget));
}

function layers(map: CborMap, budget: CborBudget): MixDescriptor[][] {
  return arrayField(map, "Topology", where).map((layer) => {
    if (layer === null) return [];
    if (!Array.isArray(layer)) throw wrongField(where, "Topology", "an array of arrays", layer);
    return layer.map((value) => decodeMixDescriptor(value, "Topology", budget));
  });
}

function sharedRandom(map: CborMap, key: string): SharedRandomByAuthority | null {
  const value = mapField(map, key, where);
  if (value === null) return null;
  for (const [authority, bytes] of value) {
    if (!isBytes(authority) || !isBytes(bytes)) {
      throw wrongField(where, key, "a map from byte string to byte string", value);
    }
  }
  return value as Map<unknown, unknown> as Map<Uint8Array, Bytes>;
}

/** Whether `value` is a document, of this copy of the package or of another. */
export function isPkiDocument(value: unknown): value is PkiDocument {
  return isMarked(value, pkiDocumentMark);
}
