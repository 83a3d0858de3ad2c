/**
 * Runs fault schedules of the client against a daemon with a virtual clock: every call must come to
 * an outcome that a simple model allows, and in the end nothing may be left of anybody.
 */
import { prepare } from "./client-faults-network.js";
import { type Schedule, type Step, drawSchedule } from "./client-faults-schedule.js";
import { FaultWorld } from "./client-faults-world.js";
import { SeededNumbers } from "../../e2e/pigeonhole-model/pigeonhole-schedule.js";

/** What came of a schedule. */
export interface RunResult {
  /** What the model does not allow; empty when all is well. */
  readonly violations: readonly string[];
  /** How often each call, fault and outcome occurred. */
  readonly counts: ReadonlyMap<string, number>;
  /** Everything that happened, in order. */
  readonly log: readonly string[];
  readonly calls: number;
  /** Most calls that waited at one time. */
  readonly mostWaiting: number;
}

/** Runs a schedule from its first connection to the end of its daemon. Never rejects. */
export async function runSchedule(schedule: Schedule): Promise<RunResult> {
  const world = new FaultWorld(schedule, await prepare());
  const numbers = new SeededNumbers(schedule.seed ^ 0x5eed);
  const { random } = Math;
  // The pauses before a new dial are random.
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

/** Leaves out as many steps as it can so that the schedule still fails. */
async function shrink(schedule: Schedule, tries = 200): Promise<Schedule> {
  let { steps } = schedule;
  // In an object, since it is counted where the loops do not see it.
  const budget = { left: tries };
  const fails = async (candidate: readonly Step[]): Promise<boolean> => {
    budget.left--;
    return (await runSchedule({ ...schedule, steps: candidate })).violations.length > 0;
  };
  for (let size = Math.ceil(steps.length / 2); size >= 1 && budget.left > 0;) {
    let smaller = false;
    for (let at = 0; at < steps.length && budget.left > 0;) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      if (await fails(candidate)) {
        steps = candidate;
        smaller = true;
      } else {
        at += size;
      }
    }
    if (size === 1 && !smaller) break;
    size = Math.max(1, Math.floor(size / 2));
  }
  return { ...schedule, steps };
}

/** What a failed run tells whoever reads it: the seed, the shortest schedule, what went wrong. */
async function report(seed: number): Promise<string> {
  const shortest = await shrink(drawSchedule(seed));
  const { violations, log } = await runSchedule(shortest);
  const lines = [
    `the schedule of seed ${seed} fails; shortened to ${shortest.steps.length} steps ` +
      `(maxInFlight ${shortest.maxInFlight}):`,
    ...shortest.steps.map((step) => `  ${JSON.stringify(step)}`),
    "what happened:",
    ...log.map((line) => `  ${line}`),
    "violations:",
    ...violations.map((violation) => `  ${violation}`),
  ];
  return lines.join("\n");
}

/** What many runs came to. */
export interface Summary {
  readonly schedules: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly calls: number;
  /** The least, over all schedules, of the most calls that waited at one time. */
  readonly leastWaiting: number;
}

/**
 * Runs the schedules of `count` seeds from `first` on.
 * @throws Error with the shortened schedule of the first seed that fails.
 */
export async function runSchedules(first: number, count: number): Promise<Summary> {
  const counts = new Map<string, number>();
  let calls = 0;
  let leastWaiting = Number.POSITIVE_INFINITY;
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSchedule(drawSchedule(seed));
    if (result.violations.length > 0) throw new Error(await report(seed));
    for (const [name, times] of result.counts) counts.set(name, (counts.get(name) ?? 0) + times);
    calls += result.calls;
    leastWaiting = Math.min(leastWaiting, result.mostWaiting);
  }
  return { schedules: count, counts, calls, leastWaiting };
}

/** The counts as a line of text, in the order of the names. */
export function describeCounts({ counts, calls, leastWaiting }: Summary): string {
  const names = [...counts.keys()].sort();
  const each = names.map((name) => `${name} ${counts.get(name)}`).join(", ");
  return `${calls} calls, at least ${leastWaiting} at one time in each schedule; ${each}`;
}
