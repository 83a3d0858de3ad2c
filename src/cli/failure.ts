/** Errors for people: what happened and what to do, and no stack for a user's mistake. */
import { isExpectedOutcome, isThinClientError } from "katzenpost-thinclient";
import { BY_PACKAGE, commandName } from "./command-name.js";
import { Interrupted } from "./interrupt.js";
import { toJson } from "./json.js";
import { withoutSecrets } from "./repeated.js";
import type { Terminal } from "./terminal.js";

/** Exit codes by class of error; docs/cli.md lists them. */
export const ExitCode = {
  OK: 0,
  /** A failure of none of the kinds below. */
  FAILURE: 1,
  /** Wrong command line, configuration or arguments. */
  USAGE: 2,
  /** No daemon was found, or the connection to it failed. */
  CONNECTION: 3,
  /** The daemon or the network answered with an error. */
  NETWORK: 4,
  /** A deadline passed. */
  TIMEOUT: 5,
  /** A box is empty, taken or deleted: outcomes that scripts test for. */
  OUTCOME: 6,
  /** Interrupted by SIGINT; other signals give 128 + their number. */
  INTERRUPTED: 130,
} as const;

/** An error that says what happened in one line, and what to do about it in further lines. */
interface Advising {
  readonly advice: readonly string[];
}

/** A mistake in how `katz` was called, or a file that cannot be used. */
export class UsageError extends Error implements Advising {
  override readonly name = "UsageError";
  readonly advice: readonly string[];

  constructor(message: string, options: ErrorOptions & Partial<Advising> = {}) {
    super(message, options);
    this.advice = options.advice ?? [];
  }
}

/** A result that is itself a failure and is already shown: only the exit code is left. */
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
    case "ERR_CHANNEL_EXISTS":
    case "ERR_CHANNEL_NOT_FOUND":
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
    case "ERR_CHANNEL_FORKED":
    case "ERR_CHANNEL_STORE":
      return ExitCode.FAILURE;
    default:
      return ExitCode.NETWORK;
  }
}

/** A stable name of an error: its code, the system's code, or its class. */
export function codeOf(error: unknown): string {
  if (error instanceof UsageError || isWrongArgument(error)) return "ERR_USAGE";
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "ERR_FAILURE";
}

/** What went wrong, in one line, as long as it contains no text from strangers. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What the library says about deadlines names its methods, which are meant for programmers. */
const deadlines = [
  [/\bstart was not answered within/, "the daemon did not complete the handshake within"],
  [/\bwaitUntilOnline was not answered within/, "the mixnet was not reached within"],
] as const;

/** A text of the library as this program says it. */
export function said(text: string): string {
  // If a ticket was given as some name, the error about that name repeats it. And the library does
  // not know how the user calls this program.
  const ours = withoutSecrets(text).replaceAll(BY_PACKAGE, commandName());
  return deadlines.reduce((words, [theirs, plain]) => words.replace(theirs, plain), ours);
}

/** What to do about it, one line each. */
function adviceOf(error: unknown): readonly string[] {
  return (error as Partial<Advising> | null)?.advice ?? [];
}

/**
 * Reports what went wrong, as text or (`json`) as an object on one line; `quiet` leaves out what to
 * do about it. Returns the exit code. `DEBUG=katz` adds the stack.
 */
export function report(
  terminal: Terminal,
  error: unknown,
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
): number {
  const exitCode = exitCodeOf(error);
  if (error instanceof AlreadyReported || error instanceof Interrupted) return exitCode;
  const what = said(messageOf(error));
  const advice = adviceOf(error).map(said);
  if (json) {
    const message = [what, ...advice].join("\n");
    terminal.line(toJson({ type: "error", code: codeOf(error), message, exitCode }));
  } else {
    terminal.sentence(what, "red", "katz: ");
    if (!quiet) for (const line of advice) terminal.sentence(line);
  }
  if (process.env["DEBUG"]?.includes("katz") && error instanceof Error && error.stack) {
    for (const line of withoutSecrets(error.stack).split("\n")) terminal.line(line);
  }
  return exitCode;
}

// Errors about arguments name the argument in backticks; other TypeErrors are our own mistakes.
function isWrongArgument(error: unknown): boolean {
  return (
    (error instanceof TypeError || error instanceof RangeError) && error.message.startsWith("`")
  );
}
