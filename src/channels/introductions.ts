/**
 * The introductions that we made in a group, kept for a week. The store does not keep messages that
 * the replicas have, so an embedded network without a data directory loses them when it ends. A
 * lost text is a gap; a lost introduction would keep a member from reading the newcomer for good.
 * So, when the store is opened or another daemon process answers, the oldest introduction's box is
 * read, and if the network does not have it, all introductions are sent again.
 *
 * They are sent as new messages, not into their boxes: readers rely on boxes that disappear in their
 * order, and would skip single boxes among others that are gone. Members ignore an introduction of
 * somebody they know.
 */
import { type Bytes, copyBytes } from "../bytes/bytes.js";
import { MessageBoxIndex } from "../bytes/opaque.js";
import { messageBoxCounter } from "../bacap/message-box-index.js";
import { hasCode } from "../errors/errors.js";
import { type ChannelClient, readBox } from "./channel-client.js";
import { Pauses } from "./pauses.js";
import type { ReadSource, Scheduler, Task } from "./scheduler.js";
import { type ChannelStore, type Draft, field, isBytes, isNumber } from "./store.js";
import type { Writer } from "./writer.js";

/** How long introductions are kept: for as long as any network would keep their boxes. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** What introductions need from their group. */
export interface IntroductionsContext {
  readonly client: ChannelClient;
  readonly store: ChannelStore;
  readonly scheduler: Scheduler;
  /** The writer of our channel in the group; undefined if there is none. */
  writer(): Writer | undefined;
}

/** An introduction that was sent. */
interface Sent {
  readonly message: Bytes;
  /** Its first box in our channel. */
  readonly index: MessageBoxIndex;
  /** When it was sent the first time. */
  readonly sentAt: number;
}

/** The introductions that we made in one group. */
export class Introductions implements ReadSource {
  readonly #context: IntroductionsContext;
  /** The beginning of the keys of their records. */
  readonly prefix: string;
  /** By the root key of the member. */
  #sent = new Map<string, Sent>();
  /** Whether the network may have lost them. */
  #isDoubtful = false;
  #isReading = false;
  readonly #pauses: Pauses;

  /** @param group the group's key in the store. */
  constructor(context: IntroductionsContext, group: string) {
    this.#context = context;
    this.#pauses = new Pauses(context.scheduler);
    this.prefix = `intro!${group}!`;
  }

  /** Loads them from the store. */
  async load(): Promise<void> {
    const { store } = this.#context;
    const sent = new Map<string, Sent>();
    for await (const [key, stored] of store.records(this.prefix)) {
      sent.set(key.slice(this.prefix.length), {
        message: copyBytes(field(stored, "message", isBytes)),
        index: MessageBoxIndex.from(field(stored, "index", isBytes)),
        sentAt: field(stored, "sentAt", isNumber),
      });
    }
    this.#sent = sent;
  }

  /**
   * Keeps an introduction, as part of the transaction that sends it.
   * @param root the root key of the member, as text. @param index the first box of `message`.
   */
  keep(draft: Draft, root: string, message: Bytes, index: MessageBoxIndex): void {
    for (const old of this.#dropOld()) draft.delete(this.prefix + old);
    const sentAt = Math.floor(this.#context.scheduler.date());
    this.#put(draft, root, { message, index, sentAt });
  }

  #put(draft: Draft, root: string, sent: Sent): void {
    this.#sent.set(root, sent);
    draft.put(this.prefix + root, { ...sent });
  }

  /** Forgets those that are too old; returns the root keys of their members. */
  #dropOld(): string[] {
    const now = this.#context.scheduler.date();
    const old = [...this.#sent].filter(([, { sentAt }]) => now - sentAt >= KEPT_MS);
    for (const [root] of old) this.#sent.delete(root);
    return old.map(([root]) => root);
  }

  /** Finds out whether the network still has them: another daemon may have another network. */
  check(): void {
    const old = this.#dropOld();
    if (old.length > 0) {
      this.#context.store.commitLazily((draft) => {
        for (const root of old) draft.delete(this.prefix + root);
      });
    }
    if (this.#sent.size === 0) return;
    this.#isDoubtful = true;
    this.#pauses.found();
    this.#context.scheduler.addReader(this);
  }

  get isWanted(): boolean {
    return this.#isDoubtful && !this.#isReading;
  }

  get dueAt(): number {
    return this.#pauses.dueAt;
  }

  get patienceMs(): number {
    return this.#pauses.lengthMs;
  }

  retry(): void {
    this.#pauses.retry();
  }

  readonly isLikely = false;

  takeQuestion(): Task {
    this.#isReading = true;
    return {
      run: async (signal) => {
        // If another daemon comes meanwhile, they are in doubt again.
        this.#isDoubtful = false;
        const isKnown = await this.#ask(signal).catch(() => null);
        this.#isReading = false;
        if (!isKnown) this.#isDoubtful = true;
        if (isKnown === null) this.#pauses.failed();
        else this.#pauses.missed();
      },
    };
  }

  /** Resolves with false if it is too early to tell. */
  async #ask(signal: AbortSignal): Promise<boolean> {
    const { client, scheduler } = this.#context;
    const writer = this.#context.writer();
    const sent = [...this.#sent.values()].sort(byPlace);
    const [oldest] = sent;
    if (!writer || writer.isForked || !oldest) return true;
    // The outbox goes to the new network. A message whose first boxes went to the old one is known
    // when it has left.
    const waiting = await writer.outbox();
    const newest = messageBoxCounter(sent.at(-1)!.index);
    if (waiting.some(({ id }) => id <= newest)) return false;
    const startedAt = scheduler.now();
    const { kind } = await readBox(client, writer.readCap(), oldest.index, signal);
    scheduler.measured(scheduler.now() - startedAt);
    if (kind === "missing") await this.#sendAgain(writer);
    return true;
  }

  async #sendAgain(writer: Writer): Promise<void> {
    const { store } = this.#context;
    const deliveries: ReturnType<Writer["composeMessage"]>[] = [];
    try {
      await store.commit((draft) => {
        writer.checkUsable();
        const all = [...this.#sent].sort(([, one], [, other]) => byPlace(one, other));
        for (const [root, sent] of all) {
          const index = writer.nextIndex;
          deliveries.push(writer.composeMessage(draft, sent.message));
          this.#put(draft, root, { ...sent, index });
        }
      });
    } catch (error) {
      // Nothing more can be sent on a forked channel.
      if (hasCode(error, "ERR_CHANNEL_FORKED")) return;
      throw error;
    }
    for (const delivery of deliveries) writer.committedMessage(delivery);
  }

  /** Ends the question. */
  close(): void {
    this.#context.scheduler.remove(this);
  }
}

function byPlace(one: Sent, other: Sent): number {
  return messageBoxCounter(one.index) < messageBoxCounter(other.index) ? -1 : 1;
}
