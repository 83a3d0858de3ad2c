/** Flags that several commands share, and their values. Loaded at every start, so keep it small. */

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The system's longest timer, in milliseconds: a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A time in milliseconds: a number with `ms`, `s`, `m` or `h`; without a unit, seconds.
 * @throws Error for anything else, for 0, and for more than the longest timer, 24.8 days.
 */
export function parseTime(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h)?$/.exec(text);
  const ms = match ? Number(match[1]) * unitMs[match[2] ?? "s"]! : 0;
  if (!(ms > 0) || ms > LONGEST_MS) {
    throw new Error("must be a time above 0, like 500ms, 2s, 20m or 1h, and at most 596h");
  }
  return ms;
}

/** The length of an epoch in milliseconds. @throws Error unless it is from a second to a week. */
export function parseEpoch(text: string): number {
  const ms = parseTime(text);
  if (ms < 1000 || ms > 7 * 24 * 3_600_000) throw new Error("must be from 1s to 168h");
  return Math.round(ms);
}

/** Any text but an empty one, which an unset shell variable leaves. */
export function parseText(text: string): string {
  if (text === "") throw new Error("must not be empty");
  return text;
}

/** A whole number from `least` to `most`. */
export function parseCount(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value < least || value > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : "";
      throw new Error(`must be a whole number ${range || `from ${least} to ${most}`}`);
    }
    return value;
  };
}

/** The beginnings of addresses, for completion. */
export function proposeAddresses(partial: string): string[] {
  return ["unix:", "unix:@", "tcp:127.0.0.1:64331", "ws://127.0.0.1:"].filter((address) =>
    address.startsWith(partial),
  );
}

/** Output flags of every command. */
export const outputFlags = {
  json: { kind: "boolean", default: false, withNegated: false, brief: "One JSON object per line" },
  quiet: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Results only, without remarks and progress",
  },
} as const;

/** Flags of every command that talks to a daemon. */
export const clientFlags = {
  config: {
    kind: "parsed",
    parse: parseText,
    optional: true,
    placeholder: "FILE",
    brief: "Configuration file, a thinclient.toml",
  },
  address: {
    kind: "parsed",
    parse: parseText,
    proposeCompletions: proposeAddresses,
    optional: true,
    placeholder: "ADDR",
    brief: "Daemon: unix:PATH, unix:@NAME, tcp:HOST:PORT, ws://…",
  },
  timeout: {
    kind: "parsed",
    parse: parseTime,
    optional: true,
    placeholder: "TIME",
    brief: "Longest wait for each answer, e.g. 500ms, 30s, 2m",
  },
  ...outputFlags,
} as const;

/** A command's `fullDescription`: a text with examples below it. */
export function described(text: string, examples: readonly string[]): string {
  return `${text}${EXAMPLES}${examples.join("\n")}`;
}

/** The heading between a description and its examples. */
export const EXAMPLES = "\n\nEXAMPLES\n";
