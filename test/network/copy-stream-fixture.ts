/** Temporary streams for copy commands. */
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import type { Keypair } from "../../src/bacap/capabilities.js";
import { nextMessageBoxIndex } from "../../src/bacap/message-box-index.js";
import { CopyStreamEncoder } from "../../src/crypto/copy-stream/encoder.js";
import { chunkCopyPayload } from "../../src/pki/copy-stream-plan.js";
import { makeWriteMessage } from "../../src/crypto/envelope/box-messages.js";
import {
  type CourierEnvelope,
  encodeCourierEnvelope,
} from "../../src/crypto/envelope/courier-messages.js";
import type { StorageFixture } from "./storage-fixture.js";

/** The first `count` indices of a stream. */
export function places(start: MessageBoxIndex, count: number): MessageBoxIndex[] {
  const all = [start];
  while (all.length < count) all.push(nextMessageBoxIndex(all.at(-1)!));
  return all.slice(0, count);
}

/** The envelopes that write `payload` to a destination. */
export async function envelopesFor(
  fixture: StorageFixture,
  destination: Keypair,
  payload: Uint8Array,
): Promise<CourierEnvelope[]> {
  const chunks = chunkCopyPayload(fixture.sizes, payload);
  const indices = places(destination.firstMessageIndex, chunks.length);
  const envelopes: CourierEnvelope[] = [];
  for (const [i, chunk] of chunks.entries()) {
    const message = makeWriteMessage(fixture.sizes, destination.writeCap, indices[i]!, chunk);
    envelopes.push((await fixture.envelope(message)).envelope);
  }
  return envelopes;
}

/** The elements of the stream that carries envelopes. */
export function elementsOf(
  fixture: StorageFixture,
  envelopes: readonly CourierEnvelope[],
): Uint8Array[] {
  const encoder = new CopyStreamEncoder(fixture.sizes);
  const elements = envelopes.flatMap((one) => encoder.add(encodeCourierEnvelope(one)));
  return [...elements, ...encoder.flush()];
}

/** Writes elements into the boxes of a temporary stream, one each. */
export async function writeElements(
  fixture: StorageFixture,
  temporary: Keypair,
  elements: readonly Uint8Array[],
): Promise<void> {
  const indices = places(temporary.firstMessageIndex, elements.length);
  for (const [i, element] of elements.entries()) {
    const code = await fixture.write(temporary.writeCap, indices[i]!, element);
    if (code !== 0) throw new Error(`writing an element failed with ${code}`);
  }
}

/** Fills a temporary stream with a copy of `payload`; returns how many boxes it took. */
export async function prepareCopy(
  fixture: StorageFixture,
  temporary: Keypair,
  destination: Keypair,
  payload: Uint8Array,
): Promise<{ readonly boxes: number; readonly envelopes: number }> {
  const envelopes = await envelopesFor(fixture, destination, payload);
  const elements = elementsOf(fixture, envelopes);
  await writeElements(fixture, temporary, elements);
  return { boxes: elements.length, envelopes: envelopes.length };
}
