/** Errors for people: what happened and what to do, never a stack for a user's mistake. */
import { isExpectedOutcome, isThinClientError } from "katzenpost-thinclient";
import { Interrupted } from "./interrupt.js";
import type { Terminal } from "./terminal.js";

/** Exit codes by class of error; docs/cli.md lists them. */
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
  /** A box holds nothing, is taken, or was deleted: outcomes that scripts ask about. */
  OUTCOME: 6,
  /** Interrupted by SIGINT; 128 + the signal's number for others. */
  INTERRUPTED: 130,
} as const;

/** A mistake in how `katz` was called, or a file that it cannot use. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A result that is itself a failure, already shown: only the exit code is left to tell. */
export class AlreadyReported extends Error {
  override readonly name = "AlreadyReported";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("already reported");
    this.exitCode = exitCode;
  }
}

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AlreadyReported || error instanceof Interrupted) return error.exitCode;
  if (error instanceof UsageError || isWrongArgument(error)) return ExitCode.USAGE;
  if (!isThinClientError(error)) return ExitCode.FAILURE;
  if (isExpectedOutcome(error)) return ExitCode.OUTCOME;
  switch (error.code) {
    case "ERR_CONFIG":
    case "ERR_UNSUPPORTED_TRANSPORT":
      return ExitCode.USAGE;
    case "ERR_CONNECT":
    case "ERR_CLOSED":
    case "ERR_PROTOCOL":
    case "THIN_CLIENT_ERROR_CONNECTION_LOST":
      return ExitCode.CONNECTION;
    case "ERR_TIMEOUT":
    case "THIN_CLIENT_ERROR_TIMEOUT":
      return ExitCode.TIMEOUT;
    case "ERR_INVALID_STATE":
      return ExitCode.FAILURE;
    default:
      return ExitCode.NETWORK;
  }
}

/** A stable name of an error: its code, the system's code, or the class. */
export function codeOf(error: unknown): string {
  if (error instanceof UsageError || isWrongArgument(error)) return "ERR_USAGE";
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "ERR_FAILURE";
}

/** What went wrong, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Says what went wrong, in words or (`json`) as an object on a line; gives the exit code.
 * `DEBUG=katz` adds the stack.
 */
export function report(terminal: Terminal, error: unknown, json = false): number {
  const exitCode = exitCodeOf(error);
  if (error instanceof AlreadyReported || error instanceof Interrupted) return exitCode;
  const message = messageOf(error);
  if (json) {
    terminal.line(JSON.stringify({ type: "error", code: codeOf(error), message, exitCode }));
  } else {
    terminal.line(`${terminal.style("red", "katz:")} ${message}`);
  }
  if (process.env["DEBUG"]?.includes("katz") && error instanceof Error && error.stack) {
    terminal.line(error.stack);
  }
  return exitCode;
}

// Checks of arguments name the argument in backticks; other TypeErrors are mistakes of ours.
function isWrongArgument(error: unknown): boolean {
  return (
    (error instanceof TypeError || error instanceof RangeError) && error.message.startsWith("`")
  );
}
