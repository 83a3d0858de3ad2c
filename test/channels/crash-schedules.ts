/**
 * Crash schedules for a writer and a reader. Each is an application that is killed before or after
 * a commit or a call and is then restarted, on a connection that loses requests and replies, to a
 * daemon that restarts; channels.test.ts has turns of the epoch and a real daemon. The model is the
 * list of messages whose `send` resolved, and the list of messages that the reader's application
 * took.
 */
import * as fc from "fast-check";
import { utf8ToText } from "../../src/bytes/bytes.js";
import {
  type ChannelFormat,
  type Channels,
  type Invitation,
  openChannels,
} from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { BoxesDouble } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";

/**
 * When a process is killed: at its commit number `count`, or when its call number `count` has
 * reached the replicas.
 */
export interface Kill {
  readonly at: "beforeCommit" | "afterCommit" | "afterCall";
  readonly count: number;
  /** How many unsynced batches survive the kill. */
  readonly kept: number;
  /** How long the process stays down, in ms. */
  readonly downMs: number;
}

/** The input of one run. */
export interface Schedule {
  /** Lengths of the messages in bytes; the longer ones take several boxes. */
  readonly lengths: readonly number[];
  readonly writerKills: readonly Kill[];
  readonly readerKills: readonly Kill[];
  /** What each call loses, in order: nothing (0), its request (1) or its reply (2). */
  readonly losses: readonly number[];
  readonly delays: readonly number[];
  /** When the daemon restarts, and how long it is away, in ms. */
  readonly restarts: readonly { readonly atMs: number; readonly downMs: number }[];
  /** Pause between two messages, in ms. */
  readonly pauseMs: number;
  /** Whether the reader acknowledges messages itself. */
  readonly manual: boolean;
  /**
   * How messages are written; katzenqt's format puts messages of several boxes into side streams.
   */
  readonly format: ChannelFormat;
}

/** Generates any kill. */
export const anyKill: fc.Arbitrary<Kill> = fc.record({
  at: fc.constantFrom("beforeCommit", "afterCommit", "afterCall"),
  count: fc.integer({ min: 1, max: 12 }),
  kept: fc.integer({ min: 0, max: 3 }),
  downMs: fc.constantFrom(0, 100, 5000),
});

/** Generates any schedule; fast-check shrinks one that fails. */
export const anySchedule: fc.Arbitrary<Schedule> = fc.record({
  lengths: fc.array(fc.constantFrom(0, 5, 59, 60, 200, 1500), { minLength: 1, maxLength: 8 }),
  writerKills: fc.array(anyKill, { maxLength: 4 }),
  readerKills: fc.array(anyKill, { maxLength: 4 }),
  losses: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { maxLength: 20 }),
  delays: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
  restarts: fc.array(
    fc.record({
      atMs: fc.integer({ min: 1, max: 10_000 }),
      downMs: fc.constantFrom(0, 100, 30_000),
    }),
    { maxLength: 3 },
  ),
  pauseMs: fc.constantFrom(0, 0, 50, 3000),
  manual: fc.boolean(),
  format: fc.constantFrom("native", "native", "katzenqt"),
});

/** The result of a schedule. */
export interface Outcome {
  /** Messages whose `send` resolved. */
  readonly sent: readonly string[];
  /** Messages that the reader's application took; each ID appears once. */
  readonly seen: readonly string[];
  /** How often the two processes were killed. */
  readonly kills: number;
}

/** One life of a process, from a start to a kill. */
export interface Life {
  readonly database: CrashDatabase;
  readonly channels: Promise<Channels>;
  readonly killed: Promise<void>;
}

/** A process that is killed as the schedule says, and the disk that survives it. */
export class Process {
  readonly disk = new Disk();
  kills = 0;
  readonly #boxes: BoxesDouble;
  readonly #kills: Kill[];

  constructor(boxes: BoxesDouble, kills: readonly Kill[]) {
    this.#boxes = boxes;
    this.#kills = [...kills];
  }

