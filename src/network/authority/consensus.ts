/** Makes the consensus of an epoch that the authorities would agree on (spec/mixnet §3.4). */
import { type Bytes, compareBytes } from "../../bytes/bytes.js";
import { certificateMessage, encodeCertificate } from "../../pki/certificate.js";
import type { Geometry } from "../../pki/geometry.js";
import { type Encodable, encodeCbor } from "../../cbor/cbor.js";
import type { Rates } from "../parameters.js";
import { derive } from "../random.js";
import type { NetworkNode, NetworkReplica, Topology } from "../topology.js";
import { type Authority, PKI_SIGNATURE_SCHEME } from "./authority.js";

/** For how many epochs, including its own, a document is valid. */
const validEpochs = 5;
/** For how many epochs, including the document's, nodes publish their Sphinx keys. */
const mixKeyEpochs = 3;

/** Services of a node: from capability to endpoint. */
export type Endpoints = ReadonlyMap<string, string>;

/** The input for a document. */
export interface ConsensusInput {
  readonly epoch: number;
  readonly genesisEpoch: number;
  readonly topology: Topology;
  readonly rates: Rates;
  readonly geometry: Geometry;
  /** Envelope public keys by replica ID, then by replica epoch. A replica without keys is down. */
  readonly envelopeKeys: ReadonlyMap<number, ReadonlyMap<number, Uint8Array>>;
  readonly endpointsOf: (node: NetworkNode) => Endpoints;
  /** Determines the shared random values. */
  readonly seed: Uint8Array;
}

/** Encodes the document as canonical CBOR, without signatures. */
export function encodeDocument(input: ConsensusInput): Bytes {
  const { epoch, genesisEpoch, topology, rates, geometry, seed } = input;
  const describe = (node: NetworkNode): Bytes => encodeCbor(descriptor(node, input));
  const sharedRandom = (of: number): Bytes => derive(seed, `shared random ${of}`);
  const configured = topology.replicas.toSorted((a, b) =>
    compareBytes(a.identityKey, b.identityKey),
  );
  const priorEpochs = epoch === genesisEpoch ? [] : [epoch - 1, Math.max(genesisEpoch, epoch - 2)];
  const members: Record<string, Encodable> = {
    Epoch: epoch,
    GenesisEpoch: genesisEpoch,
    Mu: rates.mu,
    LambdaP: rates.lambdaP,
    LambdaL: rates.lambdaL,
    LambdaM: rates.lambdaM,
    LambdaG: rates.lambdaG,
    LambdaR: rates.lambdaR,
    Topology: topology.layers.map((layer) => layer.map(describe)),
    GatewayNodes: topology.gateways.map(describe),
    ServiceNodes: topology.serviceNodes.map(describe),
    StorageReplicas: replicaDescriptors(input),
    SharedRandomCommit: null,
    SharedRandomReveal: null,
    SharedRandomValue: sharedRandom(epoch),
    PriorSharedRandom: priorEpochs.map(sharedRandom),
    SphinxGeometryHash: geometry.hash(),
    Version: "v1",
    PKISignatureScheme: PKI_SIGNATURE_SCHEME,
  };
  if (configured.length > 0) {
    members["ConfiguredReplicaIDs"] = Uint8Array.from(configured, (r) => r.replicaId);
    members["ConfiguredReplicaIdentityKeys"] = configured.map((r) => r.identityKey);
  }
  return encodeCbor(members);
}

function descriptor(node: NetworkNode, input: ConsensusInput): Encodable {
  const { epoch } = input;
  const isServiceNode = node.role === "service";
  const endpoints = [...input.endpointsOf(node)];
  const mixKeys = Array.from({ length: mixKeyEpochs }, (_, i) => epoch + i);
  return {
    Name: node.name,
    Epoch: epoch,
    LinkKey: node.linkKey,
    IdentityKey: node.identityKey,
    MixKeys: new Map(mixKeys.map((keyEpoch) => [keyEpoch, node.mixKey(keyEpoch)])),
    Version: "v0",
    Addresses: { [node.address.includes("[") ? "tcp6" : "tcp4"]: [node.address] },
    Kaetzchen: isServiceNode
      ? Object.fromEntries(endpoints.map(([capability, endpoint]) => [capability, { endpoint }]))
      : null,
    KaetzchenAdvertizedData:
      isServiceNode && endpoints.some(([capability]) => capability === "courier")
        ? { courier: { linkPublicKey: node.linkKeyPem } }
        : null,
    LoadWeight: 0,
    IsGatewayNode: node.role === "gateway",
    IsServiceNode: isServiceNode,
    AuthenticationType: node.role === "gateway" ? "tofu" : "",
  };
}

function replicaDescriptors(input: ConsensusInput): Encodable {
  const up = (replica: NetworkReplica): boolean =>
    (input.envelopeKeys.get(replica.replicaId)?.size ?? 0) > 0;
  return input.topology.replicas.filter(up).map((replica) => ({
    Name: replica.name,
    Epoch: input.epoch,
    ReplicaID: replica.replicaId,
    IdentityKey: replica.identityKey,
    LinkKey: replica.linkKey,
    EnvelopeKeys: input.envelopeKeys.get(replica.replicaId)!,
    Addresses: { tcp: [replica.address] },
  }));
}

/**
 * Signs a document with all authorities: returns the certificate, canonical CBOR (spec/mixnet
 * §3.3).
 */
export function signDocument(
  document: Bytes,
  epoch: number,
  authorities: readonly Authority[],
): Bytes {
  const unsigned = {
    version: 0,
    expiration: epoch + validEpochs,
    keyType: PKI_SIGNATURE_SCHEME,
    certified: document,
  };
  const message = certificateMessage(unsigned);
  return encodeCertificate({
    ...unsigned,
    signatures: authorities.map((authority) => ({
      publicKeySum256: authority.identity.identityKeyHash,
      payload: authority.sign(message),
    })),
  });
}
