/** Flags that several commands for channels have. Loaded at every start: small. */
import { parseText } from "./flags.js";

/** Where the channels are. */
export const store = {
  kind: "parsed",
  parse: parseText,
  optional: true,
  placeholder: "DIR",
  brief: "Keep channels here, not in your state folder",
} as const;

/** What the other side of a voucher calls us. */
export const as = {
  kind: "parsed",
  parse: parseText,
  optional: true,
  placeholder: "NAME",
  brief: "What the other side calls you (anonymous)",
} as const;
