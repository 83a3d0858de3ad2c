/** One hub with three ways to receive events. None of them loses an event silently. */
import { describeType } from "../bytes/bytes.js";
import { decodedSize } from "../bytes/decoded-size.js";
import { checkOptions } from "../bytes/options.js";
import { type ClientEvent, type EventOf, type EventType, eventTypes } from "../config/events.js";
import { SlowConsumerError } from "../errors/errors.js";
import { onAbort } from "../clock/on-abort.js";
import { checkCallOptions } from "./call-options.js";
import type { Logger } from "./options.js";

/** A function that receives events of one type; the next event does not wait for its promise. */
export type EventHandler<T extends EventType> = (event: EventOf<T>) => void | Promise<void>;

/** Ends a registration when it is called or disposed of. Idempotent. */
export interface Registration extends Disposable {
  (): void;
}

/** Options of `client.events()`. */
export interface EventsOptions<T extends EventType = EventType> {
  /** Which event types; all by default. */
  readonly types?: readonly T[] | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
  /** How many unread events may wait before `SlowConsumerError` is thrown; default 10,000. */
  readonly maxQueue?: number | undefined;
  /**
   * How many bytes of memory unread events may take before `SlowConsumerError` is thrown; default
   * 64 MiB. The first event may take more.
   */
  readonly maxQueueBytes?: number | undefined;
}

const MAX_QUEUE_BYTES = 64 * 1024 * 1024;
/** Memory that an entry of the queue takes, in bytes. */
const PLACE_IN_QUEUE = 100;

/**
 * Estimates the memory that an event takes, in bytes. The estimate may be low once it exceeds
 * `most`.
 */
function sizeOf(event: ClientEvent, most: number): number {
  return PLACE_IN_QUEUE + decodedSize(event, most);
}

/** The names of all events, for fast look-ups. */
const knownTypes: ReadonlySet<string> = new Set(eventTypes);

function checkType(name: string, type: unknown): void {
  if (typeof type === "string" && knownTypes.has(type)) return;
  const got = typeof type === "string" ? `"${type}"` : describeType(type);
  throw new TypeError(`\`${name}\` must be one of ${eventTypes.join(", ")}, got ${got}`);
}

/**
 * @throws TypeError for an option that is neither `signal` nor one of `more`, or for an invalid
 * signal.
 */
function checkEventOptions(
  options: { readonly signal?: AbortSignal | undefined },
  ...more: readonly string[]
): void {
  checkOptions("options", options, ["signal", ...more]);
  checkCallOptions({ signal: options.signal });
}

type AnyHandler = (event: ClientEvent) => void | Promise<void>;

/**
 * Delivers each event, in order, to the handlers of the configuration, to `on` handlers and to
 * iterators.
 */
export class EventHub {
  readonly #handlers = new Map<EventType, Set<AnyHandler>>();
  readonly #readers = new Set<EventReader>();
  readonly #configured: (type: EventType) => AnyHandler | undefined;
  readonly #logger: Logger;
  #ended = false;
  #emitting = false;
  /** Events that handlers caused while another event was being delivered. */
  readonly #caused: ClientEvent[] = [];

  /** @param configured looks up a handler in the configuration at the time of each event. */
  constructor(configured: (type: EventType) => AnyHandler | undefined, logger: Logger) {
    this.#configured = configured;
    this.#logger = logger;
  }

