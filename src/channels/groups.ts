/**
 * Groups: one channel for each member, which all others read. A member who admits a newcomer tells
 * all others on its own channel, so that everybody reads the newcomer. Messages are in katzenqt's
 * form, so its users and ours can share a group.
 */
import { type Bytes, type PlainBytes, checkBytes, copyBytes, equalBytes } from "../bytes/bytes.js";
import type { ReadCap } from "../bytes/opaque.js";
import { checkFlag, checkOptions } from "../bytes/options.js";
import type { CborValue } from "../cbor/cbor.js";
import { firstIndexOf, generateKeypair, parseReadCap } from "../bacap/capabilities.js";
import { ChannelExistsError, ChannelNotFoundError } from "../errors/channel-errors.js";
import { InvalidStateError, ProtocolError, hasCode } from "../errors/errors.js";
import type { Contacts, ContactsContext } from "./contacts.js";
import type { ChannelFormat } from "./framing.js";
import { Introductions } from "./introductions.js";
import {
  KATZENQT_MAX_DISPLAY_NAME,
  type KatzenqtMember,
  type KatzenqtMessage,
  checkDisplayName,
  decodeKatzenqtMembers,
  encodeKatzenqtMembers,
  encodeKatzenqtMessage,
} from "./katzenqt.js";
import { type GroupMember, type GroupMessage, MessageOrder } from "./message-order.js";
import { type Draft, field, keyNumber, numberOfKey, isText } from "./store.js";
import { KnownStreams, resultOf, rootOf } from "./known-streams.js";
import { isNearEnd } from "./stream-end.js";
import {
  type ExchangeHooks,
  type ExchangeRecord,
  type VoucherExchange,
  blankRecord,
} from "./voucher-exchange.js";
import type { Delivery } from "./delivery.js";
import type { Writer } from "./writer.js";

const VOUCHER_LENGTH = 32;
/** The default format of a group's messages, which katzenqt can read. */
const DEFAULT_FORMAT: ChannelFormat = "katzenqt";
const MAX_NAME_LENGTH = 150;
const NEXT_KEY = "meta!nextGroup";
/** How many bytes sealing adds to a list of members. */
const SEAL_OVERHEAD = 359;
/**
 * The most streams that one group reads. Each is asked for in turn, so a member who announced
 * thousands would make the others' messages hours late.
 */
const MAX_MEMBERS = 256;

/** Options of {@link Groups.create} and {@link Groups.join}. */
export interface GroupOptions {
  /** Our name as the others see it: 1 to 30 characters. */
  readonly displayName: string;
  /** How our messages are written; `katzenqt` by default, so that its users can read them. */
  readonly format?: ChannelFormat | undefined;
}

/** A group in the store. */
export interface GroupInfo {
  /** Its name in this store; the other members do not see it. */
  readonly name: string;
  /** Whether we can send: we created the group, or our voucher was answered. */
  readonly isJoined: boolean;
  /** Why joining failed and what to do; null if it did not. */
  readonly failure: string | null;
}

/** A newcomer who is being admitted: {@link Group.induct}. */
export interface Induction {
  /**
   * Resolves with the newcomer's display name when the answer is stored. The newcomer chose it: show
   * it with care.
   * @throws (rejects) InvalidStateError when the newcomer cannot be admitted, the group was left, or
   * the channels were closed.
   */
  taken(options?: {
    /** Aborting ends the wait with the signal's reason; the induction continues. */
    readonly signal?: AbortSignal | undefined;
  }): Promise<string>;
}

interface SavedGroup {
  readonly key: string;
  readonly name: string;
  readonly displayName: string;
  readonly format: ChannelFormat;
}

interface SavedMember extends GroupMember {
  /** The public root key of its stream, as text. It identifies the member. */
  readonly root: string;
}

/** A member whose channel is not in use yet. */
interface ComingMember extends SavedMember {
  readonly readCap: ReadCap;
}

