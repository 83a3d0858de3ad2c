/** Durable channels: `openChannels` and the object it returns. */
import { type PlainBytes, checkBytes, copyBytes, describeType, utf8 } from "../bytes/bytes.js";
import { MessageBoxIndex, ReadCap, WriteCap, checkReadCap } from "../bytes/opaque.js";
import { checkOptions } from "../bytes/options.js";
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { firstIndexOf, generateKeypair } from "../bacap/capabilities.js";
import { hasCode, InvalidStateError, isThinClientError } from "../errors/errors.js";
import { REPLICA_ERROR_BOX_ALREADY_EXISTS } from "../errors/codes.js";
import { COPY_OVERHEAD, MAX_BATCH_BOXES, runBatch } from "./batch.js";
import type { ChannelClient, ChannelDiagnostic, DiagnosticsHook } from "./channel-client.js";
import {
  ChannelExistsError,
  ChannelNotFoundError,
  ChannelStoreError,
} from "../errors/channel-errors.js";
import { Contacts } from "./contacts.js";
import { type ChannelFormat, cutMessage } from "./framing.js";
import { Groups, type GroupsContext, type MoreRecords } from "./groups.js";
import { openDatabase } from "./open-database.js";
import { Reader, composeReader, loadReader } from "./reader.js";
import type { Delivery } from "./delivery.js";
import { Scheduler } from "./scheduler.js";
import type { StoreSecret } from "./sealed-values.js";
import { isNearEnd } from "./stream-end.js";
import {
  type ChannelDatabase,
  ChannelStore,
  type Draft,
  keyNumber,
  numberOfKey,
  openingFailure,
} from "./store.js";
import {
  type Invitation,
  Writer,
  type WriterContext,
  composeWriter,
  loadWriter,
} from "./writer.js";

