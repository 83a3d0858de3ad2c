/** The playground, built and served, and its page in a browser. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { StaticServer } from "../../../src/cli/commands/playground/static-server.js";
import type { HeadlessBrowser } from "./chromium.js";

const script = fileURLToPath(new URL("../../../../scripts/build-playground.mjs", import.meta.url));

/** A playground that is served until its disposal. */
export interface ServedPlayground extends AsyncDisposable {
  readonly origin: string;
  /** The names of its examples. */
  readonly examples: readonly string[];
}

/**
 * Builds and serves it.
 * @param form `whole` as on a static site, `packed` as in the package.
 */
export async function servePlayground(form: "whole" | "packed"): Promise<ServedPlayground> {
  const folder = mkdtempSync(join(tmpdir(), "katz-playground-"));
  const { buildPlayground } = (await import(pathToFileURL(script).href)) as {
    buildPlayground: (folder: string, whole: boolean) => Promise<readonly string[]>;
  };
  const examples = await buildPlayground(folder, form === "whole");
  const folders = [pathToFileURL(`${folder}/`)];
  // A static site has its own copy of the console.
  if (form === "packed") folders.push(new URL("../../../console/", import.meta.url));
  const server = await StaticServer.start(folders, 0);
  return {
    origin: server.origin,
    examples,
    async [Symbol.asyncDispose](): Promise<void> {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The page with an example in its editor. */
export async function openPlayground(
  browser: HeadlessBrowser,
  { origin }: ServedPlayground,
  example: string,
): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(`${origin}/#${example}`);
  await page.locator("body[data-ready]").waitFor();
  // Without delays, so that the tests are quick.
  await page.locator("#realistic").uncheck();
  return page;
}

/** Runs the program in the editor by keyboard, and returns its output. */
export async function runProgram(page: Page): Promise<{ output: string; failed: string[] }> {
  await page.locator("#code").focus();
  await page.keyboard.press("Control+Enter");
  await page.locator("#output", { hasText: "(done after" }).waitFor({ timeout: 120_000 });
  return {
    output: await page.locator("#output").innerText(),
    failed: await page.locator("#output .failed").allInnerTexts(),
  };
}
