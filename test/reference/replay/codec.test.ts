/** Every frame of every recording, decoded and encoded again by our codec. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "../../../src/errors/errors.js";
import { type CborMap, type CborValue, decodeCbor } from "../../../src/cbor/cbor.js";
import { FrameDecoder } from "../../../src/wire/framing.js";
import { decodeRequest, encodeRequest } from "../../../src/wire/requests.js";
import { decodeResponse, encodeResponse } from "../../../src/wire/responses.js";
import { RECORDINGS, type RecordedFrame, loadRecording } from "./recording.js";

/** Frames without content, and frames that must be refused, by their position. */
const SILENT = new Map([["malformed", [4, 16]]]);
const REFUSED = new Map([["malformed", [9, 22, 35]]]);
const WRONG_PREFIX = new Map([["malformed", [48, 54]]]);

/** Null counts as absent; an absent flag counts as false. */
function normal(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (!(value instanceof Map)) return value;
  const members = [...value]
    .filter(([, member]) => member !== null && member !== false)
    .map(([key, member]) => [String(key), normal(member)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The one member of a message that is not null; the daemon sends all others as null. */
function said(body: Uint8Array, wireName: string): CborValue {
  const message = decodeCbor(body) as CborMap;
  return message.get(wireName);
}

function reencode(frame: RecordedFrame): Uint8Array | null {
  if (frame.from === "client") {
    const request = decodeRequest(frame.body);
    return request && encodeRequest(request);
  }
  const response = decodeResponse(frame.body);
  assert.notEqual(response?.kind, "malformedReply");
  return response && encodeResponse(response as Exclude<typeof response, { error: unknown }>);
}

const counts = { read: 0, silent: 0, refused: 0, wrongPrefix: 0 };

function check(name: string, frame: RecordedFrame): void {
  if (WRONG_PREFIX.get(name)?.includes(frame.at)) {
    const prefix = new Uint8Array(4);
    new DataView(prefix.buffer).setUint32(0, frame.prefix);
    assert.throws(() => new FrameDecoder().push(prefix, () => {}), ProtocolError);
    counts.wrongPrefix++;
    return;
  }
  if (REFUSED.get(name)?.includes(frame.at)) {
    assert.throws(() => decodeRequest(frame.body), ProtocolError, `${name} frame ${frame.at}`);
    counts.refused++;
    return;
  }
  const again = reencode(frame);
  if (SILENT.get(name)?.includes(frame.at)) {
    assert.equal(again, null);
    counts.silent++;
    return;
  }
  assert.ok(again, `${name} frame ${frame.at} has content`);
  const [[wireName, value]] = [...(decodeCbor(again) as CborMap)] as [[string, CborValue]];
  const original = said(frame.body, wireName);
  // The flag of thin_close and shutdown_event is an empty map, so there is nothing to compare.
  assert.deepEqual(normal(value), normal(original), `${name} frame ${frame.at}: ${wireName}`);
  counts.read++;
}

for (const name of RECORDINGS) {
  test(`the codec reads and writes every frame of ${name} without loss`, () => {
    for (const { frames } of loadRecording(name).connections) {
      for (const frame of frames) check(name, frame);
    }
  });
}

test("every frame was checked", () => {
  assert.deepEqual(counts, { read: 441, silent: 2, refused: 3, wrongPrefix: 2 });
});
