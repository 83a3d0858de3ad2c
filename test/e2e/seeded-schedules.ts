/** Runs many random schedules of steps, and shortens the first that fails. */

/** Steps from a seed, with everything else that the run depends on. */
interface Steps {
  readonly seed: number;
  readonly steps: readonly unknown[];
}

/** The result of a schedule. */
export interface RunResult {
  /** Outcomes that the model does not allow; empty if there are none. */
  readonly violations: readonly string[];
  /** How often each call, fault and outcome occurred. */
  readonly counts: ReadonlyMap<string, number>;
  /** Everything that happened, in order. */
  readonly log: readonly string[];
}

/** How schedules are created and run. */
export interface Schedules<S extends Steps, R extends RunResult> {
  draw(seed: number): S;
  /** Must not reject. */
  run(schedule: S): Promise<R>;
  /** The largest number of runs for shortening. */
  readonly tries: number;
}

/**
 * Runs the schedules of `count` seeds, starting with `first`; returns their combined counts.
 * @throws Error with the shortened schedule of the first seed that fails.
 */
export async function runSeeds<S extends Steps, R extends RunResult>(
  schedules: Schedules<S, R>,
  first: number,
  count: number,
  onResult?: (result: R) => void,
): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (let seed = first; seed < first + count; seed++) {
    const result = await schedules.run(schedules.draw(seed));
    if (result.violations.length > 0) throw new Error(await report(schedules, seed));
    for (const [name, times] of result.counts) sums.set(name, (sums.get(name) ?? 0) + times);
    onResult?.(result);
  }
  return sums;
}

/** Counts as text, in the order of the names. */
export function describeCounts(counts: ReadonlyMap<string, number>): string {
  const names = [...counts.keys()].sort();
  return names.map((name) => `${name} ${counts.get(name)}`).join(", ");
}

/** The remaining counts in a daemon's load: numbers above 0, and lists that are not empty. */
export function leftOf(load: object): (readonly [string, unknown])[] {
  return Object.entries(load).filter(([, count]) =>
    Array.isArray(count) ? count.length > 0 : count !== 0,
  );
}

/** Removes as many steps as possible so that the schedule still fails. */
async function shorten<S extends Steps>(schedules: Schedules<S, RunResult>, all: S): Promise<S> {
  let { steps } = all;
  let tried = 0;
  let size = Math.ceil(steps.length / 2);
  while (size >= 1 && tried < schedules.tries) {
    const before = steps.length;
    for (let at = 0; at < steps.length && tried < schedules.tries; tried++) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      const { violations } = await schedules.run({ ...all, steps: candidate });
      if (violations.length > 0) steps = candidate;
      else at += size;
    }
    // Single steps are tried until none can be removed any more.
    if (size > 1 || steps.length === before) size = Math.floor(size / 2);
  }
  return { ...all, steps };
}

/** The report of a failed run: the seed, the shortest schedule, and the failures. */
async function report<S extends Steps>(
  schedules: Schedules<S, RunResult>,
  seed: number,
): Promise<string> {
  const shortest = await shorten(schedules, schedules.draw(seed));
  const { violations, log } = await schedules.run(shortest);
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
