/**
 * The console's page in a real browser: every page with only the keyboard, accessible, in both
 * themes and on a narrow screen. Pictures of all pages are saved in .build/console.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { DevDaemon } from "../../../src/testing/index.js";
import { KatzProcess } from "../katz-process.js";
import { HeadlessBrowser, findChromium } from "./chromium.js";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const pictures = join(root, ".build", "console");
const pages = ["Now", "Timeline", "Network", "Boxes", "Document", "Faults"];

/** So long that no epoch ends during a test. */
const LONG_EPOCH_MS = 7 * 24 * 3_600_000;

/** A console in its own process. */
async function consoleOf(args: readonly string[]): Promise<{ katz: KatzProcess; url: string }> {
  const katz = new KatzProcess(["console", "--json", ...args]);
  const { url } = JSON.parse(await katz.firstLine()) as { url: string };
  return { katz, url };
}

/** A loaded and connected page; its errors are collected. */
async function open(
  browser: HeadlessBrowser,
  url: string,
  size = { width: 1200, height: 800 },
): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  await page.setViewportSize(size);
  await page.goto(url);
  await page.locator(".facts").waitFor();
  return { page, problems };
}

async function go(page: Page, name: string): Promise<void> {
  await page.keyboard.press(String(pages.indexOf(name) + 1));
  await page.locator("h1", { hasText: new RegExp(`^${name}$`) }).waitFor();
}

/** Presses Tab until the button with this name has the focus, then Enter. */
async function press(page: Page, name: string | RegExp): Promise<void> {
  const isIt = (text: string) => (typeof name === "string" ? text === name : name.test(text));
  for (let i = 0; i < 80; i++) {
    const focused = await page.evaluate("document.activeElement?.textContent?.trim() ?? ''");
    if (isIt(String(focused))) {
      await page.keyboard.press("Enter");
      return;
    }
    await page.keyboard.press("Tab");
  }
  assert.fail(`no key leads to ${String(name)}`);
}

/**
 * Waits until an expression is true in the page. `waitForFunction` evaluates it from the page's own
 * frames, where the console's Content-Security-Policy refuses it, unless it is true at once.
 */
async function until(page: Page, condition: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await page.evaluate(condition)) return;
    await page.waitForTimeout(20);
  }
  assert.fail(`never true: ${condition}`);
}

/** The serious findings of axe; `rules` selects some of its rules. */
async function seriousFindings(page: Page, rules: readonly string[] = []): Promise<string[]> {
  await page.evaluate(axe.source);
  const only = rules.length === 0 ? "" : `runOnly: ${JSON.stringify(rules)}, `;
  const found = (await page.evaluate(
    `axe.run(document, { ${only}resultTypes: ["violations"] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target.join(" ")).join(", ")))`,
  )) as string[];
  return found;
}

const isWider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";

