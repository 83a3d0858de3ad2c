/**
 * Where a daemon is and how to connect to it. The tables are those of a thin client's TOML file
 * (spec/thin-protocol §1.1), and equally strict: an unknown table or key, a missing address or
 * another spelling is refused, never ignored.
 */
import { isMarked, markOf } from "../errors/marks.js";
import { type TcpNetwork, dialTcp, dialUnix, dialWs } from "#platform";
import { describeType } from "../bytes/bytes.js";
import {
  checkFields,
  checkText,
  isTable,
  quotedList,
  unknownKeys,
  within,
} from "../errors/config-checks.js";
import { ConfigError } from "../errors/errors.js";
import {
  type Address,
  checkUnixPath,
  formatAddress,
  formatHostPort,
  parseAddress,
  parseHostPort,
  parseWsUrl,
  withoutQuery,
} from "./address.js";
import { type DialCallOptions, dialWithin } from "./dial-within.js";
import type { Transport } from "./transport.js";

const networks: readonly TcpNetwork[] = ["tcp", "tcp4", "tcp6"];

/** The fields of a {@link TcpDialConfig}. */
export interface TcpDialInit {
  /** `HOST:PORT` or `[V6]:PORT`. */
  readonly address: string;
  /** Which addresses of the host to try; `tcp` (the default) means both families, IPv4 first. */
  readonly network?: TcpNetwork | undefined;
}

/** The fields of a {@link UnixDialConfig}. */
export interface UnixDialInit {
  /** A path, or `@name` for a Linux abstract socket. */
  readonly address: string;
}

/** The fields of a {@link WsDialConfig}. */
export interface WsDialInit {
  /** `ws://HOST:PORT[/path]` or `wss://…`. */
  readonly address: string;
  /** For one of our listeners that requires it; sent as a sub-protocol, never in the URL. */
  readonly token?: string | undefined;
}

/** The fields of a {@link DialConfig}: exactly one of the three, the others absent or null. */
export interface DialInit {
  /** A daemon on a TCP port; browsers cannot reach it. */
  readonly tcp?: TcpDialInit | null | undefined;
  /** A daemon on a Unix socket; browsers cannot reach it. */
  readonly unix?: UnixDialInit | null | undefined;
  /** A daemon on a WebSocket, which browsers can dial. */
  readonly ws?: WsDialInit | null | undefined;
}

const tcpDialConfigMark: unique symbol = markOf("TcpDialConfig") as typeof tcpDialConfigMark;

/** A daemon on a TCP port. */
export class TcpDialConfig {
  /** @internal */
  get [tcpDialConfigMark](): true {
    return true;
  }
  /** `HOST:PORT` or `[V6]:PORT`. */
  readonly address: string;
  /** Which of the host's addresses to try; `tcp` means both families, IPv4 first. */
  readonly network: TcpNetwork;

  /**
   * @param given its fields, or just the address.
   * @throws ConfigError when the address or the network is invalid, or for an unknown field.
   */
  constructor(given: TcpDialInit | string) {
    const init = typeof given === "string" ? { address: given, network: undefined } : given;
    checkFields("TcpDialConfig", init, ["address", "network"]);
    this.address = checkText("TcpDialConfig: address", init.address);
    if (parseHostPort(this.address).port === 0) {
      throw new ConfigError(
        `address ${JSON.stringify(this.address)} has port 0, which is not valid here`,
      );
    }
    this.network = init.network === undefined ? "tcp" : checkNetwork(init.network);
  }

  /** Reads a `[Dial.Tcp]` table. @throws ConfigError naming the table and what is wrong in it. */
  static fromTomlDict(data: unknown): TcpDialConfig {
    const table = checkTable("Dial.Tcp", data, ["Address", "Network"]);
    const init = {
      address: checkText("[Dial.Tcp] key 'Address'", table["Address"]),
      network: table["Network"] as TcpNetwork | undefined,
    };
    return within("[Dial.Tcp]", () => new TcpDialConfig(init));
  }

  /**
   * Connects.
   * @throws ConnectError; RequestTimeoutError; the signal's reason; UnsupportedTransportError in a
   * browser; ConfigError when the address is not of the family that `network` names.
   */
  dial(options: DialCallOptions = {}): Promise<Transport> {
    return dialWithin(options, (signal) => dialTcp(this.address, this.network, { signal }));
  }

  /** `tcp:HOST:PORT` (or `tcp4:…`, `tcp6:…`), for messages. */
  toString(): string {
    return `${this.network}:${this.address}`;
  }
}

const unixDialConfigMark: unique symbol = markOf("UnixDialConfig") as typeof unixDialConfigMark;

/** A daemon on a Unix socket. */
export class UnixDialConfig {
  /** @internal */
  get [unixDialConfigMark](): true {
    return true;
  }
  /** A path, or `@name` for a Linux abstract socket. */
  readonly address: string;

