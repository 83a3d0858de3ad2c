/** Which addresses only this machine can reach, and the rule to listen only on those. */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { ConfigError } from "../errors/errors.js";
import type { TcpNetwork } from "./contract.js";
import { describeFailure } from "./node-failure.js";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether an IP address is one of this machine's loopback addresses (RFC 6890). */
export function isLoopbackAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && loopback.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** Whether a host, as in URLs, is this machine and nothing else. */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === "localhost" || isLoopbackAddress(host);
}

/**
 * The IP address to listen on for `host`; IPv4 if both are possible.
 * @throws ConfigError when there is none, or when others could reach it and `allowRemote` is not
 * true.
 */
export async function addressToListenOn(
  host: string,
  network: TcpNetwork,
  allowRemote: boolean,
): Promise<string> {
  const address = await resolveHost(host, network);
  if (allowRemote || isLoopbackAddress(address)) return address;
  throw new ConfigError(
    `not listening on ${host}: others could reach it. Listen on 127.0.0.1, or set allowRemote ` +
      "(katz daemon: --allow-remote) if you want that",
  );
}

async function resolveHost(host: string, network: TcpNetwork): Promise<string> {
  if (host === "") throw new ConfigError("not listening: the host is empty; use 127.0.0.1");
  const family = network === "tcp4" ? 4 : network === "tcp6" ? 6 : 0;
  const literal = isIP(host);
  if (literal !== 0) {
    if (family === 0 || family === literal) return host;
    throw new ConfigError(`not listening on ${host}: that is IPv${literal}, not ${network}`);
  }
  try {
    const addresses = await lookup(host, { all: true, family });
    return addresses.toSorted((a, b) => a.family - b.family)[0]!.address;
  } catch (cause) {
    throw new ConfigError(`not listening on ${host}: ${describeFailure(cause)}`, { cause });
  }
}
