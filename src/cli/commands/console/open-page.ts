/**
 * Opens the console in the user's browser. The token must not be in any program's arguments, which
 * other users of the machine can read. So the browser opens a private file that leads to the page.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The program that opens a file in the browser, by platform. */
const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

/** A file that leads to the page; deleted when it is disposed of. */
export class OpeningPage implements AsyncDisposable {
  readonly #folder: string;
  /** Its path. */
  readonly path: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "console.html");
  }

  /** Writes the file so that only this user can read it. */
  static async write(url: string): Promise<OpeningPage> {
    const page = new OpeningPage(await mkdtemp(join(tmpdir(), "katz-console-")));
    const markup =
      `<!doctype html><meta charset="utf-8"><title>katz console</title>` +
      `<meta name="referrer" content="no-referrer">` +
      `<meta http-equiv="refresh" content="0; url=${url}"><a href="${url}">katz console</a>\n`;
    await writeFile(page.path, markup, { mode: 0o600 });
    return page;
  }

  /** Opens it. Returns false if no browser was started; whether the page opens is not checked. */
  open(): Promise<boolean> {
    const [command, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
    return new Promise((resolve) => {
      const child = spawn(command, [...args, pathToFileURL(this.path).href], {
        stdio: "ignore",
        detached: true,
      });
      child.once("error", () => resolve(false));
      child.once("spawn", () => {
        child.unref();
        resolve(true);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