  /**
   * Registers a handler. @throws TypeError for an unknown type or a handler that is not a function.
   */
  on<T extends EventType>(
    type: T,
    handler: EventHandler<T>,
    options: { signal?: AbortSignal | undefined; once?: boolean | undefined } = {},
  ): Registration {
    checkEventOptions(options, "once");
    checkType("type", type);
    if (typeof handler !== "function") {
      throw new TypeError(`\`handler\` must be a function, got ${describeType(handler)}`);
    }
    const { signal, once } = options;
    const registered: AnyHandler = (event) => {
      if (once) off();
      return (handler as AnyHandler)(event);
    };
    const set = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, set);
    if (!signal?.aborted) set.add(registered);
    const off = (): void => {
      set.delete(registered);
      leave?.();
    };
    const leave = signal && onAbort(signal, off);
    return Object.assign(off, { [Symbol.dispose]: off });
  }

  /** An iterator over events from this moment on. */
  events<T extends EventType>(
    options: EventsOptions<T> = {},
  ): AsyncIterableIterator<EventOf<T>> & AsyncDisposable {
    checkEventOptions(options, "types", "maxQueue", "maxQueueBytes");
    const { types, signal, maxQueue = 10_000, maxQueueBytes = MAX_QUEUE_BYTES } = options;
    types?.forEach((type, i) => checkType(`options.types[${i}]`, type));
    if (!Number.isInteger(maxQueue) || maxQueue < 1) {
      throw new RangeError(`\`options.maxQueue\` must be a positive integer, got ${maxQueue}`);
    }
    if (!Number.isInteger(maxQueueBytes) || maxQueueBytes < 1) {
      throw new RangeError(
        `\`options.maxQueueBytes\` must be a positive integer, got ${maxQueueBytes}`,
      );
    }
    const wanted = types ? new Set<EventType>(types) : null;
    const limits = { maxQueue, maxQueueBytes };
    const reader = new EventReader(wanted, limits, signal, () => this.#readers.delete(reader));
    if (this.#ended || signal?.aborted) reader.end();
    else this.#readers.add(reader);
    return reader as unknown as AsyncIterableIterator<EventOf<T>> & AsyncDisposable;
  }

  /**
   * Delivers `event` to everyone who wants it. If a handler throws, it is reported and the others
   * do not notice. Events that a handler causes (for example by stopping the client) are delivered
   * afterwards, so that everyone sees the events in the same order.
   */
  emit(event: ClientEvent): void {
    // "closed" is the last event. Only the report of a failed handler may follow it.
    if (this.#ended && event.type !== "handlerError") return;
    this.#caused.push(event);
    if (this.#emitting) return;
    this.#emitting = true;
    for (let next = this.#caused.shift(); next; next = this.#caused.shift()) this.#handOut(next);
    this.#emitting = false;
    if (this.#ended) this.#endReaders();
  }

  /** Ends all iterators; they still yield their unread events. */
  end(): void {
    this.#ended = true;
    if (!this.#emitting) this.#endReaders();
  }

  #endReaders(): void {
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  #handOut(event: ClientEvent): void {
    const configured = this.#configured(event.type);
    if (configured) this.#call(configured, event);
    const handlers = this.#handlers.get(event.type);
    // Iterate over a copy: a handler that registers another handler for the same type must not loop
    // forever.
    for (const handler of Array.from(handlers ?? [])) {
      if (handlers?.has(handler)) this.#call(handler, event);
    }
    for (const reader of this.#readers) reader.push(event);
  }

  #call(handler: AnyHandler, event: ClientEvent): void {
    try {
      const result = handler(event);
      if (result !== undefined) {
        Promise.resolve(result).catch((error: unknown) => this.#report(error, event));
      }
    } catch (error) {
      this.#report(error, event);
    }
  }

  #report(error: unknown, event: ClientEvent): void {
    this.#logger.error("an event handler failed", { event: event.type });
    // A failing handlerError handler must not trigger itself.
    if (event.type !== "handlerError") {
      this.emit({ type: "handlerError", error, event });
    }
  }
}

class EventReader implements AsyncIterableIterator<ClientEvent>, AsyncDisposable {
  readonly #wanted: ReadonlySet<EventType> | null;
  readonly #limits: { readonly maxQueue: number; readonly maxQueueBytes: number };
  readonly #onEnd: () => void;
  readonly #leave: (() => void) | undefined;
  #queue: { readonly event: ClientEvent; readonly size: number }[] = [];
  /** Memory that the queued events take, in bytes. */
  #held = 0;
  #waiting: {
    resolve(result: IteratorResult<ClientEvent>): void;
    reject(error: Error): void;
  }[] = [];
  #ended = false;
  #error: Error | null = null;

  constructor(
    wanted: ReadonlySet<EventType> | null,
    limits: { readonly maxQueue: number; readonly maxQueueBytes: number },
    signal: AbortSignal | undefined,
    onEnd: () => void,
  ) {
    this.#wanted = wanted;
    this.#limits = limits;
    this.#onEnd = onEnd;
    this.#leave = signal && onAbort(signal, this.#abort);
  }

  readonly #abort = (): void => {
    this.#queue = [];
    this.end();
  };

  push(event: ClientEvent): void {
    if (this.#ended || (this.#wanted && !this.#wanted.has(event.type))) return;
    const next = this.#waiting.shift();
    if (next) {
      next.resolve({ done: false, value: event });
      return;
    }
    const { maxQueue, maxQueueBytes } = this.#limits;
    if (this.#queue.length >= maxQueue) {
      this.#fellBehind(`more than ${maxQueue} events`, "maxQueue");
      return;
    }
    const size = sizeOf(event, maxQueueBytes);
    if (this.#queue.length > 0 && this.#held + size > maxQueueBytes) {
      this.#fellBehind(`events of more than ${maxQueueBytes} bytes`, "maxQueueBytes");
      return;
    }
    this.#held += size;
    this.#queue.push({ event, size });
  }

  #fellBehind(what: string, option: string): void {
    this.#error = new SlowConsumerError(
      `an event reader fell behind: ${what} were waiting. ` +
        `Read faster, ask for fewer types, or raise ${option}`,
    );
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leave?.();
    this.#onEnd();
    for (const waiting of this.#waiting) waiting.resolve({ done: true, value: undefined });
    this.#waiting = [];
  }

  next(): Promise<IteratorResult<ClientEvent>> {
    const next = this.#queue.shift();
    if (next) {
      this.#held -= next.size;
      return Promise.resolve({ done: false, value: next.event });
    }
    if (this.#error) {
      const error = this.#error;
      this.#error = null;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<ClientEvent>> {
    this.#abort();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort();
  }
}
