/** A daemon with texts that try to control the terminal; otherwise it works. */
import { type Server, type Socket, connect, createServer } from "node:net";
import { join } from "node:path";
import { DevDaemon } from "katzenpost-thinclient/testing";
import type { Bytes } from "../../src/bytes/bytes.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";
import { decodeCertificate, encodeCertificate } from "../../src/pki/certificate.js";
import { FrameDecoder, encodeFrame } from "../../src/wire/framing.js";
import { type DaemonResponse, decodeResponse, encodeResponse } from "../../src/wire/responses.js";

/** Sets the window's title, clears the screen, reverses text, forges a line. */
export const EVIL = "\u001b]0;x\u0007\u009b2J\u202e\r\nFORGED \u2028";

/** Members of documents that are text, or lists of text, from other parties. */
const TEXTS = new Set(["Name", "Version", "PKISignatureScheme"]);

function spoilDocument(bytes: Uint8Array): Bytes {
  return encodeCbor(spoil(decodeCbor(bytes), "") as Encodable);
}

/** The value with {@link EVIL} in every name, and one more service on each node. */
function spoil(value: unknown, key: string): unknown {
  if (typeof value === "string") return TEXTS.has(key) ? value + EVIL : value;
  if (Array.isArray(value)) return value.map((member) => spoil(member, key));
  if (value instanceof Uint8Array) {
    // Nodes are separate documents inside the document.
    const isNode = /Nodes$|^Topology$|Replicas$/.test(key);
    return isNode ? spoilDocument(value) : value;
  }
  if (!(value instanceof Map)) return value;
  const members = [...(value as CborMap)].map(([name, member]) => {
    if (name === "Addresses" && member instanceof Map) {
      return [name, new Map([...member].map(([kind]) => [kind, [`tcp://${EVIL}:1`]]))];
    }
    if (name === "Kaetzchen" && member instanceof Map) {
      return [name, new Map([...member, [`svc${EVIL}`, new Map([["endpoint", "+e\u001b[2J\n"]])]])];
    }
    return [name, spoil(member, String(name))];
  });
  return new Map(members as [string, unknown][]);
}

function spoilCertificate(bytes: Uint8Array): Bytes {
  const certificate = decodeCertificate(bytes);
  const certified = spoilDocument(certificate.certified);
  return encodeCertificate({
    ...certificate,
    certified,
  });
}

function spoilResponse(response: DaemonResponse, isOnline: boolean): DaemonResponse {
  switch (response.kind) {
    case "newPkiDocumentEvent":
      return { ...response, payload: response.payload && spoilDocument(response.payload) };
    case "getPkiDocumentReply":
      return { ...response, payload: response.payload && spoilCertificate(response.payload) };
    case "connectionStatusEvent":
      return isOnline ? response : { ...response, isConnected: false, err: EVIL };
    case "messageSentEvent":
      return isOnline ? response : { ...response, err: EVIL };
    case "getDirectoryAuthoritiesReply": {
      const authorities = response.authorities!.map((authority) => ({
        ...authority,
        identifier: authority.identifier + EVIL,
        addresses: [`tcp://${EVIL}`],
        pkiSignatureScheme: authority.pkiSignatureScheme + EVIL,
        wireKemScheme: EVIL,
      }));
      return { ...response, authorities };
    }
    default:
      return response;
  }
}

/**
 * Forwards messages between clients and a real daemon, and inserts hostile texts into the daemon's.
 */
export class HostileDaemon implements AsyncDisposable {
  readonly address: string;
  readonly #daemon: DevDaemon;
  readonly #server: Server;

  private constructor(address: string, daemon: DevDaemon, server: Server) {
    this.address = address;
    this.#daemon = daemon;
    this.#server = server;
  }

  /**
   * @param folder for its sockets. @param isOnline false: the daemon reports that it is offline,
   * with a reason.
   */
  static async start(folder: string, isOnline = true): Promise<HostileDaemon> {
    const name = isOnline ? "online" : "offline";
    const real = join(folder, `real-${name}.sock`);
    const path = join(folder, `${name}.sock`);
    const daemon = await DevDaemon.start({ listen: `unix:${real}` });
    const server = createServer((client) => relay(client, connect(real), isOnline));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return new HostileDaemon(`unix:${path}`, daemon, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await this.#daemon.close();
  }
}

function relay(client: Socket, daemon: Socket, isOnline: boolean): void {
  const decoder = new FrameDecoder();
  client.on("data", (chunk) => daemon.write(chunk));
  daemon.on("data", (chunk: Uint8Array) => {
    decoder.push(chunk, (body) => {
      const response = decodeResponse(body) as DaemonResponse;
      client.write(encodeFrame(encodeResponse(spoilResponse(response, isOnline))));
    });
  });
  for (const [one, other] of [
    [client, daemon],
    [daemon, client],
  ] as const) {
    one.on("error", () => {});
    one.on("close", () => other.destroy());
  }
}
