/**
 * Collects what a console shows from the client, the daemon and the network behind it, and sends
 * changes to pages. It is platform-neutral: the server around it belongs to the command or to a web
 * worker.
 */
import { randomBytes, toHex, utf8ToText } from "../bytes/bytes.js";
import type { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
import { boxIdFor } from "../bacap/box.js";
import { nextMessageBoxIndex } from "../bacap/message-box-index.js";
import type { Metric } from "../client/metrics.js";
import type { ThinClient } from "../client/thin-client.js";
import type { Clock, Timer } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import type { VirtualClock } from "../clock/virtual.js";
import type { DaemonTrace } from "../daemon/trace.js";
import { isThinClientError } from "../errors/errors.js";
import { explainError } from "../errors/explanations.js";
import { daemonErrorFromCode } from "../errors/from-reply.js";
import { type LinkTrace, TraceRing } from "../mixnet/trace.js";
import type { PkiDocument } from "../pki/document.js";
import { REPLICA_EPOCH_MS, epochAt, epochStart } from "../pki/epoch.js";
import type { EmbeddedDaemon } from "../network/embedded-daemon.js";
import type { StorageTrace } from "../network/storage-link.js";
import { bounded } from "./bounded.js";
import { type VerifyDocument, documentView, mapOf, ratesOf } from "./documents.js";
import type {
  BoxView,
  ConsoleAction,
  ConsoleEvent,
  ConsoleMode,
  ConsoleState,
  ConsoleTrace,
  DocumentView,
  ErrorView,
  ToPage,
} from "./protocol.js";
import { testCodeFor } from "./test-code.js";

/** The state of a daemon on a real network, if the console runs it. */
export interface JoinedView {
  readonly link: {
    readonly phase: string;
    readonly gateway: string | null;
    readonly address: string | null;
    readonly lastError: string | null;
    readonly sent: number;
    readonly decoys: number;
    readonly replies: number;
  };
  readonly connections: number;
  readonly operations: number;
  readonly waiting: { readonly packets: number; readonly ms: number };
}

/** What a console shows. */
export interface ConsoleSubject {
  readonly mode: ConsoleMode;
  /** The console's own client, connected or connecting. */
  readonly client: ThinClient;
  /** The daemon's clock, as far as known. */
  readonly clock: Clock;
  /** The package's version. */
  readonly version: string;
  /** The addresses for programs. */
  readonly addresses: readonly string[];
  /** The embedded network with its daemon, whose state can be inspected. */
  readonly embedded: EmbeddedDaemon | null;
  /** Returns the state of the joined daemon. */
  readonly joined: (() => JoinedView) | null;
  /** The clock, if the page may move it. */
  readonly virtual: VirtualClock | null;
  readonly verify: VerifyDocument;
}

/** A box of the console's own stream. */
interface OwnBox {
  readonly index: MessageBoxIndex;
  readonly text: string;
  readonly boxId: string;
  state: BoxView["state"];
  /** When a courier accepted it, and the replica epoch at that moment. */
  stored: { readonly at: number; readonly replicaEpoch: number } | null;
}

/** The console's own stream, with its capabilities. */
interface Stream {
  readonly writeCap: WriteCap;
  readonly readCap: ReadCap;
  next: MessageBoxIndex;
  readonly boxes: OwnBox[];
}

/** Shortest time between two messages to a page, in ms of real time. */
const TELL_MS = 100;
/** How often the replicas' boxes are checked, in ms of real time. */
const LOOK_MS = 1000;
/** The most boxes that are listed per replica. */
const MOST_LISTED = 200;
/** If all replicas together hold more boxes than this, none of the boxes is looked at. */
const MOST_LOOKED_AT = 5000;
/**
 * The most requests whose kind is remembered until they are answered. Those of applications that went
 * away, and messages without a reply, never are.
 */
const MOST_OPERATIONS = 10_000;
/** How many replica epochs replicas keep a box, including the one in which they stored it. */
const KEPT_EPOCHS = 2;
/** How long a call from the page may take, in ms of the daemon's clock. */
const CALL_MS = 120_000;
/** Steps of a virtual clock that runs, in ms. */
const RUN_STEP_MS = 50;
/** Longest time that "until nothing waits" moves a virtual clock, in ms. */
const IDLE_LIMIT_MS = 600_000;

/** Collects what pages show, and carries out their actions. */
export class ConsoleFeed {
  readonly #subject: ConsoleSubject;
  readonly #ring = new TraceRing<ConsoleEvent>();
  readonly #pages = new Set<(message: ToPage) => void>();
  #seq = 0;
  #told = 0;
  #last = new Map<string, string>();
  #timer: Timer | null = null;
  #running = false;
  #runs = 0;
  #moving: Promise<void> = Promise.resolve();
  #stream: Stream | null = null;
  #making: Promise<Stream> | null = null;
  #written = 0;
  #error: ErrorView | null = null;
  #authorities: Awaited<ReturnType<ThinClient["getDirectoryAuthorities"]>> | null = null;
  #documents: DocumentView[] = [];
  #documentsOf: PkiDocument | null = null;
  #replicas: ConsoleState["replicas"] = null;
  #looked = -Infinity;
  #closed = false;

  constructor(subject: ConsoleSubject) {
    this.#subject = subject;
    this.#running = subject.virtual === null;
  }

  /** Takes an event of the daemon, its link or the storage. */
  readonly add = (trace: DaemonTrace | LinkTrace | StorageTrace | ConsoleTrace): void => {
    this.#ring.add({ ...trace, seq: this.#seq++ });
    if (trace.source !== "daemon" || !("request" in trace)) return;
    const id = `${trace.session} ${trace.request}`;
    // Only calls that reach the network: the console itself asks the daemon for things that it may
    // not have.
    if (trace.event === "queued") {
      bounded(this.#operations, MOST_OPERATIONS).set(id, trace.operation);
    }
    if (trace.event !== "answered") return;
    const operation = this.#operations.get(id);
    this.#operations.delete(id);
    if (operation === undefined) return;
    const error = daemonErrorFromCode(trace.code, { operation });
    if (error) this.#keepError(error, operation, trace.at);
  };

  /** Receives the calls of the console's client. */
  readonly addMetric = (metric: Metric): void => {
    const at = this.#subject.clock.now();
    if (metric.name === "begin") {
      const { call, operation } = metric;
      this.add({ source: "client", event: "began", at, call, operation });
    } else if (metric.name === "request") {
      const { call, operation, outcome, durationMs } = metric;
      this.add({ source: "client", event: "ended", at, call, operation, outcome, durationMs });
    }
  };

  /**
   * Starts to send to a page: first everything known, then changes. Returns a function that ends
   * it.
   */
  open(page: (message: ToPage) => void): () => void {
    this.#pages.add(page);
    page({ type: "snapshot", state: this.state(), events: this.#ring.events() });
    // From here on the page gets the same messages as the others.
    if (this.#timer === null) {
      this.#told = this.#ring.added;
      this.#last = topics(this.state());
      this.#tellLater();
    }
    return () => {
      this.#pages.delete(page);
    };
  }

  /** Ends everything; the caller must end the subject. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#pages.clear();
  }

  #tellLater(): void {
    if (this.#closed || this.#pages.size === 0) {
      this.#timer = null;
      return;
    }
    this.#timer = realClock.after(TELL_MS, () => void this.#tell().then(() => this.#tellLater()), {
      background: true,
    });
  }

  async #tell(): Promise<void> {
    await this.#look().catch(() => {});
    const state = this.state();
    const now = topics(state);
    const changed = Object.fromEntries(
      Object.entries(state).filter(([topic]) => now.get(topic) !== this.#last.get(topic)),
    );
    this.#last = now;
    const events = this.#ring.events(this.#told);
    this.#told = this.#ring.added;
    if (events.length === 0 && Object.keys(changed).length === 0) return;
    for (const page of this.#pages) page({ type: "changes", state: changed, events });
  }

  /** Checks what can only be known by asking. */
  async #look(): Promise<void> {
    const { client, embedded } = this.#subject;
    const document = client.pkiDocument();
    if (document !== null && this.#documentsOf !== document) {
      this.#documentsOf = document;
      // Nobody waits for these, so the daemon may take its time.
      void this.#lookAtDocuments(document);
    }
    if (embedded === null || realClock.monotonic() - this.#looked < LOOK_MS) return;
    this.#looked = realClock.monotonic();
    const { replicas } = embedded.storage;
    const total = replicas.reduce((sum, { stored }) => sum + stored.boxes, 0);
    const views = [];
    for (const { identity, stored, faults, keptBoxes } of replicas.map((replica) => ({
      identity: replica.identity,
      stored: replica.stored,
      faults: replica.faults,
      keptBoxes: () => replica.keptBoxes(),
    }))) {
      const kept: { boxId: string; length: number }[] = [];
      if (total <= MOST_LOOKED_AT) {
        for await (const { boxId, length } of keptBoxes()) {
          kept.push({ boxId: toHex(boxId.subarray(0, 4)), length });
        }
      }
      const { offline, slowMs, loss } = faults;
      views.push({
        name: identity.name,
        ...stored,
        offline,
        slowMs,
        loss,
        kept: kept.slice(-MOST_LISTED),
      });
      this.#holders.set(identity.name, new Set(kept.map(({ boxId }) => boxId)));
    }
    this.#holdersKnown = total <= MOST_LOOKED_AT;
    this.#replicas = views;
  }

  /** The kind of each request that waits for the network, by session and request. */
  readonly #operations = new Map<string, string>();
  readonly #holders = new Map<string, ReadonlySet<string>>();
  #holdersKnown = false;

  async #lookAtDocuments(current: PkiDocument): Promise<void> {
    const { epoch } = current;
    const { client } = this.#subject;
    const call = { timeoutMs: CALL_MS };
    if (this.#authorities === null) {
      this.#authorities = await client.getDirectoryAuthorities(call).catch(() => null);
    }
    const views: DocumentView[] = [];
    for (const wanted of [epoch, epoch - 1]) {
      try {
        const known = this.#documents.find((view) => view.epoch === wanted);
        if (known) {
          views.push(known);
          continue;
        }
        const raw = await this.#certificate(wanted);
        if (raw === null) continue;
        views.push(documentView(raw, await this.#signatures(raw, wanted)));
      } catch {
        // The daemon does not have it any more, so there is nothing to show.
      }
    }
    // By then a later document may have been looked at.
    if (this.#documentsOf === current) this.#documents = views;
  }

  /** The signed document of an epoch; null if it is not available. */
  async #certificate(epoch: number): Promise<Uint8Array | null> {
    const { client, embedded } = this.#subject;
    const published = embedded?.network.documents().find((one) => one.epoch === epoch);
    if (published) return published.certificate;
    // The embedded network has no other documents, so the daemon would refuse.
    if (embedded !== null) return null;
    const raw = await client.getPkiDocumentRaw(epoch, { timeoutMs: CALL_MS });
    return raw.epoch === epoch ? raw.payload : null;
  }

  async #signatures(raw: Uint8Array, epoch: number): Promise<DocumentView["signatures"]> {
    const authorities = this.#authorities;
    if (authorities === null || authorities.length === 0) return null;
    try {
      return await this.#subject.verify(raw, authorities, epoch);
    } catch {
      return null;
    }
  }

  /** Everything that is known at the moment. */
  state(): ConsoleState {
    const { mode, client, clock, version, addresses, embedded, virtual } = this.#subject;
    const joined = this.#subject.joined?.() ?? null;
    const document = client.pkiDocument();
    const picture = embedded?.network.describe() ?? null;
    const running = embedded === null || embedded.isRunning;
    const load = embedded !== null && running ? embedded.daemon.load : null;
    const { inFlight, queued, pausing } = client.load;
    return {
      about: {
        mode,
        version,
        addresses,
        mixing: picture?.mixing ?? null,
        virtual: virtual !== null,
      },
      link: this.#linkView(joined),
      clock: { now: virtual === null ? 0 : clock.now(), running: this.#running },
      epoch: epochView(document?.epoch ?? null, picture?.epoch ?? null, clock.now()),
      rates: document === null ? null : ratesOf(document),
      load: loadView(load, joined),
      client: { inFlight, queued, pausing },
      traffic: picture?.traffic ? { ...picture.traffic } : trafficView(joined),
      map:
        document === null
          ? null
          : mapOf(document, this.#authorities?.map(({ identifier }) => identifier) ?? null),
      error: this.#error,
      boxes: this.#boxViews(),
      replicas: this.#replicas,
      faults:
        embedded === null
          ? null
          : {
              online: embedded.network.faults.online,
              loss: embedded.network.faults.loss,
              extraDelayMs: embedded.network.faults.extraDelayMs,
              withheld: embedded.network.faults.documentsWithheld,
              daemonRuns: running,
            },
      documents: this.#documents,
      geometry: this.#geometry(),
    };
  }

  #linkView(joined: JoinedView | null): ConsoleState["link"] {
    const { client, embedded } = this.#subject;
    const ready = client.state === "ready";
    const gateway = embedded?.network.describe().links[0]?.gateway ?? joined?.link.gateway ?? null;
    return {
      toDaemon: client.state,
      toNetwork: ready ? client.isConnected() : null,
      gateway,
      address: joined?.link.address ?? null,
      problem: joined?.link.lastError ?? null,
    };
  }

  #geometry(): ConsoleState["geometry"] {
    const { client } = this.#subject;
    const numbers = (fields: Readonly<Record<string, number | string>>) =>
      Object.fromEntries(
        Object.entries(fields).filter((field): field is [string, number] => {
          return typeof field[1] === "number";
        }),
      );
    try {
      return {
        sphinx: numbers(client.geometry.toWire()),
        pigeonhole: numbers(client.pigeonholeGeometry.toWire()),
      };
    } catch {
      // Before the first handshake.
      return null;
    }
  }

  #boxViews(): BoxView[] {
    const known = this.#subject.embedded !== null && this.#holdersKnown;
    const aheadMs = this.#networkAheadMs();
    return (this.#stream?.boxes ?? []).map(({ boxId, state, text, stored }, number) => ({
      number,
      boxId,
      state,
      text,
      holders: known
        ? Array.from(this.#holders)
            .filter(([, kept]) => kept.has(boxId))
            .map(([name]) => name)
        : null,
      storedAt: stored?.at ?? null,
      keptUntil:
        stored && epochStart(stored.replicaEpoch + KEPT_EPOCHS, REPLICA_EPOCH_MS) - aheadMs,
    }));
  }

  /** How far the network's count of epochs is ahead of the clock: epochs may have been skipped. */
  #networkAheadMs(): number {
    const { clock, embedded } = this.#subject;
    if (embedded === null) return 0;
    const { current, periodMs, leftMs } = embedded.network.epoch();
    const aheadMs = epochStart(current + 1, periodMs) - leftMs - clock.now();
    // Rounded, because the two clocks are not read at the same moment.
    return Math.round(aheadMs / 100) * 100;
  }

  #keepError(error: unknown, operation: string, at: number): void {
    if (!isThinClientError(error)) return;
    const { code, message } = error;
    const { meaning, action } = explainError(code);
    this.#error = { at, operation, code, message, meaning, action };
  }

  /** Carries out a page's action, and reports it to all pages. Never rejects. */
  async perform(action: ConsoleAction): Promise<void> {
    const { embedded } = this.#subject;
    const replicas = embedded?.storage.replicas.map(({ identity }) => identity.name) ?? [];
    const at = this.#subject.clock.now();
    const code = embedded === null && isFault(action) ? null : testCodeFor(action, replicas);
    this.add({ source: "console", event: "did", at, text: action.do, code });
    try {
      await this.#do(action);
    } catch (error) {
      const { clock } = this.#subject;
      const text = error instanceof Error ? error.message : String(error);
      this.#keepError(error, action.do, clock.now());
      this.add({ source: "console", event: "failed", at: clock.now(), text });
    }
  }

  async #do(action: ConsoleAction): Promise<void> {
    const { client } = this.#subject;
    const call = { timeoutMs: CALL_MS };
    switch (action.do) {
      case "echo": {
        const echo = client.getService("echo");
        await client.blockingSendMessage("hello", ...echo.toDestination(), call);
        return;
      }
      case "newStream":
        this.#stream = await this.#newStream();
        return;
      case "write":
        return this.#write();
      case "read":
        return this.#read();
      case "readMissing": {
        const { readCap, next } = await this.#streamNow();
        await client.read(readCap, next, { ...call, wait: false });
        return;
      }
      case "delete":
        return this.#delete();
      default:
        await this.#disturb(action);
    }
  }

  async #newStream(): Promise<Stream> {
    const { writeCap, readCap, firstMessageIndex } = await this.#subject.client.newKeypair(
      randomBytes(32),
    );
    return { writeCap, readCap, next: firstMessageIndex, boxes: [] };
  }

  /** The stream; it is created once, even if several calls need it at the same time. */
  async #streamNow(): Promise<Stream> {
    if (this.#stream !== null) return this.#stream;
    this.#making ??= this.#newStream().finally(() => (this.#making = null));
    const made = await this.#making;
    return (this.#stream ??= made);
  }

  async #write(): Promise<void> {
    const stream = await this.#streamNow();
    const { client } = this.#subject;
    const index = stream.next;
    // At once: the next write may begin before this one has its answer.
    stream.next = nextMessageBoxIndex(index);
    const text = `box ${++this.#written} of the console`;
    const boxId = toHex(boxIdFor(stream.writeCap, index).subarray(0, 4));
    const box: OwnBox = { index, text, boxId, state: "writing", stored: null };
    stream.boxes.push(box);
    await this.#track(box, "stored", () =>
      client.write(stream.writeCap, index, text, { timeoutMs: CALL_MS }),
    );
  }

  async #read(): Promise<void> {
    const stream = this.#stream;
    const box = stream?.boxes.find(({ state }) => state === "stored") ?? stream?.boxes.at(-1);
    if (!stream || !box) throw new RangeError("there is no box to read yet: write one first");
    box.state = "reading";
    await this.#track(box, "read", async () => {
      const { client } = this.#subject;
      const { plaintext } = await client.read(stream.readCap, box.index, { timeoutMs: CALL_MS });
      if (utf8ToText(plaintext) !== box.text) {
        throw new Error("the box holds something else than the console wrote");
      }
    });
  }

  async #delete(): Promise<void> {
    const stream = this.#stream;
    const box = stream?.boxes.find(({ state }) => state === "stored" || state === "read");
    if (!stream || !box) throw new RangeError("there is no box to delete yet: write one first");
    box.state = "writing";
    await this.#track(box, "deleted", () =>
      this.#subject.client.tombstone(stream.writeCap, box.index, { timeoutMs: CALL_MS }),
    );
  }

  async #track(box: OwnBox, done: BoxView["state"], work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      box.state = done;
      if (done === "read") return;
      const at = this.#subject.clock.now();
      const { epoch } = epochAt(at + this.#networkAheadMs(), REPLICA_EPOCH_MS);
      box.stored = { at, replicaEpoch: epoch };
    } catch (error) {
      box.state = "failed";
      throw error;
    }
  }

  async #disturb(action: ConsoleAction): Promise<void> {
    const { embedded } = this.#subject;
    if (embedded === null) {
      throw new RangeError("faults are for the embedded network: this daemon is on another one");
    }
    const { faults } = embedded.network;
    const replicaOf = (name: string) => {
      const replica = embedded.storage.replicas.find(({ identity }) => identity.name === name);
      if (!replica) throw new RangeError("there is no such replica");
      return replica.faults;
    };
    // The effect on a replica should be visible at once.
    this.#looked = -Infinity;
    switch (action.do) {
      case "online":
        faults.setOnline(action.value);
        return;
      case "withhold":
        faults.withholdDocuments(action.value);
        return;
      case "loss":
        faults.setLoss(action.value);
        return;
      case "delay":
        faults.setExtraDelay(action.value);
        return;
      case "dropNext":
        faults.dropNext(1, action.way);
        return;
      case "epoch":
        await embedded.network.advanceEpoch();
        return;
      case "crash":
        await embedded.crash();
        return;
      case "restart":
        await embedded.restart();
        return;
      case "clearFaults":
        faults.setOnline(true);
        faults.setLoss(0);
        faults.setExtraDelay(0);
        faults.withholdDocuments(false);
        for (const replica of embedded.storage.replicas) replica.faults.clear();
        return;
      case "replicaOffline":
        replicaOf(action.replica).offline = action.value;
        return;
      case "replicaFail":
        replicaOf(action.replica).failNext(action.code);
        return;
      case "replicaSlow":
        replicaOf(action.replica).slowMs = action.value;
        return;
      case "clock":
        await this.#moveClock(action.how, action.ms);
        return;
    }
  }

  async #moveClock(how: "pause" | "run" | "step" | "idle", ms: number): Promise<void> {
    const { virtual, embedded, client } = this.#subject;
    if (virtual === null) throw new RangeError("the clock is the real one: start with --virtual");
    if (!(ms >= 0 && ms <= IDLE_LIMIT_MS)) {
      throw new RangeError(`\`ms\` must be from 0 to ${IDLE_LIMIT_MS}, got ${ms}`);
    }
    if (how === "pause" || how === "run") {
      const begins = how === "run" && !this.#running;
      this.#running = how === "run";
      if (begins) this.#run(virtual, ++this.#runs);
      return;
    }
    const isIdle = (): boolean => {
      if (client.load.inFlight > 0 || embedded?.isRunning !== true) return false;
      const { operations, awaitedReplies, waitingPackets } = embedded.daemon.load;
      return operations + awaitedReplies + waitingPackets === 0;
    };
    await this.#advance(async () => {
      if (how === "step") await virtual.advance(ms);
      else {
        const limit = virtual.now() + IDLE_LIMIT_MS;
        // A request made at this moment is in progress after the first step.
        do await virtual.advance(RUN_STEP_MS);
        while (!isIdle() && virtual.now() < limit);
      }
    });
  }

  /** @param number among all runs: one that was paused must not continue beside the next one. */
  #run(virtual: VirtualClock, number: number): void {
    realClock.after(
      RUN_STEP_MS,
      () => {
        if (!this.#running || this.#closed || number !== this.#runs) return;
        const moved = this.#advance(() => virtual.advance(RUN_STEP_MS));
        void moved.then(() => this.#run(virtual, number));
      },
      { background: true },
    );
  }

  /** Only one move of the clock at a time. */
  #advance(move: () => Promise<void>): Promise<void> {
    const moved = this.#moving.then(move);
    this.#moving = moved.catch(() => {});
    return moved;
  }
}

