/** The results of a benchmark, and how they are shown. */

/** One measured number; with a peer, their ratio and its goal. */
export interface BenchLine {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same measurement for a peer, in the same run. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** The goal: for the ratio if there is a peer, otherwise for the value. */
  readonly wanted?: { readonly atLeast: number } | { readonly atMost: number };
}

/** `ours / peer`, or the value itself. */
export function measure(line: BenchLine): number {
  return line.peer ? line.value / line.peer.value : line.value;
}

/** Whether the line meets its goal; true without a goal. */
export function isMet(line: BenchLine): boolean {
  if (!line.wanted) return true;
  return "atLeast" in line.wanted
    ? measure(line) >= line.wanted.atLeast
    : measure(line) <= line.wanted.atMost;
}

/** A number with three significant digits, or all of a large one. */
function short(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

/** The lines as a table. */
export function table(lines: readonly BenchLine[]): string {
  const rows = lines.map((line) => {
    const { peer, wanted } = line;
    const goal = !wanted
      ? ""
      : "atLeast" in wanted
        ? `>= ${wanted.atLeast}`
        : `<= ${wanted.atMost}`;
    return [
      line.name,
      `${short(line.value)} ${line.unit}`,
      peer ? `${short(peer.value)} (${peer.name})` : "",
      peer ? measure(line).toFixed(2) : "",
      goal,
      wanted ? (isMet(line) ? "met" : "MISSED") : "",
    ];
  });
  const all = [["what", "ours", "peer", "ratio", "wanted", ""], ...rows];
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/**
 * Runs `step`, which is synchronous, for about `ms` milliseconds; returns how often per second it
 * ran.
 */
export function syncRatePerSecond(step: () => unknown, ms = 1000): number {
  const warmUntil = performance.now() + ms / 4;
  while (performance.now() < warmUntil) step();
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < ms) {
    step();
    count++;
  }
  return (count / (performance.now() - start)) * 1000;
}

/**
 * The better of alternating runs of two functions, so that a busy moment of the machine affects
 * both.
 */
export async function pairedRates(
  ours: () => Promise<number> | number,
  peer: () => Promise<number> | number,
  rounds = 3,
): Promise<[ours: number, peer: number]> {
  let bestOurs = 0;
  let bestPeer = 0;
  for (let round = 0; round < rounds; round++) {
    bestOurs = Math.max(bestOurs, await ours());
    bestPeer = Math.max(bestPeer, await peer());
  }
  return [bestOurs, bestPeer];
}

/** Processor time of `step`, which is synchronous, in microseconds. */
export function cpuMicroseconds(step: () => unknown, ms = 200): number {
  syncRatePerSecond(step, ms / 4);
  const start = performance.now();
  const cpu = process.cpuUsage();
  let count = 0;
  for (; performance.now() - start < ms; count++) step();
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / count;
}
