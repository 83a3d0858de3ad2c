import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinClient } from "../../src/client/thin-client.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { DevDaemon } from "../../src/testing/dev-daemon.js";
import { checkDevDaemonOptions } from "../../src/testing/dev-daemon-options.js";
import { instantTiming, upstreamTiming } from "../../src/mixnet/timing.js";

const refused: readonly (readonly [object | null, typeof Error, RegExp])[] = [
  [null, TypeError, /`options` must be an object, got null/],
  [{ liste: "x" }, TypeError, /`options.liste` is not an option; known: listen, allowRemote/],
  [{ constructor: 1 }, TypeError, /`options.constructor` is not an option/],
  [
    { listen: 5 },
    TypeError,
    /`options.listen` must be an address, or an array of addresses, got 5$/,
  ],
  [{ listen: ["tcp:127.0.0.1:0", 5] }, TypeError, /`options.listen` must .*got an array of 2/],
  [{ seed: 5 }, TypeError, /`options.seed` must be a string or bytes, got 5/],
  [{ clock: {} }, TypeError, /`options.clock` must be a Clock, got Object/],
  [{ clock: null }, TypeError, /`options.clock` must be a Clock, got null/],
  [
    { mixing: "slow" },
    RangeError,
    /`options.mixing` must be instant or realistic or sphinx, got "slow"/,
  ],
  [{ nike: "x448" }, RangeError, /`options.nike` must be x25519 or CTIDH1024-X25519, got "x448"/],
  [{ timing: 5 }, TypeError, /`options.timing` must be an object, got 5/],
  [{ timing: null }, TypeError, /`options.timing` must be an object, got null/],
  [
    { timing: { resendMS: 5 } },
    TypeError,
    /`options.timing.resendMS` is not a wait; known: resendMs, composeRetryMs/,
  ],
  [{ timing: { toString: 5 } }, TypeError, /`options.timing.toString` is not a wait/],
  [
    { timing: { courierCacheMs: -1 } },
    RangeError,
    /`options.timing.courierCacheMs` must be a number of milliseconds from 0 up, got -1/,
  ],
  [{ timing: { proxyMs: NaN } }, RangeError, /`options.timing.proxyMs` must be .*, got NaN/],
  [{ timing: { proxyMs: "5" } }, RangeError, /`options.timing.proxyMs` .*string of 1 characters/],
  [{ timing: { proxyMs: undefined } }, RangeError, /`options.timing.proxyMs` .*got undefined/],
  [{ timing: { resendMs: 0 } }, RangeError, /`options.timing.resendMs` .*above 0, got 0/],
  [{ timing: { copyTries: 0 } }, RangeError, /`options.timing.copyTries` .*from 1 up, got 0/],
  [{ timing: { copyTries: 1.5 } }, RangeError, /`options.timing.copyTries` .*got 1.5/],
  [
    { timing: { followUpMs: 20 } },
    TypeError,
    /`options.timing.followUpMs` must be an object with `first` and `longest`, got 20/,
  ],
  [
    { timing: { followUpMs: { first: 20 } } },
    RangeError,
    /`options.timing.followUpMs.longest` must be .*got undefined/,
  ],
  [
    { timing: { followUpMs: { first: 20, longest: 10 } } },
    RangeError,
    /`options.timing.followUpMs.longest` must be at least `first` \(20\), got 10/,
  ],
  [
    { timing: { followUpMs: { first: 1, longest: 2, last: 3 } } },
    TypeError,
    /`options.timing.followUpMs.last` is not known; known: first, longest/,
  ],
  [{ replicas: 1 }, RangeError, /`options.replicas` must be an integer from 2 to 256.*, got 1/],
  [{ replicas: 0 }, RangeError, /`options.replicas` .*, got 0/],
  [{ replicas: 257 }, RangeError, /`options.replicas` .*, got 257/],
  [{ replicas: 2.5 }, RangeError, /`options.replicas` .*, got 2.5/],
  [{ couriers: 0 }, RangeError, /`couriers` must be an integer from 1 to 100, got 0/],
  [{ epochMs: 5 }, RangeError, /`epochMs` must be an integer from 1000/],
  [{ mu: -1 }, RangeError, /`mu` must be a finite number from 0 up, got -1/],
  [{ allowRemote: "no" }, TypeError, /`options.allowRemote` must be true or false, got a string/],
  [{ allowedOrigins: "x" }, TypeError, /`options.allowedOrigins` must be an array of strings/],
  [{ token: 5 }, TypeError, /`options.token` must be a string, got 5/],
  [{ dataDirectory: "" }, TypeError, /`options.dataDirectory` must be a path, got a string of 0/],
  [{ onFault: "log" }, TypeError, /`options.onFault` must be a function, got a string/],
];

test("invalid options are refused by name, with the expected and the actual value", async () => {
  for (const [options, kind, said] of refused) {
    await assert.rejects(DevDaemon.start(options as object), (error) => {
      assert.equal((error as Error).constructor, kind, String(error));
      assert.match((error as Error).message, said);
      return true;
    });
  }
});

test("no error shows a token or a seed", async () => {
  await assert.rejects(
    DevDaemon.start({ token: ["secret"] as never }),
    (error: Error) => error.message.endsWith("got an array of 1") && !/secret/.test(error.message),
  );
});

test("all options may be given, undefined counts as omitted, and the smallest network runs", async () => {
  checkDevDaemonOptions({ timing: upstreamTiming });
  checkDevDaemonOptions({ timing: instantTiming, listen: [], seed: new Uint8Array(3) });
  checkDevDaemonOptions({ listen: undefined, clock: undefined, timing: {}, replicas: undefined });
  await using daemon = await DevDaemon.start({ replicas: 2, clock: new VirtualClock() });
  assert.equal(daemon.storage.replicas.length, 2);
});

test("a daemon without addresses gives clients an in-memory connection", async () => {
  await using daemon = await DevDaemon.start();
  await using client = await ThinClient.connect(daemon.config());
  assert.ok(client.isConnected());
  assert.throws(() => daemon.config(1), /`index` must be below 0, the number of addresses, got 1/);
});
