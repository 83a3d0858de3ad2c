/**
 * Clients of a gateway's port that make every possible mistake: in every state of the handshake,
 * and with frames and Sphinx packets that no honest client sends. An honest client is connected all
 * the time.
 */
import { type Bytes, concatBytes, utf8 } from "../../../src/bytes/bytes.js";
import { SurbId } from "../../../src/bytes/opaque.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { encodeAuthPayload } from "../../../src/gateway/auth-payload.js";
import { CommandCodec, type WireCommand } from "../../../src/gateway/commands.js";
import { FrameSealer } from "../../../src/gateway/frames.js";
import { HandshakeInitiator } from "../../../src/gateway/noise.js";
import { GatewaySession } from "../../../src/gateway/session.js";
import { x25519Kem } from "../../../src/kem/x25519.js";
import { Composer } from "../../../src/mixnet/composer.js";
import { EmbeddedNetwork } from "../../../src/network/network.js";
import type { NetworkGateway } from "../../../src/network/network-gateway.js";
import { GatewayPort } from "../../../src/testing/gateway-port.js";
import { memoryPair, type MemoryTransport } from "../../../src/transport/memory.js";
import { SeededNumbers } from "./hostile-frames.js";

const kem = x25519Kem;
/** Length of message two with this KEM: a ciphertext, a sealed key and a sealed payload. */
const secondLength = 32 + 48 + 276;
const fourthLength = 32 + 16 + 16;

/** The results of an attack. */
export interface PortReport {
  /** The number of sent frames, and of modified handshake messages. */
  readonly frames: number;
  /** Links that were made. */
  readonly links: number;
  /** Links whose handshake the port completed. */
  readonly admitted: number;
  /** Replies that the honest client received, one for each link of the others. */
  readonly replies: number;
  /** Clients that are connected at the end, including the honest one. */
  readonly clients: number;
  /** Forbidden behaviour of the port. */
  readonly failures: readonly string[];
}

/** Lets work outside the event loop and due timers run. */
async function settle(clock: VirtualClock, ms = 1): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(ms);
}

/** A hostile client's end of a connection. */
class RawEnd {
  readonly near: MemoryTransport;
  isClosed = false;
  #incoming: Uint8Array[] = [];

  constructor(near: MemoryTransport) {
    this.near = near;
    near.open({
      onData: (chunk) => void this.#incoming.push(chunk),
      onClose: () => (this.isClosed = true),
    });
  }

  /** The received bytes, if they have this length; otherwise null. */
  take(length: number): Bytes | null {
    const held = concatBytes(...this.#incoming.splice(0));
    if (held.length < length) {
      this.#incoming.push(held);
      return null;
    }
    this.#incoming.push(held.slice(length));
    return held.slice(0, length);
  }

  forget(): void {
    this.#incoming.length = 0;
  }
}

class Attack {
  readonly numbers: SeededNumbers;
  readonly clock: VirtualClock;
  readonly network: EmbeddedNetwork;
  readonly port: GatewayPort;
  readonly gateway: NetworkGateway;
  readonly failures: string[] = [];
  frames = 0;
  links = 0;
  admitted = 0;
  replies = 0;
  readonly #codec: CommandCodec;
  readonly #composer: Composer;
  #packets: Bytes[] = [];

  constructor(
    seed: number,
    parts: {
      readonly clock: VirtualClock;
      readonly network: EmbeddedNetwork;
      readonly port: GatewayPort;
      readonly gateway: NetworkGateway;
    },
  ) {
    this.numbers = new SeededNumbers(seed);
    this.clock = parts.clock;
    this.network = parts.network;
    this.port = parts.port;
    this.gateway = parts.gateway;
    this.#codec = new CommandCodec(parts.network.geometry);
    this.#composer = new Composer(parts.network.geometry);
  }

  get clients(): number {
    return this.port.clients;
  }

  /** Serves the other end of a connection; the port must handle its own failures. */
  #serve(): MemoryTransport {
    const [near, far] = memoryPair();
    this.port.serve(far).catch((error: unknown) => {
      this.failures.push(`serve: ${String(error)}`);
    });
    return near;
  }

