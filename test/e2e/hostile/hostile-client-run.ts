/** Hostile daemons against the client: every frame must end in a value or a typed error. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { toHex } from "../../../src/bytes/bytes.js";
import { ThinClient } from "../../../src/client/thin-client.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { isThinClientError } from "../../../src/errors/errors.js";
import { type ScriptedConnection, ScriptedDaemon } from "../../../src/testing/scripted-daemon.js";
import type { DaemonRequest } from "../../../src/wire/requests.js";
import { type DaemonResponse, encodeResponse } from "../../../src/wire/responses.js";
import { pkiDocument, unused } from "../../client/fixture.js";
import { encodeFrame } from "../../../src/wire/framing.js";
import {
  SeededNumbers,
  type Tally,
  changedMessage,
  endsInFrame,
  hostileFrame,
  withinTurns,
} from "./hostile-frames.js";
import { responseKinds, responsesOf } from "../../wire/message-arbitraries.js";

const never = (length: number): never => new Uint8Array(length).fill(length) as never;
const box = never(104);
const range = { destWriteCap: never(168), destStartIndex: box, isStart: true, isLast: true };
const sealed = {
  envelopeDescriptor: never(201),
  messageCiphertext: never(600),
  envelopeHash: never(32),
};

/** Every call that waits for a reply. */
const calls: readonly ((client: ThinClient) => Promise<unknown>)[] = [
  (client) => client.getDirectoryAuthorities(),
  (client) => client.getPkiDocumentRaw(5),
  (client) => client.blockingSendMessage("x", never(32), never(5)),
  (client) => client.newKeypair(never(32)),
  (client) => client.encryptRead(never(136), box),
  (client) => client.encryptWrite(never(5), never(168), box),
  (client) => client.nextMessageBoxIndex(box),
  (client) => client.getMessageBoxIndexCounter(box),
  (client) =>
    client.startResendingEncryptedMessage({ readCap: never(136), messageBoxIndex: box, ...sealed }),
  (client) => client.startResendingEncryptedMessage({ writeCap: never(168), ...sealed }),
  (client) => client.startResendingCopyCommand(never(168)),
  (client) => client.createCourierEnvelopesFromPayload({ payload: never(9), ...range }),
  (client) => client.createCourierEnvelopesFromTombstoneRange({ maxCount: 2, ...range }),
  (client) =>
    client.createCourierEnvelopesFromMultiPayload({
      destinations: [{ payload: never(9), writeCap: never(168), startIndex: box }],
      isStart: true,
      isLast: false,
    }),
  (client) => client.voucherMint(never(168), "name"),
  (client) => client.voucherInduct(never(32), never(9), never(9)),
  (client) => client.voucherOpen(never(162), never(9), never(168)),
  (client) => client.voucherDeriveStream(never(32)),
];

/** Replies and events of every kind, several hundred of them. */
function honestResponses(seed: number): DaemonResponse[] {
  return responseKinds.flatMap((kind) =>
    fc.sample(responsesOf(kind), { seed: seed | 0, numRuns: 12 }),
  );
}

/** The reply that a request waits for, with the fields of another one. */
function replyTo(request: DaemonRequest, honest: readonly DaemonResponse[], random: SeededNumbers) {
  if (request.kind === "sendMessage") {
    const event = honest.find(({ kind }) => kind === "messageReplyEvent")!;
    return { ...event, surbId: request.surbId } as DaemonResponse;
  }
  const kind = `${request.kind}Reply`;
  const candidates = honest.filter((response) => response.kind === kind);
  if (candidates.length === 0 || !("queryId" in request)) return null;
  return { ...random.pick(candidates), queryId: request.queryId } as DaemonResponse;
}

interface Run {
  readonly seed: number;
  readonly random: SeededNumbers;
  readonly tally: Tally;
  readonly honest: readonly DaemonResponse[];
  readonly failures: string[];
  values: number;
  errors: number;
}

function judge(run: Run, promise: Promise<unknown>, last: () => Uint8Array): { settled: boolean } {
  const state = { settled: false };
  promise.then(
    () => {
      state.settled = true;
      run.values++;
    },
    (error: unknown) => {
      state.settled = true;
      run.errors++;
      if (isThinClientError(error)) return;
      run.failures.push(`${String(error)} after ${toHex(last().subarray(0, 300))}`);
    },
  );
  return state;
}

