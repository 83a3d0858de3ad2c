/**
 * Makes messages of the boxes of a channel. Its state is a part of the reader's cursor: it changes in
 * the transactions that store boxes.
 */
import { concatBytes, copyBytes } from "../bytes/bytes.js";
import { MessageBoxIndex, ReadCap } from "../bytes/opaque.js";
import type { CborValue, Encodable } from "../cbor/cbor.js";
import { firstIndexOf, parseReadCap } from "../bacap/capabilities.js";
import { messageBoxCounter, nextMessageBoxIndex } from "../bacap/message-box-index.js";
import { ChannelStoreError } from "../errors/channel-errors.js";
import type { BoxResult } from "./channel-client.js";
import { parseBox } from "./framing.js";
import { type ChannelStore, type Draft, field, isBytes, keyNumber } from "./store.js";
import { isNearEnd } from "./stream-end.js";

/**
 * The kind of a message:
 * - `message`: bytes as they were sent.
 * - `deleted`: its writer deleted it before we read it; no bytes.
 * - `sideStream`: the message is in another stream (as katzenqt's long ones are) whose boxes are
 *   gone or are not a message; the bytes are its ReadCap (136 bytes).
 * - `tooLong`: longer than `maxMessageLength`; no bytes.
 * - `other`: a box that is not in a channel's format; its plaintext, unchanged.
 */
export type MessageKind = "message" | "deleted" | "sideStream" | "tooLong" | "other";

/** A message with missing boxes. */
interface Partial {
  readonly id: bigint;
  readonly count: number;
  readonly length: number;
  /** Whether it is in katzenqt's format, whose boxes do not mark continuations. */
  readonly isChain: boolean;
}

/** The separate stream of a long katzenqt message, and how far it was read. */
export interface SideStream {
  /** The box in the channel that referred to it. */
  readonly id: bigint;
  readonly readCap: ReadCap;
  readonly next: MessageBoxIndex;
}

/** The stored state of an assembly. */
export interface SavedAssembly {
  /** The next box of the channel. */
  readonly next: MessageBoxIndex;
  readonly partial: Partial | null;
  readonly skipping: boolean;
  readonly gap: number;
  readonly side: SideStream | null;
}

/** What an assembly is made with. */
export interface AssemblyContext {
  /** The channel's key in the store, and its name. */
  readonly key: string;
  readonly name: string;
  readonly maxMessageLength: number;
}

/** The messages of one channel. */
export class MessageAssembly {
  readonly #context: AssemblyContext;
  #next: MessageBoxIndex;
  #partial: Partial | null;
  /** Whether to skip the rest of a message: its beginning was lost, or it is too long. */
  #skipping: boolean;
  #gap: number;
  #side: SideStream | null;
  /** Boxes of the incomplete message; they are also in the store. */
  readonly #parts = new Map<number, Uint8Array>();

  constructor(context: AssemblyContext, saved: SavedAssembly) {
    this.#context = context;
    this.#next = saved.next;
    this.#partial = saved.partial;
    this.#skipping = saved.skipping;
    this.#gap = saved.gap;
    this.#side = saved.side;
  }

  /** The next box of the channel. */
  get next(): MessageBoxIndex {
    return this.#next;
  }

  /** The side stream that is read before it; null if there is none. */
  get side(): SideStream | null {
    return this.#side;
  }

  /** The fields of the cursor's record. */
  get record() {
    return {
      next: this.#next,
      partial: this.#partial && { ...this.#partial },
      skipping: this.#skipping,
      gap: this.#gap,
      side: this.#side && { ...this.#side },
    };
  }

  /** Adds the next box to the transaction; returns the number of messages that it completes. */
  take(draft: Draft, result: BoxResult): number {
    return this.#side ? this.#takeSideBox(draft, result) : this.#takeBox(draft, result);
  }

  /** Moves on over `lost` boxes that are gone for good. */
  skip(draft: Draft, lost: number, next: MessageBoxIndex): void {
    this.#gap += lost + (this.#partial?.count ?? 0);
    this.#dropPartial(draft);
    this.#next = next;
  }

  /** Adds one box to the transaction; returns the number of messages that it completes. */
  #takeBox(draft: Draft, result: BoxResult): number {
    const id = messageBoxCounter(this.#next);
    this.#next = nextMessageBoxIndex(this.#next);
    if (result.kind !== "found") {
      const first = this.#partial?.id ?? id;
      this.#dropPartial(draft);
      return this.#putMessage(draft, first, "deleted", new Uint8Array(0));
    }
    const box = parseBox(result.plaintext);
    switch (box.kind) {
      case "side": {
        this.#dropPartial(draft);
        const readCap = sideCapOf(box.content);
        if (!readCap) return this.#putMessage(draft, id, "other", result.plaintext);
        this.#side = { id, readCap, next: firstIndexOf(readCap) };
        return 0;
      }
      case "other":
        this.#dropPartial(draft);
        return this.#putMessage(draft, id, "other", box.content);
      case "whole":
        this.#dropPartial(draft);
        return this.#putPart(draft, id, box.content, true);
      case "first":
        this.#dropPartial(draft);
        return this.#putPart(draft, id, box.content, false);
      case "chain":
        return this.#putPart(draft, id, box.content, false, true);
      case "middle":
      case "last":
        if (!this.#partial) {
          // The beginning of this message was lost, or nobody wrote one.
          this.#gap++;
          return 0;
        }
        return this.#putPart(draft, id, box.content, box.kind === "last");
      case "end":
        return this.#putPart(draft, id, box.content, true, true);
    }
  }

