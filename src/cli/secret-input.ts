/** Secrets come from files, from standard input, or from a person, never from the command line. */
import { existsSync } from "node:fs";
import { UsageError } from "./failure.js";
import { Interrupted } from "./interrupt.js";
import { holdsSecret } from "./repeated.js";

/**
 * Refuses a secret in place of a file name, without repeating it.
 * @param what the expected kind of secret, e.g. `a ticket`.
 * @throws UsageError.
 */
export function refuseSecret(argument: string, what: string): void {
  if (!holdsSecret(argument) || existsSync(argument)) return;
  throw new UsageError(
    `that looks like ${what} itself, and other users of this machine can read command lines`,
    {
      advice: [
        "Put it into a file that only you can read and give the file's name, or give - and pipe it in",
      ],
    },
  );
}

/** Standard input in chunks. @throws the reason of `signal`, even while no input comes. */
export async function* stdinChunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { stdin } = process;
  const stop = (): void => void stdin.destroy(signal.reason as Error);
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  try {
    yield* stdin as AsyncIterable<Uint8Array>;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Standard input up to its end, or with `oneLine` up to the end of its first non-empty line.
 * @throws UsageError when more than `limit` bytes come; the reason of `signal`.
 */
export async function readStdin(
  limit: number,
  signal: AbortSignal,
  oneLine = false,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdinChunks(signal)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw new UsageError(`more than ${limit} bytes came on standard input`);
    if (oneLine && firstLine(Buffer.concat(chunks).toString("latin1"), false) !== null) break;
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** The first line that is not blank; with `atEnd` the end of the text also ends a line. */
export function firstLine(text: string, atEnd = true): string | null {
  const lines = text.split(/\r?\n/);
  if (!atEnd) lines.pop();
  return lines.map((line) => line.trim()).find((line) => line !== "") ?? null;
}

/**
 * Asks at the terminal without showing the input.
 * @throws UsageError when there is no terminal; Interrupted by Ctrl-C; the reason of `signal`.
 */
export function askHidden(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new UsageError(
      "cannot ask for input without a terminal: give a file, or - for standard input",
    );
  }
  return new Promise((resolve, reject) => {
    let text = "";
    const end = (settle: () => void): void => {
      stdin.off("data", onData).setRawMode(false).pause();
      signal.removeEventListener("abort", onAbort);
      stderr.write("\n");
      settle();
    };
    const onAbort = (): void => end(() => reject(signal.reason as Error));
    const onData = (chunk: Buffer): void => {
      for (const character of chunk.toString("utf8")) {
        // Ctrl-C does not make a signal in raw mode.
        if (character === "\x03") return end(() => reject(new Interrupted("SIGINT")));
        if (character === "\x04") return end(() => resolve(text));
        if (character === "\r" || character === "\n") {
          if (text.trim() !== "") return end(() => resolve(text));
        } else if (character === "\x7f" || character === "\b") {
          text = text.slice(0, -1);
        } else {
          text += character;
        }
      }
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    // Ask only now: an answer that is typed at once must not be visible either.
    stdin.setRawMode(true).resume().on("data", onData);
    stderr.write(question);
  });
}
