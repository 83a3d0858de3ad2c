/** The possible steps of the Pigeonhole model's schedules, and how a seed selects them. */

/** The number of streams in a schedule, and of boxes used in each. */
export const STREAMS = 2;
export const BOXES_PER_STREAM = 4;
export const CLIENTS = 2;
/**
 * The largest number of replicas that are offline at a time: a network of two or fewer cannot take
 * envelopes.
 */
export const MOST_OFFLINE = 2;
/**
 * The largest number of epochs that a schedule skips; one more may end by itself. Replicas keep
 * what they could not pass on for three.
 */
export const MOST_EPOCHS = 2;

/** One step. Its numbers are reduced to the valid range when the step is taken. */
export type Step =
  | { kind: "write"; client: number; box: number; value: number; exclusive: boolean }
  | { kind: "read"; client: number; box: number; wait: boolean }
  | { kind: "tombstone"; client: number; box: number }
  | { kind: "copy"; client: number; box: number; boxes: number; value: number }
  | { kind: "startRead"; client: number; box: number; wait: boolean; twice: boolean }
  | { kind: "startWrite"; client: number; box: number; value: number; exclusive: boolean }
  | { kind: "echo"; client: number }
  | { kind: "counter"; client: number; box: number }
  | { kind: "cancel"; call: number }
  | { kind: "abort"; call: number }
  | { kind: "advance"; ms: number }
  | { kind: "skipEpoch" }
  | { kind: "withholdDocuments"; withheld: boolean }
  | { kind: "mixnet"; online: boolean }
  | { kind: "packetLoss"; probability: number }
  | { kind: "dropPackets"; count: number; direction: "forward" | "reply" }
  | { kind: "packetDelay"; ms: number }
  | { kind: "replicaOffline"; replica: number; offline: boolean }
  | { kind: "replicaCode"; replica: number; code: number | null }
  | { kind: "replicaNextCodes"; replica: number; code: number; times: number }
  | { kind: "replicaLoss"; replica: number; loss: number }
  | { kind: "replicaSlow"; replica: number; ms: number }
  | { kind: "replicaFull"; replica: number; full: boolean }
  | { kind: "courierSilence"; courier: number; queries: number }
  | { kind: "courierCode"; courier: number; code: number; queries: number }
  | { kind: "dropConnections" }
  | { kind: "forgetSessions" }
  | { kind: "crash" }
  | { kind: "restart"; newInstance: boolean }
  | { kind: "replaceClient"; client: number; goodbye: boolean };

/** A whole schedule; it determines everything that happens. */
export interface Schedule {
  readonly seed: number;
  /** Length of an epoch in ms: 20 minutes, or a week so that the replicas' keys change with it. */
  readonly epochMs: number;
  /** How long before the end of an epoch the schedule begins, in ms. */
  readonly beforeEpochMs: number;
  readonly replicas: number;
  /**
   * Whether replicas may also give wrong final answers. Then couriers rightly stop trying, and
   * acknowledged envelopes may be lost.
   */
  readonly misleading: boolean;
  /** Whether couriers send again by themselves what no replica took. */
  readonly kindCouriers: boolean;
  readonly steps: readonly Step[];
}

/** Random numbers from a seed: mulberry32. */
export class SeededNumbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to 1, excluding 1. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 up to `limit`, excluding `limit`. */
  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const passing = [4, 6, 7, 8, 9];
