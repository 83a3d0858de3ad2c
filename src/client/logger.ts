/** Where the client says what it does. Capabilities, seeds, plaintexts and keys never get here. */

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
