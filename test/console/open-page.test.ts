/** `katz console --open`: the browser reads the secret from a file, not from its arguments. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { OpeningPage } from "../../src/cli/commands/console/open-page.js";

test("only the user can read the file, and it is deleted afterwards", async () => {
  const url = "http://127.0.0.1:4711/#0123456789abcdef";
  let path: string;
  {
    await using page = await OpeningPage.write(url);
    ({ path } = page);
    assert.equal(readFileSync(path, "utf8").split(url).length, 3);
    if (process.platform !== "win32") {
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
    }
  }
  assert.equal(existsSync(path), false);
});

test("the browser receives only the name of the file", async (t) => {
  if (process.platform !== "linux") {
    t.skip("not run: the double of xdg-open is for Linux");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "katz-open-"));
  const before = process.env["PATH"];
  try {
    const told = join(folder, "told");
    const opener = join(folder, "xdg-open");
    writeFileSync(opener, `#!/bin/sh\necho "$@" > ${told}.new\nmv ${told}.new ${told}\n`);
    chmodSync(opener, 0o755);
    process.env["PATH"] = `${folder}:${before}`;
    await using page = await OpeningPage.write("http://127.0.0.1:4711/#0123456789abcdef");
    assert.equal(await page.open(), true);
    for (let i = 0; i < 3000 && !existsSync(told); i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(readFileSync(told, "utf8").trim(), pathToFileURL(page.path).href);
    process.env["PATH"] = join(folder, "nothing");
    assert.equal(await page.open(), false);
  } finally {
    process.env["PATH"] = before;
    rmSync(folder, { recursive: true, force: true });
  }
});
