/** A network that loses its boxes when its daemon ends, during work with many of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyFailedError } from "../../src/errors/partial-results.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { DevDaemon } from "../../src/testing/dev-daemon.js";
import { newStream, somePayload } from "./two-clients.js";

test(
  "a copy fails if a new daemon forgot the boxes written before",
  { timeout: 300_000 },
  async () => {
    await using before = await DevDaemon.start({ seed: "one network" });
    await using after = await DevDaemon.start({ seed: "one network" });
    let current = before;
    const client = await ThinClient.connect(
      { dial: { unix: { address: "@unused" } } },
      { dial: () => current.dial(), reconnect: { initialDelayMs: 20 } },
    );
    await client.waitUntilOnline();
    const { writeCap, firstMessageIndex } = await newStream(client);
    const destinations = [{ writeCap, startIndex: firstMessageIndex }];
    let written = 0;
    const copying = client.copy(somePayload(100_000), destinations, {
      onProgress: ({ phase, boxesDone }) => {
        if (phase !== "write") return;
        written = boxesDone;
        if (boxesDone !== 20) return;
        current = after;
        void before.crash();
      },
    });
    const error = await copying.then(
      () => null,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof CopyFailedError);
    assert.equal(error.phase, "write", "it is detected before a courier is asked");
    assert.match(error.message, /was restarted.*gone/);
    assert.ok(written < 79, `${written} of 79 boxes written, most of them in vain`);
    await client.stop();
  },
);
