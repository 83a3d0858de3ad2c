/** The possible steps of a client's fault schedule, and how a seed selects them. */
import { COPIES, READS, WRITES } from "./client-faults-network.js";
import { SeededNumbers } from "../../e2e/pigeonhole-model/pigeonhole-schedule.js";

/** How many applications have their own session. A twin of the first one may join them. */
export const APPS = 2;

/** The kinds of calls in schedules. */
export const callKinds = [
  "local",
  "document",
  "echo",
  "online",
  "write",
  "read",
  "copy",
  "sealAndWrite",
] as const;
export type CallKind = (typeof callKinds)[number];

/** One step. Its numbers are reduced to the valid range when the step is taken. */
export type Step =
  | { kind: "call"; call: CallKind; app: number; place: number; times: number; timeoutMs: number }
  | { kind: "open"; gate: number }
  | { kind: "cancel"; call: number }
  | { kind: "abort"; call: number }
  | { kind: "advance"; ms: number }
  | { kind: "loseConnections" }
  | { kind: "cutInFrame"; app: number; direction: "up" | "down" }
  | { kind: "crash" }
  | { kind: "restart"; newInstance: boolean }
  | { kind: "forgetSessions" }
  | { kind: "epoch" }
  | { kind: "mixnet"; online: boolean }
  | { kind: "sending"; fails: boolean }
  | { kind: "dropReplies"; count: number }
  | { kind: "slowTransport"; app: number; slow: boolean }
  | { kind: "hang"; app: number }
  | { kind: "refuseDials"; app: number; count: number }
  | { kind: "silentDial"; app: number }
  | { kind: "cutHandshake"; app: number }
  | { kind: "slowReader"; app: number; maxQueue: number }
  | { kind: "twinComes" }
  | { kind: "twinGoes"; goodbye: boolean }
  | { kind: "replaceClient"; app: number; goodbye: boolean }
  | { kind: "clockJump"; wallMs: number; sleptMs: number };

/** A whole schedule; it determines everything that happens. */
export interface Schedule {
  readonly seed: number;
  /** The limit of every client. */
  readonly maxInFlight: number;
  readonly steps: readonly Step[];
}

const HOUR_MS = 3_600_000;
const forEver = Number.POSITIVE_INFINITY;

function calls(from: SeededNumbers): Step {
  const call = from.pick(callKinds);
  return {
    kind: "call",
    call,
    app: from.below(APPS + 1),
    place: from.below(1000),
    times: call === "sealAndWrite" ? 1 : 1 + from.below(6),
    timeoutMs: from.pick([forEver, forEver, 50, 500, 5000, 30_000]),
  };
}

const app = (from: SeededNumbers): number => from.below(APPS + 1);

/** The weight of each kind of step, and how its values are drawn. */
const kinds: readonly (readonly [weight: number, draw: (from: SeededNumbers) => Step])[] = [
  [30, calls],
  [14, (n) => ({ kind: "open", gate: n.below(WRITES + READS + COPIES) })],
  [8, (n) => ({ kind: "cancel", call: n.below(1000) })],
  [8, (n) => ({ kind: "abort", call: n.below(1000) })],
  [26, (n) => ({ kind: "advance", ms: n.pick([0, 1, 20, 99, 100, 300, 1000, 4000, 20_000]) })],
  [2, () => ({ kind: "advance", ms: 70_000 })],
  [8, () => ({ kind: "loseConnections" })],
  [5, (n) => ({ kind: "cutInFrame", app: app(n), direction: n.chance(0.5) ? "up" : "down" })],
  [4, () => ({ kind: "crash" })],
  [7, (n) => ({ kind: "restart", newInstance: n.chance(0.6) })],
  [5, () => ({ kind: "forgetSessions" })],
  [4, () => ({ kind: "epoch" })],
  [7, (n) => ({ kind: "mixnet", online: n.chance(0.55) })],
  [4, (n) => ({ kind: "sending", fails: n.chance(0.5) })],
  [4, (n) => ({ kind: "dropReplies", count: 1 + n.below(20) })],
  [7, (n) => ({ kind: "slowTransport", app: app(n), slow: n.chance(0.6) })],
  [2, (n) => ({ kind: "hang", app: app(n) })],
  [3, (n) => ({ kind: "refuseDials", app: app(n), count: 1 + n.below(5) })],
  [2, (n) => ({ kind: "silentDial", app: app(n) })],
  [3, (n) => ({ kind: "cutHandshake", app: app(n) })],
  [4, (n) => ({ kind: "slowReader", app: app(n), maxQueue: n.pick([1, 3, 50]) })],
  [4, () => ({ kind: "twinComes" })],
  [5, (n) => ({ kind: "twinGoes", goodbye: n.chance(0.5) })],
  [3, (n) => ({ kind: "replaceClient", app: app(n), goodbye: n.chance(0.5) })],
  [4, (n) => ({ kind: "clockJump", wallMs: jump(n), sleptMs: n.pick([0, 0, 1000, 8 * HOUR_MS]) })],
];

function jump(from: SeededNumbers): number {
  return from.pick([-30 * 24 * HOUR_MS, -HOUR_MS, -1, 5000, HOUR_MS, 30 * 24 * HOUR_MS]);
}

/** Every kind of step. */
export const stepKinds: readonly string[] = [
  ...new Set(kinds.map(([, draw]) => draw(new SeededNumbers(0)).kind)),
];

const totalWeight = kinds.reduce((sum, [weight]) => sum + weight, 0);

function draw(from: SeededNumbers): Step {
  let left = from.below(totalWeight);
  for (const [weight, drawOne] of kinds) {
    if (left < weight) return drawOne(from);
    left -= weight;
  }
  throw new RangeError("unreachable: the weights add up to `totalWeight`");
}

/** The schedule of a seed: first more than a hundred calls at once, then 20 to 50 steps. */
export function drawSchedule(seed: number): Schedule {
  const from = new SeededNumbers(seed);
  const many = (call: CallKind, times: number): Step[] =>
    Array.from({ length: APPS }, (_, number) => {
      const start = { kind: "call", call, app: number, place: from.below(1000), times } as const;
      return { ...start, timeoutMs: forEver };
    });
  return {
    seed,
    maxInFlight: from.pick([1000, 1000, 10]),
    steps: [
      ...many("write", 24),
      ...many("read", 14),
      ...many("copy", 12),
      ...many("echo", 5),
      ...Array.from({ length: 20 + from.below(31) }, () => draw(from)),
    ],
  };
}