const everyCode = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/** The weight of each kind of step, and how its values are drawn. */
const kinds: readonly (readonly [
  weight: number,
  draw: (from: SeededNumbers, codes: readonly number[]) => Step,
])[] = [
  [18, (n) => ({ kind: "write", ...place(n), value: n.below(3), exclusive: n.chance(0.5) })],
  [16, (n) => ({ kind: "read", ...place(n), wait: n.chance(0.5) })],
  [5, (n) => ({ kind: "tombstone", ...place(n) })],
  [4, (n) => ({ kind: "copy", ...place(n), boxes: 1 + n.below(3), value: n.below(2) })],
  [6, (n) => ({ kind: "startRead", ...place(n), wait: n.chance(0.7), twice: n.chance(0.3) })],
  [5, (n) => ({ kind: "startWrite", ...place(n), value: n.below(3), exclusive: n.chance(0.5) })],
  [3, (n) => ({ kind: "echo", client: n.below(CLIENTS) })],
  [2, (n) => ({ kind: "counter", ...place(n) })],
  [6, (n) => ({ kind: "cancel", call: n.below(1000) })],
  [5, (n) => ({ kind: "abort", call: n.below(1000) })],
  [26, (n) => ({ kind: "advance", ms: n.pick([1, 10, 30, 100, 500, 1500, 4000]) })],
  [3, () => ({ kind: "skipEpoch" })],
  [1, (n) => ({ kind: "withholdDocuments", withheld: n.chance(0.6) })],
  [4, (n) => ({ kind: "mixnet", online: n.chance(0.5) })],
  [3, (n) => ({ kind: "packetLoss", probability: n.pick([0, 0, 0.1, 0.3, 0.6]) })],
  [3, (n) => ({ kind: "dropPackets", count: 1 + n.below(3), direction: direction(n) })],
  [1, (n) => ({ kind: "packetDelay", ms: n.pick([0, 0, 50, 3000]) })],
  [5, (n) => ({ kind: "replicaOffline", replica: n.below(8), offline: n.chance(0.6) })],
  [4, (n, codes) => ({ kind: "replicaCode", replica: n.below(8), code: code(n, codes) })],
  [3, (n, codes) => ({ kind: "replicaNextCodes", replica: n.below(8), ...codeTimes(n, codes) })],
  [2, (n) => ({ kind: "replicaLoss", replica: n.below(8), loss: n.pick([0, 0.3, 0.8, 1]) })],
  [2, (n) => ({ kind: "replicaSlow", replica: n.below(8), ms: n.pick([0, 40, 2500, 5000]) })],
  [2, (n) => ({ kind: "replicaFull", replica: n.below(8), full: n.chance(0.6) })],
  [2, (n) => ({ kind: "courierSilence", courier: n.below(8), queries: 1 + n.below(4) })],
  [2, (n) => ({ kind: "courierCode", courier: n.below(8), ...courierCode(n) })],
  [4, () => ({ kind: "dropConnections" })],
  [2, () => ({ kind: "forgetSessions" })],
  [3, () => ({ kind: "crash" })],
  [5, (n) => ({ kind: "restart", newInstance: n.chance(0.8) })],
  [2, (n) => ({ kind: "replaceClient", client: n.below(CLIENTS), goodbye: n.chance(0.5) })],
];

function place(from: SeededNumbers): { client: number; box: number } {
  return { client: from.below(CLIENTS), box: from.below(STREAMS * BOXES_PER_STREAM) };
}

function direction(from: SeededNumbers): "forward" | "reply" {
  return from.chance(0.5) ? "forward" : "reply";
}

function code(from: SeededNumbers, codes: readonly number[]): number | null {
  return from.chance(0.35) ? null : from.pick(codes);
}

function codeTimes(from: SeededNumbers, codes: readonly number[]): { code: number; times: number } {
  return { code: from.pick(codes), times: 1 + from.below(3) };
}

function courierCode(from: SeededNumbers): { code: number; queries: number } {
  return { code: 1 + from.below(4), queries: 1 + from.below(3) };
}

/** Every kind of step. */
export const stepKinds: readonly string[] = kinds.map(([, draw]) => {
  return draw(new SeededNumbers(0), passing).kind;
});

/** The schedule of a seed: 20 to 44 steps. */
export function drawSchedule(seed: number): Schedule {
  const from = new SeededNumbers(seed);
  const misleading = from.chance(0.25);
  const codes = misleading ? everyCode : passing;
  // A third of the schedules have no faults in the storage, so the model can be exact there.
  const calm = !misleading && from.chance(0.4);
  const usable = calm ? kinds.filter(([, draw]) => !isStorageFault(draw)) : kinds;
  const total = usable.reduce((sum, [weight]) => sum + weight, 0);
  const steps = Array.from({ length: 20 + from.below(25) }, () => {
    let left = from.below(total);
    for (const [weight, draw] of usable) {
      if (left < weight) return draw(from, codes);
      left -= weight;
    }
    throw new RangeError("unreachable: the weights add up to `total`");
  });
  return {
    seed,
    epochMs: from.pick([20 * 60_000, 7 * 24 * 3_600_000]),
    beforeEpochMs: from.below(240_000),
    replicas: from.pick([3, 5, 5, 6]),
    misleading,
    kindCouriers: from.chance(0.5),
    steps,
  };
}

function isStorageFault(draw: (from: SeededNumbers, codes: readonly number[]) => Step): boolean {
  const { kind } = draw(new SeededNumbers(0), passing);
  return kind.startsWith("replica") && kind !== "replaceClient";
}
