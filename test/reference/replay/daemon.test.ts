/** The recorded clients on our daemon: it must answer as the reference did. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DevDaemon } from "../../../src/testing/index.js";
import { differencesOf } from "./differences.js";
import { RECORDINGS, type RecordingName, loadRecording } from "./recording.js";
import { type StageDirections, replayAgainstDaemon } from "./replay-daemon.js";

/** The read's answer must arrive while the client is away, so the network is slow until then. */
const RESUME: StageDirections = new Map([
  [13, (daemon: DevDaemon) => daemon.network.faults.setExtraDelay(60)],
  [
    16,
    async (daemon: DevDaemon) => {
      daemon.network.faults.setExtraDelay(0);
      const { packetsUnderWay } = daemon.network.describe();
      assert.ok(packetsUnderWay > 0, "the answer has not arrived yet");
      while (daemon.network.describe().packetsUnderWay > 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  ],
]);

/** The recorded client cancelled its start after five seconds; here one tick is enough. */
const CANCEL: StageDirections = new Map([
  [
    9,
    async (daemon: DevDaemon) => {
      while (daemon.daemon.load.operations === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  ],
]);

/** How many messages of each recording a daemon must answer alike. */
const compared: Readonly<Record<RecordingName, number>> = {
  bad_args: 101,
  cancel: 9,
  copy: 17,
  copy_multi: 8,
  echo: 11,
  handshake: 3,
  keys: 12,
  malformed: 29,
  no_hello: 2,
  pki: 7,
  resume: 10,
  send_errors: 9,
  tombstone: 10,
  vouchers: 13,
  write_read: 18,
};

const directions: Partial<Record<RecordingName, StageDirections>> = {
  cancel: CANCEL,
  resume: RESUME,
};

for (const name of RECORDINGS) {
  test(`our daemon answers the recorded client of ${name} as the reference did`, async () => {
    await using daemon = await DevDaemon.start({ seed: `transcript ${name}` });
    const tally = await replayAgainstDaemon(loadRecording(name), daemon, directions[name]);
    assert.equal(tally.differences, differencesOf(name).size, "every listed difference occurs");
    assert.equal(tally.compared, compared[name]);
  });
}