interface Addition {
  readonly members: readonly ComingMember[];
  readonly deliveries: readonly Delivery[];
}

/** Records that are deleted together with channels. */
export interface MoreRecords {
  readonly keys: readonly string[];
  /** The beginnings of further keys. */
  readonly prefixes: readonly string[];
}

/** What groups need from the channels around them. */
export interface GroupsContext extends ContactsContext {
  readonly boxLength: () => number;
  /** Deletes channels and other records in one transaction. */
  deleteChannels(names: readonly string[], more: MoreRecords): Promise<void>;
  /** Says that a message is in the outbox of a channel, so that answers may come soon. */
  sent(name: string): void;
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

  /** Sends again what the network may have lost: it may be another one. @internal */
  sendAgain(): void {
    for (const group of this.#groups.values()) group.sendAgain();
  }

  /** Reads everything again after a failed commit. @internal */
  async reload(): Promise<void> {
    for (const group of this.#groups.values()) await group.reload();
    this.#nextKey = Number((await this.#context.store.get(NEXT_KEY)) ?? 0);
  }

  /** The hooks of vouchers that belong to groups. @internal */
  readonly hooks: ExchangeHooks = {
    names: ({ group, role }) => (role === "newcomer" ? [ownChannelOf(group!)] : []),
    answer: async (record) => this.#of(record).answer(record),
    finish: (draft, record, answer) => this.#of(record).finish(draft, record, answer),
    finished: async (record) => this.#of(record).finished(record),
  };

  #of(record: ExchangeRecord): Group {
    const group = this.#groups.get(record.group!);
    if (group) return group;
    throw new InvalidStateError(`group ${JSON.stringify(record.group)} was left`);
  }

  /**
   * Creates a group whose only member is the caller. It needs no network.
   * @param name the group's name in this store, 1 to 150 characters.
   * @throws TypeError, RangeError for wrong arguments; ChannelExistsError when the name is taken.
   */
  async create(name: string, options: GroupOptions): Promise<Group> {
    this.#context.checkOpen();
    checkGroup(name, options);
    this.#checkFree(name);
    const channel = ownChannelOf(name);
    this.#context.reserve([channel]);
    try {
      let group: Group | null = null;
      await this.#context.store.commit((draft) => {
        group = this.#compose(draft, name, options);
        const { writeCap } = generateKeypair();
        const { format } = group;
        this.#context.compose(draft, [{ kind: "writer", name: channel, writeCap, format }]);
      });
      this.#groups.set(name, group!);
    } finally {
      this.#context.release([channel]);
    }
    await this.#context.appear([channel]);
    return this.#groups.get(name)!;
  }

  /**
   * Makes a voucher for joining a group; a member admits us with `Group.induct`. Both sides
   * continue after a restart. Making it takes the daemon seconds.
   * @returns the group; hand its `voucher` to a member, in private.
   * @throws as {@link create}; what `voucherMint` throws.
   */
  async join(name: string, options: GroupOptions): Promise<Group> {
    checkGroup(name, options);
    this.#checkFree(name);
    let group: Group | null = null;
    await this.#contacts.begin(
      [ownChannelOf(name)],
      async () => {
        const { writeCap } = generateKeypair();
        const { format = DEFAULT_FORMAT } = options;
        const minted = await this.#context.client.voucherMint(writeCap, options.displayName);
        return {
          ...blankRecord(`join ${name}`, "newcomer", options.displayName, format),
          state: "minted",
          group: name,
          voucher: minted.voucher,
          streamWriteCap: minted.voucherWriteCap,
          payload: minted.voucherPayload,
          secretKey: minted.voucherSecretKey,
          messageWriteCap: writeCap,
        };
      },
      // In the same transaction: a group without its voucher could never be joined.
      (draft) => (group = this.#compose(draft, name, options)),
    );
    this.#groups.set(name, group!);
    return group!;
  }

  #checkFree(name: string): void {
    if (!this.#groups.has(name)) return;
    throw new ChannelExistsError(
      `there is already a group ${JSON.stringify(name)}; open it with groups.get(), or choose ` +
        "another name",
    );
  }

  /** Adds the record of a group to a transaction. @throws ChannelExistsError. */
  #compose(draft: Draft, name: string, options: GroupOptions): Group {
    this.#checkFree(name);
    const { displayName, format = DEFAULT_FORMAT } = options;
    const key = keyNumber(this.#nextKey++);
    draft.put(NEXT_KEY, this.#nextKey);
    draft.put(`group!${key}`, { name, displayName, format });
    return new Group(this.#context, this.#contacts, { key, name, displayName, format });
  }

  /** A group. @throws ChannelNotFoundError. */
  async get(name: string): Promise<Group> {
    this.#context.checkOpen();
    const group = this.#groups.get(name);
    if (group) return group;
    throw new ChannelNotFoundError(
      `the store has no group ${JSON.stringify(name)}; groups.list() shows its groups`,
    );
  }

  /**
   * The channels on which answers to a group's own channel come; null if it is none. @internal
   */
  answersTo(channel: string): Iterable<string> | null {
    for (const group of this.#groups.values()) {
      if (group.ownChannel === channel) return group.memberChannels();
    }
    return null;
  }

  /** The channels of the members of all groups. @internal */
  *channelsToRead(): Iterable<string> {
    for (const group of this.#groups.values()) yield* group.memberChannels();
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
   * Deletes a group from this store, with its channels and read messages. It does not tell the
   * others.
   * @throws ChannelNotFoundError.
   */
  async leave(name: string): Promise<void> {
    const group = await this.get(name);
    await group.leave();
    this.#groups.delete(name);
  }

  /** The group that a channel belongs to; null if it is none. @internal */
  groupWith(channel: string): string | null {
    for (const group of this.#groups.values()) {
      if (group.ownChannel === channel || group.hasMember(channel)) return group.name;
    }
    return null;
  }

  /** Ends all loops over messages. @internal */
  close(): void {
    for (const group of this.#groups.values()) group.close();
  }
}

/** A group: our channel, and those of the other members. */
export class Group {
  /** Its name in this store. */
  readonly name: string;
  /** Our name as the others see it. */
  readonly displayName: string;
  /** The format of our messages. */
  readonly format: ChannelFormat;
  readonly #context: GroupsContext;
  readonly #contacts: Contacts;
  readonly #key: string;
  /** Members by channel. */
  readonly #members = new Map<string, SavedMember>();
  /** Members whose transaction is in progress. */
  #coming: ComingMember[] = [];
  readonly #order: MessageOrder;
  readonly #kept: Introductions;
  readonly #knownStreams = new KnownStreams();
  /** What the end of an exchange adds to the group, until that is durable. */
  readonly #finishing = new WeakMap<ExchangeRecord, Addition>();
  /** The channels of the members that answers to newcomers named, by exchange. */
  readonly #told = new Map<string, ReadonlySet<string>>();
  #leaving: Promise<void> | null = null;

  /** @internal */
  constructor(context: GroupsContext, contacts: Contacts, saved: SavedGroup) {
    this.#context = context;
    this.#contacts = contacts;
    this.#key = saved.key;
    this.name = saved.name;
    this.displayName = saved.displayName;
    this.format = saved.format;
    const { client, store, scheduler, clock } = context;
    this.#order = new MessageOrder({
      clock,
      scheduler,
      checkOpen: () => this.#checkOpen(),
      displayName: this.displayName,
      members: () => this.#members.values(),
      speaking: () => this.#speaking(),
      reader: (channel) => context.reader(channel),
      readerNow: (channel) => context.readerNow(channel),
      introduced: (member) => this.#introduced(member),
    });
    const writer = (): Writer | undefined => context.writers.get(this.ownChannel);
    this.#kept = new Introductions({ client, store, scheduler, writer }, saved.key);
  }

  /** @internal */
  async load(): Promise<void> {
    await this.#kept.load();
    for await (const [, stored] of this.#context.store.records(`member!${this.#key}!`)) {
      const member = savedMember(stored);
      this.#members.set(member.channel, member);
    }
  }

  /** @internal */
  async reload(): Promise<void> {
    await this.load();
    // The commit that failed may be stored all the same; then its members are still to appear.
    this.#coming = this.#coming.filter(({ channel }) => this.#members.delete(channel));
  }

  /** The channel that we send on: `Channels.writer`. */
  get ownChannel(): string {
    return ownChannelOf(this.name);
  }

  /** The channels of the other members. @internal */
  memberChannels(): Iterable<string> {
    return this.#members.keys();
  }

  /** Whether a channel is one of a member. @internal */
  hasMember(channel: string): boolean {
    return this.#members.has(channel);
  }

  /** @throws InvalidStateError when the channels are closed, or the group is left. */
  #checkOpen(): void {
    this.#context.checkOpen();
    this.#checkNotLeft();
  }

  /** Called in each transaction that adds to the group. @throws InvalidStateError. */
  #checkNotLeft(): void {
    if (!this.#leaving) return;
    throw new InvalidStateError(`group ${JSON.stringify(this.name)} was left`);
  }

  get #joining(): VoucherExchange | null {
    return this.#contacts.exchange(`join ${this.name}`);
  }

  /** Whether we can send: we created the group, or a member answered our voucher. */
  get isJoined(): boolean {
    return this.#context.has(this.ownChannel);
  }

  /** Why joining failed and what to do; null if it did not. */
  get failure(): string | null {
    return this.#joining?.record.failure ?? null;
  }

  /**
   * The 32 bytes to hand to a member, in private; null if none is needed, or if it was answered.
   */
  get voucher(): Bytes | null {
    const voucher = this.#joining?.record.voucher;
    return voucher ? copyBytes(voucher) : null;
  }

  /**
   * Resolves when a member has answered our voucher. @throws InvalidStateError when joining failed.
   */
  async joined(
    options: {
      /** Aborting ends the wait with the signal's reason; joining continues. */
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<void> {
    checkOptions("options", options, ["signal"]);
    await this.#joining?.over(options.signal);
    this.#context.checkOpen();
    if (this.isJoined) return;
    throw new InvalidStateError(
      `group ${JSON.stringify(this.name)} was not joined: ${this.failure ?? "it was left"}`,
    );
  }

  /** The other members, in the order in which we learned of them. */
  members(): readonly GroupMember[] {
    return this.#speaking().map(({ displayName, channel }) => ({ displayName, channel }));
  }

  get #isFull(): boolean {
    return this.#members.size + this.#coming.length >= MAX_MEMBERS;
  }

  /**
   * The members, each with one channel. katzenqt passes on the ReadCap that a member had before its
   * voucher was opened. Nothing is ever written there, and we learn the right one later. Only an
   * arriving message shows which of the two is right.
   */
  #speaking(): SavedMember[] {
    return this.#streams((same) => [same.at(-1)!]);
  }

  /**
   * The members with all streams that may be theirs. A newcomer is told all of them, because any
   * member may announce a wrong one last.
   */
  #perhapsSpeaking(): SavedMember[] {
    return this.#streams((same) => same);
  }

  /** @param ofSilent chooses from the streams of one root key, of which none has a message yet. */
  #streams(ofSilent: (same: SavedMember[]) => SavedMember[]): SavedMember[] {
    const byRoot = new Map<string, SavedMember[]>();
    for (const member of this.#members.values()) {
      const same = byRoot.get(member.root);
      if (same) same.push(member);
      else byRoot.set(member.root, [member]);
    }
    const hasSpoken = ({ channel }: SavedMember): boolean =>
      this.#context.has(channel) && this.#context.readerNow(channel).acknowledged !== null;
    const chosen = new Set<SavedMember>();
    for (const same of byRoot.values()) {
      const speaking = same.length === 1 ? same : same.filter(hasSpoken);
      for (const member of speaking.length > 0 ? speaking : ofSilent(same)) chosen.add(member);
    }
    return [...this.#members.values()].filter((member) => chosen.has(member));
  }

  /**
   * Admits a newcomer: answers the voucher with the list of members, and tells the others. It is
   * durable here when this resolves, and continues after a restart.
   * For a week the others are told again if the network has lost it, as an embedded one without a
   * data directory does when it ends.
   * @param voucher 32 bytes, from the newcomer.
   * @param options `history`: whether the newcomer can read earlier messages; `true` by default.
   * @throws TypeError, RangeError; InvalidStateError when we are not a member yet or not any more,
   * know the voucher, or read 256 members already.
   */
  async induct(
    voucher: PlainBytes,
    options: {
      /** Whether the newcomer can read earlier messages; `true` by default. */
      readonly history?: boolean | undefined;
    } = {},
  ): Promise<Induction> {
    this.#checkOpen();
    checkBytes("voucher", voucher, VOUCHER_LENGTH);
    checkOptions("options", options, ["history"]);
    checkFlag("options.history", options.history, true);
    if (!this.isJoined) {
      throw new InvalidStateError(
        `group ${JSON.stringify(this.name)} was not joined yet: wait for joined()`,
      );
    }
    if (this.#isFull) {
      throw new InvalidStateError(
        `group ${JSON.stringify(this.name)} reads ${MAX_MEMBERS} members, which is the most; ` +
          "create another group for the newcomer",
      );
    }
    this.#contacts.checkUnknown(voucher);
    // Named by a number: the voucher is secret, and a part of its hash would not be clearer.
    const name = this.#contacts.freeName(`induct ${this.name}`);
    const record: ExchangeRecord = {
      ...blankRecord(name, "member", this.displayName, this.format),
      state: "received",
      group: this.name,
      isHistoryOpen: options.history !== false,
      voucher: copyBytes(voucher),
    };
    const make = async (): Promise<ExchangeRecord> => record;
    const exchange = await this.#contacts.begin([], make, () => this.#checkNotLeft());
    return {
      taken: async (waiting = {}) => {
        checkOptions("options", waiting, ["signal"]);
        await exchange.over(waiting.signal);
        const { state, failure, theirName } = exchange.record;
        if (state === "answered") return theirName!;
        this.#checkOpen();
        throw new InvalidStateError(`the newcomer was not admitted: ${failure}`);
      },
    };
  }

  /** The other members as a newcomer is told them, with the channels on which we read them. */
  #othersFor({ isHistoryOpen }: ExchangeRecord): (KatzenqtMember & { readonly channel: string })[] {
    return this.#perhapsSpeaking().map(({ displayName, channel }) => {
      const reader = this.#context.readerNow(channel);
      const readCap = isHistoryOpen ? reader.readCap() : reader.capFromHere();
      return { displayName, readCap, channel };
    });
  }

  /** The list for a newcomer, as far as it fits into one box; we come first. @internal */
  async answer(record: ExchangeRecord): Promise<Bytes> {
    const writer = await this.#context.writer(this.ownChannel);
    const { readCap } = await writer.invitation({ history: record.isHistoryOpen });
    const own: KatzenqtMember = { displayName: this.displayName, readCap };
    const others = this.#othersFor(record);
    const all = [own, ...others];
    const count = this.#fitting(all);
    this.#told.set(record.name, new Set(others.slice(0, count - 1).map(({ channel }) => channel)));
    return encodeKatzenqtMembers(all.slice(0, count));
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
      const own = rootOf(record.messageWriteCap!);
      const added: ComingMember[] = [];
      for (const member of members) {
        if (rootOf(member.readCap) === own || resultOf(this.#isKnown(member.readCap))) continue;
        added.push(this.#compose(draft, member));
      }
      this.#finishing.set(record, { members: added, deliveries: [] });
      return { theirName: members[0]!.displayName };
    }
    // Before anything is changed.
    this.#context.writerNow(this.ownChannel).checkUsable();
    const displayName = fitName(record.theirName);
    const newcomer = { displayName, readCap: record.theirReadCap! };
    checkCap(newcomer.readCap);
    const isNew = !resultOf(this.#isKnown(newcomer.readCap));
    const members = isNew ? [this.#compose(draft, newcomer)] : [];
    const writer = this.#context.writerNow(this.ownChannel);
    // The newcomer is introduced to everybody; the newcomer also needs the members that did not fit
    // into the answer.
    const rest = this.#introductions(record);
    const deliveries: Delivery[] = [];
    for (const member of [newcomer, ...rest]) {
      const bytes = encodeKatzenqtMessage({ type: "introduction", member });
      const index = writer.nextIndex;
      deliveries.push(writer.composeMessage(draft, bytes));
      this.#kept.keep(draft, rootOf(member.readCap), bytes, index);
    }
    this.#finishing.set(record, { members, deliveries });
    return { theirChannel: members[0]?.channel ?? null };
  }

  /**
   * The members that the answer to the newcomer left out; all, if the answer was made before a
   * restart. Whoever knows a member ignores that it is introduced.
   */
  #introductions(record: ExchangeRecord): KatzenqtMember[] {
    const told = this.#told.get(record.name);
    return this.#othersFor(record).filter(({ channel }) => told?.has(channel) !== true);
  }

  /** @internal */
  async finished(record: ExchangeRecord): Promise<void> {
    const { members, deliveries } = this.#finishing.get(record)!;
    this.#told.delete(record.name);
    this.#context.release([this.ownChannel]);
    if (!this.#context.writers.has(this.ownChannel)) await this.#context.appear([this.ownChannel]);
    await this.#appear(members);
    const writer = await this.#context.writer(this.ownChannel);
    for (const delivery of deliveries) writer.committedMessage(delivery);
    this.#context.sent(this.ownChannel);
  }

  /** Adds a member, which is not known yet, to a transaction; call {@link #appear} after it. */
  #compose(draft: Draft, { displayName, readCap }: KatzenqtMember): ComingMember {
    const root = rootOf(readCap);
    let n = this.#members.size + this.#coming.length + 1;
    while (this.#context.isTaken(`${this.ownChannel}: ${n}`)) n++;
    const channel = `${this.ownChannel}: ${n}`;
    this.#context.compose(draft, [{ kind: "reader", name: channel, readCap }]);
    draft.put(`member!${this.#key}!${keyNumber(n)}`, { displayName, channel, root });
    const member = { displayName, channel, root, readCap };
    this.#coming.push(member);
    return member;
  }

  /** The capabilities with a root key of members, and of those whose transaction is in progress. */
  #capsOf(root: string): ReadCap[] {
    const coming = this.#coming.filter((member) => member.root === root);
    const members = [...this.#members.values()].filter((member) => member.root === root);
    return [
      ...coming.map(({ readCap }) => readCap),
      ...members.map(({ channel }) => this.#context.readerNow(channel).readCap()),
    ];
  }

  /** Whether a member's stream is read already, or must not be. It yields now and then. */
  #isKnown(readCap: ReadCap): Generator<undefined, boolean> {
    return this.#knownStreams.has(readCap, this.#capsOf(rootOf(readCap)));
  }

  /** Reads members whose transaction is durable. */
  async #appear(members: readonly ComingMember[]): Promise<void> {
    await this.#context.appear(members.map(({ channel }) => channel));
    this.#coming = this.#coming.filter((member) => !members.includes(member));
    for (const { displayName, channel, root } of members) {
      this.#members.set(channel, { displayName, channel, root });
    }
    this.#order.memberAppeared();
  }

  /**
   * Sends to all members; durable here when it resolves.
   * @param message a text, or another message of a conversation. `send` adds the names of the
   * messages that were seen before it (`after`), so that others can show messages in their order.
   * @throws as `Writer.send`; InvalidStateError when the group was not joined yet, or was left.
   */
  async send(message: string | KatzenqtMessage): Promise<Delivery> {
    this.#checkOpen();
    if (!this.isJoined) {
      throw new InvalidStateError(
        `group ${JSON.stringify(this.name)} was not joined yet: wait for joined()`,
      );
    }
    const writer = await this.#context.writer(this.ownChannel);
    const words: KatzenqtMessage =
      typeof message === "string" ? { type: "text", text: message } : message;
    const after = words.after ?? this.#order.causes();
    const seen = this.#order.seen();
    const bytes = encodeKatzenqtMessage({ ...words, after });
    const delivery = await writer.send(bytes);
    this.#order.sent(seen);
    return delivery;
  }

  /**
   * The messages of all other members as they come. A message waits until the messages that its
   * sender had seen were yielded, for a minute at most, because they may be lost; after a long wait,
   * the next ones of that member do not wait for a minute. Members who are introduced are read from
   * then on, up to 256; the same member may be introduced several times. As with `Reader.messages`,
   * asking for the next message acknowledges the one before, and a message that was not acknowledged
   * comes again after a crash.
   * @throws (rejects) as `Reader.messages`; InvalidStateError when the group was left; TypeError for
   * an unknown option.
   */
  async *messages(
    options: {
      /** Aborting ends the loop with the signal's reason. */
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): AsyncGenerator<GroupMessage, void, undefined> {
    checkOptions("options", options, ["signal"]);
    this.#checkOpen();
    yield* this.#order.messages(options.signal);
  }

  async #introduced(member: KatzenqtMember): Promise<void> {
    const writer = await this.#context.writer(this.ownChannel);
    try {
      checkCap(member.readCap);
    } catch (error) {
      if (hasCode(error, "ERR_PROTOCOL")) return;
      throw error;
    }
    if (this.#isFull || rootOf(member.readCap) === rootOf(writer.readCap())) return;
    const known = this.#isKnown(member.readCap);
    for (;;) {
      const { done, value } = known.next();
      if (value === true) return;
      if (done) break;
      await this.#context.clock.sleep(0);
    }
    const added: ComingMember[] = [];
    await this.#context.store.commit((draft) => {
      this.#checkNotLeft();
      // Another loop over the messages may have added it meanwhile.
      const caps = this.#capsOf(rootOf(member.readCap));
      if (this.#isFull || caps.some((cap) => equalBytes(cap, member.readCap))) return;
      added.push(this.#compose(draft, member));
    });
    await this.#appear(added);
  }

  /** Sends again what the network may have lost. @internal */
  sendAgain(): void {
    this.#kept.check();
  }

  /** @internal */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave().catch((error: unknown) => {
      this.#leaving = null;
      throw error;
    });
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    // After this no transaction adds anything to the group.
    await this.#context.store.commit(() => {});
    for (const name of this.#contacts.exchangesOf(this.name)) await this.#contacts.drop(name);
    this.#context.release([this.ownChannel]);
    const members = [...this.#members.keys(), ...this.#coming.map(({ channel }) => channel)];
    await this.#context.deleteChannels([this.ownChannel, ...members], {
      keys: [`group!${this.#key}`],
      prefixes: [`member!${this.#key}!`, this.#kept.prefix],
    });
    this.#kept.close();
    this.close();
  }

  /** Ends the loops over its messages. @internal */
  close(): void {
    this.#order.close();
  }
}

/** The name of the channel that we send on to a group. */
function ownChannelOf(name: string): string {
  return `group ${name}`;
}

function checkCap(readCap: ReadCap): void {
  try {
    parseReadCap(readCap);
  } catch (cause) {
    throw new ProtocolError("a member's ReadCap is malformed", { cause });
  }
  if (isNearEnd(firstIndexOf(readCap))) {
    throw new ProtocolError("a member's stream begins at its end");
  }
}

/** Changes a newcomer's name to one that others accept. */
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
