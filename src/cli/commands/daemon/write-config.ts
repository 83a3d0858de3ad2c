/** Writing a configuration file that leads to a daemon, without harm to one that is there. */
import { readFile, realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { DialConfig } from "katzenpost-thinclient";
import { stringify } from "smol-toml";
import { UsageError } from "../../failure.js";
import { fileProblem, replaceFile } from "../../private-file.js";

const MARK = "# Written by katz daemon: leads to an embedded network, which gives no anonymity.";

/** The text of a `thinclient.toml` for `dial`. A token of a WebSocket is in it. */
function configText(dial: DialConfig): string {
  const place = dial.resolve();
  const { address: Address } = place;
  if (place.network === "unix") {
    // The file may be read from another folder.
    const path = Address.startsWith("@") ? Address : resolve(Address);
    return `${MARK}\n${stringify({ Dial: { Unix: { Address: path } } })}\n`;
  }
  if (place.network === "ws") {
    const { token } = place;
    const Ws = token === undefined ? { Address } : { Address, Token: token };
    return `${MARK}\n${stringify({ Dial: { Ws } })}\n`;
  }
  const Tcp = { Address, Network: place.network };
  return `${MARK}\n${stringify({ Dial: { Tcp } })}\n`;
}

/** What a configuration of authorities says of one. */
interface AuthorityEntry {
  readonly identifier: string;
  readonly addresses: readonly string[];
  readonly identityPublicKeyPem: string;
  readonly linkPublicKeyPem: string;
  readonly pkiSignatureScheme: string;
  readonly wireKemScheme: string;
}

/** What the configuration of a network's authorities says. */
export interface AuthorityConfig {
  readonly authorities: readonly AuthorityEntry[];
  /** Names of the nodes, as documents have them. */
  readonly topology: {
    readonly gateways: readonly NamedNode[];
    readonly serviceNodes: readonly NamedNode[];
    readonly layers: readonly (readonly NamedNode[])[];
    readonly replicas: readonly (NamedNode & { readonly replicaId: number })[];
  };
  /** Per millisecond. */
  readonly rates: Readonly<Record<"mu" | "lambdaP" | "lambdaL" | "lambdaM" | "lambdaR", number>>;
  /** Lengths of the network's packets, under the names that the file has for them. */
  readonly geometry: Readonly<Record<string, number | string>>;
}

interface NamedNode {
  readonly name: string;
}

/**
 * The text of an `authority.toml` as the first authority of a real network has it, without what only
 * its own process needs. Tools read in it whom to ask for documents, which keys sign them, and which
 * nodes to expect.
 */
function authorityText({ authorities, topology, rates, geometry }: AuthorityConfig): string {
  const [first] = authorities;
  const named = ({ name }: NamedNode) => ({ Identifier: name });
  const text = stringify({
    Server: {
      Identifier: first!.identifier,
      WireKEMScheme: first!.wireKemScheme,
      PKISignatureScheme: first!.pkiSignatureScheme,
      Addresses: [...first!.addresses],
    },
    Authorities: authorities.map(authorityTable),
    Parameters: {
      Mu: rates.mu,
      LambdaP: rates.lambdaP,
      LambdaL: rates.lambdaL,
      LambdaM: rates.lambdaM,
      LambdaR: rates.lambdaR,
    },
    Mixes: topology.layers.flat().map(named),
    GatewayNodes: topology.gateways.map(named),
    ServiceNodes: topology.serviceNodes.map(named),
    StorageReplicas: topology.replicas.map(({ name, replicaId }) => ({
      Identifier: name,
      ReplicaID: replicaId,
    })),
    Topology: { Layers: topology.layers.map((layer) => ({ Nodes: layer.map(named) })) },
    SphinxGeometry: { ...geometry },
  });
  return `${MARK}\n${text}\n`;
}

function authorityTable(authority: AuthorityEntry) {
  return {
    Identifier: authority.identifier,
    PKISignatureScheme: authority.pkiSignatureScheme,
    IdentityPublicKey: authority.identityPublicKeyPem,
    WireKEMScheme: authority.wireKemScheme,
    LinkPublicKey: authority.linkPublicKeyPem,
    Addresses: [...authority.addresses],
  };
}

/** Writes an `authority.toml`. @throws UsageError as {@link writeConfigFile}. */
export function writeAuthorityFile(path: string, config: AuthorityConfig): Promise<void> {
  return writeOurs(path, authorityText(config));
}

/** What the configuration of a daemon that joins the network says. */
export interface ClientConfig {
  /** Lengths of the network's packets, under the names that the file has for them. */
  readonly geometry: Readonly<Record<string, number | string>>;
  readonly gateway: {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly identityPublicKeyPem: string;
    readonly linkPublicKeyPem: string;
    readonly pkiSignatureScheme: string;
    readonly wireKemScheme: string;
  };
  readonly authorities: readonly AuthorityEntry[];
  /** `HOST:PORT` at which the daemon is to serve thin clients. */
  readonly listen: string;
  /** Length of an epoch in milliseconds. */
  readonly epochMs: number;
}

/** What a daemon takes for the length of an epoch that nobody tells it, in milliseconds. */
const usualEpochMs = 20 * 60_000;

/**
 * The variable that a daemon must be started with, for nothing in the file and nothing on the wire
 * tells how long an epoch is; null when it is as long as daemons take it to be.
 */
export function epochVariable(epochMs: number): string | null {
  return epochMs === usualEpochMs ? null : `KATZENPOST_EPOCH_DURATION=${epochMs}ms`;
}

/**
 * The text of a `client.toml`: what a daemon, upstream's or ours, needs to join the network through
 * its gateway. spec/mixnet §9.
 */
function clientConfigText(config: ClientConfig): string {
  const { geometry, gateway, authorities, listen, epochMs } = config;
  const variable = epochVariable(epochMs);
  const epochs = variable === null ? "" : `# Start the daemon with ${variable}.\n`;
  const { wireKemScheme: WireKEMScheme, pkiSignatureScheme: PKISignatureScheme } = gateway;
  const text = stringify({
    WireKEMScheme,
    PKISignatureScheme,
    AllowHostnameAddresses: true,
    Listen: { Tcp: { Address: listen } },
    Logging: { Disable: false, File: "", Level: "NOTICE" },
    UpstreamProxy: { Type: "none", Network: "", Address: "", User: "", Password: "" },
    // Cover traffic hides nothing from the one process that is the whole network.
    Debug: { DisableDecoyTraffic: true, EnableTimeSync: false },
    SphinxGeometry: { ...geometry },
    PinnedGateways: {
      Gateways: [
        {
          Name: gateway.name,
          WireKEMScheme,
          PKISignatureScheme,
          IdentityKey: gateway.identityPublicKeyPem,
          LinkKey: gateway.linkPublicKeyPem,
          Addresses: [...gateway.addresses],
        },
      ],
    },
    VotingAuthority: { Peers: authorities.map(authorityTable) },
  });
  return `${MARK}\n${epochs}${text}\n`;
}

/** Writes a `client.toml`. @throws UsageError as {@link writeConfigFile}. */
export function writeClientConfigFile(path: string, config: ClientConfig): Promise<void> {
  return writeOurs(path, clientConfigText(config));
}

/**
 * Writes the file, readable by its owner only.
 * @throws UsageError when there is a file that `katz daemon` did not write, or it cannot be
 * written.
 */
export function writeConfigFile(path: string, dial: DialConfig): Promise<void> {
  return writeOurs(path, configText(dial));
}

async function writeOurs(path: string, text: string): Promise<void> {
  try {
    // A symbolic link stays one.
    await replaceFile((await isOurs(path)) ? await realpath(path) : path, text);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

/**
 * Whether there is a file that may be replaced; false when none is. @throws UsageError for others.
 */
async function isOurs(path: string): Promise<boolean> {
  try {
    // Reading a named pipe would wait for a writer, where no signal is heard.
    if (!(await stat(path)).isFile()) {
      throw new UsageError(`${path} is not a regular file, so it was not changed`);
    }
    const there = await readFile(path, "utf8");
    if (there === "" || there.startsWith(MARK)) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  throw new UsageError(`${path} was not written by katz daemon and is left alone`);
}
