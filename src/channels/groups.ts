/**
 * Groups: a channel for each member, which all others read. Anyone who takes a newcomer in tells all
 * members on its own channel, so that everybody reads the newcomer. Messages are katzenqt's, so that
 * its users and ours can share a group.
 */
import {
  type Bytes,
  type PlainBytes,
  checkBytes,
  copyBytes,
  equalBytes,
  toHex,
} from "../bytes/bytes.js";
import type { ReadCap } from "../bytes/opaque.js";
import { checkOptions } from "../bytes/options.js";
import type { CborValue } from "../cbor/cbor.js";
import type { Clock } from "../clock/clock.js";
import {
  firstIndexOf,
  generateKeypair,
  parseReadCap,
  readCapOf,
  rootPublicKeyOf,
} from "../bacap/capabilities.js";
import { advanceMessageBoxIndex, messageBoxCounter } from "../bacap/message-box-index.js";
import { ChannelExistsError, ChannelNotFoundError } from "../errors/channel-errors.js";
import { InvalidStateError, ProtocolError, hasCode } from "../errors/errors.js";
import type { Contacts, ContactsContext } from "./contacts.js";
import type { ChannelFormat } from "./framing.js";
import {
  KATZENQT_MAX_DISPLAY_NAME,
  type KatzenqtCause,
  type KatzenqtMember,
  type KatzenqtMessage,
  checkDisplayName,
  decodeKatzenqtMembers,
  decodeKatzenqtMessage,
  encodeKatzenqtMembers,
  encodeKatzenqtMessage,
} from "./katzenqt.js";
import type { Message } from "./reader.js";
import { type Draft, field, keyNumber, numberOfKey } from "./store.js";
import {
  type ExchangeHooks,
  type ExchangeRecord,
  type VoucherExchange,
  blankRecord,
} from "./voucher-exchange.js";
import type { Delivery } from "./writer.js";

const VOUCHER_LENGTH = 32;
const MAX_NAME_LENGTH = 150;
const NEXT_KEY = "meta!nextGroup";
/** Bytes by which sealing makes a list of members longer. */
const SEAL_OVERHEAD = 359;
/** Most earlier messages that one message names. */
const MAX_CAUSES = 16;
/** Longest wait for a message that another one names: it may be lost. */
const HOLD_MS = 60_000;
/** How far apart two places of one stream may be and be compared, in boxes: a second of steps. */
const MAX_DISTANCE = 50_000n;

/** Options of {@link Groups.create} and {@link Groups.join}. */
export interface GroupOptions {
  /** How the others see us: 1 to 30 characters. */
  readonly displayName: string;
  /** How our messages are written; `katzenqt` by default, so that its users can read them. */
  readonly format?: ChannelFormat | undefined;
}

/** A member of a group, as this store knows it. */
export interface GroupMember {
  /** Chosen by the member: show it with care. Several members may have the same. */
  readonly displayName: string;
  /** The channel that its messages are read from: `Channels.reader`. */
  readonly channel: string;
}

/** A group in the store. */
export interface GroupInfo {
  readonly name: string;
  /** Whether our voucher was answered, so that we can send. */
  readonly isJoined: boolean;
  /** Why joining failed and what to do; null when it did not. */
  readonly failure: string | null;
}

/** A message of a group. */
export interface GroupMessage {
  readonly sender: GroupMember;
  /** Counts up within the sender's channel. */
  readonly id: bigint;
  /** What was said; null when it is not a message of a conversation: look at `box` then. */
  readonly message: KatzenqtMessage | null;
  /** What was read, as `Reader.messages` gives it. */
  readonly box: Message;
}

interface SavedGroup {
  readonly key: string;
  readonly name: string;
  readonly displayName: string;
  readonly format: ChannelFormat;
}

interface SavedMember extends GroupMember {
  /** The public root key of its stream, as text: what it is known by. */
  readonly root: string;
}

