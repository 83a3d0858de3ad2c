/**
 * A level database that can crash: it may lose unsynced data, and earlier calls never settle. It is
 * a double, because LevelDB cannot be killed inside a process; kill.test.ts has real crashes.
 */
import type { ChannelDatabase } from "../../src/channels/index.js";

type Operation = Parameters<ChannelDatabase["batch"]>[0][number];

/**
 * Called before (`isDone` is false) and after each batch; the database crashes if it returns true.
 */
export type CrashPlan = (batch: number, isDone: boolean) => boolean;

function apply(map: Map<string, Uint8Array>, operations: readonly Operation[]): void {
  for (const operation of operations) {
    if (operation.type === "put") map.set(operation.key, operation.value.slice());
    else map.delete(operation.key);
  }
}

/** The data that survives a crash. */
export class Disk {
  readonly durable = new Map<string, Uint8Array>();
  /** Batches that were written but not synced, oldest first. */
  unsynced: Operation[][] = [];

  /** A copy, such as a backup makes. */
  copy(): Disk {
    const disk = new Disk();
    for (const [key, value] of this.durable) disk.durable.set(key, value);
    disk.unsynced = [...this.unsynced];
    return disk;
  }

  /** Loses all unsynced batches except the first `kept`. */
  crash(kept: number): void {
    for (const operations of this.unsynced.splice(0).slice(0, kept))
      apply(this.durable, operations);
  }
}

export class CrashDatabase implements ChannelDatabase {
  readonly disk: Disk;
  readonly #plan: CrashPlan;
  #view = new Map<string, Uint8Array>();
  #batches = 0;
  isCrashed = false;
  /** While true, all batches fail, as on a full disk. */
  failing = false;

  constructor(disk: Disk, plan: CrashPlan = () => false) {
    this.disk = disk;
    this.#plan = plan;
  }

  open(): Promise<void> {
    this.#view = new Map(this.disk.durable);
    for (const operations of this.disk.unsynced) apply(this.#view, operations);
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (!this.isCrashed) this.disk.crash(Infinity);
    return Promise.resolve();
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    if (this.isCrashed) return new Promise(() => {});
    return this.#view.get(key)?.slice();
  }

  async batch(operations: Operation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.isCrashed) return new Promise(() => {});
    await Promise.resolve();
    if (this.failing) throw new Error("ENOSPC: no space left on device");
    const batch = ++this.#batches;
    if (this.#plan(batch, false)) return this.#crash();
    apply(this.#view, operations);
    this.disk.unsynced.push(operations);
    if (options.sync) this.disk.crash(Infinity);
    if (this.#plan(batch, true)) return this.#crash();
  }

  #crash(): Promise<never> {
    this.isCrashed = true;
    return new Promise(() => {});
  }

  getMany(keys: string[]): Promise<(Uint8Array | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  iterator(range: {
    readonly gt: string;
    readonly lt: string;
  }): ReturnType<ChannelDatabase["iterator"]> {
    const entries = this.#sorted(range).map((key): [string, Uint8Array] => [
      key,
      this.#view.get(key)!.slice(),
    ]);
    return {
      nextv: async (size) => entries.splice(0, size),
      close: () => Promise.resolve(),
      async *[Symbol.asyncIterator]() {
        yield* entries;
      },
    };
  }

  keys(range: { readonly gt: string; readonly lt: string }): {
    nextv(size: number): Promise<string[]>;
    close(): Promise<void>;
  } {
    const keys = this.#sorted(range);
    return {
      nextv: async (size) => keys.splice(0, size),
      close: () => Promise.resolve(),
    };
  }

  #sorted({ gt, lt }: { readonly gt: string; readonly lt: string }): string[] {
    return [...this.#view.keys()].filter((key) => key > gt && key < lt).sort();
  }
}
