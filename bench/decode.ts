/** Decoding of documents with their descriptors and of replies, compared with the CBOR library. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "cborg";
import { PkiDocument } from "katzenpost-thinclient";
import { decodeResponse, encodeResponse } from "katzenpost-thinclient/wire";
import { type BenchLine, pairedRates, syncRatePerSecond } from "./report.js";

const options = {
  useMaps: true,
  rejectDuplicateMapKeys: true,
  allowBigInt: true,
  retainStringBytes: true,
};

/** The library alone: it decodes the document, and each descriptor inside it. */
function libraryDocument(bytes: Uint8Array): unknown {
  const document = decode(bytes, options) as Map<string, unknown>;
  const layers = document.get("Topology") as Uint8Array[][];
  const decodeAll = (list: Uint8Array[]): unknown[] => list.map((one) => decode(one, options));
  return [
    document,
    layers.map(decodeAll),
    decodeAll(document.get("GatewayNodes") as Uint8Array[]),
    decodeAll(document.get("ServiceNodes") as Uint8Array[]),
  ];
}

/** Runs the comparison. */
export async function benchDecoding(): Promise<BenchLine[]> {
  const recorded = join(import.meta.dirname, "../../test/reference/transcripts/handshake.json");
  const { frames } = JSON.parse(readFileSync(recorded, "utf8")) as { frames: { cbor: string }[] };
  const event = decodeResponse(new Uint8Array(Buffer.from(frames[2]!.cbor, "hex")));
  if (event?.kind !== "newPkiDocumentEvent" || !event.payload) throw new Error("no document");
  const document = event.payload;
  const [documents, libraryDocuments] = await pairedRates(
    () => syncRatePerSecond(() => PkiDocument.decode(document), 700),
    () => syncRatePerSecond(() => libraryDocument(document), 700),
  );
  const reply = encodeResponse({
    kind: "startResendingEncryptedMessageReply",
    queryId: new Uint8Array(16),
    plaintext: new Uint8Array(1920),
    errorCode: 0,
    courierIdentityHash: new Uint8Array(32) as never,
    courierQueueId: new Uint8Array(7),
  });
  const [replies, libraryReplies] = await pairedRates(
    () => syncRatePerSecond(() => decodeResponse(reply), 700),
    () => syncRatePerSecond(() => decode(reply, options), 700),
  );
  return [
    {
      name: `PKI document, ${document.length} bytes, fully decoded`,
      value: documents,
      unit: "/s",
      peer: { name: "CBOR library", value: libraryDocuments },
      wanted: { atLeast: 0.8 },
    },
    {
      name: `reply, ${reply.length} bytes`,
      value: replies,
      unit: "/s",
      peer: { name: "CBOR library", value: libraryReplies },
      wanted: { atLeast: 0.8 },
    },
  ];
}
