/** Documents, and the nodes in them, as the console shows them. */
import { toHex } from "../bytes/bytes.js";
import type { ThinClient } from "../client/thin-client.js";
import { decodeCertificate } from "../pki/certificate.js";
import { PkiDocument } from "../pki/document.js";
import type { MixDescriptor, ReplicaDescriptor } from "../pki/mix-descriptor.js";
import { identityHash } from "../pki/services.js";
import type { DocumentView, MapView, NodeView } from "./protocol.js";

/**
 * Returns each authority, and whether its signature of a document is valid. Rejects when too few
 * are, or the document is not for that epoch.
 */
export type VerifyDocument = (
  raw: Uint8Array,
  authorities: Awaited<ReturnType<ThinClient["getDirectoryAuthorities"]>>,
  epoch: number,
) => Promise<NonNullable<DocumentView["signatures"]>>;

/** How many bytes of a key are shown. */
const SHOWN_KEY_BYTES = 6;

const shown = (bytes: Uint8Array): string => toHex(bytes.subarray(0, SHOWN_KEY_BYTES));

// mix2 before mix10.
const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name.localeCompare(b.name, "en", { numeric: true });

function nodeView({ name, identityKey }: MixDescriptor | ReplicaDescriptor): NodeView {
  return { name, id: toHex(identityHash(identityKey).subarray(0, 4)) };
}

/** The rates in a document, per millisecond. */
export function ratesOf(document: PkiDocument): Readonly<Record<string, number>> {
  const { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR } = document;
  return { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR };
}

/** Who is in the network. */
export function mapOf(document: PkiDocument, authorities: readonly string[] | null): MapView {
  return {
    gateways: document.gatewayNodes.map(nodeView).toSorted(byName),
    layers: document.topology.map((layer) => layer.map(nodeView).toSorted(byName)),
    services: document.serviceNodes
      .map((node) => ({ ...nodeView(node), services: [...(node.kaetzchen?.keys() ?? [])].sort() }))
      .toSorted(byName),
    replicas: document.storageReplicas.map(nodeView).toSorted(byName),
    authorities,
  };
}

/** Makes a view from a document's signed bytes. @throws ProtocolError when it cannot be decoded. */
export function documentView(
  raw: Uint8Array,
  signatures: DocumentView["signatures"],
): DocumentView {
  const certificate = decodeCertificate(raw);
  const document = PkiDocument.decode(certificate.certified);
  const mix = (
    node: MixDescriptor,
    role: "gateway" | "mix" | "service",
    layer: number,
  ): DocumentView["nodes"][number] => ({
    name: node.name,
    role,
    layer,
    identity: shown(identityHash(node.identityKey)),
    link: shown(node.linkKey),
    addresses: [...node.addresses.values()].flat(),
    services: [...(node.kaetzchen?.keys() ?? [])].sort(),
    keys: Array.from(node.mixKeys, ([epoch, key]) => `${epoch}: ${shown(key)}`).sort(),
  });
  const replica = (node: ReplicaDescriptor): DocumentView["nodes"][number] => ({
    name: node.name,
    role: "replica",
    layer: 0,
    identity: shown(identityHash(node.identityKey)),
    link: shown(node.linkKey),
    addresses: [...node.addresses.values()].flat(),
    services: [],
    keys: Array.from(node.envelopeKeys, ([epoch, key]) => `${epoch}: ${shown(key)}`).sort(),
  });
  return {
    epoch: document.epoch,
    version: document.version,
    rates: ratesOf(document),
    length: raw.length,
    nodes: [
      ...document.gatewayNodes.map((node) => mix(node, "gateway", 0)).toSorted(byName),
      ...document.topology.flatMap((layer, i) =>
        layer.map((node) => mix(node, "mix", i + 1)).toSorted(byName),
      ),
      ...document.serviceNodes.map((node) => mix(node, "service", 0)).toSorted(byName),
      ...document.storageReplicas.map(replica).toSorted(byName),
    ],
    signatures,
    signatureCount: certificate.signatures.length,
  };
}
