/** The first messages, sessions, and invalid frames (spec/thin-protocol §1.3, §2, §3). */
import { type Bytes, equalBytes, randomBytes, utf8 } from "../bytes/bytes.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { PkiDocument } from "../pki/document.js";
import { type CborValue, encodeCbor } from "../cbor/cbor.js";
import { MAX_MESSAGE_SIZE, encodeFrame } from "../wire/framing.js";
import { encodeRequest } from "../wire/requests.js";
import { casesOf } from "./case.js";
import { Silence } from "./peer.js";
import type { Scene } from "./scene.js";
import { AllowedDifference, must, mustAnswer, mustHave } from "./verdict.js";

const seed = new Uint8Array(32).fill(7) as Bytes;
const keypairFrame = (queryId: Bytes): Bytes =>
  encodeFrame(encodeRequest({ kind: "newKeypair", queryId, seed }));

/** The handshake. */
export const handshakeCases = casesOf("handshake", {
  "the status comes first, with both geometries and the instance token": async (scene) => {
    const { status } = await scene.greeting(await scene.open());
    mustHave("instance_token", status.instanceToken, 16);
    must(status.err === null, "`err` must be null: Go's client reads nothing else");
    const sphinx = Geometry.fromWire(status.sphinxGeometry as CborValue);
    const pigeonhole = PigeonholeGeometry.fromWire(status.pigeonholeGeometry as CborValue);
    pigeonhole.validate();
    const keyLength =
      pigeonhole.courierQueryWriteLength - pigeonhole.maxPlaintextPayloadLength - 291;
    must(keyLength > 0, "queries are too short for the boxes");
    must(
      pigeonhole.courierQueryWriteLength <= sphinx.userForwardPayloadLength,
      "queries do not fit into packets",
    );
    const counts = [status.sphinxGeometry, status.pigeonholeGeometry].map((geometry) =>
      geometry instanceof Map ? geometry.size : 0,
    );
    must(counts[0] === 14 && counts[1] === 7, "geometries must have exactly 14 and 7 members");
  },
  "the PKI document, or null, comes second": async (scene) => {
    const { document } = await scene.greeting(await scene.open());
    if (document.payload !== null) PkiDocument.decode(document.payload);
  },
  "a session token is answered with a new application ID, and before anything else": async (
    scene,
  ) => {
    const { hello } = await scene.connect();
    mustHave("app_id", hello.reply.appId, 16);
    must(!hello.reply.resumed, "an unknown token was `resumed`");
    if (hello.before.length > 0) {
      return new AllowedDifference(
        `${hello.before[0]!.kind} came before the token's answer; clients must keep it`,
      );
    }
    return undefined;
  },
  "the same token again on the same connection is resumed": async (scene) => {
    const { peer, token, hello } = await scene.connect();
    const again = await scene.hello(peer, token);
    must(again.reply.resumed, "it was not resumed");
    must(equalBytes(again.reply.appId!, hello.reply.appId!), "the application ID changed");
  },
  "two clients have the same instance token but different application IDs": async (scene) => {
    const [one, two] = [await scene.connect(), await scene.connect()];
    const tokens = [one, two].map(({ greeting }) => greeting.status.instanceToken!);
    must(equalBytes(tokens[0]!, tokens[1]!), "the instance token changed between connections");
    const ids = [one, two].map(({ hello }) => hello.reply.appId!);
    must(!equalBytes(ids[0]!, ids[1]!), "two clients have the same application ID");
  },
  "thin_close makes the daemon disconnect": async (scene) => {
    const peer = await scene.client();
    peer.send({ kind: "thinClose" });
    await peer.mustHangUp();
  },
});