test("the console in a browser", { timeout: 540_000 }, async (t) => {
  const executable = findChromium();
  if (executable === null) {
    t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  mkdirSync(pictures, { recursive: true });
  const { katz, url } = await consoleOf(["--listen", "tcp:127.0.0.1:0", "--seed", "console"]);
  await using _process = katz;
  await using browser = await HeadlessBrowser.start(executable);

  await t.test("loads completely, and hides its token", async () => {
    const { page, problems } = await open(browser, url);
    assert.equal(await page.evaluate("location.hash"), "");
    const hosts = (await page.evaluate(
      "performance.getEntriesByType('resource').map(({ name }) => new URL(name).host)",
    )) as string[];
    assert.deepEqual([...new Set(hosts)], [new URL(url).host]);
    // The log of a console that was just started does not begin with a failure of its own.
    await page.keyboard.press("l");
    await page.locator(".log li", { hasText: "getDirectoryAuthorities: ok" }).first().waitFor();
    // By then the console has looked for the document of the epoch before, too.
    await go(page, "Document");
    await page.locator(".signatures .good").first().waitFor();
    assert.equal(await page.locator(".log li", { hasText: "refused" }).count(), 0);
    // After a reload this tab still knows the token.
    await page.reload();
    await page.locator(".facts").waitFor();
    assert.deepEqual(problems, []);
    await page.close();
  });

  await t.test("reports a missing or wrong token", async () => {
    for (const [fragment, problem] of [
      ["", "The address lacks its last part"],
      ["#a-guess", "The console's process is gone"],
    ] as const) {
      const page = await browser.context.newPage();
      await page.goto(new URL(url).origin + "/" + fragment);
      await page.locator(".problem", { hasText: problem }).waitFor();
      assert.equal(await page.locator(".facts").count(), 0);
      await page.close();
    }
  });

  await t.test("can be used by keyboard alone on every page", async () => {
    const { page, problems } = await open(browser, url);
    await press(page, "Write a box");
    // A screen reader says how it ended.
    await page.locator("main [role=status]", { hasText: /^write: ok after / }).waitFor();
    await go(page, "Timeline");
    await page.locator(".row.ok, .row.running").first().waitFor();
    await press(page, /^write/);
    await page.locator(".step").first().waitFor();
    await page.locator(".row.ok").first().waitFor();
    await go(page, "Boxes");
    await page.locator("td", { hasText: "box 1 of the console" }).waitFor();
    await press(page, "Read a box");
    await page.locator("td", { hasText: "read back" }).waitFor();
    await go(page, "Network");
    await press(page, /^servicenode1/);
    await page.locator("h2", { hasText: "servicenode1: a courier" }).waitFor();
    await go(page, "Document");
    // The page has the document when its signatures are checked.
    await page.locator(".signatures .good").first().waitFor();
    await press(page, "Start the next epoch");
    await page.locator(".differences li").first().waitFor();
    assert.equal(await page.locator(".signatures .good").count(), 3);
    await press(page, /^Service nodes/);
    await page.locator(".tree details[open] details").first().waitFor();
    await go(page, "Faults");
    await press(page, "Cut it off");
    await page.locator("button", { hasText: "Join it again" }).waitFor();
    await press(page, "Join it again");
    await page.locator("button", { hasText: "Cut it off" }).waitFor();
    await press(page, "Kill it");
    // The button can be pressed once, and keeps the focus: the next Tab leads to the one below it.
    await page.locator("button[aria-disabled=true]", { hasText: "Kill it" }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.textContent.trim()"), "Kill it");
    await go(page, "Now");
    await page.locator(".fact", { hasText: "Start the daemon again on page 6" }).waitFor();
    await go(page, "Faults");
    await press(page, "Start it again");
    await page.locator("button", { hasText: "Restart it" }).waitFor();
    await page.keyboard.press("l");
    const line = page.locator(".log li", { hasText: "daemon.network.faults.setOnline(false);" });
    await line.first().waitFor();
    await page.keyboard.press("l");
    assert.deepEqual(problems, []);
    await page.close();
  });

  for (const theme of ["light", "dark"] as const) {
    await t.test(`has no serious axe finding on any page, ${theme}`, async () => {
      const { page } = await open(browser, url);
      await page.emulateMedia({ colorScheme: theme });
      for (const name of pages) {
        await go(page, name);
        if (name === "Network") await press(page, "Send an echo");
        await page.evaluate(
          "for (const one of document.querySelectorAll('main details')) one.open = true",
        );
        // Themes differ only in colours.
        const rules = theme === "light" ? [] : ["color-contrast"];
        assert.deepEqual(await seriousFindings(page, rules), [], name);
        if (name === "Network") await page.waitForTimeout(700);
        await page.evaluate("scrollTo(0, 0)");
        await page.screenshot({ path: join(pictures, `${theme}-${name.toLowerCase()}.png`) });
      }
      await page.close();
    });
  }

  await t.test("keeps the theme that the switch selects", async () => {
    const { page } = await open(browser, url);
    await page.emulateMedia({ colorScheme: "light" });
    const paper = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const light = await paper();
    // Read when the button's text changes: no frame shows the new text in the old theme.
    const changed = page.evaluate(`new Promise((resolve) =>
      new MutationObserver(() => resolve(getComputedStyle(document.body).backgroundColor))
        .observe([...document.querySelectorAll("button.theme")].at(-1), { characterData: true, subtree: true }))`);
    await press(page, "Theme: auto");
    const dark = await changed;
    await page.locator("button", { hasText: "Theme: dark" }).waitFor();
    assert.notEqual(dark, light);
    await page.reload();
    await page.locator(".facts").waitFor();
    assert.equal(await paper(), dark);
    await page.evaluate("localStorage.clear()");
    await page.close();
  });

  await t.test("has a switch for its keys, which speech input may press by accident", async () => {
    const { page } = await open(browser, url);
    await press(page, "Keys: on");
    await page.locator("button", { hasText: "Keys: off" }).waitFor();
    await page.keyboard.press("2");
    await page.keyboard.press("l");
    assert.equal(await page.locator("h1").textContent(), "Now");
    assert.equal(await page.locator(".log[open]").count(), 0);
    await page.reload();
    await page.locator(".facts").waitFor();
    await press(page, "Keys: off");
    await go(page, "Timeline");
    await page.evaluate("localStorage.clear()");
    await page.close();
  });

  await t.test("is never wider than a screen of 360 pixels", async () => {
    const { page } = await open(browser, url, { width: 360, height: 740 });
    for (const name of pages) {
      await go(page, name);
      // At once: no frame shows what has not been measured yet.
      assert.equal(await page.evaluate(isWider), false, name);
      await page.screenshot({ path: join(pictures, `narrow-${name.toLowerCase()}.png`) });
    }
    assert.deepEqual(await seriousFindings(page), []);
    await page.close();
  });

  await t.test(
    "hides no focused control behind its header or log, at a zoom of 200 %",
    async () => {
      const { page } = await open(browser, url, { width: 640, height: 400 });
      const hidden = `(() => {
      const focused = document.activeElement;
      if (!focused.closest("main") || focused.matches("h1")) return "";
      const { top, bottom } = focused.getBoundingClientRect();
      const begin = document.querySelector("header").getBoundingClientRect().bottom;
      const end = document.querySelector(".log").getBoundingClientRect().top;
      return top < begin || bottom > end ? focused.textContent + [top, bottom, begin, end] : "";
    })()`;
      for (const key of ["", "l"]) {
        if (key !== "") await page.keyboard.press(key);
        for (const name of ["Now", "Network", "Document", "Faults"]) {
          await go(page, name);
          for (let i = 0; i < 30; i++) {
            await page.keyboard.press(i < 15 ? "Tab" : "Shift+Tab");
            assert.equal(await page.evaluate(hidden), "", `${name}, tab ${i}`);
          }
        }
      }
      await page.close();
    },
  );

  await t.test("lets the keyboard alone move the map through time", async () => {
    const { page, problems } = await open(browser, url);
    await go(page, "Network");
    const packets = async () =>
      Number((await page.locator(".node.gateway .note").first().textContent())!.split(" ")[0]);
    await press(page, "Send an echo");
    await until(page, "globalThis.katzConsole.traffic.packets.length > 0");
    const slider = page.locator(".slider input");
    assert.equal(await slider.getAttribute("aria-valuetext"), "now");
    for (let i = 0; i < 80; i++) {
      if (await slider.evaluate("document.activeElement?.type === 'range'")) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Home");
    await page.locator(".slider output", { hasText: " ago" }).waitFor();
    assert.match((await slider.getAttribute("aria-valuetext"))!, /^[\d:.]+, .* ago$/);
    const first = await page.evaluate("Number(document.activeElement.value)");
    await page.keyboard.press("ArrowRight");
    await until(page, `Number(document.activeElement.value) > ${String(first)}`);
    const atBeginning = await packets();
    // The slider does not intercept the keys of the pages.
    await page.keyboard.press("1");
    await page.locator("h1", { hasText: /^Now$/ }).waitFor();
    await go(page, "Network");
    assert.equal(await packets(), atBeginning);
    assert.deepEqual(await seriousFindings(page), []);
    await press(page, "Play");
    await page.locator(".time button", { hasText: "Pause" }).waitFor();
    await press(page, "Pause");
    await press(page, "Show now");
    await until(page, "document.querySelector('.slider output').textContent === 'now'");
    assert.ok((await packets()) > atBeginning, "fewer packets had passed then");
    assert.deepEqual(problems, []);
    await page.close();
  });

  await t.test("draws 200 packets at once", async () => {
    const { page, problems } = await open(browser, url);
    await go(page, "Network");
    await page.locator(".map canvas").waitFor();
    const measured = (await page.evaluate(`new Promise((resolve) => {
      const { traffic, frames } = globalThis.katzConsole;
      // All have left, and none arrives while the test runs.
      const at = Date.now() - 1000;
      const hop = (node) => ({ node, delayMs: 60000 });
      for (let i = 0; i < 200; i++) {
        const forward = ["gateway1", "mix" + (1 + i % 2), "mix" + (3 + i % 2), "mix" + (5 + i % 2),
          "servicenode" + (1 + i % 3)].map(hop);
        const reply = ["mix" + (1 + i % 2), "mix" + (3 + i % 2), "gateway1"].map(hop);
        traffic.add({ source: "link", event: "sent", seq: -1, at: at + i * 5, packet: "test" + i,
          decoy: i % 3 === 0, forward, reply, replyEtaMs: 480000 });
      }
      frames.between.length = 0;
      frames.drawing.length = 0;
      const look = () => {
        if (frames.drawing.length < 40) setTimeout(look, 50);
        else resolve({ packets: traffic.packets.length, between: [...frames.between],
          drawing: [...frames.drawing] });
      };
      look();
    })`)) as { packets: number; between: number[]; drawing: number[] };
    assert.ok(measured.packets >= 200, `${measured.packets} packets`);
    const middle = (all: number[], share: number) =>
      [...all].sort((a, b) => a - b)[Math.floor(all.length * share)]!.toFixed(1);
    const { between, drawing } = measured;
    t.diagnostic(
      `200 packets: between frames ${middle(between, 0.5)} ms (p95 ${middle(between, 0.95)}), ` +
        `drawing ${middle(drawing, 0.5)} ms (p95 ${middle(drawing, 0.95)}), ${drawing.length} frames`,
    );
    await page.screenshot({ path: join(pictures, "many-packets.png") });
    assert.deepEqual(problems, []);
    await page.close();
  });

  await t.test("invents nothing about another process's daemon", async () => {
    await using daemon = await DevDaemon.start({
      listen: "tcp:127.0.0.1:0",
      seed: "foreign",
      // The console gets the document before as well if the epoch ends meanwhile.
      epochMs: LONG_EPOCH_MS,
    });
    const other = await consoleOf(["--address", daemon.addresses[0]!]);
    await using _other = other.katz;
    const { page, problems } = await open(browser, other.url);
    const unknown: Record<string, string[]> = {};
    // The console shows its page even if its client takes long to connect.
    await page.locator(".facts", { hasText: "According to the document" }).waitFor();
    await press(page, "Write a box");
    for (const name of pages) {
      await go(page, name);
      if (name === "Boxes") await page.locator("td", { hasText: "accepted by" }).first().waitFor();
      if (name === "Document") await page.locator(".signatures").waitFor();
      unknown[name] = await page.evaluate(`[...document.querySelectorAll(".unknown")].map(
        (one) => one.closest("p, td, div").textContent.trim())`);
    }
    assert.deepEqual(unknown, {
      Now: [
        `To a daemon of another process, at ${daemon.addresses[0]}. Gateway: unknown. According to the document, a packet rests 200 ms at each node on average.`,
        "Time left: unknown",
        "In the last minute unknown.",
        "Packets in the daemon: unknown.",
      ],
      Timeline: [],
      Network: ["unknown: a daemon does not tell its clients."],
      Boxes: [
        "unknown",
        "unknown: replicas do not tell anybody what they hold. In the embedded network you can look.",
      ],
      Document: [
        `unknown: the daemon has no document of epoch ${daemon.network.currentEpoch - 1}.`,
      ],
      Faults: [],
    });
    await go(page, "Timeline");
    await page.locator(".note", { hasText: "Steps are unknown." }).waitFor();
    await page.locator(".row", { hasText: "write" }).first().waitFor();
    await go(page, "Network");
    await page.locator(".note", { hasText: "Paths are unknown." }).waitFor();
    assert.equal(await page.evaluate("globalThis.katzConsole.traffic.packets.length"), 0);
    assert.ok(!(await page.locator(".map").textContent())!.includes(" packets"));
    await go(page, "Faults");
    await page.locator(".empty", { hasText: "another daemon" }).waitFor();
    assert.equal(await page.locator("main button").count(), 0);
    await page.screenshot({ path: join(pictures, "foreign-faults.png") });
    assert.deepEqual(problems, []);
    await page.close();
  });
});
