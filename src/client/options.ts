/** Options of a client and of its end, checked once; where it logs. */
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

/** How a client comes back after the connection to the daemon was lost. */
export interface ReconnectOptions {
  /**
   * First delay in milliseconds; default 1,000. It doubles up to `maxDelayMs` with each failure,
   * and from the fourth connection on that lasts less than twice the delay before it.
   */
  readonly initialDelayMs?: number | undefined;
  /** Longest delay in milliseconds; default 60,000. */
  readonly maxDelayMs?: number | undefined;
}

/** How a daemon that is gone without a word is found. */
export interface LivenessSettings {
  /** How long nothing may be heard before a probe is sent, in milliseconds; default 30,000. */
  readonly intervalMs?: number | undefined;
  /** How long its answer may take, in milliseconds; default 15,000. */
  readonly timeoutMs?: number | undefined;
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
  /** How to find a daemon that is gone without a word; `false`: not at all. */
  readonly liveness?: LivenessSettings | false | undefined;
  /**
   * Most local requests, and most operations, that the daemon is given at a time; default 1,000.
   * More wait their turn here: see `client.load`. A real daemon stops reading when 16 operations
   * wait for their packet, local requests included (spec/thin-protocol §1.3): so whatever this
   * says, from the 16th on one more is sent only when the daemon has read the one before.
   */
  readonly maxInFlight?: number | undefined;
  /** Hears how calls end, what waits, and of reconnects; nothing by default. */
  readonly metrics?: MetricsHook | undefined;
  /**
   * Whether the end of the process ends the session at the daemon: its exit, and SIGINT, SIGTERM
   * and SIGHUP where the application does not handle them itself.
   * Default: yes, unless `sessionToken` was given, whose session is meant to outlive the process.
   */
  readonly stopOnExit?: boolean | undefined;
  /** Longest frame body in bytes that is read or written; default 40 MiB, the protocol's limit. */
  readonly maxMessageSize?: number | undefined;
  /** Deadline in milliseconds of calls that need no network and no key exchange; default 60,000. */
  readonly defaultTimeoutMs?: number | undefined;
  /**
   * Deadline in milliseconds of a connection, from dialling to the end of the handshake; default
   * 40,000. A real daemon may wait 30 s for a
   * PKI document before it says its first word (spec/thin-protocol §3.1).
   */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Where to log; silent by default. */
  readonly logger?: Logger | undefined;
  /**
   * Connects to the daemon instead of what the configuration says: an in-memory pair in tests, a
   * tunnel of your own.
   */
  readonly dial?:
    | ((options: {
        /**
         * Aborted when the connection is not wanted any more: by `stop`, or by `start`'s options.
         */
        readonly signal: AbortSignal;
      }) => Promise<Transport>)
    | undefined;
  /** The clock to wait by; the platform's by default, a virtual one in tests. */
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
 * @throws TypeError or RangeError naming the option, what was wanted and what came.
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
      // A measurement that cannot be taken must not fail what was measured.
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
        // Where a line cannot be logged there is nobody to tell; the client goes on.
      }
    };
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** Bytes may be secrets whatever their field is called: only their length is logged. */
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

/** How long `stop` and `disconnect` wait for messages where nobody says, in ms. */
const DRAIN_MS = 5000;

/** Options of `stop` and `disconnect`. */
export interface ClosingOptions {
  /**
   * How long to wait, in milliseconds, for messages that were handed to the daemon and have not
   * left; default 5,000, `false` or 0: not at all. A daemon lets a client's packets out one by one,
   * about one a second on a real network, and forgets those that wait when the connection ends. It
   * tells when a message with a reply block has left (`messageSent`), which ends the wait; those
   * that have not left in the end are told as `messageSent` with an `err`. Of a message without
   * reply block nothing is known: if it must leave, give it time, or a reply block. Calls that wait
   * for their own answer (`blockingSendMessage`, `read`, `write`, `copy`) are not waited for: they
   * reject.
   */
  readonly drain?: number | false | undefined;
}

/** How long to wait, in milliseconds; 0: not at all. @throws TypeError, RangeError. */
export function drainOf(options: ClosingOptions = {}): number {
  checkOptions("options", options, ["drain"]);
  const { drain = DRAIN_MS } = options;
  if (drain === false || drain === 0) return 0;
  checkDuration("options.drain", drain);
  return drain;
}

// Where the client says what it does. Capabilities, seeds, plaintexts and keys never get here.

/** A place for log lines; `console` fits. */
export interface Logger {
  /** What needs nobody's attention, e.g. a late answer to a call that was given up. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A connection that was made. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A lost connection, a failed try to reconnect, an event that cannot be read. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A handler of the application that threw. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const nothing = (): void => {};

/** Says nothing; the default. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
