/** Builds copy streams for an application (spec/thin-protocol §4.7 and §7.4). */
import type { Bytes } from "../bytes/bytes.js";
import type { MessageBoxIndex, WriteCap } from "../bytes/opaque.js";
import { nextMessageBoxIndex } from "../bacap/message-box-index.js";
import { CopyStreamEncoder } from "../crypto/copy-stream/encoder.js";
import {
  MAX_COPY_PAYLOAD_LENGTH,
  chunkCopyPayload,
  holdsCopyStream,
  planCopyStream,
} from "../pki/copy-stream-plan.js";
import { encodeCourierEnvelope } from "../crypto/envelope/courier-messages.js";
import { MAX_MESSAGE_SIZE } from "../wire/framing.js";
import type { DaemonRequest } from "../wire/requests.js";
import { requireIndex, requireWriteCap, sealEnvelope, writeMessageFor } from "./envelopes.js";
import { type PigeonholeContext, RequestFailure, requireDocument } from "./pigeonhole-context.js";
import {
  THIN_CLIENT_ERROR_INVALID_REQUEST as INVALID_REQUEST,
  THIN_CLIENT_ERROR_INTERNAL_ERROR as INTERNAL_ERROR,
} from "../errors/codes.js";

/** Bytes of a reply besides its elements, and bytes of each destination index in it. */
const REPLY_OVERHEAD = 1024;
const INDEX_OVERHEAD = 112;
/** The most bytes that CBOR puts before an element. */
const ELEMENT_OVERHEAD = 5;

interface Built {
  readonly elements: Bytes[];
  readonly next: MessageBoxIndex;
}

/** Writes each plaintext to the next box of a destination, as elements of the stream. */
async function build(
  context: PigeonholeContext,
  encoder: CopyStreamEncoder,
  writeCap: WriteCap,
  start: MessageBoxIndex,
  plaintexts: Iterable<Uint8Array>,
): Promise<Built> {
  const elements: Bytes[] = [];
  let index = start;
  for (const plaintext of plaintexts) {
    const message = writeMessageFor(context, writeCap, index, plaintext);
    const { envelope } = await sealEnvelope(context, message);
    elements.push(...encoder.add(encodeCourierEnvelope(envelope)));
    index = nextMessageBoxIndex(index);
    await context.breather.pause();
  }
  return { elements, next: index };
}

function requirePayload(payload: Bytes | null): Bytes {
  const length = payload?.length ?? 0;
  if (length > MAX_COPY_PAYLOAD_LENGTH) {
    throw new RequestFailure(INVALID_REQUEST, `payload of ${length} bytes is too long`);
  }
  return payload ?? new Uint8Array(0);
}

function requireRoom(context: PigeonholeContext, errorCode: number): void {
  if (holdsCopyStream(context.sizes)) return;
  throw new RequestFailure(errorCode, "boxes are too small for a copy stream");
}

/**
 * A reply must fit into a frame. A larger one is refused before the work is done; upstream does all
 * the work and then breaks its client (spec/thin-protocol §10, defects 20 and 21).
 */
function requireReplyFits(
  { sizes }: PigeonholeContext,
  asked: { readonly envelopes: number; readonly destinations: number; readonly buffered: number },
): void {
  const { elements } = planCopyStream(sizes, asked.envelopes, asked.buffered);
  const length = elements * (sizes.maxPlaintextPayloadLength + ELEMENT_OVERHEAD);
  if (length + asked.destinations * INDEX_OVERHEAD + REPLY_OVERHEAD <= MAX_MESSAGE_SIZE) return;
  throw new RequestFailure(
    INVALID_REQUEST,
    `${asked.envelopes} envelopes do not fit into one reply; split the request`,
  );
}

const orNull = (elements: Bytes[]): Bytes[] | null => (elements.length > 0 ? elements : null);

