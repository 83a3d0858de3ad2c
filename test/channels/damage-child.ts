/**
 * A process that opens damaged stores for damage.test.ts. LevelDB may end a process that opens a
 * damaged database: some of its checks are assertions in native code.
 */
import assert from "node:assert/strict";
import { ClassicLevel } from "classic-level";
import { ChannelStoreError, openChannels } from "../../src/channels/index.js";
import { realClock } from "../../src/clock/real.js";
import { BoxesDouble } from "./boxes-double.js";

/** A store to open. */
export interface Question {
  readonly path: string;
  readonly options: { readonly key?: Uint8Array };
}

/** The result: the error text, or every record afterwards, in hex. */
export type Answer =
  | { readonly error: string }
  | { readonly records: ReadonlyMap<string, string> }
  | { readonly failure: string };

/** A client of a network on which nothing ever arrives. */
export function offline(): ReturnType<BoxesDouble["client"]> {
  const boxes = new BoxesDouble(realClock);
  boxes.fate = () => ({ delayMs: 3_600_000, lost: "request" });
  return boxes.client();
}

/** Every record in a database; the values are read by key, as channels read many of them. */
async function dump(path: string): Promise<Map<string, string>> {
  const level = new ClassicLevel<string, Uint8Array>(path, { valueEncoding: "view" });
  try {
    const records = new Map<string, string>();
    const asHex = (value: Uint8Array | undefined): string =>
      value === undefined ? "none" : Buffer.from(value).toString("hex");
    for await (const [name, value] of level.iterator()) {
      records.set(name, asHex(value));
      assert.equal(asHex(await level.get(name)), asHex(value), `${name} by its key`);
    }
    return records;
  } finally {
    await level.close();
  }
}

async function answer({ path, options }: Question): Promise<Answer> {
  try {
    const channels = await openChannels(offline(), path, options);
    await channels.close();
  } catch (error) {
    if (error instanceof ChannelStoreError) return { error: error.message };
    return { failure: `not a ChannelStoreError: ${String(error)}` };
  }
  try {
    return { records: await dump(path) };
  } catch (error) {
    return { failure: String(error) };
  }
}

process.on("message", (question: Question) => {
  void answer(question).then((result) => process.send?.(result));
});