/** Frames, valid and invalid. */
export const frameCases = casesOf("frames", {
  "a frame is understood when it arrives byte by byte": async (scene) => {
    const peer = await scene.client();
    const queryId = randomBytes(16);
    for (const byte of keypairFrame(queryId)) peer.sendBytes(new Uint8Array([byte]));
    mustAnswer(0, await peer.answer("newKeypair", queryId));
  },
  "many frames in one chunk are all answered in order": async (scene) => {
    const peer = await scene.client();
    const ids = Array.from({ length: 100 }, () => randomBytes(16));
    const frames = ids.map(keypairFrame);
    const joined = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
    let at = 0;
    for (const frame of frames) {
      joined.set(frame, at);
      at += frame.length;
    }
    peer.sendBytes(joined);
    for (const id of ids) {
      const reply = await peer.event("newKeypairReply", scene.networkMs);
      must(reply.queryId !== null && equalBytes(reply.queryId, id), "the order is wrong");
    }
  },
  "an empty map is ignored": async (scene) => {
    const peer = await scene.client();
    peer.sendBody(encodeCbor({}));
    await peer.mustBeAlive();
  },
  "an unknown request is ignored": async (scene) => {
    const peer = await scene.client();
    peer.sendBody(encodeCbor({ no_such_request: { query_id: randomBytes(16) } }));
    await peer.mustBeAlive();
  },
  "of two requests in one frame, only the first by precedence is answered": async (scene) => {
    const peer = await scene.client();
    const [first, second] = [randomBytes(16), randomBytes(16)];
    peer.sendBody(
      encodeCbor({
        get_pki_document: { query_id: second, epoch: 0 },
        new_keypair: { query_id: first, seed },
      }),
    );
    mustAnswer(0, await peer.answer("newKeypair", first));
    await peer.mustBeAlive();
  },
  "a request without a query ID is answered without one": async (scene) => {
    const peer = await scene.client();
    peer.sendBody(encodeCbor({ new_keypair: { seed } }));
    const reply = await peer.event("newKeypairReply", scene.networkMs);
    must(reply.queryId === null, "the answer has a query ID");
    mustAnswer(0, reply);
  },
  "garbage makes the daemon disconnect": hangsUpOn((peer) => peer.sendBody(utf8("garbage!"))),
  "an array makes the daemon disconnect": hangsUpOn((peer) => peer.sendBody(encodeCbor([1, 2]))),
  "text in place of bytes makes the daemon disconnect": hangsUpOn((peer) =>
    peer.sendBody(encodeCbor({ new_keypair: { query_id: randomBytes(16), seed: "text" } })),
  ),
  "bytes after the message make the daemon disconnect": hangsUpOn((peer) => {
    const body = encodeCbor({ new_keypair: { query_id: randomBytes(16), seed } });
    const longer = new Uint8Array(body.length + 1);
    longer.set(body);
    peer.sendBody(longer);
  }),
  "an empty frame makes the daemon disconnect": hangsUpOn((peer) =>
    peer.sendBody(new Uint8Array(0), 0),
  ),
  "a frame longer than 40 MiB makes the daemon disconnect": hangsUpOn((peer) =>
    peer.sendBody(new Uint8Array(0), MAX_MESSAGE_SIZE + 1),
  ),
  "one client's garbage does not affect another client": async (scene) => {
    const [bad, good] = [await scene.client(), await scene.client()];
    bad.sendBody(utf8("garbage!"));
    await bad.mustHangUp();
    await good.mustBeAlive();
  },
});

function hangsUpOn(send: (peer: Awaited<ReturnType<Scene["client"]>>) => void) {
  return async (scene: Scene): Promise<void> => {
    const peer = await scene.client();
    send(peer);
    await peer.mustHangUp();
  };
}

/** Sessions that are dropped, resumed, and ended. */
export const sessionCases = casesOf("sessions", {
  "a session whose connection was dropped is resumed": async (scene) => {
    const first = await scene.connect();
    first.peer.drop();
    const second = await reconnect(scene, first.token);
    must(second.hello.reply.resumed, "it was not resumed");
    must(
      equalBytes(second.hello.reply.appId!, first.hello.reply.appId!),
      "the application ID changed",
    );
    await second.peer.mustBeAlive();
  },
  "a session that was ended by thin_close is not resumed": async (scene) => {
    const first = await scene.connect();
    first.peer.send({ kind: "thinClose" });
    await first.peer.mustHangUp();
    const second = await reconnect(scene, first.token);
    must(!second.hello.reply.resumed, "it was resumed");
  },
  "the newer of two connections with one token is served, also after the older one ends": async (
    scene,
  ) => {
    const older = await scene.connect();
    const newer = await scene.connect(older.token);
    must(newer.hello.reply.resumed, "the second one was not resumed");
    await newer.peer.mustBeAlive();
    older.peer.drop();
    try {
      await newer.peer.mustBeAlive();
      // The daemon may see the end of a connection only later.
      await scene.clock.sleep(20);
      await newer.peer.mustBeAlive();
    } catch (error) {
      if (!(error instanceof Silence)) throw error;
      return new AllowedDifference(
        "the newer connection gets no answers after the older one ended: clients must wait for " +
          "the old connection's end before they dial",
      );
    }
    return undefined;
  },
  "the answer to a read that arrives while the client is away is kept": async (scene) => {
    const first = await scene.connect();
    const writer = await scene.client();
    const stream = await scene.stream(writer);
    const index = stream.firstMessageIndex;
    const { queryId, envelopeHash } = await scene.beginRead(first.peer, stream, index);
    await scene.tick(first.peer);
    first.peer.drop();
    mustAnswer(0, await scene.write(writer, stream, index, utf8("meanwhile")));
    // As soon as another reader sees it, the absent one could have seen it too.
    mustAnswer(0, await scene.read(writer, stream, index));
    const second = await reconnect(scene, first.token);
    must(second.hello.reply.resumed, "the session was not resumed");
    let reply;
    try {
      reply = await second.peer.answer("startResendingEncryptedMessage", queryId);
    } catch (error) {
      if (!(error instanceof Silence)) throw error;
      await second.peer.ask("cancelResendingEncryptedMessage", { envelopeHash });
      const late = await second.peer
        .answer("startResendingEncryptedMessage", queryId)
        .catch(() => null);
      must(late === null || late.errorCode === 24, "the cancelled read was answered twice");
      mustAnswer(0, await scene.read(second.peer, stream, index));
      return new AllowedDifference(
        "the answer was lost: clients must cancel and start again after every reconnect",
      );
    }
    mustAnswer(0, reply);
    return undefined;
  },
});

/** A new connection with a token, after the daemon has seen the old one end. */
async function reconnect(scene: Scene, token: Bytes) {
  await scene.clock.sleep(20);
  return scene.connect(token);
}
