/**
 * The order of a group's messages. Each message names the ones that its sender had seen, and waits
 * until they were yielded.
 */
import type { Clock } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";
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
/**
 * After a wait of at least `longMs`, the messages of that member do not wait for `restMs`. Otherwise
 * each of them could wait for a minute in its turn: a member whose own messages wait for something
 * that never comes would hold up everybody who answers them, and thousands of messages would take
 * days.
 */
const AFTER_WAIT = { longMs: HOLD_MS / 2, restMs: HOLD_MS };

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
  /** @throws InvalidStateError when the channels are closed, or the group was left. */
  checkOpen(): void;
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
}

/** Merges the channels of a group's members. */
export class MessageOrder {
  readonly #context: MessageOrderContext;
  /** The last message of each channel that was passed to the application. */
  readonly #seen = new Map<string, bigint>();
  /** The last message of each channel that one of our messages named. */
  readonly #named = new Map<string, bigint>();
  /** Until when the messages of a channel do not wait, by the monotonic clock. */
  readonly #restUntil = new Map<string, number>();
  /** Loops that wait for a member who is not followed yet, or for their end. */
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
    for (const [name, { channel }] of this.#membersByName()) {
      const id = this.#seen.get(channel);
      if (id === undefined || this.#named.get(channel) === id) continue;
      causes.push({ name, id });
    }
    return causes.slice(-MAX_CAUSES);
  }

  /** The members by name, without those who share theirs with another member or with us. */
  #membersByName(): ReadonlyMap<string, GroupMember> {
    const members = new Map<string, GroupMember>();
    const shared = new Set([this.#context.displayName]);
    for (const member of this.#context.speaking()) {
      if (members.has(member.displayName)) shared.add(member.displayName);
      else members.set(member.displayName, member);
    }
    for (const name of shared) members.delete(name);
    return members;
  }

  /** There is a new member to follow. */
  memberAppeared(): void {
    this.#newcomers.wake();
  }

  /** Ends the loops over the messages: the channels are closed, or the group was left. */
  close(): void {
    this.#newcomers.wake();
  }

  /** The last message of each channel that was seen so far. */
  seen(): ReadonlyMap<string, bigint> {
    return new Map(this.#seen);
  }

  /**
   * A message was sent: later ones do not have to name what had been seen before it.
   * @param seen the result of {@link seen} when the message was made.
   */
  sent(seen: ReadonlyMap<string, bigint>): void {
    for (const [channel, id] of seen) this.#named.set(channel, id);
  }

  /** Yields the messages of all other members: see `Group.messages`. */
  async *messages(signal: AbortSignal | undefined): AsyncGenerator<GroupMessage, void, undefined> {
    const stop = new AbortController();
    signal?.throwIfAborted();
    const leave =
      signal &&
      onAbort(signal, () => {
        stop.abort(signal.reason);
        this.#newcomers.wake();
      });
    const ends = new Map<string, End>();
    const { signal: stopped } = stop;
    try {
      for (;;) {
        const { wakes } = this.#newcomers;
        this.#context.checkOpen();
        stopped.throwIfAborted();
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
        const { sender, box, message, heldAt, hasWaited } = end.head!;
        const now = this.#context.clock.monotonic();
        if (hasWaited && now - heldAt >= AFTER_WAIT.longMs) {
          this.#restUntil.set(sender.channel, now + AFTER_WAIT.restMs);
        }
        if (message?.type === "introduction") await this.#context.introduced(message.member);
        // Set before the message is yielded: an application that answers at once has seen it.
        this.#seen.set(sender.channel, box.id);
        yield { sender, id: box.id, message, box };
        await box.ack();
        end.head = null;
      }
    } finally {
      leave?.();
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
        const head = { sender, box, message: messageOf(box), heldAt, known: 0, hasWaited: false };
        end.head = head;
        this.#expect(head.message);
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
    const members = this.#membersByName();
    let oldest: End | null = null;
    for (const end of ends.values()) {
      const { head } = end;
      if (!head) continue;
      const isResting = now < (this.#restUntil.get(head.sender.channel) ?? -Infinity);
      if (isResting || this.#isDue(head, members)) return end;
      head.hasWaited = true;
      if (now - head.heldAt >= HOLD_MS && (oldest?.head?.heldAt ?? Infinity) > head.heldAt) {
        oldest = end;
      }
    }
    return oldest;
  }

  #isDue(head: Head, members: ReadonlyMap<string, GroupMember>): boolean {
    const after = head.message?.after ?? [];
    // A stranger may name a thousand, so each is looked at until it was seen, and then never again.
    while (head.known < after.length && !this.#missing(after[head.known]!, members)) head.known++;
    return head.known === after.length;
  }

  /** Asks soon for the messages that a message waits for: their boxes are there. */
  #expect(message: KatzenqtMessage | null): void {
    const members = this.#membersByName();
    for (const cause of message?.after ?? []) {
      const member = this.#missing(cause, members);
      if (member) this.#context.readerNow(member.channel).hurry();
    }
    this.#context.scheduler.kick();
  }

  /** The member whose message is named, if it was not seen yet; else null. */
  #missing(
    { name, id }: KatzenqtCause,
    members: ReadonlyMap<string, GroupMember>,
  ): GroupMember | null {
    const member = members.get(name);
    if (!member || (this.#seen.get(member.channel) ?? -1n) >= id) return null;
    // A newcomer without the history never gets what was sent before.
    const readCap = this.#context.readerNow(member.channel).readCap();
    return id >= messageBoxCounter(firstIndexOf(readCap)) ? member : null;
  }
}

/** The next message of a channel. */
interface Head {
  readonly sender: GroupMember;
  readonly box: Message;
  readonly message: KatzenqtMessage | null;
  readonly heldAt: number;
  /** How many of the messages that it names, from the first one on, do not have to be waited for. */
  known: number;
  /** Whether it was not due when it was looked at. */
  hasWaited: boolean;
}

interface End {
  readonly sender: GroupMember;
  readonly iterator: AsyncIterator<Message>;
  pending: Promise<void> | null;
  head: Head | null;
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