  /** @throws ConfigError when the address is invalid, or for an unknown field. */
  constructor(given: UnixDialInit | string) {
    const init = typeof given === "string" ? { address: given } : given;
    checkFields("UnixDialConfig", init, ["address"]);
    this.address = checkText("UnixDialConfig: address", init.address);
    checkUnixPath(this.address);
  }

  /** Reads a `[Dial.Unix]` table. @throws ConfigError naming the table and what is wrong in it. */
  static fromTomlDict(data: unknown): UnixDialConfig {
    const table = checkTable("Dial.Unix", data, ["Address"]);
    const init = { address: checkText("[Dial.Unix] key 'Address'", table["Address"]) };
    return within("[Dial.Unix]", () => new UnixDialConfig(init));
  }

  /** The kind of network. */
  get network(): "unix" {
    return "unix";
  }

  /**
   * Connects.
   * @throws ConnectError; RequestTimeoutError; the signal's reason; UnsupportedTransportError in a
   * browser; ConfigError when the system does not allow the path: it is too long, or abstract and
   * this is not Linux.
   */
  dial(options: DialCallOptions = {}): Promise<Transport> {
    return dialWithin(options, (signal) => dialUnix(this.address, { signal }));
  }

  /** `unix:PATH` or `unix:@NAME`, for messages. */
  toString(): string {
    return `unix:${this.address}`;
  }
}

const wsDialConfigMark: unique symbol = markOf("WsDialConfig") as typeof wsDialConfigMark;

/** A daemon on a WebSocket. */
export class WsDialConfig {
  /** @internal */
  get [wsDialConfigMark](): true {
    return true;
  }
  /** `ws://HOST:PORT[/path]` or `wss://…`. */
  readonly address: string;
  // Private, with a getter, so that code that prints or copies fields does not see it.
  readonly #token: string | undefined;

  /** @throws ConfigError when the address or the token is invalid, or for an unknown field. */
  constructor(given: WsDialInit | string) {
    const init: WsDialInit = typeof given === "string" ? { address: given } : given;
    checkFields("WsDialConfig", init, ["address", "token"]);
    this.address = checkText("WsDialConfig: address", init.address);
    parseWsUrl(this.address);
    if (init.token !== undefined) checkText("WsDialConfig: token", init.token);
    if (init.token === "") throw new ConfigError("WsDialConfig: token must not be empty");
    this.#token = init.token;
  }

  /** Reads a `[Dial.Ws]` table. @throws ConfigError naming the table and what is wrong in it. */
  static fromTomlDict(data: unknown): WsDialConfig {
    const table = checkTable("Dial.Ws", data, ["Address", "Token"]);
    const init = {
      address: checkText("[Dial.Ws] key 'Address'", table["Address"]),
      token: table["Token"] as string | undefined,
    };
    return within("[Dial.Ws]", () => new WsDialConfig(init));
  }

  /** The kind of network. */
  get network(): "ws" {
    return "ws";
  }

  /** The token, a secret; undefined if there is none. Nothing here prints it. */
  get token(): string | undefined {
    return this.#token;
  }

