/** Connections through a SOCKS5 proxy (RFC 1928, passwords RFC 1929); spec/mixnet §9. */
import { type Bytes, concatBytes, utf8 } from "../bytes/bytes.js";
import { onAbort } from "../clock/on-abort.js";
import { LinkError } from "../mixnet/link.js";
import type { HostPort } from "../transport/address.js";
import { Inbox } from "../transport/inbox.js";
import type { Transport, TransportHandlers } from "../transport/transport.js";

/** A name and a password for a proxy: 1 to 255 bytes each. */
export interface ProxyCredentials {
  readonly user: string;
  readonly password: string;
}

const version = 5;
const connect = 1;
const method = { none: 0, password: 2 } as const;
const addressType = { v4: 1, name: 3, v6: 4 } as const;

/** The meaning of a proxy's answer, by its number (RFC 1928 section 6). */
const refusals: readonly string[] = [
  "",
  "general failure",
  "not allowed by its rules",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

/**
 * The connection through the proxy. The proxy's own messages are read here, and the rest is passed
 * on. (A transport can be opened only once, so the proxy and the user cannot each have handlers.)
 */
class TunnelTransport implements Transport {
  readonly address: string;
  readonly #outer: Transport;
  readonly #inbox = new Inbox();
  #negotiation: Uint8Array[] | null = [];
  #wanted: { length: number; resolve: (bytes: Bytes) => void; reject: (e: Error) => void } | null =
    null;
  #closed: Error | null = null;

  constructor(outer: Transport, address: string) {
    this.#outer = outer;
    this.address = address;
    outer.open({
      onData: (chunk) => {
        if (this.#negotiation === null) this.#inbox.push(chunk);
        else {
          this.#negotiation.push(chunk);
          this.#serve();
        }
      },
      onClose: (error) => {
        this.#closed = error ?? new LinkError("the proxy closed the connection");
        this.#wanted?.reject(this.#closed);
        this.#inbox.close(error);
      },
    });
  }

  /** The next bytes of the proxy's own messages. */
  read(length: number): Promise<Bytes> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#wanted = { length, resolve, reject };
      this.#serve();
    });
  }

  /** From here on the received bytes come from the other end. */
  established(): void {
    const rest = this.#negotiation ?? [];
    this.#negotiation = null;
    for (const chunk of rest) this.#inbox.push(chunk);
  }

  #serve(): void {
    const wanted = this.#wanted;
    const held = concatBytes(...(this.#negotiation ?? []));
    if (wanted === null || held.length < wanted.length) return;
    this.#wanted = null;
    this.#negotiation = [held.slice(wanted.length)];
    wanted.resolve(held.slice(0, wanted.length));
  }

  open(handlers: TransportHandlers): void {
    this.#inbox.open(handlers);
  }

  write(chunk: Uint8Array): boolean {
    return this.#outer.write(chunk);
  }

  drained(): Promise<void> {
    return this.#outer.drained();
  }

  get queuedBytes(): number {
    return this.#outer.queuedBytes;
  }

  pause(): void {
    this.#inbox.pause();
    this.#outer.pause();
  }

  resume(): void {
    this.#inbox.resume();
    this.#outer.resume();
  }

  end(): void {
    this.#outer.end();
  }

  destroy(): void {
    this.#outer.destroy();
  }
}

/** Encodes the target in a request. A name goes to the proxy, and only the proxy looks it up. */
function targetBytes({ host, port }: HostPort): Bytes {
  const portBytes = Uint8Array.of(port >> 8, port & 255);
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  if (v4 !== null && v4.slice(1).every((part) => Number(part) < 256)) {
    return concatBytes(Uint8Array.of(addressType.v4, ...v4.slice(1).map(Number)), portBytes);
  }
  const v6 = host.includes(":") ? v6Bytes(host) : null;
  if (v6 !== null) return concatBytes(Uint8Array.of(addressType.v6), v6, portBytes);
  const name = utf8(host);
  if (name.length < 1 || name.length > 255) {
    throw new LinkError(`a host name of ${name.length} bytes is too long for a proxy`);
  }
  return concatBytes(Uint8Array.of(addressType.name, name.length), name, portBytes);
}

function v6Bytes(host: string): Bytes | null {
  const halves = host.split("::");
  if (halves.length > 2) return null;
  const words = (half: string): number[] =>
    half === "" ? [] : half.split(":").map((word) => Number.parseInt(word, 16));
  const front = words(halves[0]!);
  const back = halves.length === 2 ? words(halves[1]!) : [];
  const missing = 8 - front.length - back.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...front, ...Array.from({ length: missing }, () => 0), ...back];
  if (all.some((word) => !(word >= 0 && word <= 0xffff))) return null;
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255]));
}

/**
 * Asks a proxy for a connection to `target`.
 * @param proxy connected to the proxy and not opened; closed if this fails.
 * @throws LinkError when the proxy refuses or is not a SOCKS5 proxy; the signal's reason.
 */
export async function connectThroughProxy(
  proxy: Transport,
  target: HostPort,
  shownTarget: string,
  credentials: ProxyCredentials | null,
  signal: AbortSignal,
): Promise<Transport> {
  const tunnel = new TunnelTransport(proxy, shownTarget);
  const leave = onAbort(signal, () => tunnel.destroy());
  try {
    signal.throwIfAborted();
    await negotiate(tunnel, target, credentials);
    tunnel.established();
    return tunnel;
  } catch (error) {
    tunnel.destroy();
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    leave();
  }
}

function notSocks5(): LinkError {
  return new LinkError("the proxy does not speak SOCKS5: correct UpstreamProxy in client.toml");
}

async function negotiate(
  tunnel: TunnelTransport,
  target: HostPort,
  credentials: ProxyCredentials | null,
): Promise<void> {
  const wanted = credentials === null ? method.none : method.password;
  const request = targetBytes(target);
  tunnel.write(Uint8Array.of(version, 1, wanted));
  const [answeredVersion, chosen] = await tunnel.read(2);
  if (answeredVersion !== version) throw notSocks5();
  if (chosen !== wanted) {
    throw new LinkError(
      credentials === null
        ? "the proxy requires a name and a password: set User and Password in UpstreamProxy"
        : "the proxy does not accept a name and a password",
    );
  }
  if (credentials !== null) {
    const [user, password] = [utf8(credentials.user), utf8(credentials.password)];
    tunnel.write(
      concatBytes(Uint8Array.of(1, user.length), user, Uint8Array.of(password.length), password),
    );
    const [, verdict] = await tunnel.read(2);
    if (verdict !== 0) throw new LinkError("the proxy refuses this name and password");
  }
  tunnel.write(concatBytes(Uint8Array.of(version, connect, 0), request));
  const [replyVersion, code, , type] = await tunnel.read(4);
  if (replyVersion !== version) throw notSocks5();
  if (code !== 0) {
    throw new LinkError(`the proxy cannot connect: ${refusals[code!] ?? `answer ${code}`}`);
  }
  // The proxy's own address is not needed, but its bytes come before the other end's.
  if (type === addressType.v4) await tunnel.read(4 + 2);
  else if (type === addressType.v6) await tunnel.read(16 + 2);
  else if (type === addressType.name) await tunnel.read((await tunnel.read(1))[0]! + 2);
  else throw notSocks5();
}
