/** Reads the vector files and returns their bytes. */
import { readFileSync } from "node:fs";
import { type Bytes, fromHex } from "../../src/bytes/bytes.js";

/** The contents of `vectors/<name>.json`. */
// oxlint-disable-next-line typescript/no-explicit-any -- each test names the fields it reads
export function loadVectors(name: string): any {
  const url = new URL(`../../../test/reference/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8"));
}

/** The bytes of a hex field. */
export function hex(text: string): Bytes {
  return fromHex(text);
}
