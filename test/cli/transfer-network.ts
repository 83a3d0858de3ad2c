/**
 * Shared parts of the tests of files and boxes: one `katz daemon`, folders, and handmade streams.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ThinClient } from "katzenpost-thinclient";
import { generateKeypair, nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { encodeTicket } from "../../src/cli/transfer/ticket.js";
import { KatzProcess } from "../e2e/katz-process.js";
import { type Ended, katz, temporaryFolder } from "./katz.js";

/** A daemon in its own process, and folders for senders and receivers. */
export class TransferNetwork implements AsyncDisposable {
  readonly folder = temporaryFolder();
  readonly socket = join(this.folder, "katz.sock");
  /** The environment of every `katz`: the daemon's address, and a folder for states. */
  readonly env = {
    HOME: this.folder,
    XDG_STATE_HOME: join(this.folder, "state"),
    KATZENPOST_THINCLIENT: `unix:${this.socket}`,
  };
  /** The folder in which senders keep the data they need to resume. */
  readonly states = join(this.folder, "state", "katzenpost", "send");
  readonly #daemon = new KatzProcess(["daemon", "--listen", `unix:${this.socket}`]);
  #folders = 0;

  /** Resolves when clients may connect. */
  async ready(): Promise<void> {
    await this.#daemon.firstLine();
  }

  /** A new empty folder. */
  newFolder(): string {
    const path = join(this.folder, `folder-${this.#folders++}`);
    mkdirSync(path);
    return path;
  }

  /** Creates a file of random bytes; returns its path. */
  newFile(length: number, name = "file.bin"): string {
    const path = join(this.newFolder(), name);
    writeFileSync(path, randomBytes(length));
    return path;
  }

  /** Runs `katz` until it exits. */
  katz(
    args: readonly string[],
    {
      env = {},
      ...options
    }: { input?: string; cwd?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Ended> {
    return katz(args, { env: { ...this.env, ...env }, ...options });
  }

  /** Writes boxes into a new stream, with null for a deleted one; returns its ticket. */
  async publish(...boxes: readonly (Uint8Array | null)[]): Promise<string> {
    const config = { dial: { unix: { address: this.socket } } };
    await using client = await ThinClient.connect(config);
    const { writeCap, readCap, firstMessageIndex } = generateKeypair();
    let index = firstMessageIndex;
    for (const box of boxes) {
      if (box === null) await client.tombstone(writeCap, index);
      else await client.write(writeCap, index, box);
      index = nextMessageBoxIndex(index);
    }
    return encodeTicket(readCap);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }
}

/** SHA-256 of a file, in hex. */
export function digestOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Everything in a folder, hidden or not. */
export function contentsOf(folder: string): string[] {
  return readdirSync(folder).toSorted();
}
