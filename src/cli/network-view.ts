/** A document in the form that commands about the network need. */
import {
  type MixDescriptor,
  type PkiDocument,
  PkiDocumentUnavailableError,
  type ThinClient,
  identityHash,
} from "katzenpost-thinclient";

/** A node of the mixnet. */
export interface NodeView {
  readonly name: string;
  /** BLAKE2b-256 of its identity key; messages are addressed to it. */
  readonly identityHash: Uint8Array;
  /** URLs of all transports. */
  readonly addresses: readonly string[];
}

/** A service node. */
export interface ServiceNodeView extends NodeView {
  /** Names of its services, sorted. */
  readonly services: readonly string[];
}

/** A storage replica. */
export interface ReplicaView extends NodeView {
  readonly replicaId: number;
}

/** The nodes of the network. */
export interface NetworkView {
  readonly epoch: number;
  readonly gateways: readonly NodeView[];
  readonly layers: readonly (readonly NodeView[])[];
  readonly serviceNodes: readonly ServiceNodeView[];
  readonly replicas: readonly ReplicaView[];
}

/** The current document. @throws PkiDocumentUnavailableError when the daemon has none. */
export function currentDocument(client: ThinClient): PkiDocument {
  const document = client.pkiDocument();
  if (document) return document;
  throw new PkiDocumentUnavailableError(
    "the daemon has no PKI document yet: it may still be starting, or cannot reach the authorities",
  );
}

/** The nodes of the network, from its document. */
export function viewOf(document: PkiDocument): NetworkView {
  return {
    epoch: document.epoch,
    gateways: document.gatewayNodes.map(nodeView).toSorted(byName),
    layers: document.topology.map((layer) => layer.map(nodeView).toSorted(byName)),
    serviceNodes: document.serviceNodes
      .map((node) => ({ ...nodeView(node), services: [...(node.kaetzchen?.keys() ?? [])].sort() }))
      .toSorted(byName),
    replicas: document.storageReplicas
      .map(({ name, replicaId, identityKey, addresses }) => ({
        name,
        replicaId,
        identityHash: identityHash(identityKey),
        addresses: [...addresses.values()].flat(),
      }))
      .toSorted((a, b) => a.replicaId - b.replicaId),
  };
}

function nodeView({ name, identityKey, addresses }: MixDescriptor): NodeView {
  return {
    name,
    identityHash: identityHash(identityKey),
    addresses: [...addresses.values()].flat(),
  };
}

// Sorts mix2 before mix10.
function byName(a: NodeView, b: NodeView): number {
  return a.name.localeCompare(b.name, "en", { numeric: true });
}
