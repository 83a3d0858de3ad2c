/**
 * The handshake of the wire protocol: the Noise pattern pqXX, with KEMs as key exchanges, and with
 * ChaCha20-Poly1305 and BLAKE2b (spec/mixnet §2.1).
 *
 *     -> e          <- ekem, s          -> skem, s          <- skem
 *
 * This implementation is our own, because Noise libraries only support Diffie-Hellman
 * (docs/security.md, "The Noise pattern").
 */
import { blake2b512, chacha20Poly1305Open, chacha20Poly1305Seal, hkdfBlake2b512 } from "#platform";
import {
  type Bytes,
  type RandomSource,
  checkBytes,
  concatBytes,
  copyBytes,
  randomBytes,
  utf8,
} from "../bytes/bytes.js";
import { InvalidStateError, ProtocolError } from "../errors/errors.js";
import type { KemKeyPair, KemScheme } from "../kem/scheme.js";

/** The first byte of every connection, in clear: the version of the wire protocol. */
const PROLOGUE = 3;
/** How many bytes an encryption adds. */
export const TAG_LENGTH = 16;
const hashLength = 64;
const keyLength = 32;
const empty = new Uint8Array(0);

/** The nonce of the cipher: 4 zero bytes, then the counter, little-endian. */
export function cipherNonce(counter: number): Bytes {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, counter % 2 ** 32, true);
  view.setUint32(8, Math.floor(counter / 2 ** 32), true);
  return nonce;
}

/** The lengths of the four messages of a handshake, in bytes. */
export interface HandshakeLengths {
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly fourth: number;
}

/**
 * The length of each message, with this KEM and payloads of `payloadLength` bytes in two and three.
 */
export function handshakeLengths(kem: KemScheme, payloadLength: number): HandshakeLengths {
  const sealedKey = kem.publicKeyLength + TAG_LENGTH;
  const sealedPayload = payloadLength + TAG_LENGTH;
  return {
    first: 1 + kem.publicKeyLength,
    second: kem.ciphertextLength + sealedKey + sealedPayload,
    third: kem.ciphertextLength + TAG_LENGTH + sealedKey + sealedPayload,
    fourth: kem.ciphertextLength + TAG_LENGTH + TAG_LENGTH,
  };
}

/** The keys that result from a handshake, 32 bytes each. Secret. */
export interface TransportKeys {
  /** The initiator seals with it and the responder opens with it. */
  readonly initiatorToResponder: Bytes;
  readonly responderToInitiator: Bytes;
}

/**
 * The state that both sides of a handshake share at each point (Noise specification, section 5.2).
 */
export class SymmetricState {
  /** @internal */
  chainingKey: Bytes;
  /** Hash of everything sent so far, 64 bytes. */
  hash: Bytes;
  /** @internal */
  key: Bytes | null = null;
  /** @internal */
  counter = 0;

  constructor(protocolName: string) {
    const name = utf8(protocolName);
    this.hash = name.length > hashLength ? blake2b512(name) : concatBytes(name, zeros(name.length));
    this.chainingKey = copyBytes(this.hash);
  }

  mixHash(data: Uint8Array): void {
    this.hash = blake2b512(this.hash, data);
  }

  mixKey(secret: Uint8Array): void {
    const [chainingKey, key] = this.#derive(secret, 2);
    this.chainingKey = chainingKey!;
    this.#setKey(key!);
  }

  mixKeyAndHash(secret: Uint8Array): void {
    const [chainingKey, hash, key] = this.#derive(secret, 3);
    this.chainingKey = chainingKey!;
    this.mixHash(hash!);
    this.#setKey(key!);
  }

  /** Before there is a key, the plaintext stays in clear. */
  encryptAndHash(plaintext: Uint8Array): Bytes {
    const sealed =
      this.key === null
        ? copyBytes(plaintext)
        : seal(this.key, this.counter++, this.hash, plaintext);
    this.mixHash(sealed);
    return sealed;
  }

  /** @throws ProtocolError when the other side did not seal it at this point. */
  decryptAndHash(sealed: Uint8Array): Bytes {
    const plaintext =
      this.key === null ? copyBytes(sealed) : open(this.key, this.counter++, this.hash, sealed);
    if (plaintext === null) throw new ProtocolError("handshake: message cannot be opened");
    this.mixHash(sealed);
    return plaintext;
  }

