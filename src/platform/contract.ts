/**
 * What differs between Node and browsers. Neutral code imports it as `#platform`; the package's
 * import map then picks `node.ts` or `browser.ts`, which have exactly these exports.
 */
import type { Bytes } from "../bytes/bytes.js";
import type { WorkerLike } from "../crypto/ctidh/worker-protocol.js";
import type { Transport } from "../transport/transport.js";

/** Options of every dial: aborting rejects with the signal's reason and leaves no socket behind. */
export interface DialOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Address families of a TCP dial. */
export type TcpNetwork = "tcp" | "tcp4" | "tcp6";

/**
 * Connects to `HOST:PORT` or `[V6]:PORT`.
 * @throws ConnectError; UnsupportedTransportError in a browser.
 */
export declare function dialTcp(
  address: string,
  network: TcpNetwork,
  options?: DialOptions,
): Promise<Transport>;

/**
 * Connects to a Unix socket: a path, or `@name` for a Linux abstract one.
 * @throws ConnectError; UnsupportedTransportError in a browser.
 */
export declare function dialUnix(address: string, options?: DialOptions): Promise<Transport>;

/**
 * Connects to `ws://…` or `wss://…`. `token`, for listeners that ask for one, travels as a
 * WebSocket sub-protocol, never in the URL.
 * @throws ConnectError.
 */
export declare function dialWs(
  url: string,
  options?: DialOptions & { readonly token?: string | undefined },
): Promise<Transport>;

/** The text of a file. @throws ConfigError in a browser; the system's error elsewhere. */
export declare function readText(path: string): Promise<string>;

/**
 * Calls `callback` when the process ends or a signal is about to end it, which one that the
 * application handles is not; what it does must be done when it returns. The function given takes
 * it back. In a browser nothing is ever called.
 */
export declare function onProcessEnd(callback: () => void): () => void;

/** X25519 public key (32 bytes) of a private key (32 bytes, clamped at use). RFC 7748 section 5. */
export declare function x25519PublicKey(privateKey: Uint8Array): Bytes;

/**
 * X25519 shared secret (32 bytes). RFC 7748 section 6.1.
 * @throws RangeError when the peer's key is of low order (the result would be all zero).
 */
export declare function x25519SharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes;

/** X25519 that is computed elsewhere than on the thread that asks. */
export interface OffThreadX25519 {
  /** As {@link x25519PublicKey}, later. */
  publicKey(privateKey: Uint8Array): Promise<Bytes>;
  /** As {@link x25519SharedSecret}, later; rejects as that throws. */
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Bytes>;
}

/** The faster X25519 of a platform that has one which answers later; null elsewhere. */
export declare const offThreadX25519: OffThreadX25519 | null;

/**
 * Cofactorless Ed25519 verification with the verdicts of spec/pigeonhole §1.7. Never
 * throws: a wrong length is `false`.
 */
export declare function ed25519Verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean;

/** ChaCha20-Poly1305 (RFC 8439): ciphertext ‖ 16-byte tag. No associated data unless given. */
export declare function chacha20Poly1305Seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData?: Uint8Array,
): Bytes;

/** Opens what {@link chacha20Poly1305Seal} made; null when it was tampered with or is too short. */
export declare function chacha20Poly1305Open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associatedData?: Uint8Array,
): Bytes | null;

/** HKDF (RFC 5869) with BLAKE2b-512. An empty `salt` is "no salt". `length` in bytes. */
export declare function hkdfBlake2b512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Bytes;

/** SHA-512 (64 bytes, FIPS 180-4) of the parts one after the other. */
export declare function sha512(...parts: readonly Uint8Array[]): Bytes;

/** HMAC-SHA-256 (32 bytes, RFC 2104) of the parts one after the other. */
export declare function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes;

/**
 * `data` encrypted or decrypted with AES-256 in counter mode (NIST SP 800-38A section 6.5): key of
 * 32 bytes; `iv`, 16 bytes, is the first counter block, counted up as a big-endian number of 128
 * bits.
 */
export declare function aes256Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Bytes;

/** `length` bytes of SHAKE256 (FIPS 202) of the parts one after the other. */
export declare function shake256(length: number, ...parts: readonly Uint8Array[]): Bytes;

/** `data` compressed in the gzip format (RFC 1952). */
export declare function gzip(data: Uint8Array): Promise<Bytes>;

/**
 * What `data` unpacks to, which is in the gzip format. Rejects with ProtocolError when it is not,
 * is damaged, or unpacks to more than `longest` bytes; then not more than that is ever held.
 */
export declare function gunzip(data: Uint8Array, longest: number): Promise<Bytes>;

/** CRC-32 (as in zlib) of `bytes`, going on from `start`: against accidents, not tampering. */
export declare function crc32(bytes: Uint8Array, start?: number): number;

/** Starts a worker that computes CTIDH1024, for a `CtidhPool`. */
export declare function spawnCtidhWorker(): WorkerLike;
