/** Dials gateways by their URLs, directly or through a proxy (spec/mixnet §2.4 and §9). */
import { dialTcp, dialUnix } from "#platform";
import { randomBytes, toHex, utf8 } from "../bytes/bytes.js";
import { ConfigError, ConnectError } from "../errors/errors.js";
import { LinkError } from "../mixnet/link.js";
import { hash256 } from "../bytes/hash.js";
import { type HostPort, formatHostPort, parseHostPort } from "../transport/address.js";
import type { Transport } from "../transport/transport.js";
import { type ProxyCredentials, connectThroughProxy } from "./socks5.js";

/** How gateways are reached: the table UpstreamProxy of client.toml. */
export type UpstreamProxy =
  | { readonly type: "none" }
  | {
      readonly type: "socks5" | "tor+socks5";
      readonly network: "tcp" | "unix";
      /** `IP:PORT`, or a path with `unix`. */
      readonly address: string;
      /**
       * Not with `tor+socks5`, which makes its own credentials, so that connections use separate
       * circuits.
       */
      readonly credentials?: ProxyCredentials | undefined;
    };

/** Different in every process, so that two processes do not share a Tor circuit. */
const ofThisProcess = toHex(randomBytes(8));

/** Credentials that make Tor keep connections to one gateway apart from all others. */
function isolation(url: string): ProxyCredentials {
  const purpose = toHex(hash256(utf8(url)).subarray(0, 16));
  return { user: `katzenpost/client:${ofThisProcess}:${purpose}`, password: "\0" };
}

/** Parses a gateway's URL. @throws LinkError when it cannot be dialled. */
function targetOf(url: string, isProxied: boolean): HostPort {
  const match = /^([a-z0-9]+):\/\/([^/]+)\/?$/.exec(url);
  const scheme = match?.[1];
  if (match === null || scheme === undefined)
    throw new LinkError(`${url} is not the URL of a gateway`);
  if (scheme === "onion" && !isProxied) {
    throw new LinkError(`${url} is an onion service: it needs a proxy of type tor+socks5`);
  }
  if (!/^(tcp[46]?|onion)$/.test(scheme)) {
    throw new LinkError(`${url} cannot be dialled: only tcp, tcp4, tcp6 and onion are supported`);
  }
  try {
    return parseHostPort(match[2]!);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new LinkError(`${url}: ${cause.message}`);
  }
}

/** What went wrong. The advice in that message is for clients of a daemon; this is the daemon. */
function withoutAdvice({ message }: ConnectError): string {
  return message.replace(/\. Is the daemon running[^]*$/, "");
}

/** Makes a function that dials gateways, for `GatewayLinkOptions.dial`. */
export function gatewayDialer(
  proxy: UpstreamProxy = { type: "none" },
): (url: string, signal: AbortSignal) => Promise<Transport> {
  return async (url, signal) => {
    const target = targetOf(url, proxy.type !== "none");
    if (proxy.type === "none") {
      return dialTcp(formatHostPort(target), "tcp", { signal }).catch((error: unknown) => {
        if (!(error instanceof ConnectError)) throw error;
        throw new LinkError(withoutAdvice(error));
      });
    }
    const { network, address, type } = proxy;
    const dialling =
      network === "unix" ? dialUnix(address, { signal }) : dialTcp(address, "tcp", { signal });
    const outer = await dialling.catch((error: unknown) => {
      if (!(error instanceof ConnectError)) throw error;
      throw new LinkError(
        `the proxy cannot be reached: ${withoutAdvice(error)}. ` +
          "Start the proxy, or correct UpstreamProxy in client.toml",
      );
    });
    const credentials = type === "tor+socks5" ? isolation(url) : (proxy.credentials ?? null);
    return connectThroughProxy(outer, target, url, credentials, signal);
  };
}