/** A hostile frame at each step of the handshake; start() must settle whatever it is. */
async function attackHandshake(run: Run): Promise<void> {
  const { random, tally, honest, seed } = run;
  const daemon = new ScriptedDaemon({ document: random.below(2) === 0 ? pkiDocument() : null });
  const clock = new VirtualClock();
  const client = new ThinClient(unused, { dial: daemon.dial, clock });
  let last = new Uint8Array(0) as Uint8Array;
  const started = judge(run, client.start(), () => last);
  const connection = await daemon.accept();
  const steps: DaemonResponse[] = [
    daemon.status(),
    daemon.documentEvent(),
    { kind: "sessionTokenReply", appId: never(16), resumed: true },
  ];
  const step = random.below(3);
  for (const response of steps.slice(0, step)) connection.send(response);
  // The message that belongs here, damaged; or another message, damaged.
  const base = random.below(3) > 0 ? steps[step]! : random.pick(honest);
  if (step === 1 && random.below(2) === 0) {
    // A document is a message within the message.
    const payload = changedMessage(pkiDocument(), random).slice(4);
    last = encodeFrame(encodeResponse({ kind: "newPkiDocumentEvent", payload }));
    tally.frames++;
    tally.changedMessages++;
  } else {
    last = hostileFrame(encodeResponse(base), random, tally);
  }
  connection.sendRaw(last);
  for (const response of steps.slice(step)) connection.send(response);
  connection.transport.end();
  await withinTurns(() => started.settled, seed, last);
  await client.stop();
  assert.equal(client.state, "closed");
}

/** A client whose calls all wait, while hostile frames arrive one after the other. */
class Target {
  readonly client: ThinClient;
  readonly daemon = new ScriptedDaemon();
  connection: ScriptedConnection | null = null;
  last: Uint8Array = new Uint8Array(0);
  readonly #run: Run;
  readonly #pending: { call: number; settled: { settled: boolean } }[] = [];
  readonly #requests: DaemonRequest[] = [];

  constructor(run: Run) {
    this.#run = run;
    const clock = new VirtualClock();
    this.client = new ThinClient(unused, { dial: this.daemon.dial, clock, reconnect: false });
  }

  async open(): Promise<void> {
    const [connection] = await Promise.all([this.daemon.shakeHands(), this.client.start()]);
    this.connection = connection;
    // Only a few at a time, because each loss of the connection rejects all that wait.
    for (let i = 0; i < 6; i++) this.#begin(this.#run.random.below(calls.length));
  }

  #begin(call: number): void {
    const promise = calls[call]!(this.client);
    this.#pending.push({ call, settled: judge(this.#run, promise, () => this.last) });
  }

  /** Sends a frame; calls that it settled start again. */
  async attack(): Promise<void> {
    const { random, tally, honest } = this.#run;
    this.#requests.push(...this.connection!.requests.splice(0));
    if (this.#requests.length > 60) this.#requests.splice(0, 30);
    const asked = this.#requests.length > 0 && random.below(3) > 0;
    const reply = asked ? replyTo(random.pick(this.#requests), honest, random) : null;
    this.last = hostileFrame(encodeResponse(reply ?? random.pick(honest)), random, tally);
    this.connection!.sendRaw(this.last);
    // The following bytes no longer form a frame, so only the end of the connection is informative.
    if (!endsInFrame(this.last)) this.connection!.transport.end();
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      if (!this.#pending[i]!.settled.settled) continue;
      const { call } = this.#pending.splice(i, 1)[0]!;
      if (this.client.isState("ready")) this.#begin(call);
    }
  }

  async close(): Promise<void> {
    await this.client.stop();
    await withinTurns(
      () => this.#pending.every(({ settled }) => settled.settled),
      this.#run.seed,
      this.last,
    );
    assert.equal(this.client.pendingCalls, 0);
  }
}

/** Sends `count` hostile frames to clients; returns its counts. */
export async function attackClients(count: number, seed: number) {
  const random = new SeededNumbers(seed);
  const tally = { frames: 0, changedMessages: 0 };
  const failures: string[] = [];
  const run: Run = {
    seed,
    random,
    tally,
    honest: honestResponses(seed),
    failures,
    values: 0,
    errors: 0,
  };
  while (tally.frames < count / 3) await attackHandshake(run);
  while (tally.frames < count) {
    const target = new Target(run);
    await target.open();
    while (tally.frames < count && target.client.isState("ready")) await target.attack();
    await target.close();
  }
  return { ...tally, failures, values: run.values, errors: run.errors };
}
