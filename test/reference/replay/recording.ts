/** Recordings of the reference daemon, as scripts: connections, and frames in order. */
import { readFileSync } from "node:fs";
import { type Bytes, fromHex } from "../../../src/bytes/bytes.js";

/** The names of all recordings. */
export const RECORDINGS = [
  "bad_args",
  "cancel",
  "copy",
  "copy_multi",
  "echo",
  "handshake",
  "keys",
  "malformed",
  "no_hello",
  "pki",
  "resume",
  "send_errors",
  "tombstone",
  "vouchers",
  "write_read",
] as const;

/** Name of a recording. */
export type RecordingName = (typeof RECORDINGS)[number];

/** One frame of a recording. */
export interface RecordedFrame {
  /** Its position in the recording's list. */
  readonly at: number;
  readonly from: "client" | "daemon";
  readonly body: Bytes;
  /** The value of the frame's length prefix. */
  readonly prefix: number;
}

/** One connection of a recording. */
export interface RecordedConnection {
  readonly frames: readonly RecordedFrame[];
  /** The position of its end in the recording's list. */
  readonly endAt: number;
  /** Whether the daemon ended it, after a goodbye or a frame that it refused to read. */
  readonly daemonHangsUp: boolean;
}

/** A recording. */
export interface Recording {
  readonly name: RecordingName;
  readonly connections: readonly RecordedConnection[];
}

interface FileFrame {
  readonly dir: "c2d" | "d2c";
  readonly cbor?: string;
  readonly same_as?: number;
  readonly closed?: string;
  readonly dropped?: boolean;
}

interface File {
  readonly facts: Record<string, unknown>;
  readonly frames: readonly FileFrame[];
}

/** The thin_close frame; the same in every recording. */
const GOODBYE = "a16a7468696e5f636c6f7365a0";
/** Length prefixes of the two frames that have no body, in order. */
const WRONG_PREFIXES = [0, 0xffff_ffff];

/** Loads a recording. */
export function loadRecording(name: RecordingName): Recording {
  const url = new URL(`../../../../test/reference/transcripts/${name}.json`, import.meta.url);
  const { frames: all, facts } = JSON.parse(readFileSync(url, "utf8")) as File;
  const connections: RecordedConnection[] = [];
  let frames: RecordedFrame[] = [];
  let goodbye = false;
  let bodiless = 0;
  all.forEach((frame, at) => {
    if (frame.closed !== undefined || frame.dropped) {
      if (frames.length === 0) return;
      const daemonHangsUp = goodbye || hungUpOn(name, facts, connections.length);
      connections.push({ frames, endAt: at, daemonHangsUp });
      frames = [];
      goodbye = false;
      return;
    }
    const hex = frame.cbor ?? all[frame.same_as!]!.cbor!;
    const body = fromHex(hex);
    const prefix = body.length > 0 ? body.length : WRONG_PREFIXES[bodiless++]!;
    goodbye ||= frame.dir === "c2d" && hex === GOODBYE;
    frames.push({ at, from: frame.dir === "c2d" ? "client" : "daemon", body, prefix });
  });
  return { name, connections };
}

/** For a connection without a goodbye, the recorder's notes and not its frames say who ended it. */
function hungUpOn(name: RecordingName, facts: File["facts"], connection: number): boolean {
  if (name === "malformed") {
    const outcomes = Object.values(facts) as { closed: boolean }[];
    return outcomes[connection]!.closed;
  }
  if (name === "bad_args") {
    // The first connection made the capabilities that the cases use.
    const cases = facts["cases"] as [string, string, unknown][];
    return cases[connection - 1]?.[2] === "connection closed";
  }
  return name === "keys";
}
