/** The handshake over a connection, for both ends (spec/mixnet §2.1 and §7.5). */
import { type Bytes, type RandomSource, equalBytes } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import type { KemKeyPair, KemScheme } from "../kem/scheme.js";
import { LinkError } from "../mixnet/link.js";
import { identityHash } from "../pki/services.js";
import { AUTH_PAYLOAD_LENGTH, decodeAuthPayload, encodeAuthPayload } from "./auth-payload.js";
import {
  HandshakeInitiator,
  HandshakeResponder,
  type TransportKeys,
  handshakeLengths,
} from "./noise.js";
import type { WireLink } from "./wire-link.js";

/** A server's identity, known before it is dialled: from the configuration or the consensus. */
export interface ServerIdentity {
  /** For messages. */
  readonly name: string;
  /** Raw identity public key. */
  readonly identityKey: Uint8Array;
  /** Its static key for the handshake. */
  readonly linkKey: Uint8Array;
}

/** The result of the handshake for a client. */
export interface ClientHandshake {
  readonly keys: TransportKeys;
  /**
   * Our clock minus the server's, in ms. It is one sample, with an error of half a round trip and
   * up to a second of the server's rounding.
   */
  readonly clockSkewMs: number;
}

/**
 * Runs the handshake as a client, with a fresh static key. The caller must limit its time.
 * @param additionalData a queue ID, or empty for an authority.
 * @throws LinkError when the server is not the intended one; ProtocolError when it does not speak
 * the protocol; the reason why the link ended.
 */
export async function shakeHandsAsClient(
  link: WireLink,
  options: {
    readonly kem: KemScheme;
    readonly server: ServerIdentity;
    readonly additionalData: Uint8Array;
    readonly clock: Clock;
    readonly random?: RandomSource | undefined;
  },
): Promise<ClientHandshake> {
  const { kem, server, additionalData, clock, random } = options;
  const handshake = new HandshakeInitiator({ kem, staticKeys: kem.generate(random), random });
  const lengths = handshakeLengths(kem, AUTH_PAYLOAD_LENGTH);
  link.write(handshake.writeFirst());
  const hello = handshake.readSecond(await link.readExactly(lengths.second));
  const said = decodeAuthPayload(hello.payload);
  const clockSkewMs = clock.now() - said.unixTime * 1000;
  // Checked before we send our identity: a wrong server must not learn our queue ID.
  if (!equalBytes(hello.staticKey, server.linkKey)) {
    throw new LinkError(
      `${server.name}: its link key differs from the one in the file or the consensus`,
    );
  }
  if (!equalBytes(said.additionalData, identityHash(server.identityKey))) {
    throw new LinkError(
      `${server.name}: its identity key differs from the one in the file or the consensus`,
    );
  }
  link.write(handshake.writeThird(encodeAuthPayload({ additionalData, unixTime: 0 })));
  const keys = handshake.readFourth(await link.readExactly(lengths.fourth));
  return { keys, clockSkewMs };
}

/** The result of the handshake for a server. */
export interface ServerHandshake {
  readonly keys: TransportKeys;
  /** The client's static key. */
  readonly clientKey: Bytes;
  /** The client's data about itself: its queue ID, if it is 32 bytes. */
  readonly additionalData: Bytes;
}

/**
 * Runs the handshake as a server. The caller must limit its time.
 * @throws ProtocolError when the client does not speak the protocol; the reason why the link ended.
 */
export async function shakeHandsAsServer(
  link: WireLink,
  options: {
    readonly kem: KemScheme;
    readonly staticKeys: KemKeyPair;
    /** Raw identity public key. */
    readonly identityKey: Uint8Array;
    readonly clock: Clock;
    readonly random?: RandomSource | undefined;
  },
): Promise<ServerHandshake> {
  const { kem, staticKeys, identityKey, clock, random } = options;
  const handshake = new HandshakeResponder({ kem, staticKeys, random });
  const lengths = handshakeLengths(kem, AUTH_PAYLOAD_LENGTH);
  const [version] = await link.readExactly(1);
  const key = await (version === 3 ? link.readExactly(lengths.first - 1) : new Uint8Array(0));
  handshake.readFirst(Uint8Array.of(version!, ...key));
  const unixTime = Math.floor(clock.now() / 1000);
  const own = encodeAuthPayload({ additionalData: identityHash(identityKey), unixTime });
  link.write(handshake.writeSecond(own));
  const hello = handshake.readThird(await link.readExactly(lengths.third));
  const { additionalData } = decodeAuthPayload(hello.payload);
  const { message, keys } = handshake.writeFourth();
  link.write(message);
  return { keys, clientKey: hello.staticKey, additionalData };
}
