/** Flags that several commands for channels share. Loaded at every start, so keep it small. */
import { parseText } from "./flags.js";

/** The folder of the channels. */
export const store = {
  kind: "parsed",
  parse: parseText,
  optional: true,
  placeholder: "DIR",
  brief: "Folder for channels (default: your state folder)",
} as const;

/** Our name as the other side of a voucher sees it. */
export const as = {
  kind: "parsed",
  parse: parseText,
  optional: true,
  placeholder: "NAME",
  brief: "Your name as the other side sees it (anonymous)",
} as const;
