/** Daemons that go away and come back, and sessions that outlive the client's process. */
import assert from "node:assert/strict";
import { ThinClient, randomBytes, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const config = daemon.config();

// #region options
await using client = await ThinClient.connect(config, {
  reconnect: { initialDelayMs: 50, maxDelayMs: 5_000 }, // default: 1 s up to 60 s, with jitter
  liveness: { intervalMs: 30_000, timeoutMs: 15_000 }, // the default: finds a silent daemon
});
// #endregion

const log: string[] = [];
// #region events
client.on("daemonDisconnected", ({ isGraceful }) => {
  log.push(isGraceful ? "the daemon said goodbye" : "the daemon is gone");
});
client.on("reconnected", ({ resumed, newInstance }) => {
  log.push(
    `back: ${resumed ? "same session" : "new session"}, ${newInstance ? "new" : "same"} daemon`,
  );
});
// #endregion

// #region survive
const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
const reading = client.read(readCap, firstMessageIndex); // waits for the box

await daemon.crash(); // as kill -9 would
await daemon.restart();

await client.write(writeCap, firstMessageIndex, "still here"); // waits for the connection
const { plaintext } = await reading; // the read did not notice the crash
// #endregion
assert.equal(utf8ToText(plaintext), "still here");
assert.deepEqual(log, ["the daemon is gone", "back: new session, new daemon"]);

// #region token
// In the embedded network a reply is back at once; a real mixnet takes seconds.
daemon.network.faults.setExtraDelay(1_000);

const first = await ThinClient.connect(config);
const { sessionToken } = first; // 16 bytes, a secret: keep them with your state
const surbId = first.newSurbId();
await first.sendMessage(surbId, "for later", ...first.getService("echo").toDestination());
await first.disconnect(); // unlike stop(): the daemon keeps what comes for this session

const second = new ThinClient(config, { sessionToken });
const deadline = AbortSignal.timeout(60_000); // a reply may get lost
const replies = second.events({ types: ["messageReply"], signal: deadline }); // before start()
await second.start();
let later = "no reply within a minute";
for await (const { payload } of replies) {
  later = utf8ToText(payload.subarray(0, 9));
  break;
}
console.log(later);
await second.stop();
// #endregion
assert.equal(later, "for later");
assert.equal(second.state, "closed");
