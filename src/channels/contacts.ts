/**
 * Contacts: two channels, one in each direction, made by exchanging a voucher. The newcomer makes
 * the voucher, 32 bytes, and hands it over in private; the member answers it. After that both sides
 * have a writer and a reader. Somebody who saw the voucher on its way can read neither channel.
 */
import { type Bytes, type PlainBytes, checkBytes, copyBytes, equalBytes } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { firstIndexOf, generateKeypair, parseReadCap, readCapOf } from "../bacap/capabilities.js";
import { messageBoxCounter } from "../bacap/message-box-index.js";
import type { Clock } from "../clock/clock.js";
import { ChannelExistsError, ChannelNotFoundError } from "../errors/channel-errors.js";
import { InvalidStateError, ProtocolError } from "../errors/errors.js";
import type { ChannelClient } from "./channel-client.js";
import type { NewChannel } from "./channels.js";
import type { ChannelFormat } from "./framing.js";
import {
  type KatzenqtMember,
  checkDisplayName,
  decodeKatzenqtMembers,
  encodeKatzenqtMembers,
} from "./katzenqt.js";
import type { Reader } from "./reader.js";
import type { Scheduler } from "./scheduler.js";
import { type ChannelStore, type Draft, keyNumber, numberOfKey } from "./store.js";
import { rootOf } from "./known-streams.js";
import { isNearEnd } from "./stream-end.js";
import {
  type ExchangeHooks,
  type ExchangeRecord,
  VoucherExchange,
  type VoucherRole,
  type VoucherState,
  blankRecord,
  decodeRecord,
  encodeRecord,
  exchangeKey,
} from "./voucher-exchange.js";
import type { Writer } from "./writer.js";

const VOUCHER_LENGTH = 32;
/** The longest name of a contact. The names of its channels are this name with a short prefix. */
const MAX_NAME_LENGTH = 190;
const NEXT_KEY = "meta!nextContact";

/** Options of {@link Contacts.invite} and {@link Contacts.accept}. */
export interface ContactOptions {
  /** This side's name as the other side sees it: 1 to 30 characters. `anonymous` by default. */
  readonly displayName?: string | undefined;
  /** How this side writes its messages: see `WriterOptions`. */
  readonly format?: ChannelFormat | undefined;
}

/** A contact, complete or in progress. */
export interface ContactInfo {
  /** Its name in this store. */
  readonly name: string;
  /** `newcomer` made the voucher; `member` answers it. */
  readonly role: VoucherRole;
  /**
   * The progress of the exchange. It ends at `opened` (newcomer) or `answered` (member): then both
   * channels exist.
   */
  readonly state: VoucherState;
  /** The other side's name, chosen by them: show it with care. Null until it is known. */
  readonly displayName: string | null;
  /** Why the exchange failed and what to do; null if it did not. */
  readonly failure: string | null;
}

/** What contacts need from the channels around them. */
export interface ContactsContext {
  readonly client: ChannelClient;
  readonly store: ChannelStore;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  /**
   * Reserves names for channels that are made later. @throws ChannelExistsError when one is taken.
   */
  reserve(names: readonly string[]): void;
  release(names: readonly string[]): void;
  /** Makes channels as part of a transaction. @throws ChannelExistsError. */
  compose(draft: Draft, channels: readonly NewChannel[]): void;
  /** Loads channels whose transaction is durable. */
  appear(names: readonly string[]): Promise<void>;
  writer(name: string): Promise<Writer>;
  reader(name: string): Promise<Reader>;
  /** Like `writer` and `reader`, within a transaction. */
  writerNow(name: string): Writer;
  readerNow(name: string): Reader;
  readonly writers: ReadonlyMap<string, Writer>;
  /** Whether a channel with that name exists. */
  has(name: string): boolean;
  /** Whether a new channel cannot have that name: one exists, or the name is reserved. */
  isTaken(name: string): boolean;
  checkOpen(): void;
}

/** A contact: the exchange of a voucher and the channels that it makes. */
export class Contact {
  readonly #context: ContactsContext;
  readonly #exchange: VoucherExchange;

