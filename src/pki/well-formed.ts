/** The rules for a well-formed consensus (spec/mixnet §3.4, "Well-formedness"). */
import { equalBytes, toHex, utf8 } from "../bytes/bytes.js";
import { isThinClientError } from "../errors/errors.js";
import { decodeCertificate } from "./certificate.js";
import type { PkiDocument, SharedRandomByAuthority } from "./document.js";
import { hash256 } from "../bytes/hash.js";
import type { AddressesByTransport, MixDescriptor } from "./mix-descriptor.js";

/** The list of a document that contains a descriptor. */
type Role = "mix" | "gateway" | "service node";

const transports = new Set(["tcp", "tcp4", "tcp6", "quic", "ws", "onion"]);
const addressForm = /^([a-z0-9]+):\/\/(?:\[[0-9A-Fa-f:.%]+\]|[^:/?#[\]]+):([0-9]{1,5})(?:\/.*)?$/;

/**
 * Everything that is wrong with a document; empty if it is well-formed. Each entry is a phrase that
 * names the node or the member.
 */
export function wellFormednessProblems(doc: PkiDocument): string[] {
  const problems: string[] = [];
  if (doc.version !== "v1") problems.push(`document version ${JSON.stringify(doc.version)}`);
  if (doc.genesisEpoch === 0) problems.push("no GenesisEpoch");
  if (doc.priorSharedRandom.length === 0 && doc.epoch !== doc.genesisEpoch) {
    problems.push("no PriorSharedRandom");
  }
  if (doc.topology.length === 0) problems.push("no Topology");
  if (doc.gatewayNodes.length === 0) problems.push("no GatewayNodes");
  if (doc.serviceNodes.length === 0) problems.push("no ServiceNodes");
  const seen = new Set<string>();
  const check = (node: MixDescriptor, role: Role): void => {
    for (const problem of descriptorProblems(node, role, doc.epoch)) {
      problems.push(`${role} ${JSON.stringify(node.name)}: ${problem}`);
    }
    const key = toHex(node.identityKey);
    if (seen.has(key)) problems.push(`${role} ${JSON.stringify(node.name)}: key used twice`);
    seen.add(key);
  };
  doc.topology.forEach((layer, i) => {
    if (layer.length === 0) problems.push(`layer ${i} of Topology is empty`);
    for (const node of layer) check(node, "mix");
  });
  for (const node of doc.gatewayNodes) check(node, "gateway");
  for (const node of doc.serviceNodes) check(node, "service node");
  problems.push(...replicaProblems(doc), ...sharedRandomProblems(doc));
  return problems;
}

function descriptorProblems(node: MixDescriptor, role: Role, epoch: number): string[] {
  const problems: string[] = [];
  if (node.name === "") problems.push("no Name");
  if (utf8(node.name).length > 32) problems.push("Name longer than 32 bytes");
  if (node.linkKey.length === 0) problems.push("no LinkKey");
  if (!node.mixKeys.has(epoch)) problems.push(`no MixKey of epoch ${epoch}`);
  for (const keyEpoch of node.mixKeys.keys()) {
    if (keyEpoch < epoch || keyEpoch >= epoch + 3) problems.push(`MixKey of epoch ${keyEpoch}`);
  }
  if (node.isGatewayNode !== (role === "gateway")) problems.push("wrong IsGatewayNode");
  if (node.isServiceNode !== (role === "service node")) problems.push("wrong IsServiceNode");
  problems.push(...addressProblems(node.addresses, role === "gateway"));
  if (role !== "service node" && node.kaetzchen !== null && node.kaetzchen.size > 0) {
    problems.push("Kaetzchen on a node that is not a service node");
  }
  for (const [service, parameters] of node.kaetzchen ?? []) {
    const endpoint = parameters.get("endpoint");
    const length = typeof endpoint === "string" ? utf8(endpoint).length : 0;
    if (length < 1 || length > 32) {
      problems.push(`service ${JSON.stringify(service)} without an endpoint of 1 to 32 bytes`);
    }
  }
  return problems;
}

function addressProblems(addresses: AddressesByTransport, onionAllowed: boolean): string[] {
  const problems: string[] = [];
  if (addresses.size === 0) problems.push("no Addresses");
  for (const [transport, urls] of addresses) {
    if (!transports.has(transport)) problems.push(`transport ${JSON.stringify(transport)}`);
    if (transport === "onion" && !onionAllowed) problems.push("onion address");
    if (urls.length === 0) problems.push(`no address for ${JSON.stringify(transport)}`);
    for (const url of urls) {
      const [, scheme, port] = addressForm.exec(url) ?? [];
      const known = scheme !== undefined && transports.has(scheme);
      if (!known || Number(port) < 1 || Number(port) > 65535) {
        problems.push(`address ${JSON.stringify(url)}`);
      }
    }
  }
  return problems;
}

function replicaProblems(doc: PkiDocument): string[] {
  const problems: string[] = [];
  const keys = new Set<string>();
  const ids = new Set<number>();
  for (const replica of doc.storageReplicas) {
    const found: string[] = [];
    if (replica.name === "") found.push("no Name");
    if (replica.linkKey.length === 0) found.push("no LinkKey");
    if (replica.envelopeKeys.size === 0) found.push("no EnvelopeKeys");
    found.push(...addressProblems(replica.addresses, false));
    const key = toHex(replica.identityKey);
    if (keys.has(key)) found.push("key used twice");
    if (ids.has(replica.replicaId)) found.push(`ReplicaID ${replica.replicaId} used twice`);
    keys.add(key);
    ids.add(replica.replicaId);
    for (const problem of found) {
      problems.push(`replica ${JSON.stringify(replica.name)}: ${problem}`);
    }
  }
  return problems;
}

/**
 * Commits and reveals are left over from the vote, and null in a consensus. If they are present,
 * each commit must be the hash of its reveal.
 */
function sharedRandomProblems(doc: PkiDocument): string[] {
  const { sharedRandomCommit: commits, sharedRandomReveal: reveals } = doc;
  const problems: string[] = [];
  for (const [authority] of commits ?? []) {
    const name = toHex(authority).slice(0, 16);
    const commit = sharedRandomOf(commits, authority, doc.epoch);
    const reveal = sharedRandomOf(reveals, authority, doc.epoch);
    if (commit === null) problems.push(`SharedRandomCommit of ${name}`);
    else if (reveal === null) problems.push(`SharedRandomReveal of ${name}`);
    else if (!equalBytes(commit.subarray(8), hash256(reveal))) {
      problems.push(`SharedRandomReveal of ${name} does not match its commit`);
    }
  }
  return problems;
}

/**
 * What an authority certified: the epoch (8 bytes, big-endian), then 32 bytes; null if it did
 * not.
 */
function sharedRandomOf(
  values: SharedRandomByAuthority | null,
  authority: Uint8Array,
  epoch: number,
): Uint8Array | null {
  for (const [signer, value] of values ?? []) {
    if (!equalBytes(signer, authority)) continue;
    try {
      const { certified } = decodeCertificate(value);
      if (certified.length !== 40) return null;
      const view = new DataView(certified.buffer, certified.byteOffset);
      return view.getBigUint64(0) === BigInt(epoch) ? certified : null;
    } catch (error) {
      if (isThinClientError(error)) return null;
      throw error;
    }
  }
  return null;
}
