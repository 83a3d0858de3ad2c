/** `katz send` with folders, standard input and messages; file names for systems of every kind. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { nearest } from "../../src/cli/nearest.js";
import {
  nameKey,
  problemOfName,
  problemOfPath,
  sameName,
} from "../../src/cli/transfer/file-name.js";
import { findFiles } from "../../src/cli/transfer/outgoing-files.js";
import { StateFile, newState } from "../../src/cli/transfer/send-state.js";
import { katz, linesOf } from "./katz.js";
import { TransferNetwork, contentsOf } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

test("a folder arrives unchanged, without hidden files", async () => {
  const folder = join(network.newFolder(), "trip");
  mkdirSync(join(folder, "day 1", "deep"), { recursive: true });
  mkdirSync(join(folder, "empty"));
  writeFileSync(join(folder, "day 1", "a.txt"), "a");
  writeFileSync(join(folder, "day 1", "deep", "b.txt"), "b".repeat(5000));
  writeFileSync(join(folder, "c.txt"), "");
  writeFileSync(join(folder, ".DS_Store"), "x");
  const sent = await network.katz(["send", `${folder}/`]);
  assert.equal(sent.code, 0, sent.stderr);
  assert.match(sent.stderr, /left out: 1 hidden file or folder/);
  // The target folder need not exist.
  const into = join(network.newFolder(), "x", "y");
  const got = await network.katz(["receive", "-", "--into", into], { input: sent.stdout });
  assert.equal(got.code, 0, got.stderr);
  assert.deepEqual(linesOf(got.stdout), [
    join(into, "trip", "c.txt"),
    join(into, "trip", "day 1", "a.txt"),
    join(into, "trip", "day 1", "deep", "b.txt"),
  ]);
  assert.equal(readFileSync(join(into, "trip", "day 1", "deep", "b.txt"), "utf8").length, 5000);
  assert.deepEqual(contentsOf(into), ["trip"]);

  // A symbolic link in the way would lead the files out of the folder.
  const [trap, outside] = [network.newFolder(), network.newFolder()];
  symlinkSync(outside, join(trap, "trip"));
  const refused = await network.katz(["receive", "-", "--into", trap], { input: sent.stdout });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /trip already exists, and is not a folder/);
  assert.deepEqual(contentsOf(outside), []);
});

test("a folder that got another file since is sent again with another ticket", async () => {
  const folder = join(network.newFolder(), "trip");
  mkdirSync(folder);
  writeFileSync(join(folder, "a.txt"), "a".repeat(300_000));
  const first = await katz(["send", folder], {
    env: network.env,
    onStdout: (_, child) => child.kill("SIGKILL"),
  });
  assert.equal(first.signal, "SIGKILL");
  writeFileSync(join(folder, "b.txt"), "b");
  const second = await network.katz(["send", folder]);
  assert.equal(second.code, 0);
  assert.notEqual(second.stdout, first.stdout);
  assert.match(
    second.stderr,
    /^trip\/b\.txt has been added since the interrupted send: this is a new ticket; the earlier one cannot be completed$/m,
  );
  assert.deepEqual(contentsOf(network.states), [], "nothing that could read the earlier one stays");
  const third = await network.katz(["send", folder]);
  assert.doesNotMatch(third.stderr, /ticket; the earlier/, "nothing was interrupted");
  const into = network.newFolder();
  await network.katz(["receive", "-", "--into", into], { input: second.stdout });
  assert.deepEqual(contentsOf(join(into, "trip")), ["a.txt", "b.txt"]);
});

test("an interrupted send of a folder continues only if it has the same files", async () => {
  const states = join(network.newFolder(), "states");
  const changes: readonly (readonly [string, (at: (name: string) => string) => void])[] = [
    ["", () => {}],
    ["trip/new has been added", (at) => writeFileSync(at("new"), "")],
    ["2 files have been added", (at) => ["x", "day/y"].forEach((n) => writeFileSync(at(n), ""))],
    ["trip/a has been removed", (at) => rmSync(at("a"))],
    ["2 files have been removed", (at) => rmSync(at("day"), { recursive: true })],
    ["trip/a has been renamed", (at) => renameSync(at("a"), at("z"))],
    ["trip/a has been renamed", (at) => renameSync(at("a"), at("day/a"))],
    ["2 files have been renamed", (at) => renameSync(at("day"), at("night"))],
    ["trip/a has changed", (at) => writeFileSync(at("a"), "other")],
    [
      "trip/a has changed",
      (at) => {
        rmSync(at("a"));
        mkdirSync(at("a/b"), { recursive: true });
        for (const name of ["a/b/c", "a/d"]) writeFileSync(at(name), "");
      },
    ],
    [
      "trip/day has changed",
      (at) => {
        rmSync(at("day"), { recursive: true });
        writeFileSync(at("day"), "");
      },
    ],
    [
      "2 files have changed",
      (at) => {
        rmSync(at("a"));
        writeFileSync(at("new"), "");
      },
    ],
    [
      "trip has changed",
      (at) => {
        rmSync(at("."), { recursive: true });
        writeFileSync(at("."), "");
      },
    ],
    [
      "trip/new has been added",
      (at) => {
        writeFileSync(at("new"), "");
        writeFileSync(at(".hidden"), "");
        mkdirSync(at("empty"));
      },
    ],
  ];
  for (const [reason, change] of changes) {
    const folder = join(network.newFolder(), "trip");
    const at = (name: string): string => join(folder, name);
    mkdirSync(at("day"), { recursive: true });
    for (const name of ["a", "b", "day/1", "day/2"]) writeFileSync(at(name), name);
    const before = await findFiles([folder]);
    const entries = before.map(({ name, size }) => ({ name, size, sha256: new Uint8Array(32) }));
    await (await StateFile.open(before, states)).save(newState(before, entries, 1000));
    change(at);
    const loaded = await (await StateFile.open(await findFiles([folder]), states)).load(1000);
    assert.equal(loaded.obsolete ?? "", reason && `${reason} since the interrupted send`);
    assert.equal(loaded.state === null, reason !== "");
  }
});

test("an interrupted send is told apart from those of other files", async () => {
  const [states, folder] = [join(network.newFolder(), "states"), network.newFolder()];
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  for (const path of [one, two]) writeFileSync(path, "x");
  const begun = await findFiles([one]);
  const entries = [{ name: "one", size: 1, sha256: new Uint8Array(32) }];
  await (await StateFile.open(begun, states)).save(newState(begun, entries, 1000));
  for (const paths of [[one, two], [two], [folder]]) {
    const loaded = await (await StateFile.open(await findFiles(paths), states)).load(1000);
    assert.deepEqual(loaded, { state: null, obsolete: null }, paths.join());
  }
  const renamed = await StateFile.open(await findFiles([one], "other"), states);
  assert.deepEqual(await renamed.load(1000), { state: null, obsolete: null });
  const same = await StateFile.open(await findFiles([`${folder}/./one`]), states);
  assert.notEqual((await same.load(1000)).state, null);
  // What was a file is now a link to another one.
  rmSync(one);
  symlinkSync(two, one);
  const linked = await StateFile.open(await findFiles([one]), states);
  assert.equal((await linked.load(1000)).obsolete, "one has changed since the interrupted send");
});

test("an interrupted send continues for six days, and only with digests of the right length", async () => {
  const [states, folder] = [join(network.newFolder(), "states"), network.newFolder()];
  const path = join(folder, "one");
  writeFileSync(path, "x");
  const files = await findFiles([path]);
  const file = await StateFile.open(files, states);
  const day = 24 * 3_600_000;
  for (const [ageMs, digestLength, wanted] of [
    [5 * day, 32, "continues"],
    [7 * day, 32, "too old"],
    // The clock was set back since, so nobody knows how old it is.
    [-day, 32, "too old"],
    [0, 31, "no state"],
  ] as const) {
    const begun = newState(
      files,
      [{ name: "one", size: 1, sha256: new Uint8Array(digestLength) }],
      9,
    );
    await file.save({ ...begun, startedAt: new Date(Date.now() - ageMs) });
    const { state, obsolete } = await file.load(9);
    const got = state !== null ? "continues" : obsolete === null ? "no state" : "too old";
    assert.equal(got, wanted, `${ageMs / day} days, digest of ${digestLength} bytes`);
    if (wanted === "too old") assert.match(obsolete!, /more than six days ago/);
  }
});

test("states that another process replaces or deletes meanwhile do not stop a send", async () => {
  const [states, folder] = [join(network.newFolder(), "states"), network.newFolder()];
  const path = join(folder, "one");
  writeFileSync(path, "x");
  const files = await findFiles([path]);
  await StateFile.open(files, states);
  // Listed, but not there when it is looked at.
  symlinkSync(join(folder, "nowhere"), join(states, ".other.json.0123456789ab.tmp"));
  await StateFile.open(files, states);
});

test("standard input is sent under a given name, and a message under its default name", async () => {
  for (const [args, name] of [
    [["-", "--name", "notes.tar"], "notes.tar"],
    [["--text"], "message.txt"],
  ] as const) {
    const sent = await network.katz(["send", ...args], { input: "what was piped\n" });
    assert.equal(sent.code, 0, sent.stderr);
    const into = network.newFolder();
    const got = await network.katz(["receive", "-", "--into", into], { input: sent.stdout });
    assert.equal(got.code, 0, got.stderr);
    assert.equal(readFileSync(join(into, name), "utf8"), "what was piped\n");
  }
  assert.deepEqual(readdirSync(join(network.env.XDG_STATE_HOME, "katzenpost", "send-input")), []);
  for (const [args, input, message] of [
    [["-"], "x", /standard input needs a name: give it one with --name NAME/],
    [["-", "--name", "x"], "", /standard input was empty/],
    [["-", network.newFile(1), "--name", "x"], "x", /standard input must be sent alone/],
    [["-", "--name", "a/b"], "x", /--name cannot be used: it has a slash/],
  ] as const) {
    const { code, stderr } = await network.katz(["send", ...args], { input });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
});

test(
  "a file whose length is reported wrongly is refused, not sent empty",
  { skip: !existsSync("/proc/cpuinfo") && "not run: no /proc here" },
  async () => {
    const { code, stdout, stderr } = await network.katz(["send", "/proc/cpuinfo"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /cpuinfo does not have its reported length\n.*katz send - --name NAME </);
  },
);

test(
  "the command fails if its state folder cannot be created; it ignores a relative one",
  { skip: !existsSync("/proc/cpuinfo") && "not run: no /proc here" },
  async () => {
    const env = { XDG_STATE_HOME: "/proc/x" };
    const bad = await network.katz(["send", network.newFile(10)], { env });
    assert.equal(bad.code, 2, bad.stderr);
    assert.match(
      bad.stderr,
      /cannot use \/proc\/x\/katzenpost\/send: there is no such file or folder/,
    );
    const cwd = network.newFolder();
    const relative = { XDG_STATE_HOME: "relative" };
    const good = await network.katz(["send", network.newFile(10)], { env: relative, cwd });
    assert.equal(good.code, 0, good.stderr);
    assert.deepEqual(contentsOf(cwd), []);
  },
);

test("names are compared by full case folding and canonical decomposition", () => {
  for (const [one, other] of [
    ["Straße", "STRASSE"],
    ["ﬀ", "FF"],
    ["ΣΑΣ", "σας"],
    ["\u212aelvin", "Kelvin"],
    ["ſ", "S"],
    ["İ", "i\u0307"],
    ["\u00c5", "\u212b"],
    ["é", "E\u0301"],
    ["Ꭰ", "ꭰ"],
    ["ŉ", "ʼN"],
  ] as const) {
    assert.equal(nameKey(one), nameKey(other), `${one} ${other}`);
  }
  for (const [one, other] of [
    ["ı", "i"],
    ["a", "á"],
    ["ö", "o"],
  ] as const) {
    assert.notEqual(nameKey(one), nameKey(other));
  }
  assert.deepEqual(sameName(["a/b", "c", "A/B"]), [0, 2]);
  assert.deepEqual(sameName(["a", "A/b"]), [0, 1]);
  assert.deepEqual(sameName(["a/b", "a"]), [0, 1]);
  assert.equal(sameName(["a/b", "a/c", "b"]), null);
});

test("a path has at most 32 levels and 1,000 bytes", () => {
  const levels = (count: number): string => Array.from({ length: count }, () => "a").join("/");
  assert.equal(problemOfPath(levels(32)), null);
  assert.equal(problemOfPath(levels(33)), "it has too many folders");
  const bytes = (count: number): string =>
    `${"a".repeat(250)}/`.repeat(3) + "a".repeat(count - 753);
  assert.equal(problemOfPath(bytes(1000)), null);
  assert.equal(problemOfPath(bytes(1001)), "it is too long");
});

test("refuses device names as Windows documents them, and names that macOS cannot store", () => {
  const devices = [
    "CON",
    "con.txt",
    "Nul .txt",
    "aux  ",
    "PRN.",
    "COM0",
    "com9.log",
    "LPT¹",
    "CLOCK$",
  ];
  for (const name of [...devices, "CONIN$.x", "lpt³ .tar.gz", "conout$"]) {
    assert.notEqual(problemOfName(name), null, name);
  }
  for (const name of ["console", "com10", "nulls.txt", "lpt", "acon", "com⁴"]) {
    assert.equal(problemOfName(name), null, name);
  }
  // 85 letters of 3 bytes each; decomposed, each takes 4.
  assert.equal(problemOfName("ΐ".repeat(85)), null);
  assert.equal(problemOfName("ΐ".repeat(86)), "it is too long");
  for (const path of [
    "/a",
    "a/",
    "a//b",
    "a/../b",
    "a/./b",
    "a/nul/b",
    "a/.b",
    "a\\b",
    "x/".repeat(40),
  ]) {
    assert.notEqual(problemOfPath(path), null, path);
  }
  assert.equal(problemOfPath("a/b c/d.txt"), null);
});

test("suggests only similar names", () => {
  const names = ["map", "pki", "ping", "copy", "send", "services", "--allow-origin"];
  for (const word of ["rm", "ls", "foo", "get", "cat", "top"])
    assert.deepEqual(nearest(word, names), []);
  assert.deepEqual(nearest("sned", ["send"]), ["send"], "two neighbours exchanged");
  assert.deepEqual(nearest("sxxd", ["send"]), [], "two of four");
  assert.deepEqual(nearest("snd", names), ["send"]);
  assert.deepEqual(nearest("servces", names), ["services"]);
});
