/**
 * The differences between Node and browsers. Neutral code imports it as `#platform`; the package's
 * import map then selects `node.ts` or `browser.ts`, which have exactly these exports.
 */
import type { Bytes } from "../bytes/bytes.js";
import type { WorkerLike } from "../crypto/ctidh/worker-protocol.js";
import type { Transport } from "../transport/transport.js";

/** Options of every dial. An abort rejects with the signal's reason and leaves no socket open. */
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
 * Connects to `ws://…` or `wss://…`. The `token`, for listeners that require one, is sent as a
 * WebSocket sub-protocol, never in the URL.
 * @throws ConnectError.
 */
export declare function dialWs(
  url: string,
  options?: DialOptions & { readonly token?: string | undefined },
): Promise<Transport>;

/** Reads a text file. @throws ConfigError in a browser; the system's error elsewhere. */
export declare function readText(path: string): Promise<string>;

/**
 * Calls `callback` when the process ends, or when a signal is about to end it. A signal that the
 * application handles does not count. The work of `callback` must be synchronous. The returned
 * function removes it. In a browser it is never called.
 */
export declare function onProcessEnd(callback: () => void): () => void;

/**
 * Calls `callback` when a page may have slept and is back: it is shown again, or the browser is
 * online again. The returned function removes it. In Node it is never called.
 */
export declare function onWake(callback: () => void): () => void;

/** X25519 public key (32 bytes) of a private key (32 bytes, clamped at use). RFC 7748 section 5. */
export declare function x25519PublicKey(privateKey: Uint8Array): Bytes;

/**
 * X25519 shared secret (32 bytes). RFC 7748 section 6.1.
 * @throws RangeError when the peer's key is of low order (the result would be all zero).
 */
export declare function x25519SharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes;

/** X25519 that is computed on another thread. */
export interface OffThreadX25519 {
  /** Like {@link x25519PublicKey}, but asynchronous. */
  publicKey(privateKey: Uint8Array): Promise<Bytes>;
  /** Like {@link x25519SharedSecret}, but asynchronous; it rejects when that throws. */
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Bytes>;
}

/** The faster asynchronous X25519 of a platform; null if it has none. */
export declare const offThreadX25519: OffThreadX25519 | null;

/**
 * Cofactorless Ed25519 verification, with the results of spec/pigeonhole §1.7. Never throws: a
 * wrong length gives `false`.
 */
export declare function ed25519Verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean;

/**
 * ChaCha20-Poly1305 (RFC 8439): prefix ‖ ciphertext ‖ 16-byte tag. The associated data and the
 * prefix, which is neither sealed nor authenticated, are empty by default.
 */
export declare function chacha20Poly1305Seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData?: Uint8Array,
  prefix?: Uint8Array,
): Bytes;

/** Opens what {@link chacha20Poly1305Seal} made; null if it was tampered with or is too short. */
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

/** BLAKE2b (RFC 7693) without a key, 64 bytes, of the concatenated parts. */
export declare function blake2b512(...parts: readonly Uint8Array[]): Bytes;

/** SHA-512 (64 bytes, FIPS 180-4) of the concatenated parts. */
export declare function sha512(...parts: readonly Uint8Array[]): Bytes;

/** HMAC-SHA-256 (32 bytes, RFC 2104) of the concatenated parts. */
export declare function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes;

/**
 * Encrypts or decrypts `data` with AES-256 in counter mode (NIST SP 800-38A section 6.5). The key
 * has 32 bytes. `iv`, 16 bytes, is the first counter block, incremented as a big-endian number of
 * 128 bits.
 */
export declare function aes256Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Bytes;

/** `length` bytes of SHAKE256 (FIPS 202) of the concatenated parts. */
export declare function shake256(length: number, ...parts: readonly Uint8Array[]): Bytes;

/** Compresses `data` in the gzip format (RFC 1952). */
export declare function gzip(data: Uint8Array): Promise<Bytes>;

/**
 * Unpacks `data` in the gzip format. Rejects with ProtocolError when it is in another format, is
 * damaged, or unpacks to more than `longest` bytes. It never holds much more than that.
 */
export declare function gunzip(data: Uint8Array, longest: number): Promise<Bytes>;

/** CRC-32 (as in zlib) of `bytes`, continued from `start`: it detects accidents, not tampering. */
export declare function crc32(bytes: Uint8Array, start?: number): number;

/** Starts a worker that computes CTIDH1024, for a `CtidhPool`. */
export declare function spawnCtidhWorker(): WorkerLike;
