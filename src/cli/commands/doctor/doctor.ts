/** `katz doctor`: checks what works, and says what to do about what does not. */
import { type Check, type DoctorFlags, type Findings, checksFor } from "./checks.js";
import { AlreadyReported, codeOf, exitCodeOf, messageOf, said } from "../../failure.js";
import type { Output } from "../../output.js";
import { round } from "../../ping-statistics.js";
import { type Run, runCommand } from "../../run.js";
import type { Style } from "../../terminal.js";
import { counted, wrap } from "../../text.js";

/** The default time limit of each check. */
const CHECK_TIMEOUT_MS = 60_000;
const NAME_WIDTH = 13;
/** Where the text begins, after the status and the name. */
const COLUMN = 9 + NAME_WIDTH + 2;
const TEXT_WIDTH = 54;
/** Minimum width of the text, however narrow the terminal is. */
const MIN_WIDTH = 20;

type Status = "ok" | "warning" | "failed" | "skipped";
const styles: Readonly<Record<Status, Style>> = {
  ok: "green",
  warning: "yellow",
  failed: "red",
  skipped: "dim",
};

/** Runs all checks; those after a failure are skipped. The exit code is that of the failure. */
export function doctor(flags: DoctorFlags): Promise<void> {
  return runCommand(flags, async (run) => {
    const call = { signal: run.signal, timeoutMs: flags.timeout ?? CHECK_TIMEOUT_MS };
    const findings: Findings = {
      flags,
      call,
      places: [],
      transport: null,
      client: null,
      instanceToken: null,
    };
    try {
      await runChecks(run, findings);
    } finally {
      findings.transport?.destroy();
      await findings.client?.stop();
    }
  });
}

async function runChecks({ output, signal }: Run, findings: Findings): Promise<void> {
  const counts: Record<Status, number> = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  let exitCode = 0;
  for (const check of checksFor(findings.flags)) {
    if (exitCode !== 0) {
      counts.skipped++;
      show(output, check, "skipped", { ms: null, detail: "" });
      continue;
    }
    output.status(`checking ${check.name} …${check.patience ?? ""}`);
    const start = performance.now();
    const ms = (): number => round(performance.now() - start);
    try {
      const { detail, warning } = await check.run(findings);
      const status = warning === undefined ? "ok" : "warning";
      counts[status]++;
      show(output, check, status, { ms: ms(), detail, advice: warning });
    } catch (error) {
      signal.throwIfAborted();
      exitCode = exitCodeOf(error) || 1;
      counts.failed++;
      const { advice } = check;
      show(output, check, "failed", {
        ms: ms(),
        detail: messageOf(error),
        advice,
        error,
      });
    }
  }
  summarize(output, counts, exitCode);
}

interface Shown {
  readonly ms: number | null;
  readonly detail: string;
  readonly advice?: string | undefined;
  readonly error?: unknown;
}

function show(output: Output, { name }: Check, status: Status, shown: Shown): void {
  const { ms, advice, error } = shown;
  const detail = said(shown.detail);
  output.clearStatus();
  output.record({
    type: "check",
    name,
    status,
    ms,
    detail,
    advice: advice ?? null,
    code: error === undefined ? null : codeOf(error),
  });
  if (output.quiet && (status === "ok" || status === "skipped")) return;
  const label = output.style(styles[status], status.padEnd(7));
  const { isTerminal, width } = output.terminal;
  const isNarrow = isTerminal && width < COLUMN + TEXT_WIDTH + 2;
  // On a narrow terminal the text has lines of its own below the name.
  const indent = " ".repeat(isNarrow ? 2 : COLUMN);
  const room = isNarrow ? Math.max(MIN_WIDTH, width - indent.length - 2) : TEXT_WIDTH;
  if (isNarrow) output.line(`${label}  ${name}`);
  for (const [i, text] of wrap(detail, room).entries()) {
    const begin = i === 0 && !isNarrow ? `${label}  ${name.padEnd(NAME_WIDTH)}  ` : indent;
    if (text !== "" || !isNarrow) output.line(begin + text);
  }
  for (const [i, text] of wrap(advice ?? "", room).entries()) {
    if (text !== "") output.line(`${indent}${i === 0 ? "→ " : "  "}${text}`);
  }
}

function summarize(output: Output, counts: Record<Status, number>, exitCode: number): void {
  output.record({ type: "summary", ...counts });
  const { ok, warning, failed } = counts;
  output.heading();
  if (failed > 0) output.heading(`${ok} fine, then a failure: do what the arrow says.`);
  else if (warning > 0)
    output.heading(`Everything works; ${counted(warning, "thing")} to look at.`);
  else output.heading("Everything works.");
  if (exitCode !== 0) throw new AlreadyReported(exitCode);
}
