/** Sizes that all transports share. */

/** Queued bytes from which on `write` returns false. */
export const WRITE_QUEUE_BYTES = 256 * 1024;

/**
 * Longest WebSocket message taken, in bytes: one whole frame of the protocol (4 + 40 MiB). Writers
 * put at most one frame into a message (spec/thin-protocol §1.2), so a longer one is an attack.
 */
export const MAX_WEBSOCKET_MESSAGE_BYTES = 4 + 41_943_040;

/** How long `end` waits for the other side to hang up before it closes for good, in ms. */
export const LINGER_MS = 2000;

/**
 * How long a dial may take where nobody says, in ms: connections that no one accepts, names that no
 * one knows and WebSocket handshakes that no one finishes all end then.
 */
export const DIAL_TIMEOUT_MS = 30_000;