/** What groups need of the channels that they are part of. */
export interface GroupsContext extends ContactsContext {
  readonly clock: Clock;
  readonly boxLength: () => number;
  /** Whether a channel of that name is there. */
  has(name: string): boolean;
  deleteChannel(name: string): Promise<void>;
}

/** The groups of a store. */
export class Groups {
  readonly #context: GroupsContext;
  readonly #contacts: Contacts;
  readonly #groups = new Map<string, Group>();
  #nextKey = 0;

  /** @internal */
  constructor(context: GroupsContext, contacts: Contacts) {
    this.#context = context;
    this.#contacts = contacts;
  }

  /** @internal */
  async load(): Promise<void> {
    const { store } = this.#context;
    this.#nextKey = Number((await store.get(NEXT_KEY)) ?? 0);
    for await (const [key, stored] of store.records("group!")) {
      const group = new Group(this.#context, this.#contacts, {
        key: keyNumber(numberOfKey(key)),
        name: field(stored, "name", isText),
        displayName: field(stored, "displayName", isText),
        format: field(stored, "format", isText) as ChannelFormat,
      });
      await group.load();
      this.#groups.set(group.name, group);
    }
  }

  /** Reads everything again after a failed commit. @internal */
  async reload(): Promise<void> {
    for (const group of this.#groups.values()) await group.reload();
    this.#nextKey = Number((await this.#context.store.get(NEXT_KEY)) ?? 0);
  }

  /** What the exchanges of vouchers do that are for groups. @internal */
  readonly hooks: ExchangeHooks = {
    answer: async (record) => this.#of(record).answer(record),
    finish: (draft, record, answer) => this.#of(record).finish(draft, record, answer),
    finished: async (record) => this.#of(record).finished(),
  };

  #of(record: ExchangeRecord): Group {
    const group = this.#groups.get(record.group!);
    if (group) return group;
    throw new InvalidStateError(`group ${JSON.stringify(record.group)} was left`);
  }

  /**
   * Begins a group; its only member is anyone who calls. Needs no network.
   * @param name what it is called in this store, 1 to 150 characters.
   * @throws TypeError, RangeError for wrong arguments; ChannelExistsError when the name is taken.
   */
  async create(name: string, options: GroupOptions): Promise<Group> {
    const group = await this.#add(name, options, (draft, made) => {
      this.#context.compose(draft, [
        {
          kind: "writer",
          name: made.ownChannel,
          writeCap: generateKeypair().writeCap,
          format: made.format,
        },
      ]);
    });
    await this.#context.appear([group.ownChannel]);
    return group;
  }

  /**
   * Makes a voucher to join a group with; a member takes us in with `Group.induct`. Both sides go on
   * after a restart. Making it takes the daemon seconds.
   * @returns the group; its `voucher` is what to hand to a member, in private.
   * @throws as {@link create}; what `voucherMint` throws.
   */
  async join(name: string, options: GroupOptions): Promise<Group> {
    checkGroup(name, options);
    this.#checkFree(name);
    const { writeCap } = generateKeypair();
    const minted = await this.#context.client.voucherMint(writeCap, options.displayName);
    const group = await this.#add(name, options);
    await this.#contacts.begin([], async () => ({
      ...blankRecord(`join ${name}`, "newcomer", options.displayName, group.format),
      state: "minted",
      group: name,
      voucher: minted.voucher,
      streamWriteCap: minted.voucherWriteCap,
      payload: minted.voucherPayload,
      secretKey: minted.voucherSecretKey,
      messageWriteCap: writeCap,
    }));
    return group;
  }

  #checkFree(name: string): void {
    if (!this.#groups.has(name)) return;
    throw new ChannelExistsError(
      `a group ${JSON.stringify(name)} is there already; open it with groups.get(), or choose ` +
        "another name",
    );
  }

  async #add(
    name: string,
    options: GroupOptions,
    more?: (draft: Draft, group: Group) => void,
  ): Promise<Group> {
    this.#context.checkOpen();
    checkGroup(name, options);
    const { displayName, format = "katzenqt" } = options;
    let group: Group | null = null;
    await this.#context.store.commit((draft) => {
      this.#checkFree(name);
      const key = keyNumber(this.#nextKey++);
      draft.put(NEXT_KEY, this.#nextKey);
      draft.put(`group!${key}`, { name, displayName, format });
      group = new Group(this.#context, this.#contacts, { key, name, displayName, format });
      more?.(draft, group);
    });
    this.#groups.set(name, group!);
    return group!;
  }

  /** A group. @throws ChannelNotFoundError. */
  async get(name: string): Promise<Group> {
    this.#context.checkOpen();
    const group = this.#groups.get(name);
    if (group) return group;
    throw new ChannelNotFoundError(
      `no group ${JSON.stringify(name)} is in the store; groups.list() names those that are`,
    );
  }

  /** All groups, by name. */
  async list(): Promise<readonly GroupInfo[]> {
    this.#context.checkOpen();
    const infos = [...this.#groups.values()].map(({ name, isJoined, failure }) => ({
      name,
      isJoined,
      failure,
    }));
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Deletes a group from this store, with its channels and what was read. The others are not told.
   * @throws ChannelNotFoundError.
   */
  async leave(name: string): Promise<void> {
    const group = await this.get(name);
    await group.leave();
    this.#groups.delete(name);
  }
}