  /** A packet to the echo service whose reply goes to the given queue. */
  packetFor(queueId: Bytes, text: string): Bytes {
    const { network, gateway } = this;
    const destination = network.serviceNodes[0]!.identityHash;
    return this.#composer.compose(
      { destination, recipient: utf8("+echo"), payload: utf8(text), surbId: SurbId.random() },
      {
        document: network.currentDocument()!,
        gateway: gateway.node.identityHash,
        queueId,
        epochIn: () => network.currentEpoch,
        periodMs: network.epoch().periodMs,
      },
    ).packet;
  }

  /** A client that follows the rules. */
  async honest(): Promise<GatewaySession> {
    return this.clock.runUntil(
      GatewaySession.connect({
        transport: this.#serve(),
        kem,
        shape: this.network.geometry,
        gateway: this.gateway.node,
        clock: this.clock,
        onReply: () => void this.replies++,
      }),
    );
  }

  /** A handshake message, valid seven times out of eight. */
  #perhapsChanged(message: Bytes): Bytes {
    const { numbers } = this;
    if (numbers.below(8) > 0) return message;
    this.frames++;
    switch (numbers.below(4)) {
      case 0:
        message[numbers.below(message.length)]! ^= 1 + numbers.below(255);
        return message;
      case 1:
        return numbers.bytes(numbers.below(2 * message.length));
      case 2:
        return message.slice(0, numbers.below(message.length));
      default:
        return concatBytes(message, numbers.bytes(1 + numbers.below(40)));
    }
  }

  /** A Sphinx packet: honest, repeated, damaged anywhere, or random bytes. */
  #packet(): Bytes {
    const { numbers } = this;
    const { packetLength } = this.network.geometry;
    const whole = numbers.pick(this.#packets);
    switch (numbers.below(6)) {
      case 0:
        return whole;
      case 1: {
        const damaged = whole.slice();
        damaged[numbers.below(damaged.length)]! ^= 1 + numbers.below(255);
        return damaged;
      }
      case 2: {
        // A low-order group element with unchanged routing information.
        const low = whole.slice();
        low.fill(0, 2, 34);
        low[2] = numbers.below(2);
        return low;
      }
      case 3:
        return new Uint8Array(packetLength);
      case 4:
        return numbers.bytes(numbers.below(packetLength));
      default: {
        const random = new Uint8Array(packetLength);
        random.set(numbers.bytes(64), numbers.below(2) * 2);
        return random;
      }
    }
  }

  #command(): WireCommand {
    const { numbers, network } = this;
    const u32 = (): number => numbers.pick([0, 1, 2, 0xffffffff, numbers.below(2 ** 31)]);
    const epoch = (): bigint =>
      numbers.pick([
        BigInt(network.currentEpoch - 1 + numbers.below(4)),
        0n,
        2n ** 64n - 1n,
        BigInt(u32()),
      ]);
    const { payloadTagLength, forwardPayloadLength } = network.geometry;
    switch (numbers.below(12)) {
      case 0:
        return { type: "NoOp" };
      case 1:
      case 2:
      case 3:
      case 4:
        return { type: "SendPacket", sphinxPacket: this.#packet() };
      case 5:
        return { type: "MessageDelivered", sequence: u32() };
      case 6:
        return { type: "GetConsensus2", epoch: epoch() };
      case 7:
        return { type: "GetConsensus", epoch: epoch() };
      case 8:
        return { type: "SendRetrievePacket", sphinxPacket: this.#packet() };
      case 9:
        return { type: "SendPacket", sphinxPacket: numbers.pick(this.#packets) };
      case 10:
        return numbers.pick<WireCommand>([
          { type: "Disconnect" },
          { type: "RetrieveMessage", sequence: u32() },
          { type: "Consensus", errorCode: 0, payload: numbers.bytes(50) },
        ]);
      default:
        return numbers.pick<WireCommand>([
          { type: "NoOp" },
          {
            type: "Message",
            sequence: u32(),
            surbId: numbers.bytes(16),
            ciphertext: new Uint8Array(payloadTagLength + forwardPayloadLength),
          },
          {
            type: "Consensus2",
            errorCode: 0,
            chunkNumber: 0,
            chunkTotal: 1,
            chunk: new Uint8Array(9),
          },
        ]);
    }
  }

  /** A frame, usually sealed correctly; most commands keep the link open. */
  #frame(sealer: FrameSealer): Bytes {
    const { numbers } = this;
    this.frames++;
    const body = this.#codec.encode(numbers.below(9) > 0 ? this.#mild() : this.#command());
    if (numbers.below(80) === 0) body[numbers.below(30)] = numbers.below(256);
    if (numbers.below(200) === 0) return numbers.bytes(numbers.below(500));
    if (numbers.below(200) === 0) return sealer.seal(numbers.bytes(numbers.below(9000)));
    const frame = sealer.seal(body);
    if (numbers.below(200) === 0) frame[numbers.below(frame.length)]! ^= 1;
    return frame;
  }

  #mild(): WireCommand {
    const { numbers } = this;
    const { packetLength } = this.network.geometry;
    if (numbers.below(2) === 0) return { type: "NoOp" };
    const packet = this.#packet();
    return packet.length === packetLength
      ? { type: "SendPacket", sphinxPacket: packet }
      : { type: "MessageDelivered", sequence: numbers.below(4) };
  }

  /** One link, from the handshake to its end, with a limited number of frames. */
  async link(most: number): Promise<void> {
    this.links++;
    const { clock, numbers } = this;
    const queueId = numbers.bytes(numbers.pick([32, 32, 32, 0, 5, 255]));
    const replyTo = queueId.length === 32 ? queueId : numbers.bytes(32);
    this.#packets = [this.packetFor(replyTo, "hostile"), ...this.#packets.slice(0, 7)];
    const end = new RawEnd(this.#serve());
    const sealer = await this.#shakeHands(end, queueId);
    if (sealer === null) {
      // Whatever arrived, the port waits three seconds for the rest and no longer.
      await settle(clock, 3001);
      if (!end.isClosed) this.failures.push("a failed handshake is not ended");
      return;
    }
    this.admitted++;
    for (let sent = 0; sent < most && !end.isClosed; sent++) {
      end.near.write(this.#frame(sealer));
      if (sent % 8 === 7) await settle(clock);
      end.forget();
    }
    await settle(clock);
    if (numbers.below(2) === 0) end.near.end();
    else end.near.destroy();
    await settle(clock, 10);
  }

  /** Null if the handshake failed. */
  async #shakeHands(end: RawEnd, queueId: Bytes): Promise<FrameSealer | null> {
    const { clock } = this;
    const initiator = new HandshakeInitiator({ kem, staticKeys: kem.generate() });
    const first = initiator.writeFirst();
    const said = this.#perhapsChanged(first.slice());
    end.near.write(said);
    await settle(clock);
    const second = end.take(secondLength);
    if (second === null) return null;
    try {
      initiator.readSecond(second);
    } catch {
      // The key was changed, so the answer is for another key.
      return null;
    }
    const third = initiator.writeThird(encodeAuthPayload({ additionalData: queueId, unixTime: 0 }));
    end.near.write(this.#perhapsChanged(third.slice()));
    await settle(clock);
    const fourth = end.take(fourthLength);
    if (fourth === null) return null;
    return new FrameSealer(initiator.readFourth(fourth).initiatorToResponder);
  }
}

/** Attacks a port with a given number of frames, over as many links as necessary. */
export async function attackPort(frames: number, seed: number): Promise<PortReport> {
  const clock = new VirtualClock();
  let port: GatewayPort | null = null;
  const network = new EmbeddedNetwork({
    clock,
    seed: "hostile port",
    mixing: "sphinx",
    lambdaP: 1,
    onDocument: (document) => port?.documentPublished(document),
  });
  const gateway = network.gateways[0]!;
  port = new GatewayPort({ clock, network, gateway });
  gateway.serveAt("tcp://127.0.0.1:1", port);
  await network.start();
  const attack = new Attack(seed, { clock, network, port, gateway });
  const honest = await attack.honest();
  while (attack.frames < frames && attack.failures.length < 10) {
    await attack.link(400);
    await honest.sendPacket(attack.packetFor(honest.queueId, "honest"));
    const before = attack.replies;
    for (let waited = 0; attack.replies === before && waited < 60; waited++) {
      await settle(clock, 100);
    }
    if (attack.replies === before) attack.failures.push("an honest client got no reply");
  }
  // The remaining clients sent nothing for two minutes.
  await settle(clock, 1);
  const { links, admitted, replies, failures } = attack;
  const report = { frames: attack.frames, links, admitted, replies, failures };
  const { clients } = attack;
  honest.close();
  await network.close();
  return { ...report, clients };
}
