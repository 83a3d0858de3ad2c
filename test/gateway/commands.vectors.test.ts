import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { toHex } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { CommandCodec } from "../../src/gateway/commands.js";
import {
  ConsensusAssembler,
  consensusCommands,
  cutChunks,
  unpackConsensus,
} from "../../src/gateway/consensus-chunks.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import { failureOf, geometryOf } from "../sphinx/sphinx-cases.js";
import { commandFrom } from "./wire-cases.js";

const vectors = loadVectors("mixnet-wire-commands");
const codecs = {
  mixnet: new CommandCodec(geometryOf(vectors.geometry)),
  pki: new CommandCodec(null),
};
/** The only number in the file that JSON.parse rounds. */
const largeEpoch = 72623859790382856n;

test("commands have the reference's bytes and padding, and decode", () => {
  const text = readFileSync(
    new URL("../../../test/reference/vectors/mixnet-wire-commands.json", import.meta.url),
    "utf8",
  );
  assert.ok(text.includes(`"epoch": ${largeEpoch}`) || text.includes(`"epoch":${largeEpoch}`));
  for (const v of vectors.cases) {
    const codec = codecs[v.set as keyof typeof codecs];
    let command = commandFrom(v.command);
    if (command.type === "GetConsensus2") command = { ...command, epoch: largeEpoch };
    const encoded = codec.encode(command);
    assert.equal(toHex(encoded), v.bytes, v.command.type);
    assert.equal(encoded.length, v.length);
    assert.deepEqual(codec.decode(encoded), command);
    assert.equal(command.type, v.decoded);
  }
  assert.equal(vectors.cases.length, 19);
});

/** The reference reads past the end of this command and accepts it; our codec refuses it. */
const upstreamBug = "Consensus2 with 1-byte body (upstream bug)";

test("malformed commands are refused as by the reference", () => {
  let refused = 0;
  for (const v of vectors.malformed) {
    if (v.error === null && v.name !== upstreamBug) {
      assert.equal(codecs.mixnet.decode(hex(v.bytes)).type, v.decoded.type, v.name);
      continue;
    }
    const failure = failureOf(() => codecs.mixnet.decode(hex(v.bytes)));
    assert.ok(hasCode(failure, "ERR_PROTOCOL"), v.name);
    assert.ok(failure.message.startsWith("wire: invalid wire protocol command"), v.name);
    refused++;
  }
  assert.deepEqual([vectors.malformed.length, refused], [15, 12]);
});

test("documents are assembled from the reference's chunks, and split as it splits them", async () => {
  for (const v of vectors.consensus2Chunking) {
    const assembler = new ConsensusAssembler(v.chunkSize);
    let packed: Uint8Array | null = null;
    for (const [chunkNumber, chunk] of v.chunks.entries()) {
      assert.equal(packed, null);
      const command = {
        type: "Consensus2",
        errorCode: 0,
        chunkNumber,
        chunkTotal: v.chunks.length,
        chunk: hex(chunk),
      } as const;
      packed = assembler.add(command)?.packed ?? null;
    }
    assert.ok(packed);
    assert.equal(toHex(await unpackConsensus(packed)), v.document);
    assert.deepEqual(cutChunks(packed, v.chunkSize).map(toHex), v.chunks);
    const ours = await consensusCommands(hex(v.document), v.chunkSize);
    const joined = Buffer.concat(ours.map(({ chunk }) => chunk));
    assert.equal(gunzipSync(joined).toString("hex"), v.document);
    assert.ok(ours.slice(0, -1).every(({ chunk }) => chunk.length === v.chunkSize));
  }
  assert.equal(vectors.consensus2Chunking.length, 3);
});
