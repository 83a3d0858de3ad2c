/** Every export of the package is documented. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type ts from "typescript";
import { ENTRIES, type Entry, PublicApi } from "./public-api.js";
import { type PublicMember, publicMembers } from "./public-members.js";

const api = new PublicApi();

/** Each constant of a code is documented at its place in the table. */
function rowOf(name: string): ts.Symbol | undefined {
  const tables = ["ThinClientErrorCode", "ReplicaErrorCode"];
  const rows = tables.map((table) => {
    const symbol = api.exportsOf(".").get(table)!;
    return api.checker.getTypeOfSymbol(symbol).getProperty(name);
  });
  return rows.find((row) => row !== undefined);
}

test("every export of every entry is documented", () => {
  const missing: string[] = [];
  let symbols = 0;
  for (const entry of Object.keys(ENTRIES) as Entry[]) {
    for (const [name, symbol] of api.exportsOf(entry)) {
      symbols++;
      const described = [symbol, rowOf(name)].some(
        (one) => one !== undefined && one.getDocumentationComment(api.checker).length > 0,
      );
      if (!described) missing.push(`${entry} ${name}`);
    }
  }
  assert.ok(symbols > 350, String(symbols));
  assert.deepEqual(missing, []);
});

const members = publicMembers(api).filter(({ tags }) => !tags.includes("internal"));
const placesOf = (found: readonly PublicMember[]): string[] => found.map(({ place }) => place);

test("every public method is documented, with a text or with its errors", () => {
  const methods = members.filter(({ isMethod }) => isMethod);
  assert.ok(methods.length > 200, String(methods.length));
  const silent = methods.filter(({ words, tags }) => words === "" && !tags.includes("throws"));
  assert.deepEqual(placesOf(silent).sort(), []);
});

test("every public field is documented, including those of inline records", () => {
  const fields = members.filter(({ isMethod }) => !isMethod);
  assert.ok(fields.length > 900, String(fields.length));
  // One of each kind, so that a traversal that stops too early is detected.
  const kinds = {
    "of an interface": "MessageSentEvent.sentAt",
    "of a class": "PkiDocument.epoch",
    "an accessor": "ThinClient.load",
    "of a union": "Metric.downMs",
    "of a constant": "ReplicaErrorCode.REPLICA_ERROR_TOMBSTONE",
    "of a wire message": "responseSchemas.voucherMintReply.voucher",
    "of a method's result": "Daemon.load.sessions",
    "of a method's parameter": "ThinClient.on.options.once",
    "of a callback's parameter": "MixnetLinkHandlers.onStatus.status.error",
    "of a record in a field": "NetworkPicture.replicas.replicaId",
  };
  const places = placesOf(fields).map((place) => place.replace(/^\S+ /, ""));
  for (const [kind, place] of Object.entries(kinds)) assert.ok(places.includes(place), kind);
  assert.deepEqual(placesOf(fields.filter(({ words }) => words === "")).sort(), []);
});

/** The words of a text or a name in camelCase, without filler words. */
function wordsOf(text: string): string[] {
  const spaced = text.replace(/([a-z\d])([A-Z])/g, "$1 $2").toLowerCase();
  const empty = new Set(["a", "an", "the", "its", "of", "is", "this", "whether", "it"]);
  return (spaced.match(/[a-z\d]+/g) ?? []).filter((word) => !empty.has(word));
}

test("no comment merely repeats the name", () => {
  const echoes = members.filter(({ name, words }) => {
    const known = wordsOf(name);
    return words !== "" && wordsOf(words).every((word) => known.includes(word));
  });
  assert.deepEqual(placesOf(echoes).sort(), []);
});