  /** @internal */
  constructor(context: ContactsContext, exchange: VoucherExchange) {
    this.#context = context;
    this.#exchange = exchange;
  }

  /** Its name in this store. */
  get name(): string {
    return this.#exchange.record.name;
  }

  /** Its current state. */
  get info(): ContactInfo {
    return infoOf(this.#exchange.record);
  }

  /**
   * The 32 bytes to hand to the other side, in private: anyone who has them can answer in its
   * place. Null if the other side made the voucher, or once the exchange has ended.
   */
  get voucher(): Bytes | null {
    const { voucher, role } = this.#exchange.record;
    return voucher && role === "newcomer" ? copyBytes(voucher) : null;
  }

  /**
   * Waits until both channels exist.
   * @param options `signal`: aborting ends the wait, not the exchange.
   * @throws InvalidStateError when the exchange failed, was cancelled, or the channels were closed.
   */
  async ready(
    options: {
      /** Aborting ends the wait with the signal's reason; the exchange continues. */
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<{
    /** Sends to the contact. */
    readonly writer: Writer;
    /** Reads what the contact sends. */
    readonly reader: Reader;
  }> {
    checkOptions("options", options, ["signal"]);
    this.#context.checkOpen();
    await this.#exchange.over(options.signal);
    const { state } = this.info;
    if (state !== "opened" && state !== "answered") throw this.#ended("has no channels");
    const [to, from] = channelNames(this.name);
    return { writer: await this.#context.writer(to), reader: await this.#context.reader(from) };
  }

  /**
   * Waits until the replicas have what this side writes for the voucher: the newcomer's payload, or
   * the member's answer, or after {@link Contacts.cancel} the deletion of the payload. Payload and
   * answer are written again after a restart, because a daemon with its own network may have lost
   * them: the payload until the answer is here, the answer for a week, or until something of the
   * newcomer was read.
   * @param options `signal`: aborting ends the wait, not the exchange.
   * @throws InvalidStateError when the exchange failed, or the channels were closed first.
   */
  async stored(
    options: {
      /** Aborting ends the wait with the signal's reason; the exchange continues. */
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<void> {
    checkOptions("options", options, ["signal"]);
    this.#context.checkOpen();
    await this.#exchange.written(options.signal);
    if (this.#exchange.isWritten) return;
    if (this.info.state !== "cancelled")
      throw this.#ended("does not exchange its voucher any more");
    throw new InvalidStateError(
      `the channels were closed before the voucher of contact ${JSON.stringify(this.name)} was ` +
        "deleted at the replicas; that continues when they are opened again",
    );
  }

  #ended(what: string): Error {
    const { state, failure } = this.info;
    const why =
      failure ?? (state === "cancelled" ? "it was cancelled" : "the channels were closed");
    return new InvalidStateError(`contact ${JSON.stringify(this.name)} ${what}: ${why}`);
  }
}

/** The contacts of a store. */
export class Contacts {
  readonly #context: ContactsContext;
  readonly #exchanges = new Map<string, VoucherExchange>();
  #nextKey = 0;
  /** The number of the next exchange of a group. */
  #serial = 0;
  /** Cancelled exchanges, whose vouchers are being deleted. */
  readonly #cancelled = new Set<VoucherExchange>();
  #isClosed = false;
  readonly #hooks: ExchangeHooks = {
    names: ({ name }) => channelNames(name),
    answer: async (record) =>
      encodeKatzenqtMembers([
        { displayName: record.ownName, readCap: readCapOf(record.messageWriteCap!) },
      ]),
    finish: (draft, record, answer) => this.#finish(draft, record, answer),
    finished: async ({ name }) => {
      this.#context.release(channelNames(name));
      await this.#context.appear(channelNames(name));
    },
  };

  /** @internal */
  constructor(context: ContactsContext) {
    this.#context = context;
  }

  /** The hooks for exchanges of groups. @internal */
  groupHooks: ExchangeHooks | null = null;

  /** Continues the exchanges in the store. @internal */
  async load(): Promise<void> {
    const { store } = this.#context;
    this.#nextKey = Number((await store.get(NEXT_KEY)) ?? 0);
    const unfinished: VoucherExchange[] = [];
    for await (const [key, stored] of store.records("contact!")) {
      const record = decodeRecord(stored);
      const exchange = this.#exchange(keyNumber(numberOfKey(key)), record);
      if (record.state === "cancelled") {
        unfinished.push(exchange);
        continue;
      }
      // The daemon may be another one than the last time.
      exchange.writeAgain();
      const isNeeded = !exchange.isOver || exchange.isBusy;
      if (record.group !== null && record.state === "answered" && !isNeeded) {
        // The newcomer is in the group, so the exchange is not needed.
        store.commitLazily((draft) => draft.delete(key));
        continue;
      }
      this.#exchanges.set(placeOf(record), exchange);
      if (!isNeeded) continue;
      if (!exchange.isOver) {
        const names = this.#hooksOf(record).names(record);
        this.#context.reserve(names.filter((name) => !this.#context.has(name)));
      }
      unfinished.push(exchange);
    }
    for (const exchange of unfinished) this.#start(exchange);
  }

  #exchange(key: string, record: ExchangeRecord): VoucherExchange {
    const { client, store, scheduler, clock } = this.#context;
    const hooks = this.#hooksOf(record);
    const hasHeard = (channel: string): boolean => this.#hasHeard(channel);
    return new VoucherExchange({ client, store, scheduler, clock, hooks, hasHeard }, key, record);
  }

  #hasHeard(channel: string): boolean {
    if (!this.#context.has(channel)) return true;
    // A channel whose transaction has just ended may not be in use yet.
    const reader: Reader | undefined = this.#context.readerNow(channel);
    if (!reader) return false;
    return reader.position > messageBoxCounter(firstIndexOf(reader.readCap()));
  }

  /** Writes again what the network may have lost: it may be another one. @internal */
  writeAgain(): void {
    for (const exchange of this.#exchanges.values()) exchange.writeAgain();
  }

  /** Something was read on a channel, or it was deleted. @internal */
  heard(channel: string): void {
    for (const exchange of this.#exchanges.values()) exchange.heard(channel);
  }

  #hooksOf({ group }: ExchangeRecord): ExchangeHooks {
    return group === null ? this.#hooks : this.groupHooks!;
  }

  #start(exchange: VoucherExchange): void {
    this.#context.scheduler.addWriter(exchange);
    this.#context.scheduler.addReader(exchange);
  }

  /**
   * Makes a voucher that somebody answers with {@link accept}. The voucher is durable here when
   * this resolves. From then on its payload is published and the answer awaited, also after the
   * channels were closed and opened again. Making it takes the daemon seconds.
   * @param name the contact's name in this store, 1 to 190 characters; its channels are named `to
   * NAME` and `from NAME`.
   * @throws TypeError, RangeError for wrong arguments; ChannelExistsError when a name is taken;
   * what `voucherMint` throws.
   */
  async invite(name: string, options: ContactOptions = {}): Promise<Contact> {
    const { ownName, format } = this.#check(name, options);
    const { client } = this.#context;
    return this.#add(name, async () => {
      const { writeCap } = generateKeypair();
      const minted = await client.voucherMint(writeCap, ownName);
      return {
        ...blankRecord(name, "newcomer", ownName, format),
        state: "minted",
        voucher: minted.voucher,
        streamWriteCap: minted.voucherWriteCap,
        payload: minted.voucherPayload,
        secretKey: minted.voucherSecretKey,
        messageWriteCap: writeCap,
      };
    });
  }

  /**
   * Answers a voucher. It is durable here when this resolves. The answer goes out as soon as the
   * newcomer's payload can be read.
   * @param voucher 32 bytes, from the newcomer. @param name as for {@link invite}.
   * @throws TypeError, RangeError for wrong arguments; ChannelExistsError when a name is taken;
   * InvalidStateError when the voucher was made here, or is already being answered.
   */
  async accept(voucher: PlainBytes, name: string, options: ContactOptions = {}): Promise<Contact> {
    checkBytes("voucher", voucher, VOUCHER_LENGTH);
    const { ownName, format } = this.#check(name, options);
    this.checkUnknown(voucher);
    const { writeCap } = generateKeypair();
    return this.#add(name, async () => ({
      ...blankRecord(name, "member", ownName, format),
      state: "received",
      voucher: copyBytes(voucher),
      messageWriteCap: writeCap,
    }));
  }

  #check(name: string, options: ContactOptions): { ownName: string; format: ChannelFormat } {
    this.#context.checkOpen();
    if (typeof name !== "string") throw new TypeError("`name` must be a string");
    if (name.length < 1 || name.length > MAX_NAME_LENGTH) {
      throw new RangeError(
        `\`name\` must be 1 to ${MAX_NAME_LENGTH} characters, got ${name.length}`,
      );
    }
    checkOptions("options", options, ["displayName", "format"]);
    const { displayName = "anonymous", format = "native" } = options;
    checkDisplayName("options.displayName", displayName);
    if (format !== "native" && format !== "katzenqt") {
      throw new TypeError(
        `\`options.format\` must be "native" or "katzenqt", got ${String(format)}`,
      );
    }
    if (this.#exchanges.has(`contact ${name}`)) {
      throw new ChannelExistsError(
        `there is already a contact ${JSON.stringify(name)}; open it with contacts.get(), cancel ` +
          "it, or choose another name",
      );
    }
    return { ownName: displayName, format };
  }

  async #add(name: string, make: () => Promise<ExchangeRecord>): Promise<Contact> {
    return new Contact(this.#context, await this.begin(channelNames(name), make));
  }

  /** @throws InvalidStateError when an exchange of that voucher is in progress here. @internal */
  checkUnknown(voucher: Uint8Array): void {
    for (const { record } of this.#exchanges.values()) {
      if (!record.voucher || !equalBytes(record.voucher, voucher)) continue;
      const what = record.group === null ? "contact" : "group";
      const name = JSON.stringify(record.group ?? record.name);
      throw new InvalidStateError(
        `this store already has the voucher, for ${what} ${name}: open it with ${what}s.get()`,
      );
    }
  }

  /** Begins an exchange that will make channels with the given names. @internal */
  async begin(
    names: readonly string[],
    make: () => Promise<ExchangeRecord>,
    more: (draft: Draft) => void = () => {},
  ): Promise<VoucherExchange> {
    this.#context.reserve(names);
    try {
      const record = await make();
      this.#context.checkOpen();
      let key = "";
      await this.#context.store.commit((draft) => {
        more(draft);
        key = keyNumber(this.#nextKey++);
        draft.put(NEXT_KEY, this.#nextKey);
        draft.put(exchangeKey(key), encodeRecord(record));
      });
      const exchange = this.#exchange(key, record);
      if (this.#isClosed) exchange.close();
      this.#exchanges.set(placeOf(record), exchange);
      this.#start(exchange);
      return exchange;
    } catch (error) {
      this.#context.release(names);
      throw error;
    }
  }

  /** The exchange of a group with this name. @internal */
  exchange(name: string): VoucherExchange | null {
    return this.#exchanges.get(`group ${name}`) ?? null;
  }

  /** A free name for an exchange of a group. @internal */
  freeName(start: string): string {
    for (;;) {
      const name = `${start} ${++this.#serial}`;
      if (!this.#exchanges.has(`group ${name}`)) return name;
    }
  }

  /** The names of the exchanges of a group. @internal */
  exchangesOf(group: string): string[] {
    const all = [...this.#exchanges.values()].map(({ record }) => record);
    return all.filter((record) => record.group === group).map(({ name }) => name);
  }

  /** Ends an exchange of a group. @internal */
  async drop(name: string): Promise<void> {
    await this.exchange(name)?.cancel();
    this.#exchanges.delete(`group ${name}`);
  }

  /** A contact. @throws ChannelNotFoundError. */
  async get(name: string): Promise<Contact> {
    return new Contact(this.#context, this.#find(name));
  }

  #find(name: string): VoucherExchange {
    this.#context.checkOpen();
    const exchange = this.#exchanges.get(`contact ${name}`);
    if (exchange) return exchange;
    throw new ChannelNotFoundError(
      `the store has no contact ${JSON.stringify(name)}; contacts.list() shows its contacts`,
    );
  }

  /** The channel on which answers to a contact's channel come; null if it is none. @internal */
  answersTo(channel: string): Iterable<string> | null {
    const name = contactOf(channel);
    if (name === null || !this.#exchanges.has(`contact ${name}`)) return null;
    return [channelNames(name)[1]];
  }

  /** The channels that contacts write. @internal */
  *channelsToRead(): Iterable<string> {
    for (const { record } of this.#exchanges.values()) {
      if (record.group === null) yield channelNames(record.name)[1];
    }
  }

  /** All contacts, by name, including those in progress and those that failed. */
  async list(): Promise<readonly ContactInfo[]> {
    this.#context.checkOpen();
    const records = [...this.#exchanges.values()].map(({ record }) => record);
    const infos = records.filter(({ group }) => group === null).map(infoOf);
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Ends an exchange and removes the contact. A voucher made here is deleted at the replicas, so
   * that nobody can answer it. Existing channels stay: delete them with `Channels.delete`.
   * @throws ChannelNotFoundError.
   */
  async cancel(name: string): Promise<void> {
    const { scheduler } = this.#context;
    const exchange = this.#find(name);
    const isOver = exchange.isOver;
    await exchange.cancel();
    // It may have been cancelled twice, and the name taken again.
    if (this.#exchanges.get(`contact ${name}`) !== exchange) return;
    this.#exchanges.delete(`contact ${name}`);
    this.#cancelled.add(exchange);
    if (!isOver || exchange.record.failure !== null) {
      this.#context.release(channelNames(name));
    }
    scheduler.kick();
  }

  #finish(draft: Draft, record: ExchangeRecord, answer: Bytes | null): Partial<ExchangeRecord> {
    const [to, from] = channelNames(record.name);
    const member = answer && inductorOf(answer);
    const theirReadCap = member ? member.readCap : record.theirReadCap!;
    if (isNearEnd(firstIndexOf(theirReadCap))) {
      throw new ProtocolError("the other side's stream begins at its end");
    }
    // A program that answers each message would answer itself forever.
    if (member && rootOf(member.readCap) === rootOf(record.messageWriteCap!)) {
      throw new ProtocolError("the answer to the voucher names our own stream as the other side's");
    }
    this.#context.compose(draft, [
      {
        kind: "writer",
        name: to,
        writeCap: record.messageWriteCap!,
        format: record.format as ChannelFormat,
      },
      { kind: "reader", name: from, readCap: theirReadCap },
    ]);
    return member ? { theirName: member.displayName } : { theirChannel: from };
  }

  /** Ends all waiting. @internal */
  close(): void {
    this.#isClosed = true;
    for (const exchange of this.#exchanges.values()) exchange.close();
    for (const exchange of this.#cancelled) exchange.close();
  }
}

/**
 * The member who answered. @throws ProtocolError when the answer names nobody, or has a malformed
 * capability.
 */
function inductorOf(answer: Bytes): KatzenqtMember {
  const [inductor] = decodeKatzenqtMembers(answer);
  if (!inductor) throw new ProtocolError("the answer to the voucher names no member");
  try {
    parseReadCap(inductor.readCap);
  } catch (cause) {
    throw new ProtocolError("the answer to the voucher has a malformed ReadCap", { cause });
  }
  return inductor;
}

/** The names of a contact's channels: to it, and from it. */
function channelNames(name: string): readonly [string, string] {
  return [`to ${name}`, `from ${name}`];
}

/** The contact that a channel would send to; null if it has another name. */
function contactOf(channel: string): string | null {
  const [start] = channelNames("");
  return channel.startsWith(start) ? channel.slice(start.length) : null;
}

/** The map key of an exchange. Contacts and groups have separate names. */
function placeOf({ group, name }: ExchangeRecord): string {
  return `${group === null ? "contact" : "group"} ${name}`;
}

function infoOf({ name, role, state, theirName, failure }: ExchangeRecord): ContactInfo {
  return { name, role, state, displayName: theirName, failure };
}