function isFault({ do: name }: ConsoleAction): boolean {
  return !["echo", "write", "read", "readMissing", "delete", "newStream"].includes(name);
}

function topics(state: ConsoleState): Map<string, string> {
  return new Map(Object.entries(state).map(([topic, value]) => [topic, JSON.stringify(value)]));
}

function epochView(
  ofDocument: number | null,
  ofNetwork: {
    readonly current: number;
    readonly periodMs: number;
    readonly leftMs: number;
  } | null,
  now: number,
): ConsoleState["epoch"] {
  if (ofNetwork !== null) {
    const { current, periodMs, leftMs } = ofNetwork;
    // Rounded to a second, so that the result is the same each time.
    return { current, periodMs, endsAt: Math.round((now + leftMs) / 1000) * 1000 };
  }
  // The wire does not say how long an epoch is.
  return ofDocument === null ? null : { current: ofDocument, periodMs: null, endsAt: null };
}

function loadView(
  load: EmbeddedDaemon["daemon"]["load"] | null,
  joined: JoinedView | null,
): ConsoleState["load"] {
  if (load !== null) {
    const { connections, operations, waitingPackets, waitingMs } = load;
    return { applications: connections, operations, waitingPackets, waitingMs };
  }
  if (joined === null) return null;
  const { connections, operations, waiting } = joined;
  return {
    applications: connections,
    operations,
    waitingPackets: waiting.packets,
    waitingMs: waiting.ms,
  };
}

function trafficView(joined: JoinedView | null): ConsoleState["traffic"] {
  if (joined === null) return null;
  const { sent, decoys, replies } = joined.link;
  return { sent, decoys, replies };
}
