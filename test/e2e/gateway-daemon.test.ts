import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinClient } from "katzenpost-thinclient";
import { utf8ToText } from "../../src/bytes/bytes.js";
import { realClock } from "../../src/clock/real.js";
import { pigeonholeSizesOf } from "../../src/pki/pigeonhole-sizes.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { Daemon } from "../../src/daemon/daemon.js";
import { GatewayLink } from "../../src/gateway/gateway-link.js";
import { xwingKem } from "../../src/kem/xwing.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import { DEFAULT_EPOCH_MS, epochAt } from "../../src/pki/epoch.js";
import { PigeonholeGeometry } from "../../src/pki/pigeonhole-geometry.js";
import { memoryPair } from "../../src/transport/memory.js";
import {
  ScriptedNetwork,
  authorities,
  geometry,
  pinnedGateway,
} from "../gateway/scripted-network.js";

test("a thin client reaches the echo service through our daemon, a gateway and real Sphinx packets", async () => {
  const periodMs = DEFAULT_EPOCH_MS;
  const network = new ScriptedNetwork(realClock, () => epochAt(realClock.now(), periodMs).epoch);
  const link = new GatewayLink({
    clock: realClock,
    kem: xwingKem,
    pinned: [pinnedGateway],
    geometry,
    authorities,
    periodMs,
    dial: async () => {
      const [near, far] = memoryPair();
      void network.accept(far);
      return near;
    },
  });
  const faults: Error[] = [];
  const pigeonholeGeometry = PigeonholeGeometry.fromSphinx(geometry, "x25519");
  const daemon = new Daemon({
    link,
    clock: realClock,
    timing: upstreamTiming,
    geometry,
    pigeonholeGeometry,
    sizes: pigeonholeSizesOf(pigeonholeGeometry),
    scheme: x25519Nike,
    voucherScheme: x25519Nike,
    authorities: [],
    onFault: (error) => void faults.push(error),
  });
  const client = await ThinClient.connect("tcp:127.0.0.1:1", {
    dial: async () => {
      const [near, far] = memoryPair();
      daemon.serve(far);
      return near;
    },
  });
  const echo = client.getService("echo");
  const reply = await client.blockingSendMessage("through a real link", ...echo.toDestination());
  assert.match(utf8ToText(reply), /^through a real link/);
  assert.deepEqual(network.failures, []);
  assert.deepEqual(faults, []);
  // Every packet left at a tick of the schedule, and ticks without work carried a decoy.
  // A decoy may be on its way.
  while (link.describe().sent !== network.echoed.length) await realClock.sleep(5);
  await client.stop();
  await daemon.close();
});
