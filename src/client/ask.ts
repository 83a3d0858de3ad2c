/** Requests whose reply has an error code of the daemon's. */
import { callSite, placeAt } from "../errors/call-site.js";
import { ProtocolError, RequestTimeoutError } from "../errors/errors.js";
import { daemonErrorFromCode } from "../errors/from-reply.js";
import type { QueryFields, QueryKind, ReplyTo } from "./calls.js";
import type { RequestSettings, Session } from "./session.js";

/**
 * Sends a request and gives its reply.
 * @throws what {@link Session.request} rejects with, and the error of the reply's code.
 */
export async function ask<K extends QueryKind>(
  session: Session,
  kind: K,
  fields: QueryFields<K>,
  settings: RequestSettings,
): Promise<ReplyTo<K>> {
  let reply: ReplyTo<K>;
  try {
    reply = await session.request(kind, fields, settings);
  } catch (error) {
    // The stack of a timer says nothing: here, after the await, the engine knows who waits for this.
    if (error instanceof RequestTimeoutError) placeAt(error, callSite(ask));
    throw error;
  }
  const { errorCode } = reply as { readonly errorCode: number };
  const error = daemonErrorFromCode(errorCode, { operation: settings.operation });
  if (error) throw error;
  return reply;
}

/** The same for bytes that must not be empty. @throws ProtocolError when they are null or empty. */
export function requiredBytes<T extends Uint8Array>(
  value: T | null,
  name: string,
  operation: string,
): T {
  if (required(value, name, operation).length > 0) return value!;
  throw new ProtocolError(`${operation}: the daemon reports success but sent an empty ${name}`, {
    operation,
  });
}

/** `value`, which a reply that reports success must have. @throws ProtocolError when it is null. */
export function required<T>(value: T | null, name: string, operation: string): T {
  if (value !== null) return value;
  throw new ProtocolError(`${operation}: the daemon reports success but sent no ${name}`, {
    operation,
  });
}
