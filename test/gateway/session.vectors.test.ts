/** Replays a recorded session with a gateway of the reference from both ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concatBytes, equalBytes, toHex, utf8ToText } from "../../src/bytes/bytes.js";
import type { IdentityHash, SurbId } from "../../src/bytes/opaque.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import {
  AUTH_PAYLOAD_LENGTH,
  decodeAuthPayload,
  encodeAuthPayload,
} from "../../src/gateway/auth-payload.js";
import { CommandCodec, type WireCommand } from "../../src/gateway/commands.js";
import {
  ConsensusAssembler,
  cutChunks,
  noConsensusCommand,
  unpackConsensus,
} from "../../src/gateway/consensus-chunks.js";
import { FrameOpener, FrameSealer } from "../../src/gateway/frames.js";
import {
  HandshakeInitiator,
  HandshakeResponder,
  handshakeLengths,
} from "../../src/gateway/noise.js";
import { GatewaySession } from "../../src/gateway/session.js";
import { kemSchemeByName } from "../../src/kem/registry.js";
import type { KemScheme } from "../../src/kem/scheme.js";
import { Composer } from "../../src/mixnet/composer.js";
import { decodeCertificate, encodeCertificate } from "../../src/pki/certificate.js";
import { epochAt } from "../../src/pki/epoch.js";
import { Geometry } from "../../src/pki/geometry.js";
import { identityHash } from "../../src/pki/services.js";
import { verifyPkiDocumentWith } from "../../src/pki/verify-with.js";
import { type MemoryTransport, memoryPair } from "../../src/transport/memory.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import { scripted } from "../sphinx/sphinx-cases.js";

const recorded = loadVectors("mixnet-session");
const kem = kemSchemeByName(recorded.kem);
const geometry = Geometry.fromWire(new Map(Object.entries(recorded.geometry)));
const codec = new CommandCodec(geometry);
const { epoch, missingEpoch } = recorded.consensus;
const gateway = {
  name: recorded.gateway.name as string,
  identityKey: hex(recorded.gateway.identityKey),
  linkKey: hex(recorded.gateway.linkKey),
};
const events: readonly { readonly from: "client" | "gateway"; readonly bytes: Bytes }[] =
  recorded.events.map(({ from, bytes }: { from: string; bytes: string }) => ({
    from,
    bytes: hex(bytes),
  }));
const authorities = recorded.authorities.map(({ publicKey, ...named }: { publicKey: string }) => ({
  ...named,
  publicKey: hex(publicKey),
}));
const draws = (): Bytes[] => recorded.client.draws.map(hex);

/** The recorded gateway: it sends the recorded bytes as long as it receives the recorded bytes. */
class RecordedGateway {
  readonly #far: MemoryTransport;
  #at = 0;
  #heard: Bytes = new Uint8Array(0);

  constructor(far: MemoryTransport) {
    this.#far = far;
    far.open({
      onData: (chunk) => {
        this.#heard = concatBytes(this.#heard, chunk);
        this.#goOn();
      },
      onClose: () => {},
    });
  }

  /** Whether the whole recording has been replayed. */
  get isDone(): boolean {
    return this.#at === events.length;
  }

