/** Who may use the WebSockets of `katz daemon`: pages of the given origins, with a token. */
import { readFile } from "node:fs/promises";
import { randomBytes, toHex } from "katzenpost-thinclient";
import type { DevDaemonOptions, WsRefusal } from "katzenpost-thinclient/testing";
import { UsageError } from "../../failure.js";
import type { Output } from "../../output.js";
import { createFile, fileProblem, writing } from "../../private-file.js";

/** What pages need. */
export interface PageAccess {
  readonly origins: readonly string[];
  /** A secret. */
  readonly token: string;
  /** The file that holds it; null if it was made for this run only. */
  readonly file: string | null;
}

/** Length of a token made here, in bytes. */
const TOKEN_BYTES = 16;

/** Tokens are much shorter. */
const MAX_TOKEN_LENGTH = 1024;

/** The most refusals that are reported, because strangers choose the origins. */
const MOST_TOLD = 100;

/** The most characters of a refusal that are shown. */
const MOST_SHOWN = 400;

/** The flags about pages. */
interface PageFlags {
  readonly allowOrigin?: readonly string[];
  readonly tokenFile?: string;
  readonly allowRemote: boolean;
}

/**
 * The access rules of WebSockets for pages and other machines; null if only programs on this
 * machine connect.
 * @throws UsageError when there is no WebSocket to apply them to, or the token cannot be read or
 * made.
 */
export async function pageAccess(
  { allowOrigin: origins = [], tokenFile, allowRemote }: PageFlags,
  listen: readonly string[],
): Promise<PageAccess | null> {
  const webSocket = listen.find((address) => /^ws:/i.test(address));
  if (webSocket === undefined) {
    const flag = origins.length > 0 ? "--allow-origin" : tokenFile ? "--token-file" : null;
    if (flag === null) return null;
    throw new UsageError(`${flag} is for WebSockets: add --listen ws://127.0.0.1:PORT`);
  }
  if (origins.length === 0 && tokenFile === undefined && !allowRemote) return null;
  if (tokenFile === undefined) {
    return { origins, token: toHex(randomBytes(TOKEN_BYTES)), file: null };
  }
  return { origins, token: await tokenIn(tokenFile), file: tokenFile };
}

/**
 * The token in a file. If there is no file it is created, so that pages can keep the token over
 * restarts.
 */
async function tokenIn(path: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new UsageError(`cannot read ${path}: ${fileProblem(error)}`, { cause: error });
    }
    const token = toHex(randomBytes(TOKEN_BYTES));
    await writing(path, () => createFile(path, `${token}\n`));
    return token;
  }
  if (text === "" || text.length > MAX_TOKEN_LENGTH || /\s/.test(text)) {
    throw new UsageError(
      `${path} does not hold a token: it must be one word of at most ${MAX_TOKEN_LENGTH} characters`,
    );
  }
  return text;
}

/** Reports each refusal once: browsers hide the reason from pages, and pages keep trying. */
export function refusalsTold(output: Output): NonNullable<DevDaemonOptions["onRefusal"]> {
  const told = new Set<string>();
  return ({ origin, reason }: WsRefusal) => {
    const what = `${origin ?? ""} ${reason}`.slice(0, MOST_SHOWN);
    if (told.size >= MOST_TOLD || told.has(what)) return;
    told.add(what);
    const shown = reason.slice(0, MOST_SHOWN);
    const last = told.size === MOST_TOLD ? " Further refusals are not shown." : "";
    const from = origin === null ? "a program" : `a page from ${origin.slice(0, MOST_SHOWN)}`;
    output.warning(`refused ${from}: ${shown}${last}`);
    const record = { type: "refused", time: new Date(), origin: origin?.slice(0, MOST_SHOWN) };
    output.record({ ...record, origin: record.origin ?? null, reason: shown });
  };
}
