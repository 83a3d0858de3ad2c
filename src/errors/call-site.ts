/** Where a call was made, for errors that are made in a timer long after it. */

interface Site {
  stack?: string;
}

// V8's: it takes a microsecond here, and the text is made only when somebody reads it.
const capture = (Error as { captureStackTrace?: (target: object, below: unknown) => void })
  .captureStackTrace;

/** Notes who called `below`; where the engine cannot do that cheaply, nobody. */
export function callSite(below: unknown): Site {
  const site: Site = {};
  capture?.(site, below);
  return site;
}

/** Gives `error` the stack of that site. */
export function placeAt(error: Error, site: Site): void {
  const frames = site.stack?.split("\n").slice(1) ?? [];
  if (frames.length === 0) return;
  Object.defineProperty(error, "stack", {
    value: [`${error.name}: ${error.message}`, ...frames].join("\n"),
    configurable: true,
    writable: true,
  });
}
