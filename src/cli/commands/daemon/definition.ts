/** The definition of `katz daemon`. */
import { buildCommand } from "@stricli/core";
import {
  described,
  outputFlags,
  parseCount,
  parseEpoch,
  parseText,
  proposeAddresses,
} from "../../flags.js";

/** `katz daemon`. */
export const daemon = buildCommand({
  loader: async () => (await import("./daemon.js")).daemon,
  parameters: {
    flags: {
      join: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Join the real network of this client.toml",
      },
      listen: {
        kind: "parsed",
        parse: parseText,
        proposeCompletions: proposeAddresses,
        variadic: true,
        optional: true,
        placeholder: "ADDR",
        brief: "unix:PATH, unix:@NAME, tcp:HOST:PORT, ws://…",
      },
      allowRemote: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Allow other machines (no login or encryption)",
      },
      allowOrigin: {
        kind: "parsed",
        parse: parseText,
        variadic: true,
        optional: true,
        placeholder: "ORIGIN",
        brief: "Let pages of this origin use ws://, with a token",
      },
      tokenFile: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "File with the ws:// token; created if missing",
      },
      data: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "DIR",
        brief: "Keep boxes and keys here across restarts",
      },
      writeConfig: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Write a thinclient.toml (DIR/thinclient.toml)",
      },
      gateway: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "ADDR",
        brief: "tcp:HOST:PORT where other daemons can join",
      },
      writeClientConfig: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Write a client.toml for a daemon that joins it",
      },
      writeAuthority: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Write authority.toml and open authority ports",
      },
      epoch: {
        kind: "parsed",
        parse: parseEpoch,
        optional: true,
        placeholder: "TIME",
        brief: "Length of an epoch, at least 1s (20m)",
      },
      realistic: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Delays and rates of a development network",
      },
      couriers: {
        kind: "parsed",
        parse: parseCount(1, 100),
        optional: true,
        placeholder: "N",
        brief: "Service nodes, each with a courier (3)",
      },
      replicas: {
        kind: "parsed",
        parse: parseCount(2, 256),
        optional: true,
        placeholder: "N",
        brief: "Storage replicas (5)",
      },
      seed: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "TEXT",
        brief: "Same seed, same keys and topology",
      },
      nike: {
        kind: "enum",
        values: ["x25519", "CTIDH1024-X25519"],
        optional: true,
        placeholder: "NAME",
        brief: "x25519, or CTIDH1024-X25519, as with --gateway",
      },
      ...outputFlags,
    },
  },
  docs: {
    brief: "Run an embedded network with a daemon in the foreground",
    fullDescription: described(
      "Runs daemon, mixes, couriers, storage replicas and directory authorities in one\n" +
        "process, with the real thin-client protocol. It gives no anonymity: use it for\n" +
        "development. Prints one line when it listens; Ctrl-C ends it. Without --listen\n" +
        "it listens where clients look for it: on a Unix socket in your runtime folder, and on\n" +
        "tcp:127.0.0.1:64331.\n\n" +
        "With --data, boxes, keys and acknowledged envelopes survive the end of the process,\n" +
        "even after kill -9. A new DIR takes --seed; an existing one keeps its own.\n\n" +
        "With --gateway, daemons in other processes join the network as they join a real one:\n" +
        "upstream's kpclientd can join it with the file that --write-client-config writes.\n\n" +
        "With --join it does not start a network. It connects to a gateway of the network in\n" +
        "the operator's client.toml, as kpclientd does, and listens where that file says unless\n" +
        "you give --listen. `katz doctor` then shows the state of its link.",
      [
        "katz daemon",
        "katz daemon --listen unix:/tmp/katz.sock --write-config thinclient.toml",
        "katz daemon --data ~/.local/share/katz",
        "katz daemon --listen tcp:127.0.0.1:0 --listen unix:@katz --epoch 2m",
        "katz daemon --listen ws://127.0.0.1:64332 --allow-origin http://localhost:5173",
        "katz daemon --realistic --seed demo --json",
        "katz daemon --gateway tcp:127.0.0.1:30004 --write-client-config client.toml",
        "katz daemon --join client.toml",
      ],
    ),
  },
});
