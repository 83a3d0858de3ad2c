/** Writes a configuration file that leads to a daemon, without overwriting the user's own. */
import { access, constants, readFile, realpath, stat } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import type { DialConfig } from "katzenpost-thinclient";
import { stringify } from "smol-toml";
import { UsageError } from "../../failure.js";
import { fileProblem, replaceFile } from "../../private-file.js";

const MARK = "# Written by katz daemon: leads to an embedded network, which gives no anonymity.";

/** The text of a `thinclient.toml` for `dial`. It contains the token of a WebSocket. */
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

/** An authority in a configuration. */
interface AuthorityEntry {
  readonly identifier: string;
  readonly addresses: readonly string[];
  readonly identityPublicKeyPem: string;
  readonly linkPublicKeyPem: string;
  readonly pkiSignatureScheme: string;
  readonly wireKemScheme: string;
}

/** The configuration of a network's authorities. */
export interface AuthorityConfig {
  readonly authorities: readonly AuthorityEntry[];
  /** Names of the nodes in documents. */
  readonly topology: {
    readonly gateways: readonly NamedNode[];
    readonly serviceNodes: readonly NamedNode[];
    readonly layers: readonly (readonly NamedNode[])[];
    readonly replicas: readonly (NamedNode & { readonly replicaId: number })[];
  };
  /** Per millisecond. */
  readonly rates: Readonly<Record<"mu" | "lambdaP" | "lambdaL" | "lambdaM" | "lambdaR", number>>;
  /** Lengths of the network's packets, under the names that the file uses. */
  readonly geometry: Readonly<Record<string, number | string>>;
}

interface NamedNode {
  readonly name: string;
}

/**
 * The text of an `authority.toml`: the configuration of a real network's first authority, without
 * the settings for its own process. Tools read from it which authorities to ask for documents, which
 * keys sign them, and which nodes to expect.
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

/** The configuration of a daemon that joins the network. */
export interface ClientConfig {
  /** Lengths of the network's packets, under the names that the file uses. */
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
  /** `HOST:PORT` where the daemon should serve thin clients. */
  readonly listen: string;
  /** Length of an epoch in milliseconds. */
  readonly epochMs: number;
}

/** The epoch length that a daemon assumes, in milliseconds. */
const usualEpochMs = 20 * 60_000;

/**
 * The environment variable with which a daemon must be started, because neither the file nor the
 * wire says how long an epoch is; null for the length that daemons assume.
 */
export function epochVariable(epochMs: number): string | null {
  return epochMs === usualEpochMs ? null : `KATZENPOST_EPOCH_DURATION=${epochMs}ms`;
}

/**
 * The text of a `client.toml`: what a daemon, upstream's or ours, needs to join the network through
 * its gateway (spec/mixnet §9).
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
    // Cover traffic hides nothing when one process is the whole network.
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
 * Writes the file, readable only by its owner.
 * @throws UsageError when there is a file that `katz daemon` did not write, or when it cannot be
 * written.
 */
export function writeConfigFile(path: string, dial: DialConfig): Promise<void> {
  return writeOurs(path, configText(dial));
}

/**
 * Reports a file that could not be written, before seconds are spent on what it will hold.
 * @param folder the data directory, which may be missing now: a file in it is not checked.
 * @throws UsageError as {@link writeConfigFile}.
 */
export async function checkWritable(path: string, folder: string | undefined): Promise<void> {
  if (folder !== undefined && !/^\.\.(?:[/\\]|$)/.test(relative(folder, path))) return;
  await reported(path, async () => access(dirname(await placeOf(path)), constants.W_OK));
}

async function writeOurs(path: string, text: string): Promise<void> {
  await reported(path, async () => replaceFile(await placeOf(path), text));
}

/** Where the file is written: a symbolic link stays a link. */
async function placeOf(path: string): Promise<string> {
  return (await isOurs(path)) ? realpath(path) : path;
}

async function reported(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

/**
 * Whether there is a file that may be replaced; false if there is none. @throws UsageError for a
 * file of the user.
 */
async function isOurs(path: string): Promise<boolean> {
  try {
    // Reading a named pipe would block until a writer comes, and signals would not be handled.
    if (!(await stat(path)).isFile()) {
      throw new UsageError(`${path} is not a regular file, so it was not changed`);
    }
    const there = await readFile(path, "utf8");
    if (there === "" || there.startsWith(MARK)) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  throw new UsageError(`${path} was not written by katz daemon and is left unchanged`);
}
