/**
 * `npm run bench`: every benchmark, as a table and as JSON; names on the command line select some.
 */
import { writeFileSync } from "node:fs";
import { benchBoxes } from "./boxes.js";
import { benchChannels } from "./channels.js";
import { benchCopies } from "./copies.js";
import { benchCtidh } from "./ctidh.js";
import { benchDecoding } from "./decode.js";
import { benchIdle } from "./idle.js";
import { benchJoined } from "./joined.js";
import { type BenchLine, isMet, measure, table } from "./report.js";
import { benchRoundTrips } from "./round-trip.js";
import { benchSphinx } from "./sphinx.js";
import { benchStartup } from "./startup.js";
import { benchTrace } from "./trace.js";

const benches: Readonly<Record<string, () => Promise<BenchLine[]> | BenchLine[]>> = {
  startup: benchStartup,
  decode: benchDecoding,
  "round-trip": benchRoundTrips,
  boxes: benchBoxes,
  copies: benchCopies,
  channels: benchChannels,
  idle: benchIdle,
  joined: benchJoined,
  ctidh: benchCtidh,
  sphinx: benchSphinx,
  trace: benchTrace,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  const known = Object.keys(benches).join(", ");
  console.error(`No benchmark is called ${unknown.join(", ")}. There are: ${known}`);
  process.exit(2);
}
const lines: BenchLine[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const found = await bench();
  console.log(`\n${name}\n${table(found)}`);
  lines.push(...found);
}
const report = lines.map((line) => ({ ...line, measure: measure(line), met: isMet(line) }));
writeFileSync("bench-result.json", `${JSON.stringify(report, null, 2)}\n`);
console.log("\nWritten to bench-result.json");
