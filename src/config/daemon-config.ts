/**
 * The TOML file of a daemon on a real network: the `client.toml` that the network's operator
 * supplies for `kpclientd` (spec/mixnet §9).
 */
import { readText } from "#platform";
import { TomlError, parse } from "smol-toml";
import { type Bytes, describeType, utf8 } from "../bytes/bytes.js";
import { isTable } from "../errors/config-checks.js";
import { ConfigError, ProtocolError } from "../errors/errors.js";
import { isMarked, markOf } from "../errors/marks.js";
import { kemSchemeByName, kemSchemes } from "../kem/registry.js";
import { isEd25519, isSmallOrder } from "../pki/authority-keys.js";
import { Geometry, type GeometryFields, geometryLengths } from "../pki/geometry.js";
import { decodePem, publicKeyPemType } from "../pki/pem.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { isKemScheme } from "../pki/scheme-names.js";
import { findSignatureScheme, signatureSchemes } from "../pki/signature-schemes.js";
import { parseHostPort } from "../transport/address.js";
import { TomlLines, type TomlPath } from "./toml-lines.js";

/** A gateway in the file. */
export interface PinnedGateway {
  /** Its name in the consensus. */
  readonly name: string;
  /** Raw; 32 bytes with Ed25519. */
  readonly identityKey: Bytes;
  /** Raw; a key of the file's KEM scheme. */
  readonly linkKey: Bytes;
  /** Name of the signature scheme of the identity key. */
  readonly pkiSignatureScheme: string;
  /** URLs in the file's order, e.g. `tcp://192.0.2.1:30004`. */
  readonly urls: readonly string[];
}

/** A directory authority that the file trusts. */
export interface PinnedAuthority {
  /** Its name in the file. */
  readonly identifier: string;
  /** Name of the signature scheme of the identity key. */
  readonly pkiSignatureScheme: string;
  /** Raw; 32 bytes with Ed25519. */
  readonly identityKey: Bytes;
  /** Name of the KEM scheme of the link key. */
  readonly wireKemScheme: string;
  /** Raw; null if the file has none. */
  readonly linkKey: Bytes | null;
  /** URLs in the file's order. */
  readonly urls: readonly string[];
}

/** How gateways are reached. */
export type ProxySettings =
  | {
      /** Gateways are dialled directly. */
      readonly type: "none";
    }
  | {
      /** The kind of proxy. */
      readonly type: "socks5" | "tor+socks5";
      /** How the proxy is dialled. */
      readonly network: "tcp" | "unix";
      /** `IP:PORT`, or a path with `unix`. */
      readonly address: string;
      /** Secret. */
      readonly credentials?:
        | {
            /** The user's name at the proxy. */
            readonly user: string;
            /** Secret. */
            readonly password: string;
          }
        | undefined;
    };

/** The settings of a daemon. Lengths in bytes, times in milliseconds. */
export interface DaemonSettings {
  /**
   * Where thin clients connect: `unix:PATH`, `tcp:HOST:PORT` (also `tcp4:` and `tcp6:`), or the URL
   * of a WebSocket.
   */
  readonly listen: string;
  /** Name of the KEM scheme of links to gateways. */
  readonly wireKemScheme: string;
  /** Lengths of packets; its hash must be in the consensus. */
  readonly geometry: Geometry;
  /** Gateways to start with, in the file's order. */
  readonly gateways: readonly PinnedGateway[];
  /** The authorities of the consensus; more than half of them must sign it. */
  readonly authorities: readonly PinnedAuthority[];
  /** How gateways are reached. */
  readonly proxy: ProxySettings;
  /** The order in which transports are dialled; null for the usual order. */
  readonly preferredTransports: readonly string[] | null;
  /** How long a session is kept for an application that is away. */
  readonly sessionGraceMs: number;
  /** Whether ticks without work carry cover traffic. */
  readonly decoys: boolean;
  /** Whether to use the gateway's clock. */
  readonly timeSync: boolean;
  /** `ERROR`, `WARNING`, `NOTICE`, `INFO` or `DEBUG`. */
  readonly logLevel: string;
  /** Whether addresses may contain host names. */
  readonly allowHostnameAddresses: boolean;
}

