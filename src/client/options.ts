/** Options of a client and of how it ends, checked once, and its logger. */
import {
  type Bytes,
  checkBytes,
  copyBytes,
  describeType,
  isBytes,
  randomBytes,
} from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { checkDuration } from "./call-options.js";
import type { MetricsHook } from "./metrics.js";
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import type { Transport } from "../transport/transport.js";
import { MAX_MESSAGE_SIZE } from "../wire/framing.js";

/** How a client reconnects after the connection to the daemon was lost. */
export interface ReconnectOptions {
  /**
   * First delay in milliseconds; default 1,000. It doubles, up to `maxDelayMs`, with each failure.
   * It also doubles from the fourth connection in a row that lasts less than twice the delay before
   * it. The client waits for a random time between half of the delay and the whole.
   */
  readonly initialDelayMs?: number | undefined;
  /** Longest delay in milliseconds; default 60,000. */
  readonly maxDelayMs?: number | undefined;
}

/** How a daemon that disappeared without closing the connection is detected. */
export interface LivenessSettings {
  /**
   * The connection is checked after each interval of this length, in milliseconds; default 30,000.
   * If nothing arrived during it, a probe is sent.
   */
  readonly intervalMs?: number | undefined;
  /** How long the answer to the probe may take, in milliseconds; default 15,000. */
  readonly timeoutMs?: number | undefined;
}

/** What `new ThinClient(config, options)` takes. */
export interface ThinClientOptions {
  /**
   * 16 bytes that name this client's session at the daemon; random by default. The token of an
   * earlier client (see `client.sessionToken`) resumes that client's session.
   */
  readonly sessionToken?: Uint8Array | undefined;
  /** How to reconnect after a loss. `false`: do not reconnect; the client is then closed. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** How to detect a daemon that disappeared; `false`: do not. */
  readonly liveness?: LivenessSettings | false | undefined;
  /**
   * The most local requests, and the most operations, that the daemon is given at a time; default
   * 1,000. Further calls wait: see `client.load`. A real daemon stops reading when 16 operations
   * wait for their packets, local requests included (spec/thin-protocol §1.3). So from the 16th on,
   * whatever this option says, the client sends an operation only when the daemon has read the one
   * before.
   */
  readonly maxInFlight?: number | undefined;
  /** Receives measurements of how calls end, what waits, and reconnects; none by default. */
  readonly metrics?: MetricsHook | undefined;
  /**
   * Whether the session at the daemon ends with the process: when it exits, and on SIGINT, SIGTERM
   * and SIGHUP if the application does not handle them itself. Default: true, unless `sessionToken`
   * was given, because that session is meant to outlive the process.
   */
  readonly stopOnExit?: boolean | undefined;
  /** Longest frame body in bytes, for reading and writing; default 40 MiB, the protocol's limit. */
  readonly maxMessageSize?: number | undefined;
  /**
   * Deadline in milliseconds of calls that need neither the network nor a key exchange; default
   * 60,000.
   */
  readonly defaultTimeoutMs?: number | undefined;
  /**
   * Deadline in milliseconds of a connection, from dialling to the end of the handshake; default
   * 40,000. A real daemon may wait 30 s for a PKI document before it sends its first message
   * (spec/thin-protocol §3.1).
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Where to log; silent by default. */
  readonly logger?: Logger | undefined;
  /**
   * Connects to the daemon in place of the address in the configuration: an in-memory pair in
   * tests, or your own tunnel.
   */
  readonly dial?:
    | ((options: {
        /** Aborted when the connection is not wanted: by `stop`, or through `start`'s options. */
        readonly signal: AbortSignal;
      }) => Promise<Transport>)
    | undefined;
  /** The clock for all waits; the platform's by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
}

/** The options with all defaults filled in. */
export interface ResolvedOptions {
  readonly sessionToken: Bytes;
  readonly reconnect: { readonly initialDelayMs: number; readonly maxDelayMs: number } | false;
  readonly liveness: { readonly intervalMs: number; readonly timeoutMs: number } | false;
  readonly maxInFlight: number;
  readonly metrics: MetricsHook | null;
  readonly stopOnExit: boolean;
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
  "liveness",
  "maxInFlight",
  "metrics",
  "stopOnExit",
  "maxMessageSize",
  "defaultTimeoutMs",
  "handshakeTimeoutMs",
  "logger",
  "dial",
  "clock",
];

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError that names the option, what was wanted and what it got.
 */
export function resolveOptions(options: ThinClientOptions = {}): ResolvedOptions {
  checkOptions("options", options, known);
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
    liveness: resolveLiveness(options.liveness),
    maxInFlight: resolveMaxInFlight(options.maxInFlight),
    metrics: resolveMetrics(options.metrics),
    stopOnExit: options.stopOnExit ?? sessionToken === undefined,
    maxMessageSize,
    defaultTimeoutMs: options.defaultTimeoutMs ?? 60_000,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 40_000,
    logger: resolveLogger(options.logger),
    dial: options.dial,
    clock: options.clock ?? realClock,
  };
}

