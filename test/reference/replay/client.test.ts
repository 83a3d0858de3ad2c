/** Our client with the recorded daemon: it must send the same as the recorded client. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientClosedError } from "../../../src/errors/errors.js";
import { type RecordingName, loadRecording } from "./recording.js";
import { ClientReplay, type ClientTally, Listener } from "./replay-client.js";
import { messageOf } from "./reply-rules.js";

/** Plays a recording, with a separate client for each connection. */
async function play(name: RecordingName): Promise<ClientTally> {
  const replay = new ClientReplay(name);
  for (const connection of loadRecording(name).connections) {
    const listener = new Listener();
    const accepted = listener.accept();
    const client = replay.client(connection, listener);
    const started = client.start();
    const peer = await accepted;
    await replay.shakeHands(peer, connection);
    await started;
    await replay.play(client, peer, connection);
    peer.drop();
    await client.stop();
  }
  return replay.tally;
}

/** The required results of each replay; `refused` are mistakes that never leave our client. */
const wanted: Partial<Record<RecordingName, ClientTally>> = {
  bad_args: {
    alike: 31,
    settled: 3,
    events: 0,
    // 157 and 171 would end a copy stream with an empty element: the reference makes a stream
    // without an end.
    refused: [
      14, 20, 28, 35, 41, 47, 55, 61, 68, 75, 82, 89, 95, 101, 108, 116, 129, 136, 143, 149, 157,
      164, 171,
    ],
  },
  cancel: { alike: 8, settled: 6, events: 0, refused: [] },
  copy: { alike: 16, settled: 14, events: 2, refused: [] },
  copy_multi: { alike: 7, settled: 5, events: 0, refused: [] },
  echo: { alike: 6, settled: 0, events: 8, refused: [] },
  handshake: { alike: 2, settled: 0, events: 0, refused: [] },
  keys: { alike: 8, settled: 7, events: 0, refused: [18, 20, 22] },
  pki: { alike: 6, settled: 4, events: 0, refused: [] },
  send_errors: { alike: 4, settled: 0, events: 6, refused: [6, 9, 11, 13] },
  tombstone: { alike: 9, settled: 7, events: 0, refused: [] },
  vouchers: { alike: 9, settled: 7, events: 0, refused: [14, 18, 22] },
  write_read: { alike: 17, settled: 15, events: 1, refused: [] },
};

for (const [name, tally] of Object.entries(wanted) as [RecordingName, ClientTally][]) {
  test(`our client sends and accepts the messages in the recording of ${name}`, async () => {
    assert.deepEqual(await play(name), tally);
  });
}

test("a request on which the reference hangs up never leaves our client", () => {
  for (const name of ["bad_args", "keys"] as const) {
    for (const { frames, daemonHangsUp } of loadRecording(name).connections) {
      const last = frames.filter(({ from }) => from === "client").at(-1)!;
      if (!daemonHangsUp || messageOf(last.body).kind === "thin_close") continue;
      assert.ok(wanted[name]!.refused.includes(last.at), `${name} frame ${last.at}`);
    }
  }
});

test("our client resumes a read after the reference has resumed its session", async () => {
  const replay = new ClientReplay("resume");
  const [first, second] = loadRecording("resume").connections;
  const listener = new Listener();
  const accepted = listener.accept();
  const client = replay.client(first!, listener);
  const started = client.start();
  const peer = await accepted;
  await replay.shakeHands(peer, first!);
  await started;
  await replay.play(client, peer, first!);
  const reading = replay.onlyOpenCall();
  const again = listener.accept();
  peer.drop();
  const peerAgain = await again;
  await replay.shakeHands(peerAgain, second!);
  // The reference would be silent here forever, so our client cancels the read and asks again.
  const cancel = messageOf((await peerAgain.next(60_000))!);
  const start = messageOf((await peerAgain.next(60_000))!);
  const asked = messageOf(first!.frames.at(-1)!.body);
  assert.equal(cancel.kind, "cancel_resending_encrypted_message");
  assert.deepEqual(cancel.fields.get("envelope_hash"), asked.fields.get("envelope_hash"));
  assert.equal(start.kind, asked.kind);
  for (const key of ["envelope_hash", "message_ciphertext", "read_cap"]) {
    assert.deepEqual(start.fields.get(key), asked.fields.get(key), key);
  }
  assert.notDeepEqual(start.fields.get("query_id"), reading.liveId);
  const closed = assert.rejects(reading.result, ClientClosedError);
  await replay.play(client, peerAgain, second!);
  await closed;
});

test("messages that answer nothing do not disturb our client", async () => {
  let words = 0;
  for (const connection of loadRecording("malformed").connections) {
    const replay = new ClientReplay("malformed");
    const listener = new Listener();
    const accepted = listener.accept();
    const client = replay.client(connection, listener);
    const started = client.start();
    const peer = await accepted;
    await replay.shakeHands(peer, connection);
    await started;
    for (const { from, body } of connection.frames) {
      if (from === "client" || !messageOf(body).kind.endsWith("keypair_reply")) continue;
      peer.send(body);
      words++;
    }
    const answered = client.newKeypair(new Uint8Array(32));
    const request = messageOf((await peer.next(60_000))!);
    assert.equal(request.kind, "new_keypair");
    assert.equal(client.state, "ready");
    peer.drop();
    const closed = assert.rejects(answered, ClientClosedError);
    await client.stop();
    await closed;
  }
  assert.equal(words, 2);
});
