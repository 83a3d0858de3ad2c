/** A daemon on a real network: a gateway link, a daemon, and sockets to listen on. */
import { availableParallelism } from "node:os";
import { describeType } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { DaemonConfig, type DaemonSettings, isDaemonConfig } from "../config/daemon-config.js";
import { CtidhPool } from "../crypto/ctidh/pool.js";
import { ctidh1024Nike } from "../crypto/ctidh/provider.js";
import { pigeonholeSizesOf } from "../pki/pigeonhole-sizes.js";
import { ctidh1024X25519Nike } from "../crypto/nike/hybrid.js";
import { Daemon } from "../daemon/daemon.js";
import type { DaemonTrace } from "../daemon/trace.js";
import { ConfigError } from "../errors/errors.js";
import type { GatewayCandidate } from "../gateway/connector.js";
import { gatewayDialer } from "../gateway/dial.js";
import { GatewayLink, type GatewayLinkState } from "../gateway/gateway-link.js";
import { kemSchemeByName } from "../kem/registry.js";
import { upstreamTiming } from "../mixnet/timing.js";
import type { LinkTrace, TraceHook } from "../mixnet/trace.js";
import { DEFAULT_EPOCH_MS } from "../pki/epoch.js";
import { encodePublicKeyPem } from "../pki/pem.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { identityHash } from "../pki/services.js";
import { type WsRefusal, listen } from "../platform/node-listen.js";
import { spawnCtidhWorker } from "../platform/node-worker.js";
import { parseAddress } from "../transport/address.js";
import { type DialConfig, dialConfigAt } from "../transport/dial-config.js";
import type { Listener } from "../transport/transport.js";
import type { AuthorityRecord } from "../wire/responses.js";

/** NIKE of envelopes and vouchers on real networks (spec/pigeonhole §3). */
const ENVELOPE_NIKE = "CTIDH1024-X25519";

/** How many sealings of one client may be in progress; with that many, its requests wait. */
const SEALINGS_AT_ONCE = 16;

/** Options for joining a network. */
export interface JoinOptions {
  /** The network's `client.toml`: its path, or its parsed content. */
  readonly config: string | DaemonConfig;
  /**
   * Where to listen, in place of the addresses in the file: `unix:PATH`, `unix:@NAME`,
   * `tcp:HOST:PORT` (port 0: a free one) or `ws://HOST:PORT`; one address or several.
   */
  readonly listen?: string | readonly string[] | undefined;
  /**
   * Length of the network's epochs in milliseconds; 20 minutes by default, as on the public
   * network. The wire does not tell it.
   */
  readonly epochMs?: number | undefined;
  /** Whether other machines may connect; default false. */
  readonly allowRemote?: boolean | undefined;
  /** Origins of web pages that may connect by WebSocket; each page also needs the token. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * The secret that WebSocket clients must send as their token: web pages always, other programs on
   * an address that other machines can reach.
   */
  readonly token?: string | undefined;
  /** Called for each refused WebSocket handshake, with the reason. */
  readonly onRefusal?: ((refusal: WsRefusal) => void) | undefined;
  /** Called for clients' invalid frames and for internal failures; never with contents. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /**
   * Receives a trace of the daemon and the link, event by event: names, shortened IDs and times,
   * never contents.
   */
  readonly onTrace?: TraceHook<LinkTrace | DaemonTrace> | undefined;
}

/** The packets that wait in a daemon for their turn. */
export interface WaitingPackets {
  /** How many packets. */
  readonly packets: number;
  /** How long the last of them waits at the network's rate, in ms. */
  readonly ms: number;
  /** Each application with waiting packets, in the order in which they connected. */
  readonly clients: readonly WaitingClient[];
}

/** The waiting packets of one application. Applications take turns, one packet each. */
export interface WaitingClient {
  /** How many packets. */
  readonly packets: number;
  /** Position of the first of them in the common queue, from 1 on. */
  readonly first: number;
  /** Position of the last of them. */
  readonly last: number;
  /** How long the last of them waits at the network's rate, in ms. */
  readonly ms: number;
}

