/** Options of a client, checked once. */
import { checkBytes, copyBytes, describeType, randomBytes } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import type { Transport } from "../transport/transport.js";
import { MAX_MESSAGE_SIZE } from "../wire/framing.js";
import { checkDuration } from "./call-options.js";
import { type Logger, silentLogger } from "./logger.js";

/** How a client comes back after the connection to the daemon was lost. */
export interface ReconnectOptions {
  /** First delay in milliseconds; default 1,000. It doubles up to `maxDelayMs`. */
  readonly initialDelayMs?: number | undefined;
  /** Longest delay in milliseconds; default 60,000. */
  readonly maxDelayMs?: number | undefined;
}

/** What `new ThinClient(config, options)` takes. */
export interface ThinClientOptions {
  /**
   * 16 bytes that name this client's session at the daemon; random by default. The token of an
   * earlier client (see `client.sessionToken`) takes its session up again.
   */
  readonly sessionToken?: Uint8Array | undefined;
  /** How to come back after a loss; `false`: not at all, the client is closed then. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** Longest frame body in bytes that is read or written; default 40 MiB, the protocol's limit. */
  readonly maxMessageSize?: number | undefined;
  /** Deadline in milliseconds of calls that need no network and no key exchange; default 60,000. */
  readonly defaultTimeoutMs?: number | undefined;
  /**
   * Deadline in milliseconds of the handshake; default 40,000. A real daemon may wait 30 s for a
   * PKI document before it says its first word (protocol page, section 3.1).
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Where to log; silent by default. */
  readonly logger?: Logger | undefined;
  /**
   * Connects to the daemon instead of what the configuration says: an in-memory pair in tests, a
   * tunnel of your own.
   */
  readonly dial?: ((options: { readonly signal: AbortSignal }) => Promise<Transport>) | undefined;
  /** The clock to wait by; the platform's by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
}

/** The options with all defaults filled in. */
export interface ResolvedOptions {
  readonly sessionToken: Uint8Array<ArrayBuffer>;
  readonly reconnect: { readonly initialDelayMs: number; readonly maxDelayMs: number } | false;
  readonly maxMessageSize: number;
  readonly defaultTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly logger: Logger;
  readonly dial: ThinClientOptions["dial"];
  readonly clock: Clock;
}

const known = [
  "sessionToken",
  "reconnect",
  "maxMessageSize",
  "defaultTimeoutMs",
  "handshakeTimeoutMs",
  "logger",
  "dial",
  "clock",
];

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError naming the option, what was wanted and what came.
 */
export function resolveOptions(options: ThinClientOptions = {}): ResolvedOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`\`options\` must be an object, got ${describeType(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`\`options.${name}\` is not an option; known: ${known.join(", ")}`);
    }
  }
  const { sessionToken, maxMessageSize = MAX_MESSAGE_SIZE } = options;
  if (sessionToken !== undefined) checkBytes("options.sessionToken", sessionToken, 16);
  if (!Number.isInteger(maxMessageSize) || maxMessageSize < 1024 || maxMessageSize > 2 ** 31) {
    throw new RangeError(
      `\`options.maxMessageSize\` must be an integer from 1024 to 2^31, got ${maxMessageSize}`,
    );
  }
  if (options.dial !== undefined && typeof options.dial !== "function") {
    throw new TypeError(`\`options.dial\` must be a function, got ${describeType(options.dial)}`);
  }
  if (options.clock !== undefined && typeof options.clock?.after !== "function") {
    throw new TypeError(`\`options.clock\` must be a Clock, got ${describeType(options.clock)}`);
  }
  checkDuration("options.defaultTimeoutMs", options.defaultTimeoutMs);
  checkDuration("options.handshakeTimeoutMs", options.handshakeTimeoutMs);
  return {
    sessionToken: sessionToken === undefined ? randomBytes(16) : copyBytes(sessionToken),
    reconnect: resolveReconnect(options.reconnect),
    maxMessageSize,
    defaultTimeoutMs: options.defaultTimeoutMs ?? 60_000,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 40_000,
    logger: resolveLogger(options.logger),
    dial: options.dial,
    clock: options.clock ?? realClock,
  };
}

function resolveLogger(logger: Logger | undefined): Logger {
  if (logger === undefined) return silentLogger;
  const line = (level: keyof Logger): Logger[typeof level] => {
    if (typeof logger?.[level] !== "function") {
      throw new TypeError(
        `\`options.logger.${level}\` must be a function, got ${describeType(logger?.[level])}`,
      );
    }
    return (...texts) => {
      try {
        logger[level](...texts);
      } catch {
        // Where a line cannot be logged there is nobody to tell; the client goes on.
      }
    };
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

function resolveReconnect(reconnect: ReconnectOptions | false = {}): ResolvedOptions["reconnect"] {
  if (reconnect === false) return false;
  if (typeof reconnect !== "object" || reconnect === null) {
    throw new TypeError(
      `\`options.reconnect\` must be an object or false, got ${describeType(reconnect)}`,
    );
  }
  for (const name of Object.keys(reconnect)) {
    if (name !== "initialDelayMs" && name !== "maxDelayMs") {
      throw new TypeError(
        `\`options.reconnect.${name}\` is not an option; known: initialDelayMs, maxDelayMs`,
      );
    }
  }
  const { initialDelayMs = 1000, maxDelayMs = 60_000 } = reconnect;
  checkDuration("options.reconnect.initialDelayMs", initialDelayMs);
  checkDuration("options.reconnect.maxDelayMs", maxDelayMs);
  if (maxDelayMs < initialDelayMs) {
    throw new RangeError(
      `\`options.reconnect.maxDelayMs\` must be at least initialDelayMs (${initialDelayMs}), ` +
        `got ${maxDelayMs}`,
    );
  }
  return { initialDelayMs, maxDelayMs };
}
