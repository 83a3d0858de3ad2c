/** The contents of the package, as a user gets them in an empty project. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import typescript from "typescript";
import { PackedProject, ROOT, type Target, manifest, moduleNames } from "./packed-package.js";

/** The part of the build script that is tested here. */
interface FinishBuild {
  readonly withoutInternals: (compiler: typeof typescript, path: string) => string;
}
const script = pathToFileURL(join(ROOT, "scripts", "finish-build.mjs")).href;
const { withoutInternals } = (await import(script)) as FinishBuild;

let project: PackedProject;
before(() => {
  project = new PackedProject();
});
after(() => project[Symbol.dispose]());

test("the package contains its code, types and licence, and nothing of the tests", () => {
  for (const file of ["LICENSE", "README.md", "package.json", "dist/src/index.d.ts"]) {
    assert.ok(project.files.includes(file), file);
  }
  const strays = project.files.filter((file) =>
    /(^|\/)(test|bench|\.build)\/|tsbuildinfo/.test(file),
  );
  assert.deepEqual(strays, []);
});

test("the package contains every declaration that its subpaths refer to", () => {
  const { exports, imports } = manifest();
  const typesOf = (target: Target): string[] =>
    typeof target === "string"
      ? []
      : ["types", "types@<5.7"].flatMap((key) => target[key]?.replace("./", "") ?? []);
  const reached = new Set(Object.values(exports).flatMap(typesOf));
  for (const path of reached) {
    assert.ok(project.files.includes(path), path);
    const text = readFileSync(join(ROOT, path), "utf8");
    // Compilers before 5.7 do not know it; they read another file instead of this one.
    if (path !== "dist/src/bytes/byte-array.d.ts") {
      assert.doesNotMatch(text.replace(/\/\*[^]*?\*\//g, ""), /Uint8Array</, path);
    }
    for (const [, name] of text.matchAll(/(?:from |import\()"([.#][^"]+)"/g)) {
      if (name!.startsWith("#")) for (const types of typesOf(imports[name!]!)) reached.add(types);
      else reached.add(posix.join(posix.dirname(path), name!).replace(/\.js$/, ".d.ts"));
    }
  }
  assert.ok(reached.has("dist/src/bytes/byte-array-older.d.ts"));
  assert.ok(reached.size > 50, `${reached.size} declarations`);
});

test("every subpath can be imported", () => {
  for (const name of moduleNames()) {
    const code = `import * as all from "${name}"; console.log(Object.keys(all).length)`;
    const exported = Number(project.node("--input-type=module", "--eval", code));
    assert.ok(exported > 0, name);
  }
  assert.ok(moduleNames().length >= 5);
});

test("every subpath can be required, so none uses top-level await", () => {
  for (const name of moduleNames()) {
    const code = `console.log(Object.keys(require("${name}")).length)`;
    const exported = Number(project.node("--input-type=commonjs", "--eval", code));
    assert.ok(exported > 0, name);
  }
});

test("an internal module cannot be imported", () => {
  const code = `import "${manifest().name}/dist/src/index.js"`;
  assert.throws(
    () => project.node("--input-type=module", "--eval", code),
    /ERR_PACKAGE_PATH_NOT_EXPORTED/,
  );
});

const PROGRAM = `
import { BoxIDNotFoundError, Config, ThinClient, isThinClientError } from "katzenpost-thinclient";
import { type Contacts, openChannels } from "katzenpost-thinclient/channels";
import { EmbeddedDaemon } from "katzenpost-thinclient/network";
import { JoinedDaemon } from "katzenpost-thinclient/join";
import { Daemon } from "katzenpost-thinclient/daemon";
import { listenForPorts } from "katzenpost-thinclient/workers";
import { explainError } from "katzenpost-thinclient/errors";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { generateKeypair } from "katzenpost-thinclient/bacap";
import { encodeFrame } from "katzenpost-thinclient/wire";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(new Config(daemon.config()));
const reply: Uint8Array<ArrayBuffer> = await client.blockingSendMessage(
  "hello", ...client.getService("echo").toDestination());
const { writeCap, readCap, firstMessageIndex } = generateKeypair();
await client.write(writeCap, firstMessageIndex, "hello");
// @ts-expect-error -- a capability to write must not pass for one to read
const wrong = () => client.read(writeCap, firstMessageIndex);
const { plaintext } = await client.read(readCap, firstMessageIndex);
const caught = (error: unknown) => isThinClientError(error) && error instanceof BoxIDNotFoundError;
// @ts-expect-error -- internal
const inside = (contacts: Contacts) => contacts.groupHooks;
const others = [openChannels, EmbeddedDaemon, JoinedDaemon, Daemon, listenForPorts, explainError];
if (others.includes(undefined!) || typeof inside !== "function") throw new Error("missing");
console.log(encodeFrame(reply).length > 1000, new TextDecoder().decode(plaintext), typeof wrong,
  typeof caught);
`;

test("the packed declarations offer no internal members", () => {
  const folder = join(project.folder, "node_modules", manifest().name);
  let removed = 0;
  for (const file of project.files.filter((name) => name.endsWith(".d.ts"))) {
    const path = join(folder, file);
    const before = readFileSync(path, "utf8");
    const after = withoutInternals(typescript, path);
    removed += before.length - after.length;
    const inClasses = after.replace(/^(?:export )?interface [^]*?^\}/gm, "");
    assert.doesNotMatch(inClasses, /@internal(?:(?!\*\/)[^])*\*\/\n {4}(?:[a-z]+ )*\w+[(:]/, file);
    // The program below is compiled against them.
    writeFileSync(path, after);
  }
  assert.ok(removed > 5000, `${removed} characters`);
});

test("a strict program compiles against the package's types and runs", () => {
  project.write("program.ts", PROGRAM);
  project.write("tsconfig.json", {
    compilerOptions: {
      target: "es2022",
      lib: ["es2023", "esnext.disposable", "dom"],
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      types: [],
    },
    files: ["program.ts"],
  });
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  assert.equal(project.node(compiler, "--project", "."), "");
  assert.equal(project.node("program.js").trim(), "true hello function function");
});

for (const name of ["katz", "katzenpost-thinclient"]) {
  test(`npx ${name} shows its help`, () => {
    const help = project.run("npx", ["--no-install", name, "--help"]);
    assert.match(help, /USAGE/);
    assert.match(help, /^ *(katz )?daemon /m);
    assert.match(help, /^ *(katz )?tour /m);
  });
}
