/** A Chromium on this machine; the tests never download one. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The path of Chromium: `KATZ_CHROMIUM`, or one of the usual paths; null if there is none. */
export function findChromium(): string | null {
  const given = process.env["KATZ_CHROMIUM"];
  return given ?? PLACES.find((place) => existsSync(place)) ?? null;
}

/**
 * Longest that anything in a browser may take, in ms. No test pays for it that passes; a machine that
 * is busy may need more than the usual half minute, for the start above all.
 */
const LONGEST_MS = 120_000;

/** A headless browser with a temporary profile. */
export class HeadlessBrowser implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, profile: string) {
    this.context = context;
    this.#profile = profile;
  }

  static async start(executablePath: string): Promise<HeadlessBrowser> {
    const profile = mkdtempSync(join(tmpdir(), "katz-chromium-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      timeout: LONGEST_MS,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    context.setDefaultTimeout(LONGEST_MS);
    return new HeadlessBrowser(context, profile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    // The browser's processes may still write there for a moment.
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20 });
  }
}
