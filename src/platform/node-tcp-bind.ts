/** Binding a server to a TCP port. */
import type { AddressInfo, Server } from "node:net";
import { ConfigError } from "../errors/errors.js";
import { formatHostPort } from "../transport/address.js";
import { describeFailure, failureCode } from "./node-failure.js";

/**
 * Lets `server` listen; returns the port, which the system chooses for port 0. Messages put
 * `scheme` before the address.
 * @throws ConfigError naming the address, what is wrong, and what to do.
 */
export async function bindTcp(
  server: Server,
  scheme: string,
  host: string,
  port: number,
  ipv6Only: boolean,
): Promise<number> {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new ConfigError(`the port must be a whole number from 0 to 65535, got ${port}`);
  }
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, ipv6Only }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } catch (cause) {
    const where = `${scheme}${formatHostPort({ host, port })}`;
    const advice = new Map([
      [
        "EADDRINUSE",
        ". Stop the program that listens there, or choose another port (0 takes a free one)",
      ],
      ["EACCES", ". Choose a port of 1024 or more"],
    ]).get(failureCode(cause) ?? "");
    throw new ConfigError(`cannot listen on ${where}: ${describeFailure(cause)}${advice ?? ""}`, {
      cause,
    });
  }
  return (server.address() as AddressInfo).port;
}
