/** The calls in a schedule: how each is made, and which results are allowed. */
import { concatBytes, utf8, utf8ToText } from "../../../src/bytes/bytes.js";
import type { EnvelopeHash } from "../../../src/bytes/opaque.js";
import type { ThinClient } from "../../../src/client/thin-client.js";
import { BoxIDNotFoundError } from "../../../src/errors/errors.js";
import { type Attempt, type JudgedCall, type ModelBox, judgeError } from "./pigeonhole-boxes.js";
import { BOXES_PER_STREAM, type Step } from "./pigeonhole-schedule.js";
import type { ModelWorld, Place } from "./pigeonhole-world.js";

/** Steps that are calls. */
export type CallStep = Exclude<Extract<Step, { client: number }>, { kind: "replaceClient" }>;

const nothingSpecial: JudgedCall = {
  kind: "encrypt",
  boxes: [],
  aborted: undefined,
  cancelled: false,
  clientClosed: false,
};

function valueName(value: number): string {
  return `value ${value}`;
}

/** Makes the call of a step; skips one that needs an envelope if there is none yet. */
export async function takeCall(world: ModelWorld, step: CallStep): Promise<void> {
  const client = world.clients[step.client % world.clients.length]!;
  const place = "box" in step ? world.places[step.box % world.places.length]! : world.places[0]!;
  world.count(step.kind);
  switch (step.kind) {
    case "read":
      return read(world, client, place, step.wait, (signal) =>
        client.read(place.stream.readCap, place.index, { signal, wait: step.wait }),
      );
    case "startRead": {
      const envelope = await sealed(world, client.encryptRead(place.stream.readCap, place.index));
      if (envelope === null) return;
      const request = { ...envelope, noRetryOnBoxIdNotFound: !step.wait };
      for (let times = step.twice ? 2 : 1; times > 0; times--) {
        const start = (signal: AbortSignal) =>
          client.startResendingEncryptedMessage(request, { signal });
        read(world, client, place, step.wait, start, envelope.envelopeHash);
      }
      return;
    }
    case "write":
      return write(world, client, place, step.value, step.exclusive, (plaintext, signal) =>
        client.write(place.stream.writeCap, place.index, plaintext, {
          signal,
          ifExists: step.exclusive ? "error" : "same",
        }),
      );
    case "startWrite": {
      const { writeCap } = place.stream;
      const plaintext = utf8(valueName(step.value));
      const envelope = await sealed(world, client.encryptWrite(plaintext, writeCap, place.index));
      if (envelope === null) return;
      const request = { ...envelope, noIdempotentBoxAlreadyExists: step.exclusive };
      const start = (_: Uint8Array, signal: AbortSignal) =>
        client.startResendingEncryptedMessage(request, { signal });
      const { envelopeHash } = envelope;
      return write(world, client, place, step.value, step.exclusive, start, envelopeHash);
    }
    case "tombstone": {
      const attempt = place.model.begin(null, world.epoch);
      const subject = { kind: "tombstone", boxes: [place.model], values: [null] };
      const run = (signal: AbortSignal) =>
        client.tombstone(place.stream.writeCap, place.index, { signal });
      return world.begin(client, place.name, subject, run, () => confirm(attempt));
    }
    case "copy":
      return copy(world, client, place, step.boxes, step.value);
    case "echo":
      return echo(world, client);
    case "counter": {
      const expected = new DataView(place.index.buffer).getBigUint64(0, true);
      const subject = { kind: "counter", boxes: [] };
      const run = (signal: AbortSignal) =>
        client.getMessageBoxIndexCounter(place.index, { signal });
      return world.begin(client, place.name, subject, run, (counter) =>
        counter === expected ? null : `the counter is ${counter}, it should be ${expected}`,
      );
    }
  }
}

/** An envelope; null if none can be sealed now (no daemon, no document). */
async function sealed<T>(world: ModelWorld, promise: Promise<T>): Promise<T | null> {
  if (!world.daemon.isRunning || world.clients.some((client) => !client.isState("ready"))) {
    promise.catch(() => {});
    return null;
  }
  try {
    // Without a document, a daemon first looks for one, for each call in turn.
    return await world.clock.runUntil(promise, 10_000);
  } catch (error) {
    const reason = judgeError(nothingSpecial, error, world.excuses);
    if (reason !== null) world.violation("encrypt", `${String(error)}: ${reason}`);
    return null;
  }
}

