/** The definition of `katz chat`. */
import { buildCommand } from "@stricli/core";
import { as, store } from "../../channel-flags.js";
import { clientFlags, described, parseCount, parseText } from "../../flags.js";

/** `katz chat`. */
export const chat = buildCommand({
  loader: async () => (await import("./chat.js")).chat,
  parameters: {
    flags: {
      invite: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Make a voucher for the other side, and print it",
      },
      accept: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Answer the voucher in a file, - for standard input",
      },
      as,
      store,
      count: {
        kind: "parsed",
        parse: parseCount(1, Number.MAX_SAFE_INTEGER),
        optional: true,
        placeholder: "N",
        brief: "Exit after N messages have arrived",
      },
      ...clientFlags,
    },
    aliases: { n: "count" },
    positional: {
      kind: "tuple",
      parameters: [
        { placeholder: "NAME", parse: parseText, brief: "Your name for the other side" },
      ],
    },
  },
  docs: {
    brief: "Talk with somebody, line by line",
    fullDescription: described(
      "Sends each line of standard input, and prints what the other side sends. Lines are on\n" +
        "disk before they leave. If you interrupt the chat, `katz chat NAME` continues it, and\n" +
        "no message is lost or arrives twice. The first time, one side makes a voucher, a secret\n" +
        "to hand over in private, and the other side answers it.",
      [
        "katz chat bob --invite --as alice",
        "katz chat alice --accept voucher --as bob",
        "katz chat bob",
      ],
    ),
  },
});
