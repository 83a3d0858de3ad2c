/** Explanations of the system's error codes. */

const meanings: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAI_AGAIN: "the name could not be looked up at the moment",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the other end reset the connection",
  EHOSTUNREACH: "the host cannot be reached",
  EISDIR: "it is a directory",
  EMFILE: "this process has too many files open",
  ENETUNREACH: "the network cannot be reached",
  ENOENT: "there is no such file",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "there is no host with that name",
  ENOTSOCK: "it is not a socket",
  EPERM: "it is not permitted",
  EPIPE: "the other end closed the connection",
  EPROTOTYPE: "it is a socket of another type",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "there was no answer in time",
};

/** The system's code of an error, e.g. `ECONNREFUSED`; undefined if it has none. */
export function failureCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** What went wrong, with the system's code; the error's own message if the code is unknown. */
export function describeFailure(error: unknown): string {
  // A name with several addresses fails with one error per address; the last one says enough.
  const last = error instanceof AggregateError ? error.errors.at(-1) : undefined;
  if (last !== undefined) return describeFailure(last);
  const code = failureCode(error);
  if (code !== undefined && code in meanings) return `${meanings[code]} (${code})`;
  return error instanceof Error ? error.message : String(error);
}
