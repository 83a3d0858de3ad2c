/**
 * Runs schedules of the Pigeonhole model on a complete network with a virtual clock: the model must
 * allow every result of a call, and nothing may be left over at the end.
 */
import { webcrypto } from "node:crypto";
import { type RunResult, runSeeds } from "../seeded-schedules.js";
import { type Schedule, SeededNumbers, drawSchedule } from "./pigeonhole-schedule.js";
import { ModelWorld } from "./pigeonhole-world.js";

/** Runs `work` with the platform's randomness replaced by random values from the seed. */
async function withSeededPlatform<T>(seed: number, work: () => Promise<T>): Promise<T> {
  const numbers = new SeededNumbers(seed ^ 0x5eed);
  const { random } = Math;
  const draw = webcrypto.getRandomValues.bind(webcrypto) as (array: Uint8Array) => Uint8Array;
  Math.random = () => numbers.unit();
  // IDs (drawn 4,096 bytes in advance) do not matter; seeds of streams decide where boxes go.
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

/**
 * Runs the schedules of `count` seeds, starting with `first`; returns how often each thing
 * occurred.
 * @throws Error with the shortened schedule of the first seed that fails.
 */
export function runSchedules(first: number, count: number): Promise<ReadonlyMap<string, number>> {
  return runSeeds({ draw: drawSchedule, run: runSchedule, tries: 150 }, first, count);
}