/** Upstream's default time for keeping a session. */
const USUAL_GRACE_MS = 600_000;
/** NIKE of the envelopes on every network with storage (spec/pigeonhole §3). */
const ENVELOPE_NIKE = "CTIDH1024-X25519";
const gatewayTransports = ["tcp", "tcp4", "tcp6", "quic", "onion"];
const logLevels = ["ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];
const operator = "ask the network's operator for the right client.toml";

/** All keys that have an effect; others are ignored and listed. */
const knownKeys: Readonly<Record<string, readonly string[]>> = {
  "": [
    "WireKEMScheme",
    "PKISignatureScheme",
    "MetricsAddress",
    "AllowHostnameAddresses",
    "SessionGracePeriod",
    "PreferedTransports",
    "CachedDocument",
    "Listen",
    "Logging",
    "UpstreamProxy",
    "Debug",
    "SphinxGeometry",
    "PinnedGateways",
    "VotingAuthority",
  ],
  Listen: ["Tcp", "Unix", "Ws"],
  Logging: ["Disable", "File", "Level"],
  UpstreamProxy: ["Type", "Network", "Address", "User", "Password"],
  Debug: [
    "DisableDecoyTraffic",
    "EnableTimeSync",
    "SessionDialTimeout",
    "InitialMaxPKIRetrievalDelay",
    "PollingInterval",
  ],
  SphinxGeometry: [...geometryLengths.map(([, key]) => key), "NIKEName", "KEMName"],
  PinnedGateways: ["Gateways"],
  VotingAuthority: ["Peers"],
};

const daemonConfigMark: unique symbol = markOf("DaemonConfig") as typeof daemonConfigMark;

/** The configuration of a daemon on a real network. */
export class DaemonConfig {
  /** @internal */
  get [daemonConfigMark](): true {
    return true;
  }
  /** The settings from the file. */
  readonly settings: DaemonSettings;
  /** Keys in the file that have no effect here, with their lines; upstream ignores them too. */
  readonly ignored: readonly string[];

  private constructor(settings: DaemonSettings, ignored: readonly string[]) {
    this.settings = settings;
    this.ignored = ignored;
  }

  /**
   * Reads a file.
   * @throws ConfigError that begins with `config: <path>: ` when the file is missing, unreadable,
   * or not valid for {@link parse}.
   */
  static async load(path: string): Promise<DaemonConfig> {
    if (typeof path !== "string") {
      throw new ConfigError(`config: path must be a string, got ${describeType(path)}`);
    }
    let toml: string;
    try {
      toml = await readText(path);
    } catch (cause) {
      const { code } = cause as { readonly code?: unknown };
      const what =
        code === "ENOENT"
          ? `file not found; ${operator}`
          : `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw new ConfigError(`config: ${path}: ${what}`, { cause });
    }
    return DaemonConfig.parse(toml, path);
  }

  /**
   * Reads the text of a file; messages call it `source`. It accepts and refuses the same files as
   * upstream's loader, and also refuses authorities' keys of small order; keys match in any case.
   * @throws ConfigError that begins with `config: <source>: `, then names the line (unless
   * something is missing at the top level), what is wrong and what to do.
   */
  static parse(toml: string, source = "(text)"): DaemonConfig {
    if (typeof toml !== "string") {
      throw new ConfigError(`config: ${source}: must be text, got ${describeType(toml)}`);
    }
    const text = toml.replace(/^\uFEFF/, "");
    const reader = new Reader(source, new TomlLines(text), parseToml(text, source));
    const settings = readSettings(reader);
    return new DaemonConfig(settings, reader.ignored());
  }
}

/** Whether `value` is a configuration, of this copy of the package or of another. */
export function isDaemonConfig(value: unknown): value is DaemonConfig {
  return isMarked(value, daemonConfigMark);
}

function parseToml(text: string, source: string): Record<string, unknown> {
  try {
    const data = parse(text, { integersAsBigInt: "asNeeded" });
    return isTable(data) ? data : {};
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Only the first line, and no `cause`: the rest quotes the file, which may contain a password.
    const what = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw new ConfigError(
      `config: ${source}: line ${error.line}, column ${error.column}: this is not TOML: ${what}`,
    );
  }
}

/** Reads values from a table; its errors say where the problem is. */
class Reader {
  readonly #source: string;
  readonly #lines: TomlLines;
  readonly #table: Record<string, unknown>;
  readonly #path: TomlPath;

  constructor(
    source: string,
    lines: TomlLines,
    table: Record<string, unknown>,
    path: TomlPath = [],
  ) {
    this.#source = source;
    this.#lines = lines;
    this.#table = table;
    this.#path = path;
  }

  /** An error that names the key's line, or that of its table. */
  error(key: string | null, what: string): ConfigError {
    const path = key === null ? this.#path : [...this.#path, key];
    const line = this.#lines.lineOf(path);
    const place = line === null ? "" : `line ${line}: `;
    return new ConfigError(`config: ${this.#source}: ${place}${what}`);
  }

  /** The key's name in messages. */
  name(key: string): string {
    return [...this.#path.filter((part) => typeof part === "string"), key].join(".");
  }

  /** The value of a key in any case; undefined if it is missing. */
  value(key: string): unknown {
    const wanted = key.toLowerCase();
    const names = Object.keys(this.#table).filter((name) => name.toLowerCase() === wanted);
    if (names.length > 1) {
      throw this.error(names[1]!, `${this.name(key)} appears twice; keep one`);
    }
    return names.length === 0 ? undefined : this.#table[names[0]!];
  }

  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  text(key: string): string | undefined {
    return this.#typed(key, "a string", (value) => typeof value === "string") as string | undefined;
  }

  /** @throws ConfigError when it is missing or empty. */
  requiredText(key: string): string {
    const value = this.text(key);
    if (value) return value;
    throw this.error(value === undefined ? null : key, `${this.name(key)} is missing; ${operator}`);
  }

  flag(key: string): boolean {
    const value = this.#typed(key, "true or false", (one) => typeof one === "boolean");
    return (value as boolean | undefined) ?? false;
  }

  /** An integer; undefined if it is missing. */
  integer(key: string): number | undefined {
    const value = this.#typed(key, "an integer", (one) => Number.isSafeInteger(one));
    return value as number | undefined;
  }

  texts(key: string): readonly string[] | undefined {
    const isTexts = (value: unknown): boolean =>
      Array.isArray(value) && value.every((one) => typeof one === "string");
    return this.#typed(key, "an array of strings", isTexts) as readonly string[] | undefined;
  }

  /** A table; null if it is missing. */
  table(key: string): Reader | null {
    const value = this.#typed(key, "a table", isTable);
    return value === undefined ? null : this.#inside([key], value);
  }

  /** An array of tables; empty if it is missing. */
  tables(key: string): Reader[] {
    const isTables = (value: unknown): boolean => Array.isArray(value) && value.every(isTable);
    const value = this.#typed(key, "an array of tables ([[…]])", isTables) as unknown[] | undefined;
    return (value ?? []).map((one, i) => this.#inside([key, i], one));
  }

  /** Keys without an effect, in this table and its subtables. */
  ignored(): string[] {
    const known = knownKeys[this.#path.join(".")];
    if (known === undefined) return [];
    return Object.entries(this.#table).flatMap(([key, value]) => {
      const meant = known.find((one) => one.toLowerCase() === key.toLowerCase());
      if (meant === undefined) {
        const line = this.#lines.lineOf([...this.#path, key]);
        return [`${this.name(key)}${line === null ? "" : ` (line ${line})`}`];
      }
      return isTable(value) ? this.#inside([meant], value).ignored() : [];
    });
  }

  #inside(path: TomlPath, table: unknown): Reader {
    const whole = [...this.#path, ...path];
    return new Reader(this.#source, this.#lines, table as Record<string, unknown>, whole);
  }

  #typed(key: string, wanted: string, is: (value: unknown) => boolean): unknown {
    const value = this.value(key);
    if (value === undefined || is(value)) return value;
    // Only the type, not the value, which may be a password.
    throw this.error(key, `${this.name(key)} must be ${wanted}, got ${describeType(value)}`);
  }
}

function readSettings(top: Reader): DaemonSettings {
  if (top.has("PigeonholeGeometry")) {
    throw top.error(
      "PigeonholeGeometry",
      "[PigeonholeGeometry] must not be set: it follows from [SphinxGeometry]; remove the table",
    );
  }
  const allowHostnameAddresses = top.flag("AllowHostnameAddresses");
  const logLevel = readLogging(top);
  const wireKemScheme = readWireKem(top);
  const metrics = top.text("MetricsAddress");
  if (metrics) {
    checkLiteral(top, "MetricsAddress", metrics, allowHostnameAddresses);
  }
  const debug = top.table("Debug");
  return {
    listen: readListen(top, allowHostnameAddresses),
    wireKemScheme,
    geometry: readGeometry(top),
    gateways: readGateways(top, wireKemScheme, allowHostnameAddresses),
    authorities: readAuthorities(top, allowHostnameAddresses),
    proxy: readProxy(top),
    preferredTransports: top.texts("PreferedTransports") ?? null,
    sessionGraceMs: readGrace(top),
    decoys: !(debug?.flag("DisableDecoyTraffic") ?? false),
    timeSync: debug?.flag("EnableTimeSync") ?? false,
    logLevel,
    allowHostnameAddresses,
  };
}

function readLogging(top: Reader): string {
  const logging = top.table("Logging");
  const level = logging?.text("Level") || "NOTICE";
  if (!logLevels.includes(level.toUpperCase())) {
    const known = logLevels.join(", ");
    throw logging!.error(
      "Level",
      `Logging.Level ${JSON.stringify(level)} is not one of ${known}; use one of them`,
    );
  }
  const file = logging?.text("File");
  if (file && !file.startsWith("/") && !/^[A-Za-z]:[\\/]/.test(file)) {
    throw logging!.error("File", "Logging.File must be an absolute path; start it with /");
  }
  return level.toUpperCase();
}

/** The error for a scheme that is not implemented here. */
function lacking(reader: Reader, key: string, name: string, known: readonly string[]): ConfigError {
  return reader.error(
    key,
    `${reader.name(key)} ${JSON.stringify(name)} is not a scheme that this daemon supports ` +
      `(it supports ${known.join(", ")}); if the network uses it, join with kpclientd`,
  );
}

function readWireKem(top: Reader): string {
  const name = top.requiredText("WireKEMScheme");
  try {
    return kemSchemeByName(name).name;
  } catch {
    throw lacking(
      top,
      "WireKEMScheme",
      name,
      kemSchemes.map((scheme) => scheme.name),
    );
  }
}

function readListen(top: Reader, mayBeName: boolean): string {
  const listen = top.table("Listen");
  const kinds = (["Tcp", "Unix", "Ws"] as const).filter((kind) => listen?.has(kind));
  const example = '[Listen.Tcp] with Address = "127.0.0.1:64331"';
  if (listen === null || kinds.length === 0) {
    const where = listen === null ? top : listen;
    throw where.error(null, `[Listen] names no transport for thin clients; add ${example}`);
  }
  if (kinds.length > 1) {
    throw listen.error(
      kinds[1]!,
      `[Listen] names ${kinds.length} transports, but only one is allowed; keep one of ${kinds.join(", ")}`,
    );
  }
  const [kind] = kinds;
  const table = listen.table(kind!)!;
  const address = table.requiredText("Address");
  if (kind === "Unix") return `unix:${address}`;
  if (kind === "Ws") return /^wss?:/.test(address) ? address : `ws://${address}`;
  checkLiteral(table, "Address", address, mayBeName);
  const network = table.text("Network") || "tcp";
  if (!/^tcp[46]?$/.test(network)) {
    throw table.error("Network", "Listen.Tcp.Network must be tcp, tcp4 or tcp6; correct it");
  }
  return `${network}:${address}`;
}

/** @throws ConfigError unless it is `IP:PORT`, or a name if names are allowed. */
function checkLiteral(reader: Reader, key: string, text: string, mayBeName: boolean): void {
  let host: string;
  try {
    ({ host } = parseHostPort(text));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw reader.error(key, `${reader.name(key)}: ${error.message}`);
  }
  if (mayBeName || isIpLiteral(host)) return;
  throw reader.error(key, `${reader.name(key)}: ${hostNameText(text, host)}`);
}

function hostNameText(address: string, host: string): string {
  return (
    `address ${JSON.stringify(address)} has the host name ${JSON.stringify(host)}, and looking it ` +
    "up tells others where this daemon connects; use its IP address, or set " +
    "AllowHostnameAddresses = true if that does not matter"
  );
}

function isIpLiteral(host: string): boolean {
  if (host.includes(":")) return true;
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

function readGeometry(top: Reader): Geometry {
  const table = top.table("SphinxGeometry");
  if (table === null) throw top.error(null, `[SphinxGeometry] is missing; ${operator}`);
  const fields: Record<string, number | string> = {};
  for (const [name, key] of geometryLengths) {
    const value = table.integer(key) ?? 0;
    if (value < 0)
      throw table.error(key, `SphinxGeometry.${key} must not be negative; ${operator}`);
    fields[name] = value;
  }
  fields["nikeName"] = table.text("NIKEName") ?? "";
  fields["kemName"] = table.text("KEMName") ?? "";
  const geometry = new Geometry(fields as unknown as GeometryFields);
  try {
    geometry.validate();
    // Upstream also checks whether boxes fit.
    PigeonholeGeometry.fromSphinx(geometry, ENVELOPE_NIKE);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw table.error(null, `[SphinxGeometry] cannot be used: ${error.message}; ${operator}`);
  }
  return geometry;
}

function readUrls(reader: Reader, who: string, mayBeName: boolean): readonly string[] {
  const urls = reader.texts("Addresses") ?? [];
  if (urls.length === 0) {
    throw reader.error("Addresses", `${who} has no address to dial in Addresses; ${operator}`);
  }
  for (const url of urls) {
    const [, scheme, rest] = /^([a-z0-9]+):\/\/(.+)$/i.exec(url) ?? [];
    if (scheme === undefined || !gatewayTransports.includes(scheme.toLowerCase())) {
      throw reader.error(
        "Addresses",
        `${who}: address ${JSON.stringify(url)} must begin with one of ` +
          `${gatewayTransports.map((one) => `${one}://`).join(", ")}; correct it`,
      );
    }
    if (scheme.toLowerCase() === "onion") continue;
    let host: string;
    try {
      ({ host } = parseHostPort(rest!.replace(/\/$/, "")));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw reader.error("Addresses", `${who}: ${error.message}`);
    }
    if (!mayBeName && !isIpLiteral(host)) {
      throw reader.error("Addresses", `${who}: ${hostNameText(url, host)}`);
    }
  }
  return urls;
}

function readPem(reader: Reader, key: string, scheme: string, length: number | null): Bytes {
  const pem = reader.requiredText(key);
  let bytes: Bytes;
  try {
    ({ bytes } = decodePem(pem, publicKeyPemType(scheme)));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw reader.error(key, `${reader.name(key)}: ${error.message}; ${operator}`);
  }
  if (length === null || bytes.length === length) return bytes;
  throw reader.error(
    key,
    `${reader.name(key)} must hold ${length} bytes of ${scheme}, got ${bytes.length}; ${operator}`,
  );
}

function readIdentityKey(reader: Reader, key: string): { scheme: string; identityKey: Bytes } {
  const scheme = reader.requiredText("PKISignatureScheme");
  const known = findSignatureScheme(scheme);
  if (known === undefined) {
    const have = signatureSchemes.map(({ name }) => name);
    throw lacking(reader, "PKISignatureScheme", scheme, have);
  }
  return { scheme: known.name, identityKey: readPem(reader, key, scheme, known.publicKeyLength) };
}

function readGateways(top: Reader, wireKem: string, mayBeName: boolean): PinnedGateway[] {
  const table = top.table("PinnedGateways");
  if (table === null) throw top.error(null, `[PinnedGateways] is missing; ${operator}`);
  return table.tables("Gateways").map((gateway) => {
    const name = gateway.requiredText("Name");
    const who = `gateway ${JSON.stringify(name)}`;
    const kem = gateway.requiredText("WireKEMScheme");
    if (kem.toLowerCase() !== wireKem.toLowerCase()) {
      throw gateway.error(
        "WireKEMScheme",
        `${who} has the WireKEMScheme ${JSON.stringify(kem)}, but the file has ` +
          `${JSON.stringify(wireKem)}; links use the file's, so both must be the same`,
      );
    }
    const { publicKeyLength } = kemSchemeByName(wireKem);
    const { scheme, identityKey } = readIdentityKey(gateway, "IdentityKey");
    return {
      name,
      pkiSignatureScheme: scheme,
      identityKey,
      linkKey: readPem(gateway, "LinkKey", kem, publicKeyLength),
      urls: readUrls(gateway, who, mayBeName),
    };
  });
}

function readAuthorities(top: Reader, mayBeName: boolean): PinnedAuthority[] {
  const peers = top.table("VotingAuthority")?.tables("Peers") ?? [];
  return peers.map((peer) => {
    const identifier = peer.requiredText("Identifier");
    const kem = peer.requiredText("WireKEMScheme");
    if (!isKemScheme(kem)) {
      throw lacking(
        peer,
        "WireKEMScheme",
        kem,
        kemSchemes.map((scheme) => scheme.name),
      );
    }
    const { scheme, identityKey } = readIdentityKey(peer, "IdentityPublicKey");
    // Upstream takes it, and with it documents that anybody may have signed.
    if (isEd25519(scheme) && isSmallOrder(identityKey)) {
      const what = "is a key of small order: anybody can sign for it";
      throw peer.error(
        "IdentityPublicKey",
        `${peer.name("IdentityPublicKey")} ${what}; ${operator}`,
      );
    }
    return {
      identifier,
      pkiSignatureScheme: scheme,
      identityKey,
      wireKemScheme: kem,
      // The daemon never dials an authority, so it does not check the length.
      linkKey: peer.has("LinkPublicKey") ? readPem(peer, "LinkPublicKey", kem, null) : null,
      urls: readUrls(peer, `authority ${JSON.stringify(identifier)}`, mayBeName),
    };
  });
}

function readProxy(top: Reader): ProxySettings {
  const table = top.table("UpstreamProxy");
  if (table === null) {
    throw top.error(
      null,
      '[UpstreamProxy] is missing, and kpclientd crashes without it; add it with Type = "none"',
    );
  }
  const type = (table.text("Type") || "none").toLowerCase();
  if (type === "none") return { type };
  if (type !== "socks5" && type !== "tor+socks5") {
    throw table.error(
      "Type",
      `UpstreamProxy.Type ${JSON.stringify(type)} must be none, socks5 or tor+socks5; correct it`,
    );
  }
  const network = table.requiredText("Network").toLowerCase();
  if (network !== "tcp" && network !== "unix") {
    throw table.error("Network", "UpstreamProxy.Network must be tcp or unix; correct it");
  }
  const address = table.requiredText("Address");
  if (network === "tcp") checkLiteral(table, "Address", address, false);
  const credentials = readCredentials(table, type);
  return { type, network, address, ...(credentials === null ? {} : { credentials }) };
}

function readCredentials(table: Reader, type: string): { user: string; password: string } | null {
  const user = table.text("User") ?? "";
  const password = table.text("Password") ?? "";
  if (user === "" && password === "") return null;
  if (type === "tor+socks5") {
    throw table.error(
      user === "" ? "Password" : "User",
      "UpstreamProxy.User and Password must not be set with tor+socks5, which makes its own for " +
        "each connection; remove them",
    );
  }
  const isLong = [user, password].some((text) => utf8(text).length > 255);
  if (user !== "" && password !== "" && !isLong) return { user, password };
  throw table.error(
    user === "" ? "Password" : "User",
    "UpstreamProxy.User and Password must both be set, or neither, with at most 255 bytes each",
  );
}

const unitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration in Go's format, e.g. `1m30s`. */
function readGrace(top: Reader): number {
  const text = top.text("SessionGracePeriod");
  if (text === undefined) return USUAL_GRACE_MS;
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)];
  const isWhole = text === "0" || (text !== "" && parts.map(([part]) => part).join("") === text);
  if (!isWhole) {
    throw top.error(
      "SessionGracePeriod",
      `SessionGracePeriod ${JSON.stringify(text)} is not a duration; write e.g. "30s" or "10m"`,
    );
  }
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * unitsMs[unit!]!, 0);
  return ms === 0 ? USUAL_GRACE_MS : Math.round(ms);
}
