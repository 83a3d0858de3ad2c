/**
 * Runs schedules of the Pigeonhole model on a whole network with a virtual clock: everything that
 * calls come to must be something that the model allows, and in the end nothing may be left.
 */
import { webcrypto } from "node:crypto";
import { type Schedule, SeededNumbers, drawSchedule } from "./pigeonhole-schedule.js";
import { ModelWorld } from "./pigeonhole-world.js";

/** What came of a schedule. */
export interface RunResult {
  /** What the model does not allow; empty when all is well. */
  readonly violations: readonly string[];
  /** How often each operation, fault and outcome occurred. */
  readonly counts: ReadonlyMap<string, number>;
  /** Everything that happened, in order; equal for equal schedules. */
  readonly log: readonly string[];
}

/** Runs `work` with the platform's randomness replaced by what the seed determines. */
async function withSeededPlatform<T>(seed: number, work: () => Promise<T>): Promise<T> {
  const numbers = new SeededNumbers(seed ^ 0x5eed);
  const { random } = Math;
  const draw = webcrypto.getRandomValues.bind(webcrypto) as (array: Uint8Array) => Uint8Array;
  Math.random = () => numbers.unit();
  // Names (drawn 4,096 bytes in advance) decide nothing; seeds of streams decide where boxes go.
  const seeded = (array: Uint8Array): Uint8Array => {
    if (array.length === 4096) return draw(array);
    for (let i = 0; i < array.length; i++) array[i] = numbers.below(256);
    return array;
  };
  Object.defineProperty(globalThis.crypto, "getRandomValues", {
    value: seeded,
    configurable: true,
  });
  try {
    return await work();
  } finally {
    Math.random = random;
    Reflect.deleteProperty(globalThis.crypto, "getRandomValues");
  }
}

/** Runs a schedule from an empty network to an empty network. Never rejects. */
export async function runSchedule(schedule: Schedule): Promise<RunResult> {
  return withSeededPlatform(schedule.seed, async () => {
    const world = new ModelWorld(schedule);
    try {
      await world.start();
      for (const step of schedule.steps) await world.take(step);
      await world.finish();
    } catch (error) {
      world.violations.push(`the run itself failed: ${describe(error)}`);
      await world.giveUp();
    }
    return { violations: world.violations, counts: world.counts, log: world.log };
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Leaves out as many steps as it can so that the schedule still fails. */
async function shrink(schedule: Schedule, tries = 150): Promise<Schedule> {
  let steps = schedule.steps;
  let tried = 0;
  let size = Math.ceil(steps.length / 2);
  while (size >= 1 && tried < tries) {
    const before = steps.length;
    for (let at = 0; at < steps.length && tried < tries; tried++) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      const { violations } = await runSchedule({ ...schedule, steps: candidate });
      if (violations.length > 0) steps = candidate;
      else at += size;
    }
    // Single steps are tried until none can be left out any more.
    if (size > 1 || steps.length === before) size = Math.floor(size / 2);
  }
  return { ...schedule, steps };
}

/** What a failed run tells whoever reads it: the seed, the shortest schedule, what went wrong. */
async function report(seed: number): Promise<string> {
  const shortest = await shrink(drawSchedule(seed));
  const { violations, log } = await runSchedule(shortest);
  const { steps, ...settings } = shortest;
  const lines = [
    `the schedule of seed ${seed} fails; shortened to ${steps.length} steps:`,
    JSON.stringify(settings),
    ...steps.map((step) => `  ${JSON.stringify(step)}`),
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
}

/**
 * Runs the schedules of `count` seeds from `first` on.
 * @throws Error with the shortened schedule of the first seed that fails.
 */
export async function runSchedules(first: number, count: number): Promise<Summary> {
  const counts = new Map<string, number>();
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSchedule(drawSchedule(seed));
    if (result.violations.length > 0) throw new Error(await report(seed));
    for (const [name, times] of result.counts) counts.set(name, (counts.get(name) ?? 0) + times);
  }
  return { schedules: count, counts };
}

/** The counts as lines of text, in the order of the names. */
export function describeCounts(counts: ReadonlyMap<string, number>): string {
  const names = [...counts.keys()].sort();
  return names.map((name) => `${name} ${counts.get(name)}`).join(", ");
}
