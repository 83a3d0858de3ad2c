/** Drives our client with the daemon's side of a recording. */
import assert from "node:assert/strict";
import { type Bytes, equalBytes, toHex } from "../../../src/bytes/bytes.js";
import { ThinClient } from "../../../src/client/thin-client.js";
import type { ClientEvent } from "../../../src/config/events.js";
import { isThinClientError } from "../../../src/errors/errors.js";
import { memoryPair } from "../../../src/transport/memory.js";
import type { Transport } from "../../../src/transport/transport.js";
import { type CborMap, type CborValue, decodeCbor } from "../../../src/cbor/cbor.js";
import { callFor, camelFields } from "./client-calls.js";
import { PkiDocument, isSameDocument } from "../../../src/pki/document.js";
import { RawPeer } from "./raw-peer.js";
import type { RecordedConnection, RecordedFrame, RecordingName } from "./recording.js";
import { messageOf } from "./reply-rules.js";

const ANSWER_MS = 5000;

/** The results of a replay. */
export interface ClientTally {
  /** Requests that equalled the recorded ones. */
  alike: number;
  /** Calls that returned the content of the recorded reply, or its error. */
  settled: number;
  events: number;
  /** Positions of requests that our client does not send, because it detects the mistake itself. */
  readonly refused: number[];
}

/** A call whose reply has not arrived. */
export interface OpenCall {
  readonly recordedId: string;
  readonly liveId: Bytes;
  readonly result: Promise<unknown>;
}

/** A dial option; the replay is the other end of its connections. */
export class Listener {
  #waiting: ((peer: RawPeer) => void)[] = [];
  readonly dial = async (): Promise<Transport> => {
    const [ours, theirs] = memoryPair();
    this.#waiting.shift()?.(new RawPeer(ours));
    return theirs;
  };

  accept(): Promise<RawPeer> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Null and false count as absent. */
function normal(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (!(value instanceof Map)) return value;
  const members = [...value].filter(([, member]) => member !== null && member !== false);
  return Object.fromEntries(members.map(([key, member]) => [String(key), normal(member)]));
}

/** One client, and the recorded daemon as the other end of its connections. */
export class ClientReplay {
  readonly tally: ClientTally = { alike: 0, settled: 0, events: 0, refused: [] };
  readonly #name: RecordingName;
  readonly #events: ClientEvent[] = [];
  #open: OpenCall[] = [];
  #refusedIds = new Set<string>();

  constructor(name: RecordingName) {
    this.#name = name;
  }

  /** A client that sends the recorded token. */
  client(connection: RecordedConnection, listener: Listener): ThinClient {
    const token = messageOf(connection.frames.find((frame) => isToken(frame))!.body);
    const client = new ThinClient(
      { dial: { unix: { address: "@not-used" } } },
      {
        dial: listener.dial,
        reconnect: { initialDelayMs: 1, maxDelayMs: 1 },
        sessionToken: token.fields.get("client_instance_token") as Uint8Array,
      },
    );
    client.on("messageSent", (event) => void this.#events.push(event));
    client.on("messageReply", (event) => void this.#events.push(event));
    return client;
  }

  /** The handshake: the daemon's first two messages, the token, its answer. */
  async shakeHands(peer: RawPeer, { frames }: RecordedConnection): Promise<void> {
    const fromDaemon = frames.filter(({ from }) => from === "daemon");
    peer.send(fromDaemon[0]!.body);
    peer.send(fromDaemon[1]!.body);
    const token = frames.find((frame) => isToken(frame))!;
    this.#compare(token, (await peer.next(ANSWER_MS))!);
    peer.send(fromDaemon.find(({ body }) => messageOf(body).kind === "session_token_reply")!.body);
  }

  /** Everything after the handshake. */
  async play(client: ThinClient, peer: RawPeer, connection: RecordedConnection): Promise<void> {
    let greetings = 0;
    for (const frame of connection.frames) {
      if (isToken(frame)) continue;
      if (frame.from === "client") {
        await this.#ask(client, peer, frame);
        continue;
      }
      const { kind } = messageOf(frame.body);
      if (kind === "session_token_reply") continue;
      if (/^(connection_status|new_pki_document)/.test(kind) && greetings++ < 2) {
        checkGreeting(client, frame.body);
        continue;
      }
      await this.#answer(client, peer, frame);
    }
  }

  /** The only waiting call. */
  onlyOpenCall(): OpenCall {
    assert.equal(this.#open.length, 1);
    return this.#open[0]!;
  }

  async #ask(client: ThinClient, peer: RawPeer, frame: RecordedFrame): Promise<void> {
    const { kind, fields } = messageOf(frame.body);
    const result = callFor(client, kind, fields);
    result.catch(() => {});
    const refused = result.then(
      () => null,
      (error: unknown) =>
        error instanceof TypeError || error instanceof RangeError ? error : null,
    );
    const arrived = peer.next(ANSWER_MS);
    const first = await Promise.race<Uint8Array | Error | null>([
      arrived,
      refused.then<Uint8Array | Error | null>((error) => error ?? arrived),
    ]);
    const recordedId = fields.get("query_id") as Bytes | undefined;
    if (first instanceof Error) {
      this.tally.refused.push(frame.at);
      if (recordedId) this.#refusedIds.add(toHex(recordedId));
      // Nothing was sent: this wait must not take the next request.
      peer.cancelNext();
      return;
    }
    assert.ok(first, `${this.#name} frame ${frame.at}: ${kind} must be sent`);
    const live = this.#compare(frame, first);
    if (!recordedId) {
      if (kind === "thin_close") peer.drop();
      await result;
      return;
    }
    const liveId = live.get("query_id") as Bytes;
    assert.equal(liveId.length, 16);
    this.#open.push({ recordedId: toHex(recordedId), liveId, result });
  }

  #compare(frame: RecordedFrame, live: Uint8Array): CborMap {
    const [recorded, ours] = [messageOf(frame.body), messageOf(live)];
    const where = `${this.#name} frame ${frame.at}`;
    assert.equal(ours.kind, recorded.kind, `${where}: kind`);
    const fields = (map: CborMap): unknown =>
      normal(new Map([...map].filter(([key]) => key !== "query_id")));
    assert.deepEqual(fields(ours.fields), fields(recorded.fields), where);
    this.tally.alike++;
    return ours.fields;
  }

  async #answer(client: ThinClient, peer: RawPeer, frame: RecordedFrame): Promise<void> {
    const { kind, fields } = messageOf(frame.body);
    const recordedId = fields.get("query_id") as Bytes | null | undefined;
    if (recordedId && this.#refusedIds.has(toHex(recordedId))) return;
    const open = recordedId && this.#open.find((one) => one.recordedId === toHex(recordedId));
    if (!open) {
      peer.send(frame.body);
      await this.#event(client, frame.at, kind, fields);
      return;
    }
    this.#open = this.#open.filter((one) => one !== open);
    peer.send(replaced(frame.body, recordedId, open.liveId));
    await this.#settle(open.result, fields, `${this.#name} frame ${frame.at}: ${kind}`);
    this.tally.settled++;
  }

  /**
   * The call returns the content of the reply: its fields under our names, or its code as an error.
   */
  async #settle(result: Promise<unknown>, fields: CborMap, where: string): Promise<void> {
    const errorCode = fields.get("error_code");
    if (errorCode !== 0) {
      await assert.rejects(result, (error) => codeOf(error) === errorCode, `${where}: code`);
      return;
    }
    const given = ((await result) ?? {}) as Record<string, unknown>;
    const said = camelFields(fields);
    const names = Object.keys(said).filter((name) => name !== "queryId" && name !== "errorCode");
    for (const name of names) {
      const value = given[name];
      const wanted = typeof value === "bigint" ? BigInt(said[name] as number) : said[name];
      assert.deepEqual(value, wanted, `${where}: ${name}`);
    }
  }

