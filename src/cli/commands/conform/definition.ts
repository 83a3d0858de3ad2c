/** The definition of `katz conform`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseText, proposeAddresses } from "../../flags.js";

/** `katz conform`. */
export const conform = buildCommand({
  loader: async () => (await import("./conform.js")).conform,
  parameters: {
    flags: {
      area: {
        kind: "enum",
        values: [
          "handshake",
          "frames",
          "sessions",
          "keys",
          "envelopes",
          "operations",
          "storage",
          "copying",
          "messages",
          "documents",
          "vouchers",
        ],
        variadic: true,
        optional: true,
        placeholder: "AREA",
        brief: "Only this area; may be given several times",
      },
      ...clientFlags,
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          placeholder: "ADDRESS",
          parse: parseText,
          proposeCompletions: proposeAddresses,
          optional: true,
          brief: "Address of the daemon, as for --address",
        },
      ],
    },
  },
  docs: {
    brief: "Check a daemon against the thin-client protocol",
    fullDescription: described(
      "Sends valid and invalid requests to a daemon as raw frames and reports where it breaks\n" +
        "the protocol, or differs in ways that clients tolerate. Areas: handshake, frames,\n" +
        "sessions, keys, envelopes, operations, storage, copying, messages, documents,\n" +
        "vouchers. It writes only its own boxes. Fails if any case fails.",
      [
        "katz conform tcp:127.0.0.1:64331",
        "katz conform unix:/tmp/katz.sock --area handshake --area keys",
      ],
    ),
  },
});