/** create_courier_envelopes_from_payload. */
export async function envelopesFromPayload(
  context: PigeonholeContext,
  request: DaemonRequest<"createCourierEnvelopesFromPayload">,
): Promise<{ envelopes: Bytes[] | null; nextDestIndex: MessageBoxIndex }> {
  const writeCap = requireWriteCap(request.destWriteCap);
  const start = requireIndex(request.destStartIndex);
  const payload = requirePayload(request.payload);
  requireRoom(context, INVALID_REQUEST);
  requireDocument(context);
  const encoder = new CopyStreamEncoder(context.sizes, { isStart: request.isStart });
  const chunks = chunkCopyPayload(context.sizes, payload);
  requireReplyFits(context, { envelopes: chunks.length, destinations: 1, buffered: 0 });
  const { elements, next } = await build(context, encoder, writeCap, start, chunks);
  elements.push(...(request.isLast ? encoder.flush() : encoder.flushWithoutFinal()));
  return { envelopes: orNull(elements), nextDestIndex: next };
}

/** create_courier_envelopes_from_multi_payload. */
export async function envelopesFromMultiPayload(
  context: PigeonholeContext,
  request: DaemonRequest<"createCourierEnvelopesFromMultiPayload">,
): Promise<{
  envelopes: Bytes[] | null;
  buffer: Bytes | null;
  nextDestIndices: MessageBoxIndex[];
}> {
  const { destinations } = request;
  if (!destinations?.length) throw new RequestFailure(INVALID_REQUEST, "no destinations");
  requireRoom(context, INTERNAL_ERROR);
  requireDocument(context);
  const checked = [];
  // A frame has room for 100,000 destinations, and checking one capability takes a curve operation.
  for (const destination of destinations) {
    checked.push({
      writeCap: requireWriteCap(destination.writeCap),
      start: requireIndex(destination.startIndex),
      chunks: chunkCopyPayload(context.sizes, requirePayload(destination.payload)),
    });
    await context.breather.pause();
  }
  const encoder = encoderFor(context, request);
  requireReplyFits(context, {
    envelopes: checked.reduce((sum, { chunks }) => sum + chunks.length, 0),
    destinations: checked.length,
    buffered: encoder.buffer.length,
  });
  const elements: Bytes[] = [];
  const nextDestIndices: MessageBoxIndex[] = [];
  for (const { writeCap, start, chunks } of checked) {
    const built = await build(context, encoder, writeCap, start, chunks);
    for (const element of built.elements) elements.push(element);
    nextDestIndices.push(built.next);
  }
  return { ...finish(encoder, elements, request.isLast), nextDestIndices };
}

/** create_courier_envelopes_from_tombstone_range. */
export async function envelopesFromTombstoneRange(
  context: PigeonholeContext,
  request: DaemonRequest<"createCourierEnvelopesFromTombstoneRange">,
): Promise<{
  envelopes: Bytes[] | null;
  buffer: Bytes | null;
  nextDestIndex: MessageBoxIndex;
}> {
  const writeCap = requireWriteCap(request.destWriteCap);
  const start = requireIndex(request.destStartIndex);
  const { maxCount } = request;
  const encoder = encoderFor(context, request);
  const buffered = encoder.buffer.length;
  requireReplyFits(context, { envelopes: maxCount, destinations: 1, buffered });
  // Without tombstones no document is needed. But the bytes left over from the call before are not
  // lost, and this call can end a stream (spec/thin-protocol §10, defect 20).
  if (maxCount === 0 && !request.buffer?.length) {
    return { envelopes: null, buffer: null, nextDestIndex: start };
  }
  if (maxCount > 0) requireDocument(context);
  const empty = new Uint8Array(0);
  const tombstones = Array.from({ length: maxCount }, () => empty);
  const { elements, next } = await build(context, encoder, writeCap, start, tombstones);
  return { ...finish(encoder, elements, request.isLast), nextDestIndex: next };
}

function encoderFor(
  context: PigeonholeContext,
  request: { readonly buffer: Bytes | null; readonly isStart: boolean },
): CopyStreamEncoder {
  const buffer = request.buffer ?? new Uint8Array(0);
  if (buffer.length > MAX_COPY_PAYLOAD_LENGTH) {
    throw new RequestFailure(INVALID_REQUEST, `buffer of ${buffer.length} bytes is too long`);
  }
  return new CopyStreamEncoder(context.sizes, { buffer, isStart: request.isStart });
}

function finish(
  encoder: CopyStreamEncoder,
  elements: Bytes[],
  isLast: boolean,
): { envelopes: Bytes[] | null; buffer: Bytes | null } {
  if (!isLast) return { envelopes: orNull(elements), buffer: encoder.buffer };
  for (const element of encoder.flush()) elements.push(element);
  return { envelopes: orNull(elements), buffer: null };
}
