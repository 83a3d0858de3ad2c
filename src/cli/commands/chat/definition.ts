/** How `katz chat` is called. */
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
        brief: "End when N messages have come",
      },
      ...clientFlags,
    },
    aliases: { n: "count" },
    positional: {
      kind: "tuple",
      parameters: [
        { placeholder: "NAME", parse: parseText, brief: "What you call the other side" },
      ],
    },
  },
  docs: {
    brief: "Talk with somebody, line by line",
    fullDescription: described(
      "Sends each line of standard input, and prints what the other side sends. What was\n" +
        "typed is on the disk before it leaves: after Ctrl-C, or worse, `katz chat NAME` goes\n" +
        "on, and nothing is lost or comes twice. The first time one side makes a voucher, a\n" +
        "secret to hand over in private, and the other answers it.",
      [
        "katz chat bob --invite --as alice",
        "katz chat alice --accept voucher --as bob",
        "katz chat bob",
      ],
    ),
  },
});