/** The state of a joined daemon. Names and numbers only, never contents or keys. */
export interface JoinedDaemonState {
  /** The link to the network. */
  readonly link: GatewayLinkState;
  /** Connections of applications. */
  readonly connections: number;
  /** Envelopes and copy commands in progress. */
  readonly operations: number;
  /** The packets that wait for their turn. */
  readonly waiting: WaitingPackets;
}

/** A running daemon on a real network. */
export class JoinedDaemon implements AsyncDisposable {
  /** The settings from the network's file. */
  readonly settings: DaemonSettings;
  /** The daemon that serves clients. */
  readonly daemon: Daemon;
  readonly #link: GatewayLink;
  readonly #pool: CtidhPool;
  readonly #addresses: readonly string[];
  readonly #token: string | undefined;

  private constructor(
    settings: DaemonSettings,
    parts: { daemon: Daemon; link: GatewayLink; pool: CtidhPool },
    addresses: readonly string[],
    token: string | undefined,
  ) {
    this.settings = settings;
    this.daemon = parts.daemon;
    this.#link = parts.link;
    this.#pool = parts.pool;
    this.#addresses = addresses;
    this.#token = token;
  }

  /**
   * Reads the file and begins to listen and to connect; resolves when it listens. It continues to
   * connect in the background: {@link describe} shows the progress.
   * @throws ConfigError for a file or an address that cannot be used; TypeError or RangeError for
   * invalid options. Then nothing runs.
   */
  static async start(options: JoinOptions): Promise<JoinedDaemon> {
    checkOptions("options", options, optionNames);
    const { settings } = isDaemonConfig(options.config)
      ? options.config
      : await DaemonConfig.load(options.config);
    const epochMs = checkEpoch(options.epochMs ?? DEFAULT_EPOCH_MS);
    const addresses = addressesOf(options, settings);
    const clock = realClock;
    const link = linkOf(settings, epochMs, clock, options.onTrace);
    const listeners = await listenEverywhere(addresses, options);
    const pool = new CtidhPool(spawnCtidhWorker, {
      clock,
      maxWorkers: Math.max(2, availableParallelism()),
    });
    const scheme = ctidh1024X25519Nike(ctidh1024Nike(pool));
    const pigeonholeGeometry = PigeonholeGeometry.fromSphinx(settings.geometry, ENVELOPE_NIKE);
    const daemon = new Daemon({
      link,
      clock,
      timing: { ...upstreamTiming, sessionGraceMs: settings.sessionGraceMs },
      decoys: settings.decoys,
      sealingsAtOnce: SEALINGS_AT_ONCE,
      geometry: settings.geometry,
      pigeonholeGeometry,
      sizes: pigeonholeSizesOf(pigeonholeGeometry),
      scheme,
      voucherScheme: scheme,
      authorities: settings.authorities.map(recordOf),
      onFault: options.onFault,
      onTrace: options.onTrace,
    });
    for (const listener of listeners) daemon.listen(listener);
    const bound = listeners.map(({ address }) => address);
    return new JoinedDaemon(settings, { daemon, link, pool }, bound, options.token);
  }

