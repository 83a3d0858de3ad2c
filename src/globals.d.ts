/**
 * The few globals that neutral folders may use, because Node 20 and every browser have them. Timers
 * are left out on purpose (only `clock/` uses them), and so are `Buffer`, `process` and `fetch`:
 * using one is a compile error.
 */
interface AbortSignal {
  readonly aborted: boolean;
  // oxlint-disable-next-line typescript/no-explicit-any -- as in the platform's own declaration
  readonly reason: any;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
declare var AbortSignal: { prototype: AbortSignal };

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare var AbortController: { prototype: AbortController; new (): AbortController };

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes: Uint8Array): string;
}
interface ReadableStream<T> {
  readonly locked: boolean;
  cancel(reason?: unknown): Promise<void>;
  getReader(): {
    read(): Promise<{ done: false; value: T } | { done: true; value?: T | undefined }>;
    releaseLock(): void;
  };
}
declare var ReadableStream: {
  prototype: ReadableStream<unknown>;
  new <T>(
    source: {
      pull(controller: { enqueue(chunk: T): void; close(): void }): Promise<void>;
      cancel(reason: unknown): Promise<void>;
    },
    strategy: { highWaterMark: number },
  ): ReadableStream<T>;
};

interface WritableStream<T> {
  readonly locked: boolean;
  close(): Promise<void>;
  getWriter(): {
    readonly ready: Promise<void>;
    write(chunk: T): Promise<void>;
    close(): Promise<void>;
  };
}
declare var WritableStream: {
  prototype: WritableStream<unknown>;
  new <T>(sink: {
    write(chunk: T, controller: { readonly signal: AbortSignal }): Promise<void>;
    close(): Promise<void>;
  }): WritableStream<T>;
};

declare const crypto: { getRandomValues<T extends Uint8Array>(array: T): T };
declare function queueMicrotask(callback: () => void): void;
