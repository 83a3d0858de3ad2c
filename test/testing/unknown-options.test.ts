import assert from "node:assert/strict";
import { test } from "node:test";
import { DevDaemon } from "katzenpost-thinclient/testing";
import {
  ScriptedDaemon,
  checkConformance,
  memoryPair,
  startTestNetwork,
} from "katzenpost-thinclient/testing";
import { ThinClient } from "katzenpost-thinclient";

test("every function with options rejects an unknown one with a TypeError that names it", async () => {
  const wrong = { nosuch: 1 } as object;
  const client = new ThinClient("tcp:localhost:1");
  const calls: (() => unknown)[] = [
    () => new ThinClient("tcp:localhost:1", wrong),
    () => ThinClient.connect("tcp:localhost:1", wrong),
    () => client.start(wrong),
    () => client.stop(wrong),
    () => client.disconnect(wrong),
    () => client.on("closed", () => {}, wrong),
    () => client.events(wrong),
    () => client.getConfig().dial.dial(wrong),
    () => DevDaemon.start(wrong),
    () => startTestNetwork(wrong),
    () => new ScriptedDaemon(wrong),
    () => memoryPair(wrong),
    () => checkConformance(() => assert.fail("nothing is dialled"), wrong),
  ];
  for (const call of calls) {
    await assert.rejects(async () => call(), {
      name: "TypeError",
      message: /^`options\.nosuch` is not an option; known: /,
    });
  }
  await client.stop();
});
