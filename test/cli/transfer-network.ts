/** What the tests of files and boxes share: one `katz daemon`, folders, and hand-made streams. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ThinClient } from "katzenpost-thinclient";
import { generateKeypair, nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import { encodeTicket } from "../../src/cli/transfer/ticket.js";
import { KatzProcess } from "../e2e/katz-process.js";
import { type Ended, katz, temporaryFolder } from "./katz.js";

/** A daemon in a process of its own, and places for senders and receivers. */
export class TransferNetwork implements AsyncDisposable {
  readonly folder = temporaryFolder();
  readonly socket = join(this.folder, "katz.sock");
  /** For every `katz`: where the daemon is, and a folder for states. */
  readonly env = {
    HOME: this.folder,
    XDG_STATE_HOME: join(this.folder, "state"),
    KATZENPOST_THINCLIENT: `unix:${this.socket}`,
  };
  /** Where senders keep what they need to go on. */
  readonly states = join(this.folder, "state", "katzenpost", "send");
  readonly #daemon = new KatzProcess(["daemon", "--listen", `unix:${this.socket}`]);
  #folders = 0;

  /** Resolves when clients may come. */
  async ready(): Promise<void> {
    await this.#daemon.firstLine();
  }

  /** A new empty folder. */
  newFolder(): string {
    const path = join(this.folder, `folder-${this.#folders++}`);
    mkdirSync(path);
    return path;
  }

  /** A file of random bytes; gives its path. */
  newFile(length: number, name = "file.bin"): string {
    const path = join(this.newFolder(), name);
    writeFileSync(path, randomBytes(length));
    return path;
  }

  /** Runs `katz` to its end. */
  katz(
    args: readonly string[],
    {
      env = {},
      ...options
    }: { input?: string; cwd?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Ended> {
    return katz(args, { env: { ...this.env, ...env }, ...options });
  }

  /** Writes boxes into a new stream, null for one that is deleted; gives the ticket for it. */
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