  #goOn(): void {
    const wanted = events[this.#at];
    if (wanted === undefined || this.#heard.length < wanted.bytes.length) return;
    const said = this.#heard.slice(0, wanted.bytes.length);
    assert.ok(equalBytes(said, wanted.bytes), `event ${this.#at} is the recorded one`);
    this.#heard = this.#heard.slice(said.length);
    this.#at++;
    const answer = events[this.#at];
    if (answer === undefined) return;
    this.#at++;
    this.#far.write(answer.bytes);
    this.#goOn();
  }
}

/** Verifies the recorded document, as a client does in that epoch. */
function verified(signed: Uint8Array) {
  const checks = { epoch, currentEpoch: epoch, geometry };
  return verifyPkiDocumentWith(signed, authorities, checks, async () => {});
}

test("with the same randomness a client sends the same bytes, and accepts the gateway's answers", async () => {
  const clock = new VirtualClock(recorded.client.handshakeAt);
  const [near, far] = memoryPair();
  const played = new RecordedGateway(far);
  const replies: { readonly surbId: Bytes; readonly ciphertext: Bytes }[] = [];
  const session = await GatewaySession.connect({
    transport: near,
    kem,
    shape: geometry,
    gateway,
    clock,
    random: scripted(...draws()),
    onReply: (surbId, ciphertext) => void replies.push({ surbId, ciphertext }),
  });
  assert.equal(toHex(session.queueId), recorded.client.queueId);
  const skewMs = Math.abs(session.clockSkewMs - recorded.client.clockSkewMs);
  assert.ok(skewMs < 5000, "except for the time of the handshake");

  const { signed } = await session.fetchConsensus(epoch);
  const { document, signers } = await verified(signed!);
  assert.deepEqual(
    signers.map(({ identifier }) => identifier),
    recorded.consensus.signers,
  );
  const missing = await session.fetchConsensus(missingEpoch);
  assert.deepEqual(missing, { errorCode: recorded.consensus.missingErrorCode, signed: null });

  const { packet: v, periodMs } = recorded;
  const composer = new Composer(geometry, scripted(...v.draws.map(hex)));
  const made = composer.compose(
    {
      destination: hex(v.destination) as IdentityHash,
      recipient: hex(v.recipient),
      payload: hex(v.payload),
      surbId: hex(v.surbId) as SurbId,
    },
    {
      document,
      gateway: identityHash(gateway.identityKey),
      queueId: session.queueId,
      epochIn: (ms) => epochAt(v.composedAt + ms, periodMs).epoch,
      periodMs,
    },
  );
  assert.equal(made.replyEtaMs, v.replyEtaMs);
  assert.equal(toHex(made.surbKeys!), v.surbKeys);
  await session.sendPacket(made.packet);
  while (!played.isDone) await clock.advance(0);
  const [reply] = replies;
  assert.equal(toHex(reply!.surbId), v.surbId);
  const opened = composer.open(reply!.ciphertext, made.surbKeys!);
  assert.equal(utf8ToText(opened).replace(/\0+$/, ""), utf8ToText(hex(v.replyPayload)));
  session.close();
});

/** The KEM with recorded encapsulations, in order. */
function encapsulating(...made: readonly { ciphertext: Bytes; sharedSecret: Bytes }[]): KemScheme {
  const left = [...made];
  return { ...kem, encapsulate: () => left.shift()! };
}

/** The bytes that one side sent after its two handshake messages. */
function framesOf(side: "client" | "gateway", handshakeLength: number): Bytes {
  const said = events.filter(({ from }) => from === side).map(({ bytes }) => bytes);
  return concatBytes(...said).slice(handshakeLength);
}

/** Opens every frame of one side, and checks that sealing it again gives the same bytes. */
function commandsOf(frames: Bytes, key: Bytes): WireCommand[] {
  const opener = new FrameOpener(key, 10_000);
  opener.push(frames.slice());
  const commands: WireCommand[] = [];
  for (let body = opener.next(); body !== null; body = opener.next()) {
    commands.push(codec.decode(body));
  }
  const sealer = new FrameSealer(key);
  const sealed = commands.map((command) => sealer.seal(codec.encode(command)));
  assert.ok(equalBytes(concatBytes(...sealed), frames), "commands are encoded as they were");
  return commands;
}

test("with the gateway's key our gateway side sends and accepts the same as the reference's", async () => {
  const lengths = handshakeLengths(kem, AUTH_PAYLOAD_LENGTH);
  const [first, second, third, rest] = events.slice(0, 4).map(({ bytes }) => bytes) as Bytes[];
  const fourth = rest!.slice(0, lengths.fourth);
  // Decapsulation, as the client does it, recovers what the gateway encapsulated.
  const found: { ciphertext: Bytes; sharedSecret: Bytes }[] = [];
  const watched: KemScheme = {
    ...kem,
    decapsulate: (privateKey, ciphertext) => {
      const sharedSecret = kem.decapsulate(privateKey, ciphertext);
      found.push({ ciphertext: ciphertext.slice() as Bytes, sharedSecret });
      return sharedSecret;
    },
  };
  const [queueIdDraw, ...keyDraws] = draws();
  const random = scripted(...keyDraws);
  const staticKeys = kem.generate(random);
  const initiator = new HandshakeInitiator({ kem: watched, staticKeys, random });
  assert.equal(toHex(initiator.writeFirst()), toHex(first!));
  const hello = initiator.readSecond(second!);
  assert.equal(toHex(hello.staticKey), recorded.gateway.linkKey);
  const said = decodeAuthPayload(hello.payload);
  assert.equal(toHex(said.additionalData), toHex(identityHash(gateway.identityKey)));
  const queueId = hex(recorded.client.queueId);
  assert.equal(utf8ToText(queueId), toHex(queueIdDraw!));
  const own = encodeAuthPayload({ additionalData: queueId, unixTime: 0 });
  assert.equal(toHex(initiator.writeThird(own)), toHex(third!));
  const keys = initiator.readFourth(fourth);

  const linkSeed = hex(recorded.gateway.linkSeed);
  const linkKeys = kem.generate(scripted(linkSeed));
  assert.equal(toHex(linkKeys.publicKey), recorded.gateway.linkKey);
  const responder = new HandshakeResponder({ kem: encapsulating(...found), staticKeys: linkKeys });
  responder.readFirst(first!);
  assert.equal(toHex(responder.writeSecond(hello.payload)), toHex(second!));
  const client = responder.readThird(third!);
  assert.equal(toHex(client.staticKey), toHex(staticKeys.publicKey));
  assert.deepEqual(decodeAuthPayload(client.payload), { additionalData: queueId, unixTime: 0 });
  assert.deepEqual(responder.writeFourth(), { message: fourth, keys });

  const asked = commandsOf(
    framesOf("client", lengths.first + lengths.third),
    keys.initiatorToResponder,
  );
  assert.deepEqual(
    asked.map(({ type }) => type),
    ["GetConsensus2", "GetConsensus2", "SendPacket", "MessageDelivered"],
  );
  const answered = commandsOf(
    framesOf("gateway", lengths.second + lengths.fourth),
    keys.responderToInitiator,
  );
  const types = answered.map(({ type }) => type);
  assert.deepEqual([types[0], types.at(-1)], ["NoOp", "Message"]);
  const pieces = answered.filter((command) => command.type === "Consensus2");
  assert.equal(pieces.length, types.length - 2);
  const { missingErrorCode } = recorded.consensus;
  assert.deepEqual(pieces.pop(), noConsensusCommand(missingErrorCode));

  // The consensus in the reference's encoding.
  const assembler = new ConsensusAssembler(codec.chunkLength);
  const [packed] = pieces.flatMap((piece) => assembler.add(piece)?.packed ?? []);
  const cut = cutChunks(packed!, codec.chunkLength);
  assert.deepEqual(
    cut.map(toHex),
    pieces.map(({ chunk }) => toHex(chunk)),
  );
  const signed = await unpackConsensus(packed!);
  assert.equal(toHex(encodeCertificate(decodeCertificate(signed))), toHex(signed));
  assert.equal((await verified(signed)).signers.length, authorities.length);
});
