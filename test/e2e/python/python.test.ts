/** Upstream's Python client with `katz daemon`, and with our daemon behind a gateway. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { instantTiming } from "../../../src/mixnet/timing.js";
import { listenTcp } from "../../../src/platform/node-listen.js";
import { DevDaemon } from "../../../src/testing/dev-daemon.js";
import { JoinedDaemon, quickRates, quickTiming } from "../joined-daemon.js";
import { KatzProcess } from "../katz-process.js";
import { INTEROP, pythonWithClient } from "./python-environment.js";

/** Every scenario of python_client.py and what it shows. */
const SCENARIOS: Readonly<Record<string, string>> = {
  connect: "finds status, geometries and document in the handshake",
  services: "finds services in the document",
  echo: "gets echoes of empty, short and full packets",
  raw_document: "gets the signed document of an epoch, and an error for an unknown one",
  authorities: "gets the authorities that signed the document",
  resume: "gets the replies that arrived while it was away when it resumes its session",
  write_and_read: "writes and reads boxes up to the maximum length",
  sequence: "reads a sequence of messages in order",
  read_before_write: "reads a box that is written later",
  box_not_found_without_retry: "learns of an empty box at once on request",
  box_already_exists: "learns of a box with other content, but not of one with the same",
  cancel: "cancels a read",
  tombstone_range: "deletes a range of boxes",
  copy_to_one_destination: "copies a payload over several boxes",
  copy_to_two_destinations: "copies two payloads in one stream, carrying its buffer over",
  tombstones_by_copy: "deletes boxes by a copy command",
  vouchers: "mints, accepts and opens a contact voucher",
  read_outlives_the_connection: "gets the answer to its read after a lost connection",
  stop: "says goodbye",
};

interface Outcome {
  readonly scenario: string;
  readonly error: string | null;
}

async function outcomes(
  interpreter: string,
  address: string,
  leftOut: readonly string[],
): Promise<Map<string, Outcome>> {
  const script = join(INTEROP, "python_client.py");
  const child = spawn(interpreter, [script, address, ...leftOut], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const found = new Map<string, Outcome>();
  for await (const line of createInterface({ input: child.stdout })) {
    const outcome = JSON.parse(line) as Outcome;
    found.set(outcome.scenario, outcome);
  }
  assert.ok(found.size > 0, `the script printed something: ${errors}`);
  return found;
}

/**
 * Runs the scenarios at the given address, and reports each as a separate test.
 * @param leftOut the scenarios that cannot work there.
 */
async function runScenarios(
  t: TestContext,
  interpreter: string,
  address: string,
  leftOut: readonly string[] = [],
): Promise<void> {
  const found = await outcomes(interpreter, address, leftOut);
  const scenarios = Object.entries(SCENARIOS).filter(([name]) => !leftOut.includes(name));
  const names = scenarios.map(([name]) => name);
  assert.deepEqual([...found.keys()], names, "every scenario ran");
  for (const [name, shows] of scenarios) {
    await t.test(`the Python client ${shows}`, () => {
      assert.equal(found.get(name)!.error, null);
    });
  }
}

test("upstream's Python client works with katz daemon", { timeout: 540_000 }, async (t) => {
  const python = pythonWithClient();
  if ("missing" in python) {
    t.skip(`not run: ${python.missing}`);
    return;
  }
  await using katz = new KatzProcess(["daemon", "--listen", "tcp:127.0.0.1:0"]);
  const [, address] = /tcp:(\S+)/.exec(await katz.firstLine())!;
  await runScenarios(t, python.interpreter, address!);
  katz.kill("SIGINT");
  assert.deepEqual(await katz.ended, { code: 0, signal: null });
});

test(
  "upstream's Python client works with a daemon of ours behind a gateway",
  { timeout: 540_000 },
  async (t) => {
    const python = pythonWithClient();
    if ("missing" in python) {
      t.skip(`not run: ${python.missing}`);
      return;
    }
    // The Python client continues to read with the same envelope, for which a courier asks five
    // more times.
    const timing = { ...instantTiming, ...quickTiming, courierRedispatchMs: 1000 };
    await using network = await DevDaemon.start({
      gateway: "tcp:127.0.0.1:0",
      mixing: "realistic",
      // A machine that runs many tests at once is sometimes late.
      kindMixes: true,
      timing,
      ...quickRates,
    });
    await using joined = new JoinedDaemon(network, timing);
    const listener = await listenTcp("127.0.0.1", 0);
    joined.daemon.listen(listener);
    // Through a mixnet, a packet is usually in transit when the client disconnects. As with a real
    // daemon, its reply is lost then, and nothing more is sent (spec/thin-protocol §10).
    const address = listener.address.replace("tcp:", "");
    await runScenarios(t, python.interpreter, address, ["resume"]);
    const { lastError, replies } = joined.link.describe();
    assert.equal(lastError, null);
    assert.ok(replies > 50, `${replies} replies came through the gateway`);
    assert.deepEqual(joined.faults, []);
  },
);
