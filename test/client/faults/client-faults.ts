/**
 * Runs fault schedules of the client against a daemon with a virtual clock. Every call must have an
 * outcome that a simple model allows, and nothing may be left over at the end.
 */
import { prepare } from "./client-faults-network.js";
import { type Schedule, drawSchedule } from "./client-faults-schedule.js";
import { FaultWorld } from "./client-faults-world.js";
import { type RunResult, describeCounts, runSeeds } from "../../e2e/seeded-schedules.js";
import { SeededNumbers } from "../../e2e/pigeonhole-model/pigeonhole-schedule.js";

/** The result of a schedule. */
export interface FaultsResult extends RunResult {
  readonly calls: number;
  /** The highest number of calls that waited at the same time. */
  readonly mostWaiting: number;
}

/** Runs a schedule from its first connection to the end of its daemon. Never rejects. */
export async function runSchedule(schedule: Schedule): Promise<FaultsResult> {
  const world = new FaultWorld(schedule, await prepare());
  const numbers = new SeededNumbers(schedule.seed ^ 0x5eed);
  const { random } = Math;
  // The pauses before a reconnect are random.
  Math.random = () => numbers.unit();
  try {
    await world.start();
    for (const step of schedule.steps) await world.take(step);
    await world.finish();
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    world.violations.push(`the run itself failed: ${text}`);
    await world.giveUp();
  } finally {
    Math.random = random;
  }
  const { violations, counts, log, madeCalls: calls, mostWaiting } = world;
  return { violations, counts, log, calls, mostWaiting };
}

/** The combined result of many runs. */
export interface Summary {
  readonly schedules: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly calls: number;
  /** The lowest `mostWaiting` of all schedules. */
  readonly leastWaiting: number;
}

/**
 * Runs the schedules of `count` seeds, starting with the seed `first`.
 * @throws Error with a shortened schedule for the first seed that fails.
 */
export async function runSchedules(first: number, count: number): Promise<Summary> {
  let calls = 0;
  let leastWaiting = Number.POSITIVE_INFINITY;
  const schedules = { draw: drawSchedule, run: runSchedule, tries: 200 };
  const counts = await runSeeds(schedules, first, count, (result) => {
    calls += result.calls;
    leastWaiting = Math.min(leastWaiting, result.mostWaiting);
  });
  return { schedules: count, counts, calls, leastWaiting };
}

/** Describes a summary in one line. */
export function describeSummary({ counts, calls, leastWaiting }: Summary): string {
  const most = `${calls} calls, at least ${leastWaiting} at one time in each schedule`;
  return `${most}; ${describeCounts(counts)}`;
}