/** Options of {@link openChannels}. */
export interface ChannelOptions {
  /** Encrypts the store: 32 random bytes, the same each time it is opened. */
  readonly key?: Uint8Array | undefined;
  /**
   * Encrypts the store with a key derived from this text (scrypt; opening takes about a second).
   */
  readonly passphrase?: string | undefined;
  /**
   * The part of the network's packets for reading while something waits to be written, and for
   * reads of boxes that may be empty: above 0, at most 1; 0.5 by default.
   */
  readonly budget?: number | undefined;
  /** Longest message that is sent or received, in bytes; 16 MiB by default. */
  readonly maxMessageLength?: number | undefined;
  /** Receives internal events. */
  readonly diagnostics?: DiagnosticsHook | undefined;
  /** The clock for all waits; the platform's by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
}

const knownOptions = ["key", "passphrase", "budget", "maxMessageLength", "diagnostics", "clock"];
const MAX_NAME_LENGTH = 200;
const BOX_LENGTH_KEY = "meta!boxLength";
const NEXT_KEY = "meta!nextKey";

/** Options of {@link Channels.create} and {@link Channels.adopt}. */
export interface WriterOptions {
  /**
   * How messages are written. `native` (default): several boxes at once. `katzenqt`: in katzenqt's
   * format, one box after the other.
   */
  readonly format?: ChannelFormat | undefined;
}

/** A channel in the store. */
export interface ChannelInfo {
  /** Its name in this store; nobody else sees it. */
  readonly name: string;
  /** Whether this store sends on it or reads from it. */
  readonly kind: "writer" | "reader";
  /** Messages that are not yet stored at the replicas; 0 for a reader. */
  readonly queued: number;
  /** Whether a writer is forked and has stopped sending. */
  readonly isForked: boolean;
  /** The next box to read; null for a writer. */
  readonly position: bigint | null;
  /** The last acknowledged message; null for a writer, or if there is none. */
  readonly acknowledged: bigint | null;
}

/** Counts since the channels were opened. */
export interface ChannelStatistics {
  /** Boxes that the replicas confirmed. */
  readonly boxesWritten: number;
  /** Writes that failed and are tried again. */
  readonly writesFailed: number;
  /** Boxes that were requested, each attempt counted; without those of a look ahead. */
  readonly boxesAsked: number;
  /** Requested boxes that were there. */
  readonly boxesFound: number;
  /** Boxes that were lost. */
  readonly boxesLost: number;
  /** Messages that wait in all outboxes. */
  readonly queued: number;
}

/** Collects the messages of {@link Channels.atomically}. */
export interface Batch {
  /**
   * Adds a message to a channel; at most one per channel.
   * @throws as `Writer.send`; RangeError for a second message to the same channel.
   */
  send(writer: Writer, message: PlainBytes | string): void;
}

/**
 * Opens the channels of a store and continues to send what is in their outboxes.
 *
 * ```ts
 * await using channels = await openChannels(client, "chat-data");
 * const writer = await channels.create("to Bob");
 * await writer.send("hello");
 * ```
 *
 * @param client a started client; the caller stops it.
 * @param store where channels are kept: in Node the path of a directory, in a browser the name of
 * an IndexedDB database, or your own `abstract-level` database. Only one process at a time can use
 * it.
 * @throws TypeError, RangeError for wrong arguments; InvalidStateError when the client was never
 * connected and the store is new; ChannelStoreError when the store is in use, damaged, or encrypted
 * with another key.
 */
export async function openChannels(
  client: ChannelClient,
  store: string | ChannelDatabase,
  options: ChannelOptions = {},
): Promise<Channels> {
  checkClient(client);
  const checked = checkChannelOptions(options);
  const database = await openDatabase(store);
  try {
    const opened = await ChannelStore.open(database, checked.clock, checked.secret);
    return await Channels.open(client, opened, checked);
  } catch (error) {
    await database.close();
    const isOurs = isThinClientError(error) || error instanceof TypeError;
    throw isOurs ? error : openingFailure(error);
  }
}

function checkClient(client: unknown): void {
  if (typeof (client as Partial<ChannelClient> | null | undefined)?.write === "function") return;
  const isPromise = typeof (client as Partial<Promise<unknown>> | null)?.then === "function";
  throw new TypeError(
    `\`client\` must be a ThinClient, got ${describeType(client)}` +
      (isPromise ? ": await ThinClient.connect() first" : ""),
  );
}

interface CheckedOptions {
  readonly secret: StoreSecret | null;
  readonly budget: number;
  readonly maxMessageLength: number;
  readonly diagnostics: DiagnosticsHook;
  readonly clock: Clock;
}

function checkChannelOptions(options: ChannelOptions): CheckedOptions {
  checkOptions("options", options, knownOptions);
  const { key, passphrase, budget = 0.5, maxMessageLength = 16 * 1024 * 1024 } = options;
  if (key !== undefined) checkBytes("options.key", key, 32);
  if (passphrase !== undefined && (typeof passphrase !== "string" || passphrase === "")) {
    throw new TypeError("`options.passphrase` must be a text of at least 1 character");
  }
  if (key && passphrase) {
    throw new TypeError("`options` must have `key` or `passphrase`, not both");
  }
  if (typeof budget !== "number" || !(budget > 0 && budget <= 1)) {
    throw new RangeError(`\`options.budget\` must be above 0 and at most 1, got ${String(budget)}`);
  }
  if (!Number.isSafeInteger(maxMessageLength) || maxMessageLength < 1) {
    throw new RangeError(
      `\`options.maxMessageLength\` must be a positive integer, got ${String(maxMessageLength)}`,
    );
  }
  const { diagnostics, clock = realClock } = options;
  if (diagnostics !== undefined && typeof diagnostics !== "function") {
    throw new TypeError(
      `\`options.diagnostics\` must be a function, got ${describeType(diagnostics)}`,
    );
  }
  const secret = key ? { key: copyBytes(key) } : passphrase ? { passphrase } : null;
  return { secret, budget, maxMessageLength, diagnostics: diagnostics ?? (() => {}), clock };
}

/** A channel to make. */
export type NewChannel =
  | {
      readonly kind: "writer";
      readonly name: string;
      readonly writeCap: WriteCap;
      readonly format: ChannelFormat;
    }
  | {
      readonly kind: "reader";
      readonly name: string;
      readonly readCap: ReadCap;
      /** The first box to read; by default the one that the capability names. */
      readonly next?: MessageBoxIndex | undefined;
    };

interface BatchEntry {
  readonly id: number;
  readonly writers: readonly Writer[];
  isRunning: boolean;
}

/**
 * The channels of one store. After {@link close}, all methods but `statistics` and `close` reject
 * with InvalidStateError.
 */
export class Channels implements AsyncDisposable {
  /** Contacts by voucher: one channel in each direction. */
  readonly contacts: Contacts;
  /** Groups: one channel for each member. */
  readonly groups: Groups;
  readonly #client: ChannelClient;
  readonly #store: ChannelStore;
  readonly #scheduler: Scheduler;
  readonly #options: CheckedOptions;
  readonly #writers = new Map<string, Writer>();
  readonly #readers = new Map<string, Reader>();
  readonly #keys = new Map<string, string>();
  /** Names of channels that contacts and groups will make later. */
  readonly #reserved = new Set<string>();
  readonly #batches = new Map<number, BatchEntry>();
  /** Channels that are being deleted, by name. */
  readonly #deleting = new Map<string, Promise<void>>();
  /** Channels that are being brought into use. */
  readonly #appearing = new Set<Promise<void>>();
  readonly #counts = {
    boxesWritten: 0,
    writesFailed: 0,
    boxesAsked: 0,
    boxesFound: 0,
    boxesLost: 0,
  };
  #boxLength = 0;
  #nextKey = 0;
  #watching: Disposable | null = null;
  #closing: Promise<void> | null = null;

