/** A message in the outbox of a channel: how it is written, its record, and its boxes. */
import { type Bytes, copyBytes } from "../bytes/bytes.js";
import { type MessageBoxIndex, WriteCap } from "../bytes/opaque.js";
import type { CborValue, Encodable } from "../cbor/cbor.js";
import { messageBoxCounter } from "../bacap/message-box-index.js";
import { firstIndexOf } from "../bacap/capabilities.js";
import { field, isBytes, isNumber } from "./store.js";

/** How a message is written. */
export type Way =
  | { readonly kind: "write"; readonly boxes: readonly Uint8Array[] }
  | {
      readonly kind: "tombstone";
      readonly count: number;
      /** The side stream of the message, which is deleted before the box that refers to it. */
      readonly side: SideBoxes | null;
    }
  | { readonly kind: "batch"; readonly boxes: readonly Uint8Array[]; readonly batch: number }
  /**
   * Boxes of a separate stream, and one box in the channel that refers to it and is written after
   * them.
   */
  | {
      readonly kind: "side";
      readonly boxes: readonly Uint8Array[];
      readonly sideWriteCap: WriteCap;
    };

/** The boxes of a side stream. */
export interface SideBoxes {
  readonly writeCap: WriteCap;
  readonly count: number;
}

/** A message in the outbox, and which of its boxes are on their way or stored. */
export interface Outgoing {
  readonly seq: number;
  readonly id: bigint;
  readonly way: Way;
  /** The box in the channel. */
  readonly index: MessageBoxIndex;
  /** Index of each box, as far as needed; for a side stream, the indices in that stream. */
  readonly indices: MessageBoxIndex[];
  readonly count: number;
  /** How many boxes were started; boxes to start again are in `again`. */
  started: number;
  readonly again: number[];
  /** Numbers of the stored boxes. */
  readonly done: Set<number>;
  /** The first box that is not stored. */
  firstUndone: number;
  /** Whether the network may have lost its first boxes: it may be another one than before. */
  isDoubtful: boolean;
}

/** The record of a message in the outbox. */
export function encodeOutgoing(index: MessageBoxIndex, way: Way): Encodable {
  switch (way.kind) {
    case "write":
      return { index, boxes: way.boxes };
    case "tombstone":
      return way.side
        ? { index, tombstones: way.count, side: way.side.writeCap, sideBoxes: way.side.count }
        : { index, tombstones: way.count };
    case "batch":
      return { index, boxes: way.boxes, batch: way.batch };
    case "side":
      return { index, boxes: way.boxes, side: way.sideWriteCap };
  }
}

/** A message of the outbox, none of whose boxes was started. */
export function decodeOutgoing(seq: number, record: CborValue): Outgoing {
  const index = indexOf(record);
  const way = wayOf(record as Map<string, CborValue>);
  const id = messageBoxCounter(index);
  const side = sideCapIn(way);
  return {
    seq,
    id,
    way,
    index,
    indices: [side ? firstIndexOf(side) : index],
    count: boxesOf(way),
    started: 0,
    again: [],
    done: new Set(),
    firstUndone: 0,
    isDoubtful: false,
  };
}

/** How many boxes a message takes, with those of its side stream. */
export function boxesOf(way: Way): number {
  if (way.kind === "side") return way.boxes.length + 1;
  return placesOf(way) + (way.kind === "tombstone" ? (way.side?.count ?? 0) : 0);
}

/** The keys of the side stream that is written or deleted; null if there is none. */
export function sideCapIn(way: Way): WriteCap | null {
  if (way.kind === "side") return way.sideWriteCap;
  return way.kind === "tombstone" ? (way.side?.writeCap ?? null) : null;
}

/** The side stream in a record; null if it has none. */
export function sideBoxesOf(record: CborValue | undefined): SideBoxes | null {
  const cap = record instanceof Map ? record.get("side") : undefined;
  if (!record || !(cap instanceof Uint8Array)) return null;
  return { writeCap: WriteCap.from(cap), count: field(record, "sideBoxes", isNumber) };
}

/** How many boxes of the channel a message takes. */
export function placesOf(way: Way): number {
  switch (way.kind) {
    case "tombstone":
      return way.count;
    case "side":
      return 1;
    default:
      return way.boxes.length;
  }
}

function wayOf(record: Map<string, CborValue>): Way {
  const tombstones = record.get("tombstones");
  if (typeof tombstones === "number") {
    return { kind: "tombstone", count: tombstones, side: sideBoxesOf(record as CborValue) };
  }
  const boxes = field(record as CborValue, "boxes", isBoxes);
  const side = record.get("side");
  if (side instanceof Uint8Array) return { kind: "side", boxes, sideWriteCap: WriteCap.from(side) };
  const batch = record.get("batch");
  return typeof batch === "number" ? { kind: "batch", boxes, batch } : { kind: "write", boxes };
}

function indexOf(record: CborValue): MessageBoxIndex {
  return copyBytes(field(record, "index", isBytes)) as MessageBoxIndex;
}

const isBoxes = (value: CborValue): value is Bytes[] =>
  Array.isArray(value) && value.length > 0 && value.every(isBytes);
