/** Addresses to listen on and to connect to, in text form. */
import type { TcpNetwork } from "#platform";
import { ConfigError } from "../errors/errors.js";

/** A host and a port. */
export interface HostPort {
  /** A name or an address; an IPv6 address without its brackets. */
  readonly host: string;
  /** 0 to 65535; 0 is only useful for listening. */
  readonly port: number;
}

/** A parsed address. */
export type Address =
  | {
      /** Written `unix:PATH`. */
      readonly kind: "unix";
      /** A path, or `@name` for a Linux abstract socket. */
      readonly path: string;
    }
  | ({
      /** Written `tcp:HOST:PORT`, or `tcp4:` and `tcp6:` for one family. */
      readonly kind: "tcp";
      /** Which of the host's addresses to use: `tcp` means both families. */
      readonly network: TcpNetwork;
    } & HostPort)
  | ({
      /** Written `ws://HOST:PORT` or `wss://…`, with an optional path. */
      readonly kind: "ws";
      /** Whether it is `wss:`. */
      readonly secure: boolean;
      /** From the first slash on; `/` if there was none. */
      readonly path: string;
    } & HostPort);

const FORMS = "unix:PATH, unix:@NAME, tcp:HOST:PORT or ws://HOST:PORT";

/**
 * Parses `HOST:PORT` or `[V6]:PORT`.
 * @throws ConfigError that says what is wrong with it.
 */
export function parseHostPort(text: string): HostPort {
  const complain = (what: string): ConfigError =>
    new ConfigError(`address ${JSON.stringify(text)} ${what}; expected HOST:PORT or [IPV6]:PORT`);
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text);
  if (match === null) {
    throw complain(
      text.includes("[") || text.includes("]")
        ? "has brackets that do not enclose an IPv6 address"
        : "has more than one colon (an IPv6 address needs brackets)",
    );
  }
  const host = match[1] ?? match[2]!;
  if (match[1] !== undefined && !/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%[^%\s]+)?$/.test(match[1])) {
    throw complain("has brackets that do not enclose an IPv6 address");
  }
  if (host === "") throw complain("has no host");
  if (/[\s/@?#\\]/.test(host)) throw complain("has a host with an invalid character");
  const port = match[3];
  if (port === undefined || port === "") throw complain("has no port");
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw complain(`has port ${JSON.stringify(port)}, which is not a number from 0 to 65535`);
  }
  return { host, port: Number(port) };
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Parses a WebSocket URL. The default port is 80, or 443 for `wss:`.
 * @throws ConfigError that says what is wrong with it.
 */
export function parseWsUrl(url: string): Extract<Address, { kind: "ws" }> {
  const complain = (what: string): ConfigError =>
    new ConfigError(`address ${JSON.stringify(withoutSecrets(url))} ${what}`);
  const match = /^(wss?):\/\/([^/?#]*)([^#]*)(#.*)?$/is.exec(url);
  if (match === null) throw complain("is not a WebSocket URL; expected ws://HOST:PORT");
  const [, scheme, authority, rest, fragment] = match;
  if (authority!.includes("@")) {
    throw complain("has a user name, which is not allowed; pass a token as a separate option");
  }
  if (fragment !== undefined)
    throw complain("has a fragment (#…), which WebSocket URLs do not have");
  if (/\s/.test(url)) throw complain("contains white space");
  const secure = scheme!.toLowerCase() === "wss";
  const hasPort = authority!.replace(/^\[[^\]]*\]/, "").includes(":");
  const place = hasPort ? authority! : `${authority}:${secure ? 443 : 80}`;
  const path = rest!.startsWith("/") ? rest! : `/${rest}`;
  return { kind: "ws", secure, path, ...parseHostPort(place) };
}

// Text before an @ may be a password, and a query may be a token.
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^/]*@/s, "//…@").replace(/(\/\/[^?]*)\?.*$/s, "$1?…");
}

/**
 * Whether a text is meant as an address, not as the path of a file: it starts like one. For a file
 * with such a name, write `./tcp:…`.
 */
export function looksLikeAddress(text: string): boolean {
  return /^(unix|tcp[46]?|wss?):/.test(text);
}

/** A host and a port alone, without a scheme or a possible password. */
const HOST_AND_PORT = /^(?:\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/;

/**
 * Parses an address: `unix:PATH`, `unix:@NAME` (Linux abstract), `tcp:HOST:PORT`, `tcp:[V6]:PORT`
 * (also `tcp4:` and `tcp6:`), `ws://HOST:PORT[/path]` or `wss://…`.
 * @throws TypeError when it is not a string; ConfigError that says what is wrong with it.
 */
export function parseAddress(text: string): Address {
  if (typeof text !== "string") {
    throw new TypeError(`\`address\` must be a string, got ${typeof text}`);
  }
  if (/^wss?:/i.test(text)) return parseWsUrl(text);
  const [, kind, rest] = /^([A-Za-z0-9]+):(.*)$/s.exec(text) ?? [];
  if (kind === "unix") {
    checkUnixPath(rest!);
    return { kind, path: rest! };
  }
  if (kind === "tcp" || kind === "tcp4" || kind === "tcp6") {
    return { kind: "tcp", network: kind, ...parseHostPort(rest!) };
  }
  const hint = text.startsWith("/") ? ` (meant: unix:${text}?)` : hintAtAddress(text);
  throw new ConfigError(
    `address ${JSON.stringify(withoutSecrets(text))} has no kind${hint}; expected ${FORMS}`,
  );
}

/** Advice if `text` is an address without its kind; otherwise empty. */
export function hintAtAddress(text: string): string {
  const meant = text.startsWith("@") ? "unix" : HOST_AND_PORT.test(text) ? "tcp" : null;
  return meant === null ? "" : ` (meant: ${meant}:${text}?)`;
}

/**
 * Checks the path, or `@name`, of a Unix socket.
 * @throws ConfigError when it is empty or contains a NUL.
 */
export function checkUnixPath(path: string): void {
  if (path === "" || path === "@") {
    throw new ConfigError("address of the Unix socket is empty; expected a path or @NAME");
  }
  if (path.includes("\0")) {
    throw new ConfigError("address of the Unix socket has a NUL character; write @NAME instead");
  }
}

/** The text of `address`, for {@link parseAddress}. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  if (address.kind === "tcp") return `${address.network}:${formatHostPort(address)}`;
  const path = address.path === "/" ? "" : address.path;
  return `${address.secure ? "wss" : "ws"}://${formatHostPort(address)}${path}`;
}

/**
 * The address for messages: like {@link formatAddress}, but without a query, which may be a secret.
 */
export function shownAddress(address: Address): string {
  return withoutQuery(formatAddress(address));
}

/** `url` without its query, which may be a secret, for messages. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, "?…");
}
