/** The messages between the page, the worker that runs a program, and the console in its frame. */
import type { ConsoleAction, ToPage } from "../src/console/protocol.js";

/** How packets travel in networks whose program does not choose it. */
export type UsualMixing = "instant" | "realistic";

/** Sent to the worker: the program, which may import the package's modules. */
export interface RunRequest {
  readonly type: "run";
  readonly code: string;
  /** The URL of each module that a program may import, by the name that the program imports. */
  readonly modules: Readonly<Record<string, string>>;
  readonly mixing: UsualMixing;
}

/** Sent to the worker: a program, or an action of the console. */
export type ToRunner = RunRequest | { readonly type: "action"; readonly action: ConsoleAction };

/** Sent by the worker. */
export type RunReport =
  | { readonly type: "line"; readonly text: string; readonly failed: boolean }
  | { readonly type: "console"; readonly message: ToPage }
  | { readonly type: "closed" }
  | { readonly type: "done"; readonly seconds: number };

/** From the page to the console's frame. */
export type ToConsole =
  | { readonly type: "message"; readonly message: ToPage }
  /** A program begins, has closed its network, or was stopped. */
  | { readonly type: "begun" | "closed" };

/** From the console's frame to the page. */
export type FromConsole =
  | { readonly type: "ready" }
  | { readonly type: "action"; readonly action: ConsoleAction };
