/** Errors for people: what happened and what to do, never a stack for a user's mistake. */
import { isThinClientError } from "katzenpost-thinclient";
import type { Terminal } from "./terminal.js";

/** Exit codes by class of error. */
export const ExitCode = {
  OK: 0,
  /** Something failed that is none of the below. */
  FAILURE: 1,
  /** Wrong command line, configuration or arguments. */
  USAGE: 2,
  /** No daemon, or the connection to it failed. */
  CONNECTION: 3,
  /** The daemon or the network answered with an error. */
  NETWORK: 4,
  /** A deadline passed. */
  TIMEOUT: 5,
  /** Interrupted by SIGINT. */
  INTERRUPTED: 130,
} as const;

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof TypeError || error instanceof RangeError) return ExitCode.USAGE;
  if (!isThinClientError(error)) return ExitCode.FAILURE;
  switch (error.code) {
    case "ERR_CONFIG":
      return ExitCode.USAGE;
    case "ERR_CONNECT":
    case "ERR_PROTOCOL":
    case "THIN_CLIENT_ERROR_CONNECTION_LOST":
      return ExitCode.CONNECTION;
    case "ERR_TIMEOUT":
      return ExitCode.TIMEOUT;
    default:
      return ExitCode.NETWORK;
  }
}

/** Says what went wrong; gives the exit code. `DEBUG=katz` adds the stack. */
export function report(terminal: Terminal, error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  terminal.line(`${terminal.style("red", "katz:")} ${message}`);
  if (process.env["DEBUG"]?.includes("katz") && error instanceof Error && error.stack) {
    terminal.line(error.stack);
  }
  return exitCodeOf(error);
}
