/**
 * The order of a group's messages. Each message names the ones that its sender had seen, and waits
 * until they were yielded.
 */
import type { Clock } from "../clock/clock.js";
import { firstIndexOf } from "../bacap/capabilities.js";
import { messageBoxCounter } from "../bacap/message-box-index.js";
import { hasCode } from "../errors/errors.js";
import {
  type KatzenqtCause,
  type KatzenqtMember,
  type KatzenqtMessage,
  decodeKatzenqtMessage,
} from "./katzenqt.js";
import type { Message, Reader } from "./reader.js";
import type { Scheduler } from "./scheduler.js";
import { Waiters } from "./waiters.js";

/** The most earlier messages that one message names. */
const MAX_CAUSES = 16;
/** Longest wait for a message that another one names, because it may be lost, in ms. */
const HOLD_MS = 60_000;

/** A member of a group, as this store knows it. */
export interface GroupMember {
  /** Chosen by the member: show it with care. Several members may have the same name. */
  readonly displayName: string;
  /** The channel for reading the member's messages: `Channels.reader`. */
  readonly channel: string;
}

/** A message of a group. */
export interface GroupMessage {
  /** The member who sent it. */
  readonly sender: GroupMember;
  /** Increases within the sender's channel. */
  readonly id: bigint;
  /** The message; null if the box does not hold a message of a conversation: see `box`. */
  readonly message: KatzenqtMessage | null;
  /** The box, as `Reader.messages` returns it. */
  readonly box: Message;
}

/** What the order of messages needs from its group. */
export interface MessageOrderContext {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Our name as the others see it. */
  readonly displayName: string;
  /** All members that are read. */
  readonly members: () => Iterable<GroupMember>;
  /** The members, each with one channel. */
  readonly speaking: () => readonly GroupMember[];
  /** A member's reader; rejects when the channels are closed. */
  readonly reader: (channel: string) => Promise<Reader>;
  /** The same, without that check. */
  readonly readerNow: (channel: string) => Reader;
  /** Somebody introduced a member. */
  readonly introduced: (member: KatzenqtMember) => Promise<void>;
  /** @throws InvalidStateError when the channels are closed, or the group is left. */
  readonly checkUsable: () => void;
}

/** Merges the channels of a group's members. */
export class MessageOrder {
  readonly #context: MessageOrderContext;
  /** The last message of each channel that was passed to the application. */
  readonly #seen = new Map<string, bigint>();
  /** The last message of each channel that one of our messages named. */
  readonly #named = new Map<string, bigint>();
  /** Loops that wait for a member who is not followed yet. */
  readonly #newcomers = new Waiters();

  constructor(context: MessageOrderContext) {
    this.#context = context;
  }

