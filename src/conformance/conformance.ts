/**
 * Checks any daemon against the protocol: it sends raw frames and reports what the daemon does
 * wrong.
 */
import { checkOptions } from "../bytes/options.js";
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { type ConformanceArea, type ConformanceCase } from "./case.js";
import { frameCases, handshakeCases, sessionCases } from "./handshake-cases.js";
import { documentCases, envelopeCases, keyCases, voucherCases } from "./local-cases.js";
import { copyingCases, messageCases, storageCases } from "./network-cases.js";
import { operationCases } from "./operation-cases.js";
import { type Dial, Scene } from "./scene.js";
import type { Verdict } from "./verdict.js";

/** Options of {@link checkConformance}. */
export interface ConformanceOptions {
  /** Which areas to check; all by default. */
  readonly areas?: readonly ConformanceArea[] | undefined;
  /**
   * Longest wait in milliseconds for answers that need no network; default 30,000, because sealing
   * an envelope costs a real daemon seconds.
   */
  readonly timeoutMs?: number | undefined;
  /** Longest wait in milliseconds for answers that go through the network; default 180,000. */
  readonly networkTimeoutMs?: number | undefined;
  /** The clock for all waits; the platform's by default. */
  readonly clock?: Clock | undefined;
  /** Aborting it ends the run after the current case, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called for every case as soon as it has ended. */
  readonly onResult?: ((result: ConformanceResult) => void) | undefined;
}

/** The result of one case. */
export interface ConformanceResult {
  /** Its area; `options.areas` selects by it. */
  readonly area: ConformanceArea;
  /** A sentence that describes the correct behaviour. */
  readonly name: string;
  /**
   * `differs (allowed)`: the daemon differs from this project's daemon in a way that clients must
   * tolerate.
   */
  readonly verdict: Verdict;
  /** What the daemon does wrong or differently; "" for a pass. */
  readonly reason: string;
}

/** The result of a run. */
export interface ConformanceReport {
  /** One for each case of the selected areas, in the order of the run. */
  readonly results: readonly ConformanceResult[];
  /** How many cases passed. */
  readonly passed: number;
  /** How many cases failed, including those that were not tried because the handshake failed. */
  readonly failed: number;
  /** How many cases differ in a way that clients must tolerate. */
  readonly differed: number;
  /** Whether no case failed. */
  readonly conforms: boolean;
}

const cases: readonly ConformanceCase[] = [
  ...handshakeCases,
  ...frameCases,
  ...sessionCases,
  ...keyCases,
  ...envelopeCases,
  ...operationCases,
  ...storageCases,
  ...copyingCases,
  ...messageCases,
  ...documentCases,
  ...voucherCases,
];

/** Every area, in the order of the run. */
export const CONFORMANCE_AREAS: readonly ConformanceArea[] = [
  ...new Set(cases.map(({ area }) => area)),
];

/**
 * Runs every case of this project against a daemon: handshake, sessions, each request with good and
 * bad input, cancels, resuming, broken frames. Each case has its own connections, and writes only
 * boxes of streams that nobody else has. The network behind the daemon must work, with an echo
 * service, couriers and replicas; otherwise leave out the areas that need it, see
 * {@link ConformanceArea}.
 * @param dial connects to the daemon, e.g. `(options) => config.dial.dial(options)`.
 * @throws what the first `dial` throws, usually ConnectError; TypeError for an unknown option,
 * RangeError for an unknown area; the signal's reason.
 */
export async function checkConformance(
  dial: Dial,
  options: ConformanceOptions = {},
): Promise<ConformanceReport> {
  const known = ["areas", "timeoutMs", "networkTimeoutMs", "clock", "signal", "onResult"];
  checkOptions("options", options, known);
  const { areas = CONFORMANCE_AREAS, clock = realClock, signal, onResult } = options;
  for (const area of areas) {
    if (!CONFORMANCE_AREAS.includes(area)) {
      const all = CONFORMANCE_AREAS.join(", ");
      throw new RangeError(`\`options.areas\` must be of ${all}, got ${JSON.stringify(area)}`);
    }
  }
  const { timeoutMs = 30_000, networkTimeoutMs = 180_000 } = options;
  const scene = new Scene(dial, clock, timeoutMs, networkTimeoutMs);
  const results: ConformanceResult[] = [];
  const add = (result: ConformanceResult): void => {
    results.push(result);
    onResult?.(result);
  };
  const connects = await canConnect(scene);
  for (const one of cases.filter(({ area }) => areas.includes(area))) {
    signal?.throwIfAborted();
    const { area, name } = one;
    if (connects || area === "handshake") add(await runCase(scene, one));
    else add({ area, name, verdict: "fail", reason: "not tried: the handshake does not work" });
  }
  return summary(results);
}

/** Whether a handshake works; otherwise every other case would wait for its full timeout. */
async function canConnect(scene: Scene): Promise<boolean> {
  await scene.open();
  try {
    await scene.connect();
    return true;
  } catch {
    return false;
  } finally {
    endQuietly(scene);
  }
}

function endQuietly(scene: Scene): void {
  try {
    scene.endCase();
  } catch {
    // Other problems of this connection do not matter here.
  }
}

async function runCase(
  scene: Scene,
  { area, name, run }: ConformanceCase,
): Promise<ConformanceResult> {
  try {
    const difference = await run(scene);
    scene.endCase();
    return difference === undefined
      ? { area, name, verdict: "pass", reason: "" }
      : { area, name, verdict: "differs (allowed)", reason: difference.reason };
  } catch (error) {
    endQuietly(scene);
    const reason = error instanceof Error ? error.message : String(error);
    return { area, name, verdict: "fail", reason };
  }
}

function summary(results: readonly ConformanceResult[]): ConformanceReport {
  const count = (wanted: Verdict): number =>
    results.filter(({ verdict }) => verdict === wanted).length;
  const failed = count("fail");
  return {
    results,
    passed: count("pass"),
    failed,
    differed: count("differs (allowed)"),
    conforms: failed === 0,
  };
}

/** A report as text for people: a line for each case, with the reason below it, and the totals. */
export function formatConformance(report: ConformanceReport): string {
  const width = Math.max(...report.results.map(({ verdict }) => verdict.length), 0);
  const lines = report.results.map(({ area, name, verdict, reason }) => {
    const line = `${verdict.padEnd(width)}  ${area}: ${name}`;
    return reason === "" ? line : `${line}\n${" ".repeat(width + 2)}${reason}`;
  });
  const { passed, failed, differed } = report;
  return `${lines.join("\n")}\n\n${passed} pass, ${failed} fail, ${differed} differ (allowed)\n`;
}