function read(
  world: ModelWorld,
  client: ThinClient,
  { name, model }: Place,
  wait: boolean,
  run: (signal: AbortSignal) => Promise<{ readonly plaintext: Uint8Array }>,
  envelopeHash: EnvelopeHash | null = null,
): void {
  const kind = envelopeHash === null ? "read" : "startRead";
  const begun = world.epoch;
  const mayWait = (): boolean => {
    // The client does not reseal an envelope that was started unchanged. Couriers that are not kind
    // answer it from their memory for five minutes after five misses.
    const { kindCouriers } = world.schedule;
    const stale = envelopeHash !== null && (world.epoch !== begun || !kindCouriers);
    const certain = model.mustHoldSomething(world.epoch) && !world.excuses.acknowledgedMayBeLost;
    return stale || (wait && !certain);
  };
  const fixed = model.fixedAt(begun);
  const deleted = model.mayHold(null);
  world.begin(
    client,
    wait ? `${name} (waits)` : name,
    { kind, boxes: [model], envelopeHash, mayWait },
    run,
    ({ plaintext }) => {
      const value = utf8ToText(plaintext);
      model.see(world.clock.monotonic(), world.epoch);
      if (!model.mayHold(value)) return `nobody wrote ${value}`;
      const certain = model.fixedAt(world.epoch);
      return certain === null || value === certain ? null : `${value} instead of ${certain}`;
    },
    (error) => {
      if (!(error instanceof BoxIDNotFoundError)) return null;
      if (wait && !world.excuses.replicaCodes.has(1)) return "it should have waited";
      const present = fixed !== null && !deleted && model.fixedAt(world.epoch) !== null;
      return present && !world.excuses.misleading ? `the box holds ${fixed}` : null;
    },
  );
}

function write(
  world: ModelWorld,
  client: ThinClient,
  { name, model }: Place,
  value: number,
  exclusive: boolean,
  run: (plaintext: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<unknown>,
  envelopeHash: EnvelopeHash | null = null,
): void {
  const text = valueName(value);
  const isTaken = exclusive && model.isTakenFor(text, world.clock.monotonic(), world.epoch);
  if (isTaken) world.count("exclusive write of a box that is taken");
  const attempt = model.begin(text, world.epoch);
  const kind = envelopeHash === null ? "write" : "startWrite";
  const epoch = world.epoch;
  const stale = (): boolean => envelopeHash !== null && world.epoch !== epoch;
  const subject = { kind, boxes: [model], values: [text], envelopeHash, mayWait: stale };
  const title = `${name} ${exclusive ? "must be" : "="} ${text}`;
  world.begin(
    client,
    title,
    subject,
    (signal) => run(utf8(text), signal),
    () => {
      confirm(attempt);
      if (!exclusive || world.excuses.misleading) return null;
      const exact = world.excuses.storageIsExact && world.epoch === epoch;
      if (isTaken && exact) return "the box holds something else";
      model.see(world.clock.monotonic(), world.epoch);
      const certain = model.fixedAt(world.epoch);
      if (certain !== null && certain !== text) return `overwrote ${certain}`;
      if (certain === null) fix(world, model, attempt);
      return null;
    },
  );
}

function confirm(attempt: Attempt): null {
  attempt.confirmed = true;
  return null;
}

function fix(world: ModelWorld, model: ModelBox, { value }: Attempt): void {
  const only = model.attempts.every((other) => other.value === value);
  const epoch = Math.min(...model.attempts.map((other) => other.epoch));
  if (only && value !== null && world.excuses.storageIsSound && !world.excuses.poorDocuments) {
    model.fixed = { value, epoch };
    world.count("box fixed");
  }
}

function copy(
  world: ModelWorld,
  client: ThinClient,
  place: Place,
  boxes: number,
  value: number,
): void {
  const first = world.places.indexOf(place);
  const left = BOXES_PER_STREAM - (first % BOXES_PER_STREAM);
  const places = world.places.slice(first, first + Math.min(boxes, left));
  const { maxPlaintextPayloadLength } = client.pigeonholeGeometry;
  const values = places.map((_, i) => {
    const text = `copy ${value} part ${i}`;
    return i < places.length - 1 ? text.padEnd(maxPlaintextPayloadLength - 4, ".") : text;
  });
  const attempts = places.map(({ model }, i) => model.begin(values[i]!, world.epoch));
  const subject = { kind: "copy", boxes: places.map(({ model }) => model), values };
  const destination = { writeCap: place.stream.writeCap, startIndex: place.index };
  const payload = concatBytes(...values.map((text) => utf8(text)));
  const run = (signal: AbortSignal) => client.copy(payload, [destination], { signal });
  world.begin(client, `${place.name} x${places.length}`, subject, run, () => {
    for (const attempt of attempts) confirm(attempt);
    return null;
  });
}

function echo(world: ModelWorld, client: ThinClient): void {
  // After a restart without the mixnet there is no document in which to find the service.
  if (client.pkiDocument() === null) return;
  const echoes = client.getServices("echo");
  const destination = echoes[world.callCount % echoes.length]!.toDestination();
  const run = (signal: AbortSignal) =>
    client.blockingSendMessage("echo?", ...destination, { signal, timeoutMs: 20_000 });
  world.begin(client, "", { kind: "echo", boxes: [] }, run, (reply) =>
    utf8ToText(reply.subarray(0, 5)) === "echo?" ? null : "the echo is a different one",
  );
}
