/** `katz daemon`: the embedded network in the foreground. */
import { ConfigError } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/daemon";
import { report } from "../failure.js";
import { Terminal } from "../terminal.js";

/** Flags of the command. */
export interface DaemonFlags {
  readonly listen?: readonly string[];
  readonly epoch?: string;
  readonly realistic: boolean;
  readonly seed?: string;
  readonly nike: "x25519" | "CTIDH1024-X25519";
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  if (!match) throw new ConfigError(`--epoch must be a time like 20m or 30s, got "${text}"`);
  return Number(match[1]) * unitMs[match[2]!]!;
}

/** Runs until SIGINT or SIGTERM. */
export async function daemon(flags: DaemonFlags): Promise<void> {
  const errors = new Terminal(process.stderr);
  const terminal = new Terminal(process.stdout);
  const stopped = new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  try {
    const listen = flags.listen ?? [];
    if (listen.length === 0) {
      throw new ConfigError("--listen is missing, e.g. --listen tcp:127.0.0.1:64331");
    }
    await using running = await DevDaemon.start({
      listen,
      mixing: flags.realistic ? "realistic" : "instant",
      nike: flags.nike,
      ...(flags.epoch === undefined ? {} : { epochMs: parseDuration(flags.epoch) }),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    });
    terminal.line(`listening on ${running.addresses.join(" ")} (no anonymity: embedded network)`);
    await stopped;
  } catch (error) {
    process.exitCode = report(errors, error);
  }
}
