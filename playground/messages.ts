/** The messages between the page and the worker that runs a program. */

/** Sent to the worker: the program, which may import the package's modules. */
export interface RunRequest {
  readonly code: string;
  /** The URL of each module that a program may import, by the name that the program imports. */
  readonly modules: Readonly<Record<string, string>>;
}

/** Sent by the worker. */
export type RunReport =
  | { readonly type: "line"; readonly text: string; readonly failed: boolean }
  | { readonly type: "facts"; readonly facts: readonly (readonly [string, string])[] }
  | { readonly type: "done"; readonly seconds: number };