/** A group: our channel, and those of the other members. */
export class Group {
  /** What it is called in this store. */
  readonly name: string;
  /** How the others see us. */
  readonly displayName: string;
  /** How our messages are written. */
  readonly format: ChannelFormat;
  readonly #context: GroupsContext;
  readonly #contacts: Contacts;
  readonly #key: string;
  /** By channel. */
  readonly #members = new Map<string, SavedMember>();
  /** Members whose transaction is in progress. */
  #coming: (SavedMember & { readonly readCap: ReadCap })[] = [];
  /** The last message of each channel that was handed out. */
  readonly #seen = new Map<string, bigint>();
  /** Those of them that our messages named. */
  readonly #named = new Map<string, bigint>();
  readonly #listeners = new Set<() => void>();
  #induction: Delivery[] = [];

  /** @internal */
  constructor(context: GroupsContext, contacts: Contacts, saved: SavedGroup) {
    this.#context = context;
    this.#contacts = contacts;
    this.#key = saved.key;
    this.name = saved.name;
    this.displayName = saved.displayName;
    this.format = saved.format;
  }

  /** @internal */
  async load(): Promise<void> {
    for await (const [, stored] of this.#context.store.records(`member!${this.#key}!`)) {
      const member = savedMember(stored);
      this.#members.set(member.channel, member);
    }
  }

  /** @internal */
  async reload(): Promise<void> {
    this.#coming = [];
    this.#induction = [];
    await this.load();
  }

  /** The channel that we send on: `Channels.writer`. */
  get ownChannel(): string {
    return `group ${this.name}`;
  }

