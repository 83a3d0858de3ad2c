/** The options of a {@link DevDaemon}, checked before anything is opened. */
import { ConfigError } from "../errors/errors.js";
import {
  type OptionCheck,
  checkEmbeddedDaemonOptions,
  describe,
  isFunction,
  isText,
  ofKind,
  yesOrNo,
} from "../network/embedded-daemon-options.js";
import { type AnyListenOptions, checkListen } from "../platform/node-listen.js";
import { type Address, parseAddress } from "../transport/address.js";
import type { DevDaemonOptions } from "./dev-daemon.js";

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

const port: OptionCheck = (name, value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_533
    ? null
    : new RangeError(
        `\`${name}\` must be an integer from 0 to 65533, because it is the first of three ports, ` +
          `got ${describe(value)}`,
      );

/** Checks by option name, in the order of the list in messages. */
const checks: Readonly<Record<string, OptionCheck>> = {
  listen: ofKind(
    "an address, or an array of addresses",
    (value) => isText(value) || isTexts(value),
  ),
  allowRemote: yesOrNo,
  allowedOrigins: ofKind("an array of strings", isTexts),
  token: ofKind("a string", isText),
  gateway: ofKind("an address", isText),
  authorityPort: port,
  dataDirectory: ofKind("a path", (value) => isText(value) && value !== ""),
  onRefusal: ofKind("a function", isFunction),
};

/**
 * Refuses unknown options and invalid values; undefined counts as left out.
 * @throws TypeError, RangeError naming the option, what was wanted and what it got.
 */
export function checkDevDaemonOptions(options: object): void {
  checkEmbeddedDaemonOptions(options, checks);
  const { gateway, mixing } = options as DevDaemonOptions;
  if (gateway !== undefined && mixing === "instant") {
    throw new RangeError(
      "`options.mixing` must be realistic or sphinx with a gateway, got instant: its documents " +
        "tell clients to send a thousand packets per second",
    );
  }
}

/**
 * Refuses addresses that cannot be listened on, without opening any.
 * @throws ConfigError.
 */
export async function checkAddresses(options: DevDaemonOptions): Promise<void> {
  for (const text of listenAddresses(options)) {
    const address = parseAddress(text);
    await checkListen(address, listenOptions(options, address));
  }
  const { gateway } = options;
  if (gateway !== undefined) {
    await checkListen(gatewayAddress(gateway), gatewayListenOptions(options));
  }
}

/** The addresses that the daemon should listen on. */
export function listenAddresses(options: DevDaemonOptions): readonly string[] {
  const { listen: addresses = [] } = options;
  return typeof addresses === "string" ? [addresses] : addresses;
}

/** The options for a listener of that kind. */
export function listenOptions(options: DevDaemonOptions, { kind }: Address): AnyListenOptions {
  const { allowedOrigins, token, onRefusal } = options;
  if (kind === "unix") return {};
  const remote = gatewayListenOptions(options);
  if (kind === "tcp") return remote;
  return {
    ...remote,
    ...(allowedOrigins === undefined ? {} : { allowedOrigins }),
    ...(token === undefined ? {} : { token }),
    ...(onRefusal === undefined ? {} : { onRefusal }),
  };
}

/** The options for the gateway's listener. */
export function gatewayListenOptions({ allowRemote }: DevDaemonOptions): AnyListenOptions {
  return allowRemote === undefined ? {} : { allowRemote };
}

/** @throws ConfigError when a gateway cannot be listed with this address. */
export function gatewayAddress(text: string): Address & { readonly kind: "tcp" } {
  const address = parseAddress(text);
  if (address.kind !== "tcp") {
    throw new ConfigError(`a gateway listens on tcp:HOST:PORT, got ${text}`);
  }
  if (["0.0.0.0", "::"].includes(address.host)) {
    throw new ConfigError(
      `a gateway needs an address that clients can dial, got ${text}: name an address of this machine`,
    );
  }
  return address;
}