function resolveLiveness(
  liveness: LivenessSettings | false = {},
): { readonly intervalMs: number; readonly timeoutMs: number } | false {
  if (liveness === false) return false;
  checkOptions("options.liveness", liveness, ["intervalMs", "timeoutMs"]);
  const { intervalMs = 30_000, timeoutMs = 15_000 } = liveness;
  checkDuration("options.liveness.intervalMs", intervalMs);
  checkDuration("options.liveness.timeoutMs", timeoutMs);
  return { intervalMs, timeoutMs };
}

function resolveMaxInFlight(maxInFlight = 1000): number {
  if (Number.isInteger(maxInFlight) && maxInFlight >= 1) return maxInFlight;
  throw new RangeError(`\`options.maxInFlight\` must be a positive integer, got ${maxInFlight}`);
}

function resolveMetrics(metrics: MetricsHook | undefined): MetricsHook | null {
  if (metrics === undefined) return null;
  if (typeof metrics !== "function") {
    throw new TypeError(`\`options.metrics\` must be a function, got ${describeType(metrics)}`);
  }
  return (metric) => {
    try {
      metrics(metric);
    } catch {
      // A metrics hook that throws must not fail the call that it measures.
    }
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
    return (message, fields) => {
      try {
        logger[level](message, fields && redacted(fields));
      } catch {
        // If logging fails, nobody can be told; the client continues.
      }
    };
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** Bytes may be secret whatever the field is called, so only their length is logged. */
function redacted(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      isBytes(value) ? `<${value.length} bytes>` : value,
    ]),
  );
}

function resolveReconnect(reconnect: ReconnectOptions | false = {}): ResolvedOptions["reconnect"] {
  if (reconnect === false) return false;
  checkOptions("options.reconnect", reconnect, ["initialDelayMs", "maxDelayMs"]);
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

// How a client ends.

/** How long `stop` and `disconnect` wait for messages by default, in ms. */
const DRAIN_MS = 5000;

/** Options of `stop` and `disconnect`. */
export interface ClosingOptions {
  /**
   * How long to wait, in milliseconds, for messages that were handed to the daemon and have not
   * left; default 5,000. `false` or 0: do not wait. A daemon sends a client's packets one by one,
   * about one a second on a real network, and forgets the waiting ones when the connection ends. It
   * reports when a message with a reply block has left (`messageSent`), which ends the wait.
   * Messages that have not left by the end are reported as `messageSent` with an `err`. The daemon
   * reports nothing about a message without a reply block: if it must leave, give it time, or use a
   * reply block. Calls that wait for their own answer (`blockingSendMessage`, `read`, `write`,
   * `copy`) are not waited for: they reject.
   */
  readonly drain?: number | false | undefined;
}

/** How long to wait, in milliseconds; 0: do not wait. @throws TypeError, RangeError. */
export function drainOf(options: ClosingOptions = {}): number {
  checkOptions("options", options, ["drain"]);
  const { drain = DRAIN_MS } = options;
  if (drain === false || drain === 0) return 0;
  checkDuration("options.drain", drain);
  return drain;
}

// The client's log. Capabilities, seeds, plaintexts and keys never reach it.

/** Receives log lines; `console` works. */
export interface Logger {
  /** Messages that need no attention, e.g. a late answer to a call that was given up. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A connection was made. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /**
   * A lost connection, messages lost with it, a failed attempt to reconnect, or an event that
   * cannot be read.
   */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A handler of the application threw, or its promise rejected. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const nothing = (): void => {};

/** Logs nothing; the default. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