  /** Starts the process. It can be started again after a kill. */
  start(): Life {
    const kill = this.#kills.shift();
    let calls = 0;
    let die!: () => void;
    const killed = new Promise<void>((resolve) => (die = resolve));
    const crash = (): boolean => {
      if (!database.isCrashed) {
        database.isCrashed = true;
        this.kills++;
        this.disk.crash(kill!.kept);
        die();
      }
      return true;
    };
    const database = new CrashDatabase(
      this.disk,
      (batch, isDone) =>
        kill !== undefined &&
        kill.at === (isDone ? "afterCommit" : "beforeCommit") &&
        batch === kill.count &&
        crash(),
    );
    const client = this.#boxes.client(
      () => database.isCrashed,
      () => {
        if (kill?.at === "afterCall" && ++calls === kill.count) crash();
      },
    );
    return {
      database,
      killed,
      channels: openChannels(client, database, { clock: this.#boxes.clock }),
    };
  }

  /** Runs `work` to its end and restarts the process after each kill. */
  async run(
    work: (channels: Channels) => Promise<void>,
    down: (kill: number) => Promise<void>,
  ): Promise<void> {
    for (;;) {
      const life = this.start();
      const done = life.channels.then(async (channels) => {
        await work(channels);
        return channels;
      });
      const channels = await Promise.race([done, life.killed.then(() => null)]);
      if (channels) {
        if (!life.database.isCrashed) await Promise.race([channels.close(), life.killed]);
        return;
      }
      await down(this.kills);
    }
  }
}

/** Runs a schedule on a virtual clock until the reader has seen every message that was sent. */
export async function runSchedule(schedule: Schedule): Promise<Outcome> {
  const { format } = schedule;
  const clock = new VirtualClock();
  const boxes = new BoxesDouble(clock);
  let call = 0;
  boxes.fate = () => {
    const n = call++;
    // Each loss happens only once, so every schedule ends.
    const lost = ([null, "request", "reply"] as const)[schedule.losses[n] ?? 0]!;
    return { delayMs: schedule.delays[n % schedule.delays.length]!, lost };
  };
  for (const { atMs, downMs } of schedule.restarts) {
    clock.after(atMs, () => boxes.restart(downMs));
  }
  const writing = new Process(boxes, schedule.writerKills);
  const reading = new Process(boxes, schedule.readerKills);
  const sent: string[] = [];
  const seen: string[] = [];
  const ids = new Set<bigint>();
  let invitation: Invitation | null = null;
  let onInvitation!: () => void;
  const invited = new Promise<void>((resolve) => (onInvitation = resolve));
  let started = 0;

  const write = writing.run(
    async (channels) => {
      const info = (await channels.list())[0];
      const writer = info ? await channels.writer("out") : await channels.create("out", { format });
      invitation ??= await writer.invitation();
      onInvitation();
      // A message whose `send` did not return may or may not be stored; the application does not
      // send it again.
      while (started < schedule.lengths.length) {
        const n = started++;
        const text = `${n}:`.padEnd(schedule.lengths[n]!, "x");
        const delivery = await writer.send(text);
        sent.push(text);
        void delivery;
        if (schedule.pauseMs > 0) await clock.sleep(schedule.pauseMs);
      }
      while (writer.queued > 0) await clock.sleep(100);
    },
    () => clock.sleep(schedule.writerKills[writing.kills - 1]!.downMs),
  );

  const read = invited.then(() =>
    reading.run(
      async (channels) => {
        const info = (await channels.list())[0];
        const reader = info
          ? await channels.reader("in")
          : await channels.import("in", invitation!);
        const ack = schedule.manual ? "manual" : "auto";
        // The reader may also see messages whose `send` was interrupted.
        const isDone = (): boolean =>
          started === schedule.lengths.length && isWritten && missing() === 0;
        const missing = (): number => sent.filter((text) => !seen.includes(text)).length;
        const end = new AbortController();
        const watch = async (): Promise<void> => {
          while (!isDone()) await clock.sleep(1000);
          end.abort();
        };
        void watch();
        try {
          for await (const message of reader.messages({ ack, signal: end.signal })) {
            // A real application stores message and ID in one transaction.
            if (!ids.has(message.id)) {
              ids.add(message.id);
              seen.push(utf8ToText(message.bytes));
            }
            if (message.gap !== 0) seen.push(`gap of ${message.gap}`);
            if (schedule.manual) await message.ack();
          }
        } catch (error) {
          if (!end.signal.aborted) throw error;
        }
      },
      () => clock.sleep(schedule.readerKills[reading.kills - 1]!.downMs),
    ),
  );
  let isWritten = false;
  void write.then(() => (isWritten = true));
  await clock.runUntil(Promise.all([write, read]), 6 * 3600 * 1000);
  return { sent, seen, kills: writing.kills + reading.kills };
}

/** Describes what is wrong with an outcome; null if nothing is. */
export function faultOf({ sent, seen }: Outcome): string | null {
  const lost = sent.filter((text) => !seen.includes(text));
  if (lost.length > 0) return `lost: ${lost.map(short).join(", ")}`;
  if (new Set(seen).size !== seen.length) return `doubled: ${seen.map(short).join(", ")}`;
  const numbers = seen.map((text) => Number.parseInt(text, 10));
  if (numbers.some((n, i) => Number.isNaN(n) || (i > 0 && n <= numbers[i - 1]!))) {
    return `out of order: ${seen.map(short).join(", ")}`;
  }
  return null;
}

const short = (text: string): string => text.slice(0, 12);