  async #event(client: ThinClient, at: number, kind: string, fields: CborMap): Promise<void> {
    const where = `${this.#name} frame ${at}: ${kind}`;
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(client.state, "ready", `${where}: the client goes on`);
    const event = this.#events.shift();
    if (event?.type === "messageSent") {
      assert.equal(kind, "message_sent_event", where);
      assert.deepEqual(event.surbId, fields.get("surbid"), where);
      assert.equal(event.err, fields.get("err") ?? "", where);
      assert.equal(event.sentAt.getTime() / 1000, fields.get("sent_at"), where);
      assert.equal(event.replyEtaMs * 1e6, fields.get("reply_eta"), where);
    } else if (event?.type === "messageReply") {
      assert.equal(kind, "message_reply_event", where);
      assert.deepEqual(event.payload, fields.get("payload"), where);
    } else if (kind === "new_pki_document_event") {
      // The greeting already contained the epoch's document in another encoding, so it is not news.
      const pushed = PkiDocument.decode(fields.get("payload") as Bytes);
      assert.ok(isSameDocument(client.pkiDocument()!, pushed), where);
    } else {
      // An answer that belongs to no request of this client: two of `malformed`.
      assert.match(kind, /_reply$/, where);
      return;
    }
    this.tally.events++;
  }
}

/** The client knows the content of the daemon's first two messages. */
function checkGreeting(client: ThinClient, body: Bytes): void {
  const { kind, fields } = messageOf(body);
  if (kind === "new_pki_document_event") {
    assert.deepEqual(client.pkiDocument()?.raw, fields.get("payload"));
    return;
  }
  assert.equal(client.isConnected(), fields.get("is_connected"));
  const toMap = (wire: object): CborMap => new Map(Object.entries(wire));
  assert.deepEqual(
    camelFields(toMap(client.geometry.toWire())),
    camelFields(fields.get("sphinx_geometry") as CborMap),
  );
  assert.deepEqual(
    camelFields(toMap(client.pigeonholeGeometry.toWire())),
    camelFields(fields.get("pigeonhole_geometry") as CborMap),
  );
}

/** The daemon's code in an error, or in its cause. */
function codeOf(error: unknown): number | null {
  if (!isThinClientError(error)) return null;
  return error.errorCode ?? codeOf(error.cause);
}

function isToken({ from, body }: RecordedFrame): boolean {
  if (from === "daemon") return false;
  try {
    const message = decodeCbor(body);
    return message instanceof Map && message.has("session_token");
  } catch {
    return false;
  }
}

/** `body` with the recorded query ID replaced; all other bytes stay as the reference wrote them. */
function replaced(body: Bytes, recorded: Bytes, live: Bytes): Bytes {
  const result = body.slice();
  for (let at = 0; at + recorded.length <= body.length; at++) {
    if (equalBytes(body.subarray(at, at + recorded.length), recorded)) {
      result.set(live, at);
      return result;
    }
  }
  throw new Error("the reply does not name its request");
}
