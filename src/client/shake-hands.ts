/** From a transport to a connection whose handshake is finished. */
import { ProtocolError, RequestTimeoutError } from "../errors/errors.js";
import type { Transport } from "../transport/transport.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import { watchDeadline } from "./call-options.js";
import { Connection } from "./connection.js";
import { Handshake, type HandshakeResult } from "./handshake.js";
import type { ResolvedOptions } from "./options.js";

/** What becomes of a connection. */
export interface ShakeHandsHandlers {
  /** The connection was made; nothing came yet. */
  onConnection(connection: Connection): void;
  /** The handshake is finished; called before any later message. */
  onReady(connection: Connection, result: HandshakeResult): void;
  /** Bytes came. */
  onBytes(): void;
  /** A message after the handshake. */
  onResponse(response: DaemonResponse | MalformedReply): void;
  /** The connection ended after the handshake. */
  onClose(connection: Connection, error: Error | null): void;
}

/**
 * Goes through the handshake; resolves when `onReady` has returned.
 * @param timeoutMs how long it may take.
 * @throws ProtocolError, RequestTimeoutError, the signal's reason; the connection is closed then.
 */
export function shakeHands(
  transport: Transport,
  options: ResolvedOptions,
  timeoutMs: number,
  signal: AbortSignal,
  handlers: ShakeHandsHandlers,
): Promise<void> {
  const { clock, maxMessageSize, sessionToken } = options;
  return new Promise((resolve, reject) => {
    let done = false;
    const fail = (reason: unknown): void => {
      if (done) return;
      done = true;
      deadline.dispose();
      connection.silence();
      connection.destroy();
      void connection.closed.then(() => reject(reason));
    };
    const deadline = watchDeadline(clock, "handshake", { signal }, timeoutMs, (reason) =>
      fail(reason instanceof RequestTimeoutError ? tooLate(reason, transport) : reason),
    );
    const handshake = new Handshake(sessionToken, (request) => connection.send(request));
    const take = (response: DaemonResponse | MalformedReply, size: number): void => {
      let result: HandshakeResult | null;
      try {
        result = handshake.take(response, size);
      } catch (error) {
        fail(error);
        return;
      }
      if (!result) return;
      done = true;
      deadline.dispose();
      try {
        handlers.onReady(connection, result);
        resolve();
      } catch (error) {
        reject(error);
      }
    };
    const connection: Connection = new Connection(transport, maxMessageSize, {
      onBytes: () => handlers.onBytes(),
      onResponse: (response, size) => {
        if (done) handlers.onResponse(response);
        else take(response, size);
      },
      onClose: (error) => {
        if (done) handlers.onClose(connection, error);
        else fail(error ? noDaemon(error, connection.address) : hungUp(connection.address));
      },
    });
    handlers.onConnection(connection);
    connection.open();
  });
}

function tooLate(reason: RequestTimeoutError, transport: Transport): RequestTimeoutError {
  return new RequestTimeoutError(
    `${transport.address} accepted the connection but did not finish the handshake in time: ` +
      "is it a kpclientd, and has it a PKI document?",
    { operation: "start", cause: reason },
  );
}

/** What cannot be read before the handshake is finished is hardly a daemon's. */
function noDaemon(error: Error, address: string): Error {
  if (!(error instanceof ProtocolError)) return error;
  return new ProtocolError(
    `${address} does not speak the thin-client protocol: ${error.message}; ` +
      "is it really a kpclientd?",
    { operation: "start", cause: error },
  );
}

function hungUp(address: string): ProtocolError {
  return new ProtocolError(
    `${address} closed the connection during the handshake: is it really a kpclientd?`,
  );
}