  /** The addresses where it listens, with the real ports. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /**
   * A client's configuration for the address with that index.
   * @throws RangeError when `index` is not that of an address.
   */
  config(index = 0): {
    /** How to dial that address, with the token if one is required. */
    readonly dial: DialConfig;
  } {
    return { dial: dialConfigAt(this.#addresses, index, this.#token) };
  }

  /** Its state, for people. */
  describe(): JoinedDaemonState {
    const { connections, operations, waitingPackets, waitingMs, waitingTurns } = this.daemon.load;
    const turnMs = waitingPackets === 0 ? 0 : waitingMs / waitingPackets;
    const clients = waitingTurns.map((turns) => ({ ...turns, ms: turns.last * turnMs }));
    return {
      link: this.#link.describe(),
      connections,
      operations,
      waiting: { packets: waitingPackets, ms: waitingMs, clients },
    };
  }

  /** Says goodbye to all clients and leaves the network. Idempotent. */
  async close(): Promise<void> {
    await this.daemon.close();
    this.#pool.close();
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const optionNames: readonly (keyof JoinOptions)[] = [
  "config",
  "listen",
  "epochMs",
  "allowRemote",
  "allowedOrigins",
  "token",
  "onRefusal",
  "onFault",
  "onTrace",
];

function checkEpoch(epochMs: number): number {
  if (typeof epochMs !== "number") {
    throw new TypeError(`\`options.epochMs\` must be a number, got ${describeType(epochMs)}`);
  }
  if (Number.isSafeInteger(epochMs) && epochMs >= 1000) return epochMs;
  throw new RangeError(
    `\`options.epochMs\` must be a whole number of milliseconds from 1000 up, got ${epochMs}`,
  );
}

function addressesOf({ listen: given }: JoinOptions, settings: DaemonSettings): readonly string[] {
  const addresses = given === undefined ? settings.listen : given;
  const all = typeof addresses === "string" ? [addresses] : addresses;
  for (const address of all) parseAddress(address);
  return all;
}

/** @throws ConfigError when the file's settings do not allow joining a network. */
function linkOf(
  settings: DaemonSettings,
  periodMs: number,
  clock: Clock,
  onTrace: JoinOptions["onTrace"],
): GatewayLink {
  const { gateways, authorities, geometry, proxy, preferredTransports } = settings;
  if (gateways.length === 0) {
    throw new ConfigError("the file pins no gateway: add one to [[PinnedGateways.Gateways]]");
  }
  if (authorities.length === 0) {
    throw new ConfigError(
      "the file lists no directory authorities, so no consensus can be verified: " +
        "add them to [[VotingAuthority.Peers]]",
    );
  }
  try {
    return new GatewayLink({
      clock,
      kem: kemSchemeByName(settings.wireKemScheme),
      pinned: gateways.map(({ name, identityKey, linkKey, urls }): GatewayCandidate => {
        return { name, identityKey, linkKey, addresses: byTransport(urls) };
      }),
      authorities: authorities.map(({ identifier, identityKey, pkiSignatureScheme }) => {
        return { identifier, publicKey: identityKey, scheme: pkiSignatureScheme };
      }),
      geometry,
      periodMs,
      dial: gatewayDialer(proxy),
      timeSync: settings.timeSync,
      onTrace,
      ...(preferredTransports === null ? {} : { transports: preferredTransports }),
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`this daemon cannot join that network: ${error.message}`);
  }
}

/** URLs by transport, as in a descriptor. */
function byTransport(urls: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const url of urls) {
    const transport = url.slice(0, url.indexOf("://")).toLowerCase();
    found.set(transport, [...(found.get(transport) ?? []), url]);
  }
  return found;
}

/** The record of an authority for thin clients. */
function recordOf(authority: DaemonSettings["authorities"][number]): AuthorityRecord {
  const { identifier, pkiSignatureScheme, identityKey, wireKemScheme, linkKey, urls } = authority;
  return {
    identifier,
    identityPublicKeyPem: encodePublicKeyPem(pkiSignatureScheme, identityKey),
    pkiSignatureScheme,
    wireKemScheme,
    addresses: [...urls],
    linkPublicKeyPem: linkKey === null ? "" : encodePublicKeyPem(wireKemScheme, linkKey),
    identityKeyHash: identityHash(identityKey),
  };
}

async function listenEverywhere(
  addresses: readonly string[],
  options: JoinOptions,
): Promise<Listener[]> {
  const { allowRemote, allowedOrigins, token, onRefusal } = options;
  const remote = allowRemote === undefined ? {} : { allowRemote };
  const pages = {
    ...remote,
    ...(allowedOrigins === undefined ? {} : { allowedOrigins }),
    ...(token === undefined ? {} : { token }),
    ...(onRefusal === undefined ? {} : { onRefusal }),
  };
  const listeners: Listener[] = [];
  try {
    for (const text of addresses) {
      const address = parseAddress(text);
      const fitting = { unix: {}, tcp: remote, ws: pages }[address.kind];
      listeners.push(await listen(address, fitting));
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()));
    throw error;
  }
  return listeners;
}
