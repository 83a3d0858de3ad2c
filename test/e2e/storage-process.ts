/**
 * A process that is killed: a storage network with its data in a folder. It prints one line for
 * everything that it was told is safe. storage-kill.test.ts starts it as `node … FOLDER WHAT`.
 */
import { realClock } from "../../src/clock/real.js";
import { randomBytes } from "../../src/bytes/bytes.js";
import { keypairFromSeed } from "../../src/bacap/capabilities.js";
import { makeWriteMessage } from "../../src/crypto/envelope/box-messages.js";
import { LevelBoxStore } from "../../src/network/replica/level-box-store.js";
import { LevelEnvelopeLog } from "../../src/network/courier/level-envelope-log.js";
import { levelPlaceIn } from "../../src/platform/node-level.js";
import { RecordStore } from "../../src/store/record-store.js";
import { places, prepareCopy } from "../network/copy-stream-fixture.js";
import { StorageFixture, seed, sizes } from "../network/storage-fixture.js";

/** The stream that is written, and the one that is copied. */
export const written = keypairFromSeed(seed(31));
export const temporary = keypairFromSeed(seed(32));

/** The content of the box with this number. */
export function contentsOf(box: number): Uint8Array {
  return new Uint8Array(20).fill(box % 256);
}

/** The content that is copied. */
export const copied: Uint8Array = new Uint8Array(4000).map((_, i) => i % 253);

/** A network with its data in a folder, on the platform's clock. */
export async function openNetwork(folder: string): Promise<StorageFixture> {
  const store = await RecordStore.open(await levelPlaceIn(folder, "store"));
  const log = new LevelEnvelopeLog(store, 0);
  return StorageFixture.start({
    clock: realClock,
    random: randomBytes,
    storeFor: ({ replicaId }) => new LevelBoxStore(store, replicaId),
    // Closed with the network.
    logFor: () => Object.assign(log, { close: () => store.close() }),
    kindCouriers: true,
  });
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Writes boxes one after the other, and prints those that the courier has acknowledged. */
async function acknowledge(fixture: StorageFixture): Promise<void> {
  // No replica ever receives them, so only the courier's log keeps them.
  for (const { faults } of fixture.network.replicas) faults.loss = 1;
  for (const [box, index] of places(written.firstMessageIndex, 5000).entries()) {
    const message = makeWriteMessage(sizes, written.writeCap, index, contentsOf(box));
    const reply = await fixture.send(await fixture.envelope(message));
    if (reply.errorCode === 0) say(String(box));
  }
}

/** Writes boxes one after the other, and prints those that a replica has confirmed. */
async function store(fixture: StorageFixture): Promise<void> {
  for (const [box, index] of places(written.firstMessageIndex, 5000).entries()) {
    const message = makeWriteMessage(sizes, written.writeCap, index, contentsOf(box));
    const shard = fixture.shardsOf(message.boxId)[0]!;
    const { errorCode } = await fixture.askReplica(shard, message);
    if (errorCode === 0) say(String(box));
  }
}

/** Starts a copy, and prints that it is in progress. */
async function copy(fixture: StorageFixture): Promise<void> {
  await prepareCopy(fixture, temporary, written, copied);
  say("ready");
  for (let polls = 0; ; polls++) {
    const { status } = await fixture.copy(temporary.writeCap);
    say(status === 1 ? `running ${polls}` : `ended ${status}`);
    await fixture.settle();
  }
}

const [folder, what] = process.argv.slice(2);
if (what !== undefined && folder !== undefined) {
  const fixture = await openNetwork(folder);
  if (what === "acknowledge") await acknowledge(fixture);
  if (what === "store") await store(fixture);
  if (what === "copy") await copy(fixture);
}
