/** The cost of a trace: echoes per second with a trace hook, compared with the same without. */
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon, TraceRing } from "katzenpost-thinclient/testing";
import { type BenchLine, pairedRates } from "./report.js";

const MEASURED_MS = 1500;
const AT_ONCE = 16;
/** Connections are made in memory; the address only appears in messages. */
const unused = { dial: { unix: { address: "@bench" } } };

async function echoes(onTrace?: (event: unknown) => void): Promise<number> {
  await using daemon = await DevDaemon.start({ seed: "bench", onTrace });
  await using client = await ThinClient.connect(unused, { dial: daemon.dial });
  const destination = client.getService("echo").toDestination();
  const run = async (ms: number): Promise<number> => {
    const start = performance.now();
    let count = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (performance.now() - start < ms) {
          await client.blockingSendMessage("hello", ...destination);
          count++;
        }
      }),
    );
    return (count / (performance.now() - start)) * 1000;
  };
  await run(MEASURED_MS / 4);
  const rate = await run(MEASURED_MS);
  return rate;
}

/** Runs the measurement. */
export async function benchTrace(): Promise<BenchLine[]> {
  const ring = new TraceRing();
  const [on, off] = await pairedRates(
    () => echoes(ring.add),
    () => echoes(),
  );
  return [
    {
      name: "echoes with every event kept in a ring",
      value: on,
      unit: "/s",
      peer: { name: "without a hook", value: off },
      wanted: { atLeast: 0.6 },
    },
  ];
}
