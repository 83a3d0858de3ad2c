/** Limits that all transports share. */

/** `write` returns false if at least this many bytes are queued. */
export const WRITE_QUEUE_BYTES = 256 * 1024;

/**
 * Longest accepted WebSocket message, in bytes: one whole frame of the protocol (4 + 40 MiB).
 * Writers put at most one frame into a message (spec/thin-protocol §1.2), so a longer one is an
 * attack.
 */
export const MAX_WEBSOCKET_MESSAGE_BYTES = 4 + 41_943_040;

/** How long `end` waits for the peer to close before it closes the connection itself, in ms. */
export const LINGER_MS = 2000;

/**
 * The default time limit of a dial, in ms. It also ends connections that nobody accepts, look-ups
 * without an answer, and unfinished WebSocket handshakes.
 */
export const DIAL_TIMEOUT_MS = 30_000;
