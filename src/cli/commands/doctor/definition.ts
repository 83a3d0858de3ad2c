/** The definition of `katz doctor`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseEpoch, parseText } from "../../flags.js";

/** `katz doctor`. */
export const doctor = buildCommand({
  loader: async () => (await import("./doctor.js")).doctor,
  parameters: {
    flags: {
      epoch: {
        kind: "parsed",
        parse: parseEpoch,
        optional: true,
        placeholder: "TIME",
        brief: "Length of an epoch (default: from the document)",
      },
      data: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "DIR",
        brief: "Data directory of katz daemon, to report damage",
      },
      ...clientFlags,
    },
  },
  docs: {
    brief: "Check the connection to daemon and mixnet",
    fullDescription: described(
      "Finds the configuration and shows which one it uses, then checks socket, handshake,\n" +
        "link, mixnet, document, signatures, echo and a box, and says what to do about a failure.\n" +
        "Looks in this order: --address or --config, the variable KATZENPOST_THINCLIENT (a file or an\n" +
        "address), ~/.config/katzenpost/thinclient.toml, the usual sockets, port 64331.",
      ["katz doctor", "katz doctor --config thinclient.toml --timeout 2m"],
    ),
  },
});
