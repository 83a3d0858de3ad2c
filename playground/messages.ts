/** What the page and the worker that runs a program say to each other. */

/** To the worker: the program, which may import the package's modules. */
export interface RunRequest {
  readonly code: string;
  /** URL of each module that a program may import, by the name it has there. */
  readonly modules: Readonly<Record<string, string>>;
}

/** From the worker. */
export type RunReport =
  | { readonly type: "line"; readonly text: string; readonly failed: boolean }
  | { readonly type: "facts"; readonly facts: readonly (readonly [string, string])[] }
  | { readonly type: "done"; readonly seconds: number };