  /**
   * Adds one box of a side stream to the transaction; returns the number of messages that it
   * completes.
   */
  #takeSideBox(draft: Draft, result: BoxResult): number {
    const { id, readCap, next } = this.#side!;
    const box = result.kind === "found" ? parseBox(result.plaintext) : null;
    if (box?.kind === "chain" || box?.kind === "end") {
      const isLast = box.kind === "end";
      this.#side = isLast ? null : { id, readCap, next: nextMessageBoxIndex(next) };
      const messages = this.#putPart(draft, id, box.content, isLast, true);
      if (isLast || !this.#skipping) return messages;
      // The message is too long; the rest of it does not have to be read.
      this.#side = null;
      this.#dropPartial(draft);
      return this.#putMessage(draft, id, "tooLong", new Uint8Array(0));
    }
    this.#side = null;
    this.#dropPartial(draft);
    if (result.kind === "deleted") {
      return this.#putMessage(draft, id, "deleted", new Uint8Array(0));
    }
    return this.#putMessage(draft, id, "sideStream", readCap);
  }

  #putPart(
    draft: Draft,
    id: bigint,
    content: Uint8Array,
    isLast: boolean,
    isChain = false,
  ): number {
    const before = this.#partial ?? { id, count: 0, length: 0, isChain };
    const length = before.length + content.length;
    if (length > this.#context.maxMessageLength) this.#skipping = true;
    if (!isLast) {
      if (!this.#skipping) draft.put(this.#partKey(before.count), content);
      this.#partial = { ...before, count: before.count + 1, length };
      this.#parts.set(before.count, this.#skipping ? new Uint8Array(0) : copyBytes(content));
      return 0;
    }
    const parts: Uint8Array[] = [];
    for (let n = 0; n < before.count; n++) parts.push(this.#parts.get(n) ?? new Uint8Array(0));
    const bytes = this.#skipping ? new Uint8Array(0) : concatBytes(...parts, content);
    const kind = this.#skipping ? "tooLong" : "message";
    this.#dropPartial(draft);
    return this.#putMessage(draft, before.id, kind, bytes, before.isChain);
  }

  #dropPartial(draft: Draft): void {
    for (let n = 0; n < (this.#partial?.count ?? 0); n++) draft.delete(this.#partKey(n));
    this.#partial = null;
    this.#skipping = false;
    this.#parts.clear();
  }

  #putMessage(
    draft: Draft,
    id: bigint,
    kind: MessageKind,
    bytes: Uint8Array,
    isKatzenqt = false,
  ): number {
    const record: Record<string, Encodable> = { kind, bytes };
    if (this.#gap > 0) {
      record["gap"] = this.#gap;
      record["mayBeCut"] = isKatzenqt;
    }
    this.#gap = 0;
    draft.put(inboxPrefix(this.#context.key) + keyNumber(id), record);
    return 1;
  }

  /** Loads the boxes of the incomplete message. */
  async loadParts(store: ChannelStore): Promise<void> {
    this.#parts.clear();
    if (this.#skipping || !this.#partial) return;
    for (let n = 0; n < this.#partial.count; n++) {
      const content = await store.get(this.#partKey(n));
      if (!(content instanceof Uint8Array)) {
        throw new ChannelStoreError(
          `channel ${JSON.stringify(this.#context.name)}: box ${n} of message ${this.#partial.id}, which is half ` +
            "read, is missing. The store is damaged: restore it from a backup, or import the " +
            "channel's invitation again",
        );
      }
      this.#parts.set(n, copyBytes(content));
    }
  }

  #partKey(n: number): string {
    return `part!${this.#context.key}!${keyNumber(n)}`;
  }
}

/** The beginning of the keys of a channel's messages; a message's id follows. */
export function inboxPrefix(key: string): string {
  return `in!${key}!`;
}

/** The fields of the cursor's record of a new channel that is read from `next` on. */
export function newAssembly(next: MessageBoxIndex) {
  return { next, partial: null, skipping: false, gap: 0, side: null };
}

/** The state in a cursor's record. */
export function savedAssembly(cursor: CborValue): SavedAssembly {
  const map = cursor instanceof Map ? cursor : new Map<string, CborValue>();
  const partial = map.get("partial");
  return {
    next: MessageBoxIndex.from(field(cursor, "next", isBytes)),
    partial:
      partial instanceof Map
        ? {
            id: BigInt(partial.get("id") as number | bigint),
            count: Number(partial.get("count")),
            length: Number(partial.get("length")),
            isChain: partial.get("isChain") === true,
          }
        : null,
    skipping: map.get("skipping") === true,
    gap: Number(map.get("gap") ?? 0),
    side: sideOf(map.get("side")),
  };
}

function sideOf(stored: CborValue): SideStream | null {
  if (!(stored instanceof Map)) return null;
  return {
    id: BigInt(stored.get("id") as number | bigint),
    readCap: ReadCap.from(field(stored, "readCap", isBytes)),
    next: MessageBoxIndex.from(field(stored, "next", isBytes)),
  };
}

/** The ReadCap in a box that refers to a side stream; null if it does not hold a usable one. */
function sideCapOf(content: Uint8Array): ReadCap | null {
  try {
    const readCap = parseReadCap(content);
    return isNearEnd(firstIndexOf(readCap)) ? null : readCap;
  } catch {
    return null;
  }
}