  /**
   * The messages seen since our last message. Members who share a name are left out, because the
   * name would be ambiguous.
   */
  causes(): KatzenqtCause[] {
    const causes: KatzenqtCause[] = [];
    const speaking = this.#context.speaking();
    for (const { channel, displayName } of speaking) {
      const id = this.#seen.get(channel);
      if (id === undefined || this.#named.get(channel) === id) continue;
      if (this.#memberNamed(displayName, speaking)) causes.push({ name: displayName, id });
    }
    return causes.slice(-MAX_CAUSES);
  }

  /** The only member with that name; null if there is none, or several. */
  #memberNamed(name: string, speaking: readonly GroupMember[]): GroupMember | null {
    const named = speaking.filter((member) => member.displayName === name);
    return named.length === 1 && name !== this.#context.displayName ? named[0]! : null;
  }

  /** There is a new member to follow. */
  memberAppeared(): void {
    this.#newcomers.wake();
  }

  /** Lets loops over the messages end, because `checkUsable` throws now. */
  end(): void {
    this.#newcomers.wake();
  }

  /** A message was sent: later ones do not have to name what was seen before it. */
  sent(): void {
    for (const [channel, id] of this.#seen) this.#named.set(channel, id);
  }

  /** Yields the messages of all other members: see `Group.messages`. */
  async *messages(signal: AbortSignal | undefined): AsyncGenerator<GroupMessage, void, undefined> {
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal!.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort, { once: true });
    const ends = new Map<string, End>();
    const { signal: stopped } = stop;
    try {
      for (;;) {
        this.#context.checkUsable();
        const { wakes } = this.#newcomers;
        await this.#follow(ends, stopped);
        const end = this.#next(ends);
        if (!end) {
          const timer = new AbortController();
          const holds = [...ends.values()].some(({ head }) => head !== null);
          await Promise.race([
            this.#newcomers.wait(timer.signal, wakes).catch(() => {}),
            ...[...ends.values()].map(({ pending }) => pending ?? new Promise<never>(() => {})),
            ...(holds ? [this.#context.clock.sleep(1000, timer.signal).catch(() => {})] : []),
          ]);
          timer.abort();
          continue;
        }
        const { sender, box, message } = end.head!;
        if (message?.type === "introduction") await this.#context.introduced(message.member);
        // Set before the message is yielded: an application that answers at once has seen it.
        this.#seen.set(sender.channel, box.id);
        yield { sender, id: box.id, message, box };
        await box.ack();
        end.head = null;
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      stop.abort();
      await Promise.allSettled([...ends.values()].map(async (end) => end.iterator.return?.()));
    }
  }

  /** Starts to read the next message of every member's channel. */
  async #follow(ends: Map<string, End>, signal: AbortSignal): Promise<void> {
    for (const member of this.#context.members()) {
      if (ends.has(member.channel)) continue;
      const reader = await this.#context.reader(member.channel);
      if (reader.acknowledged !== null && !this.#seen.has(member.channel)) {
        this.#seen.set(member.channel, reader.acknowledged);
      }
      const iterator = reader.messages({ ack: "manual", signal });
      ends.set(member.channel, { sender: member, iterator, pending: null, head: null });
    }
    for (const end of ends.values()) {
      if (end.head || end.pending) continue;
      end.pending = end.iterator.next().then(({ value, done }) => {
        end.pending = null;
        if (done) return;
        const box = value as Message;
        const heldAt = this.#context.clock.monotonic();
        const { displayName, channel } = end.sender;
        const sender = { displayName, channel };
        end.head = { sender, box, message: messageOf(box), heldAt };
        this.#expect(end.head.message);
      });
      // A caller who waits for this promise gets its error; after the loop has ended nobody does.
      end.pending.catch(() => {});
    }
    // Messages that are already in the store arrive in this turn or soon after it.
    await this.#context.clock.sleep(0);
  }

  /** The channel whose message is yielded next. */
  #next(ends: Map<string, End>): End | null {
    const now = this.#context.clock.monotonic();
    const speaking = this.#context.speaking();
    let oldest: End | null = null;
    for (const end of ends.values()) {
      if (!end.head) continue;
      if (this.#isDue(end.head.message, speaking)) return end;
      if (
        now - end.head.heldAt >= HOLD_MS &&
        (oldest?.head?.heldAt ?? Infinity) > end.head.heldAt
      ) {
        oldest = end;
      }
    }
    return oldest;
  }

  #isDue(message: KatzenqtMessage | null, speaking: readonly GroupMember[]): boolean {
    return this.#missing(message, speaking).next().done === true;
  }

  /** Asks soon for the messages that a message waits for: their boxes are there. */
  #expect(message: KatzenqtMessage | null): void {
    for (const { channel } of this.#missing(message, this.#context.speaking())) {
      this.#context.readerNow(channel).hurry();
    }
    this.#context.scheduler.kick();
  }

  /** The members of whom a message names one that was not seen yet. */
  *#missing(
    message: KatzenqtMessage | null,
    speaking: readonly GroupMember[],
  ): Generator<GroupMember, void> {
    for (const { name, id } of message?.after ?? []) {
      const member = this.#memberNamed(name, speaking);
      if (!member || (this.#seen.get(member.channel) ?? -1n) >= id) continue;
      // A newcomer without the history never gets what was sent before.
      const readCap = this.#context.readerNow(member.channel).readCap();
      if (id >= messageBoxCounter(firstIndexOf(readCap))) yield member;
    }
  }
}

interface End {
  readonly sender: GroupMember;
  readonly iterator: AsyncIterator<Message>;
  pending: Promise<void> | null;
  head: {
    readonly sender: GroupMember;
    readonly box: Message;
    readonly message: KatzenqtMessage | null;
    readonly heldAt: number;
  } | null;
}

function messageOf(box: Message): KatzenqtMessage | null {
  if (box.kind !== "message") return null;
  try {
    return decodeKatzenqtMessage(box.bytes);
  } catch (error) {
    if (hasCode(error, "ERR_PROTOCOL")) return null;
    throw error;
  }
}