  /**
   * Connects.
   * @throws ConnectError; RequestTimeoutError; the signal's reason; ConfigError when WebSockets do
   * not accept the address.
   */
  dial(options: DialCallOptions = {}): Promise<Transport> {
    return dialWithin(options, (signal) => dialWs(this.address, { signal, token: this.#token }));
  }

  /** The address for messages, without its query and the token, which are secrets. */
  toString(): string {
    return withoutQuery(this.address);
  }

  /** The text for Node's console, which may be configured to call getters. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `WsDialConfig { address: ${JSON.stringify(String(this))} }`;
  }
}

const dialConfigMark: unique symbol = markOf("DialConfig") as typeof dialConfigMark;

/** Where a daemon is: one of three kinds. */
export class DialConfig {
  /** @internal */
  get [dialConfigMark](): true {
    return true;
  }
  /** Set only if the daemon is on a TCP port. */
  declare readonly tcp?: TcpDialConfig;
  /** Set only if the daemon is on a Unix socket. */
  declare readonly unix?: UnixDialConfig;
  /** Set only if the daemon is on a WebSocket. */
  declare readonly ws?: WsDialConfig;

  /**
   * Accepts none, one or several kinds; {@link resolve} checks that there is exactly one.
   * @throws ConfigError when one is invalid, or for an unknown kind.
   */
  constructor(init: DialInit = {}) {
    checkFields("DialConfig", init, ["tcp", "unix", "ws"]);
    const { tcp, unix, ws } = init;
    if (tcp !== undefined && tcp !== null)
      this.tcp = isMarked(tcp, tcpDialConfigMark) ? (tcp as TcpDialConfig) : new TcpDialConfig(tcp);
    if (unix !== undefined && unix !== null) {
      this.unix = isMarked(unix, unixDialConfigMark)
        ? (unix as UnixDialConfig)
        : new UnixDialConfig(unix);
    }
    if (ws !== undefined && ws !== null)
      this.ws = isMarked(ws, wsDialConfigMark) ? (ws as WsDialConfig) : new WsDialConfig(ws);
  }

  /**
   * Returns `init` if it is already a DialConfig, otherwise makes one from it; a text is an address
   * for {@link parse}.
   * @throws ConfigError
   */
  static from(init: DialConfig | DialInit | string): DialConfig {
    if (typeof init === "string") return DialConfig.parse(init);
    return isMarked(init, dialConfigMark) ? (init as DialConfig) : new DialConfig(init);
  }

  /**
   * The configuration for `address`; a token is only allowed with a WebSocket. @throws ConfigError
   */
  static fromAddress(address: Address, token?: string): DialConfig {
    if (token !== undefined && address.kind !== "ws") {
      throw new ConfigError("a token is only possible with a WebSocket");
    }
    if (address.kind === "unix") return new DialConfig({ unix: { address: address.path } });
    if (address.kind === "ws") {
      return new DialConfig({ ws: { address: formatAddress(address), token } });
    }
    const { network } = address;
    return new DialConfig({ tcp: { address: formatHostPort(address), network } });
  }

  /**
   * The configuration for an address in text form: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` or
   * `ws://HOST:PORT`; a token is only allowed with a WebSocket.
   * @throws ConfigError
   */
  static parse(address: string, token?: string): DialConfig {
    return DialConfig.fromAddress(parseAddress(address), token);
  }

  /** Reads a `[Dial]` table. @throws ConfigError naming the table and what is wrong in it. */
  static fromTomlDict(data: Record<string, unknown>): DialConfig {
    if (!isTable(data)) {
      throw new ConfigError(
        "[Dial] must be a table containing exactly one of [Dial.Tcp], [Dial.Unix] or [Dial.Ws]",
      );
    }
    const known = ["Tcp", "Unix", "Ws"];
    const unknown = unknownKeys(data, known);
    if (unknown.length > 0) {
      throw new ConfigError(
        `[Dial]: unknown subtable(s) ${quotedList(unknown)} under [Dial]; ` +
          `expected one of ${quotedList(known)}`,
      );
    }
    const { Tcp, Unix, Ws } = data;
    const config = new DialConfig({
      tcp: Tcp === undefined ? undefined : TcpDialConfig.fromTomlDict(Tcp),
      unix: Unix === undefined ? undefined : UnixDialConfig.fromTomlDict(Unix),
      ws: Ws === undefined ? undefined : WsDialConfig.fromTomlDict(Ws),
    });
    within("[Dial]", () => config.resolve());
    return config;
  }

  /** The only kind that is set. @throws ConfigError when there is none, or more than one. */
  resolve(): TcpDialConfig | UnixDialConfig | WsDialConfig {
    const kinds = [this.unix, this.tcp, this.ws].filter((kind) => kind !== undefined);
    const [kind] = kinds;
    if (kind === undefined) throw new ConfigError("transport: no dial transport configured");
    if (kinds.length > 1) {
      throw new ConfigError("transport: exactly one dial transport must be configured");
    }
    return kind;
  }

  /** Connects. @throws ConfigError as {@link resolve}; else as the kind's own `dial`. */
  async dial(options: DialCallOptions = {}): Promise<Transport> {
    return this.resolve().dial(options);
  }

  /** The only kind that is set, as text; never its token. */
  toString(): string {
    return [this.unix, this.tcp, this.ws].filter((kind) => kind !== undefined).join(", ");
  }
}

function checkNetwork(network: unknown): TcpNetwork {
  const text = checkText("TcpDialConfig.Network", network);
  if ((networks as readonly string[]).includes(text)) return text as TcpNetwork;
  throw new ConfigError(
    `transport: TcpDialConfig.Network ${JSON.stringify(text)} is not one of ` + networks.join(", "),
  );
}

function checkTable(
  name: string,
  data: unknown,
  known: readonly string[],
): Record<string, unknown> {
  if (!isTable(data)) throw new ConfigError(`[${name}] must be a table, got ${describeType(data)}`);
  const unknown = unknownKeys(data, known);
  if (unknown.length > 0) {
    throw new ConfigError(
      `[${name}] has unknown key(s) ${quotedList(unknown)}; expected ${quotedList(known)}`,
    );
  }
  if (data["Address"] === undefined) {
    throw new ConfigError(`[${name}] missing required key 'Address'`);
  }
  return data;
}

/**
 * How to dial one of a daemon's own addresses; the token is for WebSockets.
 * @throws RangeError when `index` is not that of an address.
 */
export function dialConfigAt(
  addresses: readonly string[],
  index: number,
  token: string | undefined,
): DialConfig {
  const text = addresses[index];
  if (text === undefined) {
    throw new RangeError(
      `\`index\` must be below ${addresses.length}, the number of addresses, got ${index}`,
    );
  }
  const address = parseAddress(text);
  return DialConfig.fromAddress(address, address.kind === "ws" ? token : undefined);
}
