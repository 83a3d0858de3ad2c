/** The definition of `katz pki`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseCount } from "../../flags.js";

/** `katz pki`. */
export const pki = buildCommand({
  loader: async () => (await import("./pki.js")).pki,
  parameters: {
    flags: {
      epoch: {
        kind: "parsed",
        parse: parseCount(0, Number.MAX_SAFE_INTEGER),
        optional: true,
        placeholder: "N",
        brief: "Epoch of the document (default: 0, the current one)",
      },
      verify: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Check the authorities' signatures and the document",
      },
      raw: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Write the signed document's bytes (CBOR)",
      },
      ...clientFlags,
    },
  },
  docs: {
    brief: "Show the PKI document, and check who signed it",
    fullDescription: described(
      "Shows the consensus of the directory authorities: epoch, rates, nodes, signatures.\n" +
        "Daemons keep the documents of the previous, the current and the next epoch.",
      [
        "katz pki --verify",
        "katz pki --epoch 249270 --json",
        "katz pki --raw --verify > document.cbor",
      ],
    ),
  },
});
