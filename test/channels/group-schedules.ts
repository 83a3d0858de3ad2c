/**
 * Crash schedules for a group: Alice creates it, Bob joins through her, and Carol joins through
 * Bob. Each is an application that is killed before or after a commit or a call and is then
 * restarted. The model is the list of texts whose `send` resolved, and the list of texts that each
 * other member took.
 */
import * as fc from "fast-check";
import type { Channels, Group } from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { hasCode } from "../../src/errors/errors.js";
import { BoxesDouble } from "./boxes-double.js";
import { type Kill, Process, anyKill } from "./crash-schedules.js";

const NAMES = ["Alice", "Bob", "Carol"] as const;

/** The input of one run. */
export interface GroupSchedule {
  /** How many texts each member sends. */
  readonly texts: readonly number[];
  /** When each member's process is killed. */
  readonly kills: readonly (readonly Kill[])[];
  /** What each call loses, in order: nothing (0), its request (1) or its reply (2). */
  readonly losses: readonly number[];
  readonly delays: readonly number[];
  readonly pauseMs: number;
}

const three = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(one, { minLength: 3, maxLength: 3 });

/** Generates any schedule; fast-check shrinks one that fails. */
export const anyGroupSchedule: fc.Arbitrary<GroupSchedule> = fc.record({
  texts: three(fc.integer({ min: 0, max: 3 })),
  kills: three(fc.array(anyKill, { maxLength: 3 })),
  losses: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { maxLength: 20 }),
  delays: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
  pauseMs: fc.constantFrom(0, 50, 3000),
});

/** The result of a schedule. */
export interface GroupOutcome {
  /** For each member, the texts whose `send` resolved. */
  readonly sent: readonly (readonly string[])[];
  /** For each member, what its application took as `SENDER: TEXT`; each ID appears once. */
  readonly seen: readonly (readonly string[])[];
  readonly kills: number;
}

/** A member's application. Its own fields survive kills, like data that an application stores. */
class Member {
  readonly process: Process;
  readonly sent: string[] = [];
  readonly seen: string[] = [];
  readonly #ids = new Set<string>();
  readonly #n: number;
  readonly #schedule: GroupSchedule;
  readonly #clock: VirtualClock;
  readonly #all: Member[];
  voucher: Uint8Array<ArrayBuffer> | null = null;
  started = 0;
  isWritten = false;

  constructor(all: Member[], n: number, schedule: GroupSchedule, boxes: BoxesDouble) {
    this.#all = all;
    this.#n = n;
    this.#schedule = schedule;
    this.#clock = boxes.clock as VirtualClock;
    this.process = new Process(boxes, schedule.kills[n]!);
  }

  run(): Promise<void> {
    return this.process.run(
      (channels) => this.#life(channels),
      (kill) => this.#clock.sleep(this.#schedule.kills[this.#n]![kill - 1]!.downMs),
    );
  }