  private constructor(client: ChannelClient, store: ChannelStore, options: CheckedOptions) {
    this.#client = client;
    this.#store = store;
    this.#options = options;
    this.#scheduler = new Scheduler(client, options.clock, options.budget);
    store.onReload = () => this.#reload();
    const context: GroupsContext = {
      client,
      store,
      scheduler: this.#scheduler,
      reserve: (names) => {
        for (const name of names) this.#checkFree(name);
        for (const name of names) this.#reserved.add(name);
      },
      release: (names) => {
        for (const name of names) this.#reserved.delete(name);
      },
      compose: (draft, channels) => {
        for (const { name } of channels) if (this.#keys.has(name)) throw channelExists(name);
        for (const channel of channels) this.#compose(draft, channel);
      },
      appear: async (names) => {
        for (const name of names) await this.#appear(name);
      },
      writer: (name) => this.writer(name),
      reader: (name) => this.reader(name),
      writerNow: (name) => this.#writers.get(name)!,
      readerNow: (name) => this.#readers.get(name)!,
      writers: this.#writers,
      has: (name) => this.#keys.has(name),
      isTaken: (name) => this.#keys.has(name) || this.#reserved.has(name),
      deleteChannels: (names, more) => this.#deleteChannels(names, more),
      sent: (name) => this.#sent(name),
      clock: options.clock,
      boxLength: () => this.#boxLength,
      checkOpen: () => this.#checkOpen(),
    };
    this.contacts = new Contacts(context);
    this.groups = new Groups(context, this.contacts);
    this.contacts.groupHooks = this.groups.hooks;
  }

  /** @internal */
  static async open(
    client: ChannelClient,
    store: ChannelStore,
    options: CheckedOptions,
  ): Promise<Channels> {
    const channels = new Channels(client, store, options);
    await channels.#checkBoxLength();
    for await (const [key, record] of store.records("chan!")) {
      const [, channel] = key.split("!") as [string, string];
      channels.#keys.set((record as Map<string, string>).get("name")!, channel);
      await channels.#openChannel(channel, record as Map<string, unknown>);
    }
    for await (const [key, record] of store.records("batch!")) {
      const writers = (record as string[]).map((name) => channels.#writers.get(name));
      if (writers.some((writer) => !writer)) {
        throw new ChannelStoreError(
          "a channel of a batch is missing from the store; the store is damaged: restore it from a backup",
        );
      }
      channels.#noteBatch(Number(numberOfKey(key)), writers as Writer[]);
    }
    channels.#nextKey = Number((await store.get(NEXT_KEY)) ?? 0);
    await channels.groups.load();
    await channels.contacts.load();
    for (const writer of channels.#writers.values()) channels.#scheduler.addWriter(writer);
    // The daemon may be another one than the last time.
    channels.groups.sendAgain();
    channels.#watching = client.on("reconnected", ({ newInstance }) => {
      if (!newInstance) return;
      for (const writer of channels.#writers.values()) writer.doubt();
      channels.contacts.writeAgain();
      channels.groups.sendAgain();
    });
    return channels;
  }

  /**
   * Messages are cut to the network's box length when they are stored, so that length cannot
   * change.
   */
  async #checkBoxLength(): Promise<void> {
    const stored = await this.#store.get(BOX_LENGTH_KEY);
    let network: number | null = null;
    try {
      network = this.#client.pigeonholeGeometry.maxPlaintextPayloadLength;
    } catch (error) {
      // Before the first handshake the client does not know the box length; the store knows it from
      // before.
      if (typeof stored !== "number") {
        throw new InvalidStateError(
          "the client was never connected, and a new store needs the network's box length: await " +
            "client.start() before openChannels(), or use ThinClient.connect()",
          { cause: error },
        );
      }
    }
    if (typeof stored === "number") {
      if (network !== null && network < stored) {
        throw new ChannelStoreError(
          `the store's messages are cut for boxes of ${stored} bytes, this network's hold ` +
            `${network}: it belongs to another network. Use another store for this one`,
        );
      }
      this.#boxLength = stored;
      return;
    }
    this.#boxLength = network!;
    await this.#store.commit((draft) => draft.put(BOX_LENGTH_KEY, network!));
  }

  async #openChannel(key: string, record: Map<string, unknown>): Promise<void> {
    if (record.get("kind") === "writer") {
      const saved = await loadWriter(this.#store, key);
      if (this.#keys.get(saved.name) !== key) return;
      this.#writers.set(saved.name, new Writer(this.#writerContext(saved.name), saved));
    } else {
      const saved = await loadReader(this.#store, key);
      const reader = new Reader(this.#readerContext(), saved);
      await reader.loadParts();
      if (this.#keys.get(saved.name) !== key) return;
      this.#readers.set(saved.name, reader);
      this.#scheduler.addReader(reader);
    }
  }

  #writerContext(name: string): WriterContext {
    return {
      client: this.#client,
      store: this.#store,
      scheduler: this.#scheduler,
      diagnostics: this.#diagnose,
      boxLength: this.#boxLength,
      maxMessageLength: this.#options.maxMessageLength,
      onSent: () => this.#sent(name),
      onBatchReady: (id) => this.#startBatch(id),
    };
  }

  /**
   * A message was put into the outbox of a channel: an answer may come soon. It comes from the same
   * contact or group; which channel answers another one is not known, so that may be any other one.
   */
  #sent(writer: string): void {
    const answers = this.contacts.answersTo(writer) ?? this.groups.answersTo(writer);
    for (const name of answers ?? this.#ownReaders()) this.#readers.get(name)?.hurry();
    this.#scheduler.kick();
  }

  /** The channels to read that no contact or group made. */
  #ownReaders(): Iterable<string> {
    const names = new Set(this.#readers.keys());
    for (const name of this.contacts.channelsToRead()) names.delete(name);
    for (const name of this.groups.channelsToRead()) names.delete(name);
    return names;
  }

  #readerContext(): ConstructorParameters<typeof Reader>[0] {
    return {
      client: this.#client,
      store: this.#store,
      scheduler: this.#scheduler,
      diagnostics: this.#diagnose,
      maxMessageLength: this.#options.maxMessageLength,
      onMoved: (channel) => this.contacts.heard(channel),
    };
  }

  readonly #diagnose = (event: ChannelDiagnostic): void => {
    const counts = this.#counts;
    if (event.type === "boxWritten") counts.boxesWritten++;
    else if (event.type === "writeFailed") counts.writesFailed++;
    else if (event.type === "gap") counts.boxesLost += event.boxes;
    else if (event.type === "polled") {
      counts.boxesAsked++;
      if (event.found) counts.boxesFound++;
    }
    try {
      this.#options.diagnostics(event);
    } catch {
      // A hook that throws must not stop a channel.
    }
  };

  /**
   * Makes a channel to send on, with its own stream. It needs no network.
   * @param name the channel's name in this store, 1 to 200 characters; nobody else sees it.
   * @throws ChannelExistsError when the name is taken; TypeError, RangeError for an invalid name.
   */
  async create(name: string, options: WriterOptions = {}): Promise<Writer> {
    return this.#addWriter(name, generateKeypair().writeCap, options);
  }

  /**
   * Makes a channel from an existing stream, beginning at the index in the capability. This store
   * must be the stream's only writer. Example: a contact's stream after its voucher was opened.
   * @throws as {@link create}; TypeError, RangeError when `writeCap` is not 168 bytes, or begins at
   * the end of its stream.
   */
  async adopt(name: string, writeCap: WriteCap, options: WriterOptions = {}): Promise<Writer> {
    const kept = WriteCap.from(writeCap);
    if (isNearEnd(firstIndexOf(kept))) {
      throw new RangeError("`writeCap` must not begin at the end of its stream");
    }
    return this.#addWriter(name, kept, options);
  }

  async #addWriter(name: string, writeCap: WriteCap, options: WriterOptions): Promise<Writer> {
    checkOptions("options", options, ["format"]);
    const { format = "native" } = options;
    if (format !== "native" && format !== "katzenqt") {
      throw new TypeError(
        `\`options.format\` must be "native" or "katzenqt", got ${String(format)}`,
      );
    }
    checkName(name);
    await this.#addChannel({ kind: "writer", name, writeCap, format });
    return this.#writers.get(name)!;
  }

  /**
   * Makes a channel to read from.
   * @param invitation the result of the writer's `invitation()`, or a bare ReadCap (136 bytes).
   * @param options `from`: `next` (default) begins with messages sent after the invitation was
   * made, `start` with the first message that the ReadCap opens.
   * @throws as {@link create}; TypeError, RangeError for an invalid `invitation` or option.
   */
  async import(
    name: string,
    invitation: Invitation | ReadCap,
    options: {
      /** Where to begin; `next` by default. */
      readonly from?: "next" | "start" | undefined;
    } = {},
  ): Promise<Reader> {
    checkOptions("options", options, ["from"]);
    const { from = "next" } = options;
    if (from !== "next" && from !== "start") {
      throw new TypeError(`\`options.from\` must be "next" or "start", got ${String(from)}`);
    }
    const isCap = ArrayBuffer.isView(invitation);
    if (!isCap && (typeof invitation !== "object" || invitation === null)) {
      throw new TypeError(
        `\`invitation\` must be an invitation or a ReadCap, got ${describeType(invitation)}`,
      );
    }
    const given = isCap ? invitation : invitation.readCap;
    checkReadCap(isCap ? "invitation" : "invitation.readCap", given);
    const readCap = ReadCap.from(given);
    let next = firstIndexOf(readCap);
    if (!isCap && from === "next") {
      const { nextMessageBoxIndex } = invitation;
      checkBytes("invitation.nextMessageBoxIndex", nextMessageBoxIndex, MessageBoxIndex.length!);
      next = MessageBoxIndex.from(nextMessageBoxIndex);
    }
    if (isNearEnd(firstIndexOf(readCap)) || isNearEnd(next)) {
      throw new RangeError("`invitation` must not begin at the end of its stream");
    }
    checkName(name);
    await this.#addChannel({ kind: "reader", name, readCap, next });
    return this.#readers.get(name)!;
  }

  async #addChannel(channel: NewChannel): Promise<void> {
    this.#checkOpen();
    await this.#store.commit((draft) => {
      this.#checkFree(channel.name);
      this.#compose(draft, channel);
    });
    await this.#appear(channel.name);
  }

  #checkFree(name: string): void {
    if (!this.#keys.has(name) && !this.#reserved.has(name)) return;
    if (this.#keys.has(name)) throw channelExists(name);
    throw new ChannelExistsError(
      `a contact or a group will make a channel ${JSON.stringify(name)}; choose another name, ` +
        "cancel the contact, or leave the group",
    );
  }

  /** Adds the records of a channel to a transaction. */
  #compose(draft: Draft, channel: NewChannel): void {
    const { name } = channel;
    const key = keyNumber(this.#nextKey++);
    this.#keys.set(name, key);
    draft.put(NEXT_KEY, this.#nextKey);
    if (channel.kind === "writer") {
      composeWriter(draft, key, name, channel.writeCap, channel.format);
    } else {
      const { readCap, next = firstIndexOf(readCap) } = channel;
      composeReader(draft, { key, name, readCap, next });
    }
  }

  /** Brings a channel into use whose records are durable, unless its group is left meanwhile. */
  async #appear(name: string): Promise<void> {
    const appearing = this.#load(name);
    this.#appearing.add(appearing);
    try {
      await appearing;
    } finally {
      this.#appearing.delete(appearing);
    }
  }

  async #load(name: string): Promise<void> {
    const key = this.#keys.get(name);
    if (key === undefined) return;
    try {
      await this.#openChannel(key, (await this.#store.get(`chan!${key}`)) as Map<string, unknown>);
    } catch (error) {
      if (this.#keys.get(name) !== key) return;
      throw error;
    }
    const writer = this.#writers.get(name);
    if (writer) this.#scheduler.addWriter(writer);
    if (this.#closing) this.#end([name]);
  }

  /** A channel to send on. @throws ChannelNotFoundError. */
  async writer(name: string): Promise<Writer> {
    this.#checkOpen();
    const writer = this.#writers.get(name);
    if (!writer) throw this.#notFound(name, "send on");
    return writer;
  }

  /** A channel to read from. @throws ChannelNotFoundError. */
  async reader(name: string): Promise<Reader> {
    this.#checkOpen();
    const reader = this.#readers.get(name);
    if (!reader) throw this.#notFound(name, "read from");
    return reader;
  }

  #notFound(name: string, purpose: string): Error {
    return new ChannelNotFoundError(
      `the store has no channel ${JSON.stringify(name)} to ${purpose}; list() shows its channels`,
    );
  }

  /** All channels, by name. */
  async list(): Promise<readonly ChannelInfo[]> {
    this.#checkOpen();
    const infos: ChannelInfo[] = [];
    for (const writer of this.#writers.values()) {
      const { name, queued, isForked } = writer;
      infos.push({ name, kind: "writer", queued, isForked, position: null, acknowledged: null });
    }
    for (const { name, position, acknowledged } of this.#readers.values()) {
      infos.push({ name, kind: "reader", queued: 0, isForked: false, position, acknowledged });
    }
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Deletes a channel from this store, with its outbox and its read messages. Boxes at the replicas
   * stay there until they expire: see `Writer.delete`.
   * @throws ChannelNotFoundError; InvalidStateError when one of its batches is still in the outbox,
   * or a group needs it (see `Groups.leave`); ChannelStoreError when the store does not accept it.
   * Then the channel is still there: get its writer or reader again.
   */
  async delete(name: string): Promise<void> {
    this.#checkOpen();
    const deleting = this.#deleting.get(name);
    if (deleting) return deleting;
    const writer = this.#writers.get(name);
    if (!writer && !this.#readers.has(name)) throw this.#notFound(name, "delete");
    const group = this.groups.groupWith(name);
    if (group !== null) {
      throw new InvalidStateError(
        `channel ${JSON.stringify(name)} belongs to group ${JSON.stringify(group)}: leave it ` +
          "with groups.leave()",
      );
    }
    for (const { writers } of this.#batches.values()) {
      if (!writer || !writers.includes(writer)) continue;
      throw new InvalidStateError(
        `channel ${JSON.stringify(name)} has a message of an atomic batch in its outbox; wait ` +
          "until it is stored",
      );
    }
    const deletion = this.#deleteChannels([name], { keys: [], prefixes: [] });
    this.#deleting.set(name, deletion);
    try {
      await deletion;
    } finally {
      this.#deleting.delete(name);
    }
  }

  /** Deletes channels and other records in one transaction. */
  async #deleteChannels(names: readonly string[], more: MoreRecords): Promise<void> {
    this.#end(names);
    try {
      await this.#deleteRecords(names, more);
    } catch (error) {
      // If the store can be read, the channels are what they were.
      for (const name of names) await this.#appear(name).catch(() => {});
      throw error;
    }
    // Again: one of a group may have appeared meanwhile.
    this.#end(names);
    for (const name of names) {
      this.#writers.delete(name);
      this.#readers.delete(name);
      this.#keys.delete(name);
      this.contacts.heard(name);
    }
  }

  #end(names: readonly string[]): void {
    for (const name of names) {
      const end = this.#writers.get(name) ?? this.#readers.get(name);
      if (!end) continue;
      this.#scheduler.remove(end);
      end.close();
    }
  }

  async #deleteRecords(names: readonly string[], more: MoreRecords): Promise<void> {
    // Their last changes are stored before the store is looked through, so that none comes after.
    await this.#store.commit(() => {});
    const keys = [...more.keys];
    const prefixes = [...more.prefixes];
    for (const name of names) {
      const key = this.#keys.get(name);
      if (key === undefined) continue;
      keys.push(`chan!${key}`, `cursor!${key}`, `fork!${key}`, `progress!${key}`);
      for (const kind of ["out", "in", "part", "boxes"]) prefixes.push(`${kind}!${key}!`);
    }
    for (const prefix of prefixes) {
      for await (const found of this.#store.keys(prefix)) keys.push(found);
    }
    await this.#store.commit((draft) => {
      for (const found of keys) draft.delete(found);
    });
  }

  /**
   * Sends messages of one or several channels so that all of them become readable together, by one
   * copy command. They take their places in the outboxes in one transaction. They wait there for
   * earlier messages, and later messages wait for them.
   * @param build adds the messages: at least one, at most 32,768 boxes in all.
   * @returns the delivery of the whole batch; its `id` is that of the first message.
   * @throws as `Writer.send`; RangeError when no message was added, or too many.
   */
  async atomically(build: (batch: Batch) => void): Promise<Delivery> {
    this.#checkOpen();
    const messages = new Map<Writer, Uint8Array[]>();
    build({
      send: (writer, message) => {
        if (this.#writers.get(writer?.name) !== writer) {
          throw new TypeError("`writer` must be a writer of these channels");
        }
        writer.checkUsable();
        if (messages.has(writer)) {
          throw new RangeError(
            `\`writer\` must be a different one for each message: ${JSON.stringify(writer.name)} already has one`,
          );
        }
        const bytes = typeof message === "string" ? utf8(message) : message;
        checkBytes("message", bytes);
        if (bytes.length > this.#options.maxMessageLength) {
          throw new RangeError(
            `\`message\` must be at most ${this.#options.maxMessageLength} bytes, got ${bytes.length}`,
          );
        }
        messages.set(writer, cutMessage(bytes, this.#boxLength - COPY_OVERHEAD, writer.format));
      },
    });
    let boxes = 0;
    for (const { length } of messages.values()) boxes += length;
    if (boxes === 0) throw new RangeError("`build` must add at least one message, added none");
    if (boxes > MAX_BATCH_BOXES) {
      throw new RangeError(
        `the batch must take at most ${MAX_BATCH_BOXES} boxes, it takes ${boxes}`,
      );
    }
    const deliveries = new Map<Writer, ReturnType<Writer["compose"]>>();
    await this.#store.commit((draft) => {
      const writers = [...messages.keys()];
      for (const writer of writers) writer.checkUsable();
      // Not before its turn, because another batch may take a number meanwhile.
      const id = this.#nextBatch();
      draft.put(
        batchKey(id),
        writers.map(({ name }) => name),
      );
      for (const [writer, some] of messages) {
        deliveries.set(writer, writer.compose(draft, { kind: "batch", boxes: some, batch: id }));
      }
      this.#noteBatch(id, writers);
    });
    for (const [writer, delivery] of deliveries) writer.committed(delivery);
    for (const { name } of deliveries.keys()) this.#sent(name);
    return deliveries.values().next().value!;
  }

  #nextBatch(): number {
    return Math.max(0, ...this.#batches.keys()) + 1;
  }

  #noteBatch(id: number, writers: readonly Writer[]): void {
    this.#batches.set(id, { id, writers, isRunning: false });
  }

  /** Runs a batch once it is at the head of all of its outboxes. */
  #startBatch(id: number): void {
    const entry = this.#batches.get(id);
    if (!entry || entry.isRunning) return;
    const parts = entry.writers.map((writer) => writer.batchPart(id));
    if (parts.some((part) => part === null)) return;
    entry.isRunning = true;
    for (const writer of entry.writers) writer.batchStarted();
    this.#scheduler.add({
      run: async (signal) => {
        try {
          const startedAt = this.#scheduler.now();
          await runBatch(this.#client, parts as NonNullable<(typeof parts)[number]>[], signal);
          const durationMs = this.#scheduler.now() - startedAt;
          for (const [i, writer] of entry.writers.entries()) {
            const written = { channel: writer.name, id: writer.batchId(), durationMs };
            for (const _box of parts[i]!.boxes) this.#diagnose({ type: "boxWritten", ...written });
          }
          this.#batches.delete(id);
          for (const writer of entry.writers) writer.batchDone();
          this.#store.commitLazily((draft) => draft.delete(batchKey(id)));
        } catch (error) {
          entry.isRunning = false;
          if (signal.aborted) return;
          await this.#batchFailed(entry, error);
        }
      },
    });
  }

  async #batchFailed(entry: BatchEntry, error: unknown): Promise<void> {
    const isTaken =
      hasCode(error, "THIN_CLIENT_ERROR_COPY_COMMAND_FAILED") &&
      error.replicaErrorCode === REPLICA_ERROR_BOX_ALREADY_EXISTS;
    if (!isTaken) {
      for (const writer of entry.writers) writer.batchFailed(error);
      return;
    }
    // The boxes are copied in the order of the parts, so the index of the failed envelope tells to
    // which part it belongs.
    let before = Number(error.failedEnvelopeIndex) - 1;
    for (const writer of entry.writers) {
      const part = writer.batchPart(entry.id);
      if (!part || before < part.boxes.length) {
        await writer.fork(part ? writer.batchId() : 0n, error);
        return;
      }
      before -= part.boxes.length;
    }
  }

  /** Counts since the channels were opened, and how many messages wait. */
  statistics(): ChannelStatistics {
    let queued = 0;
    for (const writer of this.#writers.values()) queued += writer.queued;
    return { ...this.#counts, queued };
  }

  async #reload(): Promise<void> {
    const keys = new Set<string>();
    for await (const key of this.#store.keys("chan!")) keys.add(key.slice("chan!".length));
    for (const [name, key] of this.#keys) if (!keys.has(key)) this.#keys.delete(name);
    // The commit that failed may have deleted a channel all the same.
    for (const end of [...this.#writers.values(), ...this.#readers.values()]) {
      if (this.#keys.has(end.name)) await end.reload();
    }
    this.#nextKey = Number((await this.#store.get(NEXT_KEY)) ?? 0);
    await this.groups.reload();
    const batches = new Set<number>();
    for await (const key of this.#store.keys("batch!")) batches.add(Number(numberOfKey(key)));
    for (const id of this.#batches.keys()) if (!batches.has(id)) this.#batches.delete(id);
  }

  #checkOpen(): void {
    if (!this.#closing) return;
    throw new InvalidStateError("the channels are closed: open them again with openChannels()");
  }

  /**
   * Stops reading and sending, and closes the store. Messages in the outboxes go out when the store
   * is opened again. Idempotent. It does not stop the client.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#watching?.[Symbol.dispose]();
    for (const writer of this.#writers.values()) writer.close();
    for (const reader of this.#readers.values()) reader.close();
    this.contacts.close();
    this.groups.close();
    await this.#scheduler.stop();
    // The makers of channels that are stored by now get them, but nothing can be sent on them.
    await this.#store.commit(() => {}).catch(() => {});
    await Promise.allSettled(this.#appearing);
    await this.#store.close();
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function channelExists(name: string): Error {
  return new ChannelExistsError(
    `there is already a channel ${JSON.stringify(name)}; open it with writer() or reader(), ` +
      "or choose another name",
  );
}

function batchKey(id: number): string {
  return `batch!${keyNumber(id)}`;
}

function checkName(name: unknown): asserts name is string {
  if (typeof name !== "string") {
    throw new TypeError(`\`name\` must be a string, got ${describeType(name)}`);
  }
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) {
    throw new RangeError(`\`name\` must be 1 to ${MAX_NAME_LENGTH} characters, got ${name.length}`);
  }
}