  get #joining(): VoucherExchange | null {
    return this.#contacts.exchange(`join ${this.name}`);
  }

  /** Whether we can send: we began the group, or a member answered our voucher. */
  get isJoined(): boolean {
    return this.#context.has(this.ownChannel);
  }

  /** Why joining failed and what to do; null when it did not. */
  get failure(): string | null {
    return this.#joining?.record.failure ?? null;
  }

  /** The 32 bytes to hand to a member, in private; null when it was answered, or none is needed. */
  get voucher(): Bytes | null {
    const voucher = this.#joining?.record.voucher;
    return voucher ? copyBytes(voucher) : null;
  }

  /** Resolves when a member has answered our voucher. @throws InvalidStateError when that failed. */
  async joined(options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    await this.#joining?.over(options?.signal);
    this.#context.checkOpen();
    if (this.isJoined) return;
    throw new InvalidStateError(
      `group ${JSON.stringify(this.name)} was not joined: ${this.failure ?? "it was left"}`,
    );
  }

  /** The other members, in the order in which we heard of them. */
  members(): readonly GroupMember[] {
    return this.#speaking().map(({ displayName, channel }) => ({ displayName, channel }));
  }

  /**
   * The members, each with one channel. katzenqt hands out the ReadCap that a member had before it
   * opened its voucher: nothing is ever written there, and we hear of the right one later. Nobody can
   * tell which one is right until something was read from it.
   */
  #speaking(): SavedMember[] {
    const all = [...this.#members.values()];
    const hasSpoken = ({ channel }: SavedMember): boolean =>
      (this.#context.has(channel) && this.#context.readerNow(channel)?.acknowledged) !== null;
    return all.filter((member, i) => {
      const same = all.filter(({ root }) => root === member.root);
      if (same.length === 1) return true;
      return same.some(hasSpoken) ? hasSpoken(member) : same.at(-1) === all[i];
    });
  }

  /**
   * Takes a newcomer in: answers the voucher with the list of members, and tells the others. It is
   * durable here when this resolves, and goes on after a restart.
   * @param voucher 32 bytes, from who made it.
   * @param options `history`: whether the newcomer can read what was said before; `true` by default.
   * @returns a promise of the newcomer's name in `taken`: resolves when the answer is stored.
   * @throws TypeError, RangeError; InvalidStateError when we are not a member yet, or know the voucher.
   */
  async induct(
    voucher: PlainBytes,
    options: { readonly history?: boolean | undefined } = {},
  ): Promise<{ readonly taken: (signal?: AbortSignal) => Promise<string> }> {
    this.#context.checkOpen();
    checkBytes("voucher", voucher, VOUCHER_LENGTH);
    checkOptions("options", options, ["history"]);
    if (!this.isJoined) {
      throw new InvalidStateError(`group ${JSON.stringify(this.name)} is not joined yet`);
    }
    this.#contacts.checkUnknown(voucher);
    // The voucher is secret; a part of its hash would tell as much as a number does.
    const name = this.#contacts.freeName(`induct ${this.name}`);
    const exchange = await this.#contacts.begin([], async () => ({
      ...blankRecord(name, "member", this.displayName, this.format),
      state: "received",
      group: this.name,
      isHistoryOpen: options.history !== false,
      voucher: copyBytes(voucher),
    }));
    return {
      taken: async (signal) => {
        await exchange.over(signal);
        const { state, failure, theirName } = exchange.record;
        if (state === "answered") return theirName!;
        throw new InvalidStateError(
          `the newcomer was not taken in: ${failure ?? "the channels were closed"}`,
        );
      },
    };
  }

  /** Us and the others, with what their channels are read with. */
  async #allMembers(isHistoryOpen: boolean): Promise<KatzenqtMember[]> {
    const writer = await this.#context.writer(this.ownChannel);
    const own = await writer.invitation({ history: isHistoryOpen });
    const list: KatzenqtMember[] = [{ displayName: this.displayName, readCap: own.readCap }];
    for (const { displayName, channel } of this.#speaking()) {
      const reader = await this.#context.reader(channel);
      list.push({ displayName, readCap: isHistoryOpen ? reader.readCap() : reader.capFromHere() });
    }
    return list;
  }

  /** The list for a newcomer, as far as it fits into one box; we are the first. @internal */
  async answer(record: ExchangeRecord): Promise<Bytes> {
    const all = await this.#allMembers(record.isHistoryOpen);
    return encodeKatzenqtMembers(all.slice(0, this.#fitting(all)));
  }

  #fitting(all: readonly KatzenqtMember[]): number {
    const room = this.#context.boxLength() - SEAL_OVERHEAD;
    let count = 1;
    while (count < all.length && encodeKatzenqtMembers(all.slice(0, count + 1)).length <= room) {
      count++;
    }
    return count;
  }

  /** @internal */
  finish(draft: Draft, record: ExchangeRecord, answer: Bytes | null): Partial<ExchangeRecord> {
    if (answer) {
      const members = decodeKatzenqtMembers(answer);
      if (members.length === 0) throw new ProtocolError("the answer names no member");
      for (const { readCap } of members) checkCap(readCap);
      this.#context.compose(draft, [
        {
          kind: "writer",
          name: this.ownChannel,
          writeCap: record.messageWriteCap!,
          format: this.format,
        },
      ]);
      const own = rootOf(readCapOf(record.messageWriteCap!));
      for (const member of members) {
        if (rootOf(member.readCap) !== own) this.#compose(draft, member);
      }
      return { theirName: members[0]!.displayName };
    }
    const displayName = fitName(record.theirName);
    const newcomer = { displayName, readCap: record.theirReadCap! };
    this.#compose(draft, newcomer);
    const writer = this.#context.writerNow(this.ownChannel);
    // To everybody; and for the newcomer those who had no room in the answer.
    const rest = this.#introductions(record);
    for (const member of [newcomer, ...rest]) {
      const bytes = encodeKatzenqtMessage({ type: "introduction", member });
      this.#induction.push(writer.composeMessage(draft, bytes));
    }
    return {};
  }

  /** Members whom the newcomer was not told of in the answer. */
  #introductions(record: ExchangeRecord): KatzenqtMember[] {
    const all: KatzenqtMember[] = [
      {
        displayName: this.displayName,
        readCap: this.#context.writerNow(this.ownChannel).readCap(),
      },
    ];
    for (const { displayName, channel } of this.#speaking()) {
      const reader = this.#context.readerNow(channel);
      const readCap = record.isHistoryOpen ? reader.readCap() : reader.capFromHere();
      all.push({ displayName, readCap });
    }
    return all.slice(this.#fitting(all));
  }

  /** @internal */
  async finished(): Promise<void> {
    if (!this.#context.writers.has(this.ownChannel)) await this.#context.appear([this.ownChannel]);
    await this.#appear();
    const writer = await this.#context.writer(this.ownChannel);
    for (const delivery of this.#induction.splice(0)) writer.committedMessage(delivery);
    this.#context.scheduler.sent();
  }

  /** Adds a member to a transaction, unless it is known. */
  #compose(draft: Draft, { displayName, readCap }: KatzenqtMember): void {
    if (this.#isKnown(readCap)) return;
    const root = rootOf(readCap);
    let n = this.#members.size + this.#coming.length + 1;
    while (this.#context.has(`${this.ownChannel}: ${n}`)) n++;
    const channel = `${this.ownChannel}: ${n}`;
    this.#context.compose(draft, [{ kind: "reader", name: channel, readCap }]);
    draft.put(`member!${this.#key}!${keyNumber(n)}`, { displayName, channel, root });
    this.#coming.push({ displayName, channel, root, readCap });
  }

  /** Whether a member's stream is read already, from whichever place on. */
  #isKnown(readCap: ReadCap): boolean {
    const root = rootOf(readCap);
    const caps = this.#coming
      .filter((member) => member.root === root)
      .map((member) => member.readCap);
    for (const { root: other, channel } of this.#members.values()) {
      if (other === root) caps.push(this.#context.readerNow(channel).readCap());
    }
    return caps.some((cap) => isSameStream(cap, readCap));
  }

  async #appear(): Promise<void> {
    const members = this.#coming;
    this.#coming = [];
    await this.#context.appear(members.map(({ channel }) => channel));
    for (const { displayName, channel, root } of members) {
      this.#members.set(channel, { displayName, channel, root });
    }
    for (const listener of this.#listeners) listener();
  }

  /**
   * Sends to all members; durable here when it resolves.
   * @param message a text, or another message of a conversation. Which messages were seen before it is
   * added (`after`), so that others can show them in their order.
   * @throws as `Writer.send`; InvalidStateError when the group is not joined yet.
   */
  async send(message: string | KatzenqtMessage): Promise<Delivery> {
    this.#context.checkOpen();
    if (!this.isJoined) {
      throw new InvalidStateError(`group ${JSON.stringify(this.name)} is not joined yet`);
    }
    const writer = await this.#context.writer(this.ownChannel);
    const words: KatzenqtMessage =
      typeof message === "string" ? { type: "text", text: message } : message;
    const after = words.after ?? this.#causes();
    const bytes = encodeKatzenqtMessage({ ...words, after });
    const delivery = await writer.send(bytes);
    for (const [channel, id] of this.#seen) this.#named.set(channel, id);
    return delivery;
  }

  /** What was seen since our last message; of members who share a name nothing, for it tells nothing. */
  #causes(): KatzenqtCause[] {
    const causes: KatzenqtCause[] = [];
    for (const { channel, displayName } of this.#speaking()) {
      const id = this.#seen.get(channel);
      if (id === undefined || this.#named.get(channel) === id) continue;
      if (this.#memberNamed(displayName)) causes.push({ name: displayName, id });
    }
    return causes.slice(-MAX_CAUSES);
  }

  /** The one member of that name; null when there is none, or several. */
  #memberNamed(name: string): SavedMember | null {
    const named = this.#speaking().filter((member) => member.displayName === name);
    return named.length === 1 && name !== this.displayName ? named[0]! : null;
  }

  /**
   * The messages of all other members as they come. A message waits until those that its sender had
   * seen were handed out, for a minute at most: they may be lost. Members who are introduced are read
   * from then on. As with `Reader.messages` asking for the next message acknowledges the one before,
   * and what was not acknowledged comes again after a crash.
   */
  async *messages(options?: {
    /** Aborting ends the loop with the signal's reason. */
    readonly signal?: AbortSignal | undefined;
  }): AsyncGenerator<GroupMessage, void, undefined> {
    this.#context.checkOpen();
    const signal = options?.signal;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal!.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort, { once: true });
    const ends = new Map<string, End>();
    let onMember = (): void => {};
    const listener = (): void => onMember();
    this.#listeners.add(listener);
    try {
      for (;;) {
        await this.#follow(ends, stop.signal);
        const end = this.#next(ends);
        if (!end) {
          const timer = new AbortController();
          const holds = [...ends.values()].some(({ head }) => head !== null);
          await Promise.race([
            new Promise<void>((resolve) => (onMember = resolve)),
            ...[...ends.values()].map(({ pending }) => pending ?? new Promise<never>(() => {})),
            ...(holds ? [this.#context.clock.sleep(1000, timer.signal).catch(() => {})] : []),
          ]);
          timer.abort();
          continue;
        }
        const { sender, box, message } = end.head!;
        if (message?.type === "introduction") await this.#introduced(message.member);
        // Before it is handed out: anyone who answers at once has seen it.
        this.#seen.set(sender.channel, box.id);
        yield { sender, id: box.id, message, box };
        await box.ack();
        end.head = null;
      }
    } finally {
      this.#listeners.delete(listener);
      signal?.removeEventListener("abort", onAbort);
      stop.abort();
      await Promise.allSettled([...ends.values()].map(async (end) => end.iterator.return?.()));
    }
  }

  /** Has every member's channel asked for its next message. */
  async #follow(ends: Map<string, End>, signal: AbortSignal): Promise<void> {
    for (const member of this.#members.values()) {
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
      });
      // Who waits for it hears of a failure; nobody does once the loop has ended.
      end.pending.catch(() => {});
    }
    // What the store has already comes in this turn or soon after it.
    await this.#context.clock.sleep(0);
  }

  /** The channel whose message is to be handed out now. */
  #next(ends: Map<string, End>): End | null {
    const now = this.#context.clock.monotonic();
    let oldest: End | null = null;
    for (const end of ends.values()) {
      if (!end.head) continue;
      if (this.#isDue(end.head.message)) return end;
      if (
        now - end.head.heldAt >= HOLD_MS &&
        (oldest?.head?.heldAt ?? Infinity) > end.head.heldAt
      ) {
        oldest = end;
      }
    }
    return oldest;
  }

  #isDue(message: KatzenqtMessage | null): boolean {
    return (message?.after ?? []).every(({ name, id }) => {
      const member = this.#memberNamed(name);
      return !member || (this.#seen.get(member.channel) ?? -1n) >= id;
    });
  }

  async #introduced(member: KatzenqtMember): Promise<void> {
    const writer = await this.#context.writer(this.ownChannel);
    try {
      checkCap(member.readCap);
    } catch (error) {
      if (hasCode(error, "ERR_PROTOCOL")) return;
      throw error;
    }
    if (rootOf(member.readCap) === rootOf(writer.readCap()) || this.#isKnown(member.readCap))
      return;
    await this.#context.store.commit((draft) => this.#compose(draft, member));
    await this.#appear();
  }

  /** @internal */
  async leave(): Promise<void> {
    for (const name of this.#contacts.exchangesOf(this.name)) await this.#contacts.drop(name);
    const channels = [this.ownChannel, ...this.#members.keys()];
    for (const channel of channels) {
      if (this.#context.has(channel)) await this.#context.deleteChannel(channel);
    }
    const keys = [`group!${this.#key}`];
    for await (const key of this.#context.store.keys(`member!${this.#key}!`)) keys.push(key);
    await this.#context.store.commit((draft) => {
      for (const key of keys) draft.delete(key);
    });
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

/** Whether two ReadCaps of one root key lead through the same boxes, from whichever place on. */
function isSameStream(one: ReadCap, other: ReadCap): boolean {
  const [first, second] = [firstIndexOf(one), firstIndexOf(other)];
  const distance = messageBoxCounter(second) - messageBoxCounter(first);
  const [from, to] = distance >= 0n ? [first, second] : [second, first];
  // A stranger's counter may be as far away as it likes.
  if (distance > MAX_DISTANCE || distance < -MAX_DISTANCE) return true;
  return equalBytes(advanceMessageBoxIndex(from, messageBoxCounter(to)), to);
}

/** What a member is known by; opening a voucher does not change it. */
function rootOf(readCap: ReadCap): string {
  return toHex(rootPublicKeyOf(readCap));
}

function checkCap(readCap: ReadCap): void {
  try {
    parseReadCap(readCap);
  } catch (cause) {
    throw new ProtocolError("a member's ReadCap is malformed", { cause });
  }
}

/** A newcomer's name as others can take it. */
function fitName(name: string | null): string {
  return (
    Array.from(name ?? "")
      .slice(0, KATZENQT_MAX_DISPLAY_NAME)
      .join("") || "newcomer"
  );
}

function checkGroup(name: string, options: GroupOptions): void {
  if (typeof name !== "string") throw new TypeError("`name` must be a string");
  if (name.length < 1 || name.length > MAX_NAME_LENGTH) {
    throw new RangeError(`\`name\` must be 1 to ${MAX_NAME_LENGTH} characters, got ${name.length}`);
  }
  checkOptions("options", options, ["displayName", "format"]);
  checkDisplayName("options.displayName", options.displayName);
  const { format } = options;
  if (format === undefined || format === "native" || format === "katzenqt") return;
  throw new TypeError(`\`options.format\` must be "native" or "katzenqt", got ${String(format)}`);
}

function savedMember(stored: CborValue): SavedMember {
  return {
    displayName: field(stored, "displayName", isText),
    channel: field(stored, "channel", isText),
    root: field(stored, "root", isText),
  };
}

const isText = (value: CborValue): value is string => typeof value === "string";