  async #life(channels: Channels): Promise<void> {
    const group = await this.#group(channels);
    this.voucher ??= group.voucher;
    await group.joined();
    const end = new AbortController();
    const heard = this.#hear(group, end);
    heard.catch(() => {});
    await this.#induct(group);
    const { texts, pauseMs } = this.#schedule;
    while (this.started < texts[this.#n]!) {
      const text = `text ${this.started++}`;
      await group.send(text);
      this.sent.push(text);
      if (pauseMs > 0) await this.#clock.sleep(pauseMs);
    }
    const writer = await channels.writer(group.ownChannel);
    while (writer.queued > 0) await this.#clock.sleep(100);
    this.isWritten = true;
    while (!isDone(this.#all)) await this.#clock.sleep(1000);
    end.abort();
    await heard.catch((error: unknown) => {
      if (!end.signal.aborted) throw error;
    });
  }

  async #group(channels: Channels): Promise<Group> {
    const known = await channels.groups.list();
    if (known.length > 0) return channels.groups.get("friends");
    const options = { displayName: NAMES[this.#n]! };
    if (this.#n === 0) return channels.groups.create("friends", options);
    for (;;) {
      try {
        return await channels.groups.join("friends", options);
      } catch (error) {
        // The daemon did not make a voucher, and nothing is stored.
        if (!hasCode(error, "ERR_TIMEOUT")) throw error;
      }
    }
  }

  /** Adds the next member to the group. */
  async #induct(group: Group): Promise<void> {
    const next = this.#all[this.#n + 1];
    if (!next) return;
    while (!next.voucher) await this.#clock.sleep(100);
    const isIn = (): boolean =>
      group.members().some(({ displayName }) => displayName === NAMES[this.#n + 1]);
    if (isIn()) return;
    try {
      await (await group.induct(next.voucher)).taken();
    } catch (error) {
      // The induction began before a kill and continues by itself.
      if (!hasCode(error, "ERR_INVALID_STATE")) throw error;
      while (!isIn()) await this.#clock.sleep(100);
    }
  }

  async #hear(group: Group, end: AbortController): Promise<void> {
    for await (const { sender, id, message, box } of group.messages({ signal: end.signal })) {
      // A real application stores message and ID in one transaction.
      const key = `${sender.channel} ${id}`;
      if (this.#ids.has(key)) continue;
      this.#ids.add(key);
      if (box.gap !== 0) this.seen.push(`gap of ${box.gap}`);
      if (message?.type === "text") this.seen.push(`${sender.displayName}: ${message.text}`);
    }
  }
}

/** Whether every member has received everything that was sent. */
function isDone(all: readonly Member[]): boolean {
  return all.every(
    (member, n) =>
      member.isWritten &&
      all.every(
        ({ seen }, other) =>
          other === n || member.sent.every((text) => seen.includes(`${NAMES[n]!}: ${text}`)),
      ),
  );
}

/** Runs a schedule on a virtual clock until every member has received everything that was sent. */
export async function runGroupSchedule(schedule: GroupSchedule): Promise<GroupOutcome> {
  const clock = new VirtualClock();
  const boxes = new BoxesDouble(clock);
  let call = 0;
  boxes.fate = () => {
    const n = call++;
    const lost = ([null, "request", "reply"] as const)[schedule.losses[n] ?? 0]!;
    return { delayMs: schedule.delays[n % schedule.delays.length]!, lost };
  };
  const all: Member[] = [];
  for (const n of NAMES.keys()) all.push(new Member(all, n, schedule, boxes));
  await clock.runUntil(Promise.all(all.map((member) => member.run())), 6 * 3600 * 1000);
  return {
    sent: all.map(({ sent }) => sent),
    seen: all.map(({ seen }) => seen),
    kills: all.reduce((sum, { process }) => sum + process.kills, 0),
  };
}

/** Describes what is wrong with an outcome; null if nothing is. */
export function groupFaultOf({ sent, seen }: GroupOutcome): string | null {
  for (const [reader, texts] of seen.entries()) {
    for (const [writer, wanted] of sent.entries()) {
      if (writer === reader) continue;
      const name = NAMES[writer]!;
      const found = texts.filter((text) => text.startsWith(`${name}: `));
      const numbers = found.map((text) => Number(text.split(" ").at(-1)));
      const what = `${NAMES[reader]!} saw of ${name}: ${numbers.join(", ")}`;
      if (wanted.some((text) => !found.includes(`${name}: ${text}`))) return `lost: ${what}`;
      if (numbers.some((n, i) => i > 0 && n <= numbers[i - 1]!))
        return `duplicated or reordered: ${what}`;
    }
    const other = texts.filter((text) => !/^(?:Alice|Bob|Carol): text \d+$/.test(text));
    if (other.length > 0) return `${NAMES[reader]!} saw ${other.join(", ")}`;
  }
  return null;
}
