/** The testing guide's example under other runners, whose environments have their own globals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copyGuide, projectWith } from "./tools.js";

const GUIDE_TESTS = 5;

/** How an application uses values from outside: bytes of the environment, plain objects. */
const REALMS = `
import { randomBytes } from "node:crypto";
import { isExpectedOutcome, utf8ToText } from "katzenpost-thinclient";
import { startTestNetwork } from "katzenpost-thinclient/testing";

test("bytes of every realm are bytes", async () => {
  const network = await startTestNetwork({ seed: new TextEncoder().encode("of this realm") });
  const user = await network.client();
  for (const seed of [randomBytes(32), new Uint8Array(randomBytes(32)), new Uint8Array(32).fill(7)]) {
    const { writeCap, readCap, firstMessageIndex } = await user.newKeypair(seed);
    await user.write(writeCap, firstMessageIndex, new TextEncoder().encode("hello"));
    const { plaintext, nextMessageBoxIndex } = await user.read(readCap, firstMessageIndex);
    expect(utf8ToText(plaintext)).toBe("hello");
    const nothing = await user.read(readCap, nextMessageBoxIndex, { wait: false }).catch((e) => e);
    expect(isExpectedOutcome(nothing)).toBe(true);
    await user.copy(Buffer.from("a copied text"), [{ writeCap, startIndex: nextMessageBoxIndex }]);
  }
  const echo = user.getService("echo");
  await user.blockingSendMessage(new Uint8Array([1, 2, 3]), ...echo.toDestination());
  await network.close();
});
`;

for (const environment of ["node", "jsdom", "happy-dom"]) {
  test(
    `the testing guide's example passes in Vitest's ${environment}`,
    { timeout: 540_000 },
    () => {
      using project = projectWith("vitest", "jsdom", "happy-dom");
      copyGuide(project, 'import { test } from "vitest";');
      project.write("realms.test.js", `import { expect, test } from "vitest";\n${REALMS}`);
      const output = project.node(
        "node_modules/vitest/vitest.mjs",
        "run",
        `--environment=${environment}`,
        "--testTimeout=60000",
      );
      assert.match(output, new RegExp(`Tests\\s+${GUIDE_TESTS + 1} passed`));
    },
  );
}

for (const environment of ["node", "jsdom"]) {
  test(
    `byte arrays work in Jest's ${environment}, and the guide's example passes where it can`,
    { timeout: 540_000 },
    () => {
      using project = projectWith("jest", "jest-environment-jsdom", "@jest/globals");
      copyGuide(project, 'import { test } from "@jest/globals";');
      project.write("realms.test.js", `import { expect, test } from "@jest/globals";\n${REALMS}`);
      // Jest's jsdom lacks these, which browsers and Node have.
      project.write(
        "globals.js",
        'import { TextDecoder, TextEncoder } from "node:util";\n' +
          'import { setImmediate } from "node:timers";\n' +
          "Object.assign(globalThis, { TextDecoder, TextEncoder, setImmediate });\n",
      );
      project.write("jest.config.json", {
        setupFiles: ["./globals.js"],
        testEnvironment: environment,
        // Jest's jsdom would choose the package's build for browsers, as for every package that has
        // one, but a daemon needs the build for Node.
        testEnvironmentOptions: { customExportConditions: ["node", "node-addons"] },
        testTimeout: 60_000,
        transform: {},
      });
      const results = project.node(
        "--experimental-vm-modules",
        "node_modules/jest/bin/jest.js",
        // The guide's tests use `await using`, and Jest's jsdom has no Symbol.asyncDispose.
        ...(environment === "jsdom" ? ["realms"] : []),
        "--json",
      );
      const { numPassedTests } = JSON.parse(results) as { numPassedTests: number };
      assert.equal(numPassedTests, environment === "jsdom" ? 1 : GUIDE_TESTS + 1);
    },
  );
}
