#!/usr/bin/env node
/** `katz`: the command line. Each command is a module of its own, loaded when it is wanted. */
import { createRequire } from "node:module";
import {
  type StricliProcess,
  buildApplication,
  buildCommand,
  buildRouteMap,
  run,
} from "@stricli/core";
import { ExitCode } from "./failure.js";

const { version } = createRequire(import.meta.url)("katzenpost-thinclient/package.json") as {
  version: string;
};

const tour = buildCommand({
  loader: async () => (await import("./commands/tour.js")).tour,
  parameters: {},
  docs: { brief: "Start an embedded network and show what a thin client can do with it" },
});

const daemon = buildCommand({
  loader: async () => (await import("./commands/daemon.js")).daemon,
  parameters: {
    flags: {
      listen: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "Address: unix:PATH, unix:@NAME, tcp:HOST:PORT or ws://HOST:PORT",
        placeholder: "ADDRESS",
      },
      epoch: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Length of an epoch, e.g. 20m (default), 2m, 30s",
        placeholder: "TIME",
      },
      realistic: {
        kind: "boolean",
        default: false,
        brief: "Mixing delays and rates of a development network",
      },
      seed: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Same seed, same keys and topology",
        placeholder: "TEXT",
      },
      nike: {
        kind: "enum",
        values: ["x25519", "CTIDH1024-X25519"],
        default: "x25519",
        brief: "Key exchange of the storage replicas",
      },
    },
  },
  docs: {
    brief: "Run an embedded network with a daemon in the foreground",
    fullDescription:
      "Runs daemon, mixes, couriers, storage replicas and directory authorities in one process,\n" +
      "behind the real thin-client protocol. It gives no anonymity: it is for development.\n" +
      "Prints one line when it listens; Ctrl-C ends it.\n\n" +
      "Example: katz daemon --listen tcp:127.0.0.1:64331",
  },
});

const katz = buildApplication(
  buildRouteMap({
    routes: { daemon, tour },
    docs: { brief: "Katzenpost from the command line" },
  }),
  {
    name: "katz",
    versionInfo: { currentVersion: version },
    scanner: { caseStyle: "allow-kebab-for-camel" },
  },
);

// A reader that went away, as in `katz … | head`, is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.OK);
    throw error;
  });
}

await run(katz, process.argv.slice(2), { process: process as StricliProcess });
// The parser's own codes for wrong command lines are negative: shells would show 251 and the like.
if (typeof process.exitCode === "number" && process.exitCode < 0) {
  process.exitCode = ExitCode.USAGE;
}
