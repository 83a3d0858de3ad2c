/** Drives a daemon with the client's side of a recording. */
import assert from "node:assert/strict";
import type { Bytes } from "../../../src/bytes/bytes.js";
import { DevDaemon } from "../../../src/testing/index.js";
import type { Transport } from "../../../src/transport/transport.js";
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from "../../../src/cbor/cbor.js";
import { type Difference, differencesOf } from "./differences.js";
import { RawPeer } from "./raw-peer.js";
import type { RecordedConnection, RecordedFrame, Recording } from "./recording.js";
import { compareMessages, messageOf } from "./reply-rules.js";
import { Scene } from "./scene.js";

/** The longest wait for a reply, and for the silence at the end of a recording. */
const REPLY_MS = 20_000;
const SILENCE_MS = 30;

const BROADCASTS = ["connection_status_event", "new_pki_document_event"];

/** Events outside the frames that make a scene play as recorded; each happens before its frame. */
export type StageDirections = ReadonlyMap<number, (daemon: DevDaemon) => void | Promise<void>>;

/** The results of a replay. */
export interface Tally {
  sent: number;
  compared: number;
  /** Messages that the daemon may send at any time. */
  broadcasts: number;
  hangUps: number;
  differences: number;
}

/** Replays the client's side of a recording and compares the daemon's behaviour. */
export async function replayAgainstDaemon(
  recording: Recording,
  daemon: DevDaemon,
  directions: StageDirections = new Map(),
): Promise<Tally> {
  const replay = new Replay(recording, daemon, directions);
  for (const connection of recording.connections) await replay.play(connection);
  return replay.tally;
}

class Replay {
  readonly #recording: Recording;
  readonly #daemon: DevDaemon;
  readonly #directions: StageDirections;
  readonly #differences: Map<number, Difference>;
  readonly #scene = new Scene();
  readonly tally: Tally = { sent: 0, compared: 0, broadcasts: 0, hangUps: 0, differences: 0 };

  constructor(recording: Recording, daemon: DevDaemon, directions: StageDirections) {
    this.#recording = recording;
    this.#daemon = daemon;
    this.#directions = directions;
    this.#differences = differencesOf(recording.name);
  }

  async play(connection: RecordedConnection): Promise<void> {
    const client = new RawPeer((await this.#daemon.dial()) as Transport);
    let greetings = 0;
    for (const frame of connection.frames) {
      await this.#directions.get(frame.at)?.(this.#daemon);
      const difference = this.#differences.get(frame.at);
      if (difference?.reply) await this.#replyInstead(client, difference);
      if (frame.from === "client") {
        client.send(
          this.#live(frame),
          frame.prefix === frame.body.length ? undefined : frame.prefix,
        );
        this.tally.sent++;
        continue;
      }
      const isNews = BROADCASTS.includes(messageOf(frame.body).kind);
      // The first two messages are part of the handshake; later messages arrive at any time.
      if (isNews && greetings === 2) continue;
      const body = isNews ? await client.next(REPLY_MS) : await this.#nextReply(client, REPLY_MS);
      const where = `${this.#recording.name} frame ${frame.at}`;
      assert.ok(body, `${where}: ${messageOf(frame.body).kind} must come`);
      if (isNews) greetings++;
      const exceptions = new Map(Object.entries(difference?.fields ?? {}));
      compareMessages(this.#scene, frame.body, body, where, exceptions);
      this.tally.compared++;
      if (difference?.fields) this.tally.differences++;
    }
    await this.#end(client, connection);
  }

  async #end(client: RawPeer, { endAt, daemonHangsUp }: RecordedConnection): Promise<void> {
    const where = `${this.#recording.name} frame ${endAt}`;
    const difference = this.#differences.get(endAt);
    if (difference?.reply) await this.#replyInstead(client, difference);
    const hangsUp = daemonHangsUp && !difference;
    const more = await this.#nextReply(client, hangsUp ? REPLY_MS : SILENCE_MS);
    assert.equal(more && messageOf(more).kind, null, `${where}: nothing more`);
    assert.equal(client.closed, hangsUp, `${where}: who hangs up`);
    if (hangsUp) this.tally.hangUps++;
    client.drop();
  }

  async #replyInstead(client: RawPeer, { frame, reply }: Difference): Promise<void> {
    const where = `${this.#recording.name} frame ${frame}, the reply that the reference lacks`;
    const body = await this.#nextReply(client, REPLY_MS);
    assert.ok(body, where);
    const { kind, fields } = messageOf(body);
    assert.deepEqual({ kind, errorCode: fields.get("error_code") }, reply, where);
    this.tally.differences++;
  }

  async #nextReply(client: RawPeer, ms: number): Promise<Uint8Array | null> {
    for (;;) {
      const body = await client.next(ms);
      if (!body || !BROADCASTS.includes(messageOf(body).kind)) return body;
      this.tally.broadcasts++;
    }
  }

  /** A recorded frame, translated for the live daemon. */
  #live(frame: RecordedFrame): Bytes {
    let message: CborValue;
    try {
      message = decodeCbor(frame.body);
    } catch {
      return frame.body;
    }
    if (!(message instanceof Map)) return frame.body;
    const live = this.#scene.names.value(message) as CborMap;
    const plain = live.get("send_message");
    if (plain instanceof Map) this.#fitPayload(plain);
    return encodeCbor(live);
  }

  /** Payloads of the recorded U bytes, or one more, become payloads of the live U. */
  #fitPayload(plain: CborMap): void {
    const payload = plain.get("payload") as Bytes;
    const { recorded, live } = this.#scene;
    const over = recorded ? payload.length - recorded.payload : -1;
    const fitted = over === 0 || over === 1 ? resize(payload, live!.payload + over) : payload;
    plain.set("payload", fitted);
    this.#scene.lastSent = fitted;
  }
}

function resize(bytes: Uint8Array, length: number): Bytes {
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}