  split(): TransportKeys {
    const [one, two] = this.#derive(empty, 2);
    return {
      initiatorToResponder: one!.slice(0, keyLength),
      responderToInitiator: two!.slice(0, keyLength),
    };
  }

  #derive(secret: Uint8Array, count: number): Bytes[] {
    const all = hkdfBlake2b512(secret, this.chainingKey, empty, count * hashLength);
    return Array.from({ length: count }, (_, i) => all.slice(i * hashLength, (i + 1) * hashLength));
  }

  #setKey(derived: Bytes): void {
    this.key = derived.slice(0, keyLength);
    this.counter = 0;
  }
}

function zeros(used: number): Bytes {
  return new Uint8Array(hashLength - used);
}

function seal(key: Bytes, counter: number, hash: Bytes, plaintext: Uint8Array): Bytes {
  return chacha20Poly1305Seal(key, cipherNonce(counter), plaintext, hash);
}

function open(key: Bytes, counter: number, hash: Bytes, sealed: Uint8Array): Bytes | null {
  return chacha20Poly1305Open(key, cipherNonce(counter), sealed, hash);
}

/** Options of one side of a handshake. */
export interface HandshakeOptions {
  readonly kem: KemScheme;
  /** Its static ("link") key. */
  readonly staticKeys: KemKeyPair;
  /** The source of randomness: the platform's generator, except in tests. */
  readonly random?: RandomSource | undefined;
}

/** The other side's data about itself. */
export interface PeerHello {
  /** Its static public key. The caller must check that it is the right one. */
  readonly staticKey: Bytes;
  readonly payload: Bytes;
}

/**
 * Common code of both roles: the state, and the check that each step is taken once and in order.
 */
class Handshake {
  /** @internal For tests; its keys are secret. */
  readonly state: SymmetricState;
  protected readonly kem: KemScheme;
  protected readonly staticKeys: KemKeyPair;
  protected readonly random: RandomSource;
  #step = 0;

  constructor({ kem, staticKeys, random = randomBytes }: HandshakeOptions) {
    this.kem = kem;
    this.staticKeys = staticKeys;
    this.random = random;
    this.state = new SymmetricState(`Noise_pqXX_${kem.name}_ChaChaPoly_BLAKE2b`);
    this.state.mixHash(Uint8Array.of(PROLOGUE));
  }

  protected step(number: number): void {
    if (this.#step !== number - 1) {
      throw new InvalidStateError(`handshake: step ${number} after step ${this.#step}`);
    }
    this.#step = number;
  }

  /**
   * Makes a secret for the owner of `publicKey`, which the other side sent. @throws ProtocolError.
   */
  protected encapsulate(publicKey: Uint8Array): { ciphertext: Bytes; sharedSecret: Bytes } {
    try {
      return this.kem.encapsulate(publicKey, this.random);
    } catch (cause) {
      throw new ProtocolError("handshake: the other side's key cannot be used", { cause });
    }
  }

  /** @throws ProtocolError when the other side's ciphertext cannot be used. */
  protected decapsulate(privateKey: Uint8Array, ciphertext: Uint8Array): Bytes {
    try {
      return this.kem.decapsulate(privateKey, ciphertext);
    } catch (cause) {
      throw new ProtocolError("handshake: ciphertext cannot be used", { cause });
    }
  }

  /** Encodes `skem`: the ciphertext is sealed, then its secret is mixed into the key. */
  protected sendStaticKem(peerKey: Uint8Array): Bytes {
    const { ciphertext, sharedSecret } = this.encapsulate(peerKey);
    const sealed = this.state.encryptAndHash(ciphertext);
    this.state.mixKeyAndHash(sharedSecret);
    return sealed;
  }

  protected receiveStaticKem(sealed: Uint8Array): void {
    const ciphertext = this.state.decryptAndHash(sealed);
    const secret = this.decapsulate(this.staticKeys.privateKey, ciphertext);
    this.state.mixKeyAndHash(secret);
  }

  /** Encodes `s` and the payload, which end the messages two and three. */
  protected sendHello(payload: Uint8Array): Bytes {
    const sealedKey = this.state.encryptAndHash(this.staticKeys.publicKey);
    return concatBytes(sealedKey, this.state.encryptAndHash(payload));
  }

  protected receiveHello(sealed: Uint8Array): PeerHello {
    const at = this.kem.publicKeyLength + TAG_LENGTH;
    const staticKey = this.state.decryptAndHash(sealed.subarray(0, at));
    return { staticKey, payload: this.state.decryptAndHash(sealed.subarray(at)) };
  }
}

/** Splits a message after its first `length` bytes. @throws ProtocolError when it is shorter. */
function cut(message: Uint8Array, length: number): [Uint8Array, Uint8Array] {
  checkBytes("message", message);
  if (message.length < length) throw new ProtocolError("handshake: message too short");
  return [message.subarray(0, length), message.subarray(length)];
}

/** The side that dials, a client, with its steps in order. */
export class HandshakeInitiator extends Handshake {
  #ephemeral: KemKeyPair | null = null;
  #peerKey: Bytes | null = null;

  /** Message one: the prologue and a fresh key, in clear. */
  writeFirst(): Bytes {
    this.step(1);
    this.#ephemeral = this.kem.generate(this.random);
    const { publicKey } = this.#ephemeral;
    this.state.mixHash(publicKey);
    this.state.encryptAndHash(empty);
    return concatBytes(Uint8Array.of(PROLOGUE), publicKey);
  }

  /** Message two. @throws ProtocolError when it cannot be opened. */
  readSecond(message: Uint8Array): PeerHello {
    this.step(2);
    const [ciphertext, rest] = cut(message, this.kem.ciphertextLength);
    this.state.mixHash(ciphertext);
    this.state.mixKey(this.decapsulate(this.#ephemeral!.privateKey, ciphertext));
    const hello = this.receiveHello(rest);
    this.#peerKey = hello.staticKey;
    this.#ephemeral = null;
    return hello;
  }

  /** Message three. @throws ProtocolError when the other side's key cannot be used. */
  writeThird(payload: Uint8Array): Bytes {
    this.step(3);
    return concatBytes(this.sendStaticKem(this.#peerKey!), this.sendHello(payload));
  }

  /** Message four, the last. @throws ProtocolError when it cannot be opened. */
  readFourth(message: Uint8Array): TransportKeys {
    this.step(4);
    const [sealed, payload] = cut(message, this.kem.ciphertextLength + TAG_LENGTH);
    this.receiveStaticKem(sealed);
    if (this.state.decryptAndHash(payload).length > 0) {
      throw new ProtocolError("handshake: payload in the last message");
    }
    return this.state.split();
  }
}

/** The side that is dialled, a gateway or an authority, with its steps in order. */
export class HandshakeResponder extends Handshake {
  #peerEphemeral: Bytes | null = null;
  #peerKey: Bytes | null = null;

  /** Message one. @throws ProtocolError when it does not begin with the prologue. */
  readFirst(message: Uint8Array): void {
    this.step(1);
    const [prologue, publicKey] = cut(message, 1);
    if (prologue[0] !== PROLOGUE) {
      throw new ProtocolError(`handshake: version ${prologue[0]}, wanted ${PROLOGUE}`);
    }
    if (publicKey.length !== this.kem.publicKeyLength) {
      throw new ProtocolError(`handshake: key of ${publicKey.length} bytes`);
    }
    this.#peerEphemeral = copyBytes(publicKey);
    this.state.mixHash(publicKey);
    this.state.decryptAndHash(empty);
  }

  /** Message two. @throws ProtocolError when the other side's key cannot be used. */
  writeSecond(payload: Uint8Array): Bytes {
    this.step(2);
    const { ciphertext, sharedSecret } = this.encapsulate(this.#peerEphemeral!);
    this.state.mixHash(ciphertext);
    this.state.mixKey(sharedSecret);
    return concatBytes(ciphertext, this.sendHello(payload));
  }

  /** Message three. @throws ProtocolError when it cannot be opened. */
  readThird(message: Uint8Array): PeerHello {
    this.step(3);
    const [sealed, rest] = cut(message, this.kem.ciphertextLength + TAG_LENGTH);
    this.receiveStaticKem(sealed);
    const hello = this.receiveHello(rest);
    this.#peerKey = hello.staticKey;
    return hello;
  }

  /**
   * Message four, the last, and the resulting keys. @throws ProtocolError as {@link writeSecond}.
   */
  writeFourth(): { readonly message: Bytes; readonly keys: TransportKeys } {
    this.step(4);
    const sealed = this.sendStaticKem(this.#peerKey!);
    const message = concatBytes(sealed, this.state.encryptAndHash(empty));
    return { message, keys: this.state.split() };
  }
}
