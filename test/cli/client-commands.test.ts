/** The commands that show a network, each in a separate process with pipes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ThinClient,
  decodeCertificate,
  fromBase64,
  verifyPkiDocument,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import {
  type RunOptions,
  katz,
  linesOf,
  mainPath,
  recordsOf,
  startKatz,
  temporaryFolder,
} from "./katz.js";
import { assertShape } from "./shapes.js";

const folder = temporaryFolder();
const address = `unix:${join(folder, "katz.sock")}`;
const at = ["--address", address];
let daemon: DevDaemon;

before(async () => {
  daemon = await DevDaemon.start({ listen: address, seed: "cli" });
});
after(() => daemon.close());

test("ping sends the given number of messages and prints a summary", async () => {
  const { code, stdout, stderr } = await katz(["ping", ...at, "-n", "3", "-i", "10ms"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^PING echo through the mixnet, packets of 2954 bytes\n/);
  assert.equal(stdout.match(/^reply from servicenode\d: seq=\d time=[\d.]+ ms$/gm)?.length, 3);
  assert.match(stdout, /--- echo ping statistics ---\n3 sent, 3 received, 0% loss\n/);
  assert.match(stdout, /min\/avg\/max\/mdev = (\d+\.\d{3}\/?){4} ms\n/);
  assert.match(stdout, /█/);
});

test("ping with --json gives a record for each reply and a summary", async () => {
  const { code, stdout } = await katz(["ping", ...at, "-n", "2", "-i", "10ms", "--json"]);
  const records = recordsOf(stdout);
  assert.equal(code, 0);
  assert.equal(records.length, 3);
  for (const record of records.slice(0, 2)) assertShape(record, "reply");
  const sequence = records.slice(0, 2).map(({ seq }) => Number(seq));
  assert.deepEqual(
    sequence.toSorted((a, b) => a - b),
    [1, 2],
  );
  assertShape(records[2]!, "summary of ping");
  assert.deepEqual([records[2]!["sent"], records[2]!["received"]], [2, 2]);
});

test("Ctrl-C ends ping with its summary, and does not count as a failure", async () => {
  let told = false;
  const { code, stdout } = await katz(["ping", ...at, "-i", "20ms"], {
    onStdout: (soFar, child) => {
      if (told || !soFar.includes("seq=2 ")) return;
      // One signal only: a second one ends the command at once.
      told = child.kill("SIGINT");
    },
  });
  assert.equal(code, 0);
  assert.match(stdout, /ping statistics/);
});

test("ping to an unknown service names the available ones", async () => {
  const { code, stdout, stderr } = await katz(["ping", ...at, "eccho", "-n", "1"]);
  assert.deepEqual([code, stdout], [4, ""]);
  assert.match(stderr, /^katz: the network offers no service "eccho".*; did you mean echo\?\n$/);
  const far = await katz(["ping", ...at, "telephone", "-n", "1"]);
  assert.match(far.stderr, /"telephone".*echo/);
  assert.doesNotMatch(far.stderr, /did you mean/);
});

test("ping reports missing replies, and fails if none came", async () => {
  const faulty = await DevDaemon.start({ listen: `unix:${join(folder, "lossy.sock")}` });
  try {
    faulty.network.faults.setLoss(1);
    // Long enough for the handshake.
    const args = ["--address", faulty.addresses[0]!, "-n", "1", "--timeout", "1s", "--json"];
    const { code, stdout } = await katz(["ping", ...args]);
    const [loss, summary] = recordsOf(stdout);
    assertShape(loss!, "loss");
    assertShape(summary!, "summary of ping");
    assert.deepEqual([loss!["code"], summary!["lossPercent"]], ["ERR_TIMEOUT", 100]);
    assert.equal(code, 5);
  } finally {
    await faulty.close();
  }
});

test("ping says in its own words that a service does not answer", async () => {
  const args = ["ping", ...at, "courier", "-n", "1", "--timeout", "900ms"];
  const { code, stdout, stderr } = await katz(args);
  assert.equal(code, 5);
  assert.match(stdout, /^no reply: seq=1: no answer within [\d.]+ m?s$/m);
  assert.match(stderr, /^not every service answers .* katz ping echo /);
});

test("ping does not count messages in transit as lost after Ctrl-C", async () => {
  const slow = await DevDaemon.start({ listen: `unix:${join(folder, "slow.sock")}` });
  try {
    slow.network.faults.setLoss(1);
    const args = ["--address", slow.addresses[0]!, "-i", "20ms"];
    const child = startKatz(["ping", ...args]);
    const [printed, ended] = [text(child.stdout!), once(child, "close")];
    // Nothing is printed of messages on their way.
    while (slow.network.describe().traffic.sent === 0 && child.exitCode === null) await sleep(10);
    child.kill("SIGINT");
    const [code] = (await ended) as [number | null];
    const stdout = await printed;
    const [, sent, waiting] = /^(\d+) sent, 0 received, 0% loss, (\d+) still awaited$/m.exec(
      stdout,
    )!;
    assert.deepEqual([code, waiting], [130, sent]);
  } finally {
    await slow.close();
  }
});

test("ping reports that the daemon was away, and continues", async () => {
  const own = await DevDaemon.start({ listen: `unix:${join(folder, "restarted.sock")}` });
  const restarts: Promise<void>[] = [];
  try {
    const args = ["ping", "-i", "50ms", "--address", own.addresses[0]!];
    // What was printed until it was connected again, and whether it was told to end.
    let [printed, isBack, told] = ["", false, false];
    const { code, stdout, stderr } = await katz(args, {
      onStdout: (soFar, child) => {
        if (soFar.includes("seq=3 ") && restarts.length === 0) restarts.push(own.restart());
        if (isBack && !told && soFar.includes("reply", printed.length)) told = child.kill("SIGINT");
        if (!isBack) printed = soFar;
      },
      onStderr: (soFar) => (isBack ||= soFar.includes("reconnected")),
    });
    await Promise.all(restarts);
    assert.equal(code, 0, stderr);
    assert.equal(
      stderr,
      "the daemon is away; connecting again …\nreconnected, to a daemon that was restarted\n",
    );
    assert.match(stdout.slice(printed.length), /^reply from servicenode\d: seq=\d+ /);
  } finally {
    await own.close();
  }
});

test("ping does not count messages that it could not send as lost, and gives the reason once", async () => {
  const own = await DevDaemon.start({ listen: `unix:${join(folder, "away.sock")}` });
  try {
    let gone = false;
    // So many that it is still at work when it notices, two seconds later at the latest.
    const args = ["ping", "-n", "100", "-i", "20ms", "--address", own.addresses[0]!];
    const { stdout, stderr } = await katz(args, {
      onStdout: (soFar) => {
        if (!gone && soFar.includes("seq=3 ")) void own.crash();
        gone ||= soFar.includes("seq=3 ");
      },
    });
    assert.equal(stderr, "the daemon is away; connecting again …\n");
    const [, sent, unsent] = /^(\d+) sent, \d+ received, .*% loss, (\d+) not sent$/m.exec(stdout)!;
    assert.equal(Number(sent) + Number(unsent), 100);
    assert.ok(Number(unsent) > 0);
    assert.doesNotMatch(stdout, /no reply: seq=100:/);
  } finally {
    await own.close();
  }
});

test("ping reports once that the mixnet is unreachable, and does not count that as a loss", async () => {
  const own = await DevDaemon.start({ listen: `unix:${join(folder, "offline.sock")}` });
  try {
    const args = ["ping", "-i", "20ms", "--address", own.addresses[0]!];
    /** Cuts the network off when `first` was printed, and ends the command when `then` was. */
    const cutAfter = (first: string, then: string): RunOptions => {
      let [isCut, told] = [false, false];
      return {
        onStdout: (soFar, child) => {
          if (!isCut && soFar.includes(first)) own.network.faults.setOnline(false);
          isCut ||= soFar.includes(first);
          if (!told && soFar.includes(then)) told = child.kill("SIGINT");
        },
      };
    };
    const { stdout } = await katz(args, cutAfter("seq=3 ", "nothing is sent"));
    assert.equal(
      stdout.match(/nothing is sent from seq=\d+ on: the mixnet is out of reach$/gm)?.length,
      1,
    );
    assert.match(stdout, /, \d+ not sent$/m);
    own.network.faults.setOnline(true);
    const json = await katz([...args, "--json"], cutAfter('"reply"', '"unsent"'));
    const records = recordsOf(json.stdout);
    const unsent = records.filter(({ type }) => type === "unsent");
    for (const record of unsent) assertShape(record, "unsent");
    assert.ok(unsent.length > 0);
    assert.equal(records.at(-1)!["unsent"], unsent.length);
  } finally {
    await own.close();
  }
});

test("services lists every service, and couriers lists the couriers", async () => {
  const text = await katz(["services", ...at]);
  assert.equal(text.code, 0);
  assert.match(linesOf(text.stdout)[0]!, /^SERVICE +NODE +ENDPOINT +IDENTITY$/);
  assert.equal(linesOf(text.stdout).length, 1 + 9);
  const quiet = await katz(["services", ...at, "--quiet"]);
  assert.equal(linesOf(quiet.stdout).length, 9);
  const json = await katz(["couriers", ...at, "--json"]);
  const records = recordsOf(json.stdout);
  assert.equal(records.length, 3);
  for (const record of records) {
    assertShape(record, "service");
    assert.equal(record["service"], "courier");
  }
});

test("authorities lists the authorities that the daemon trusts", async () => {
  const text = await katz(["authorities", ...at]);
  assert.match(text.stdout, /^auth1\n {2}identity {3}[0-9a-f]{64}\n {2}signs {6}Ed25519\n/);
  const records = recordsOf((await katz(["authorities", ...at, "--json"])).stdout);
  assert.equal(records.length, 3);
  for (const record of records) assertShape(record, "authority");
});

test("pki shows the document, and with --verify its signers", async () => {
  const text = await katz(["pki", ...at]);
  const epoch = Number(/^epoch +(\d+),/.exec(text.stdout)?.[1]);
  // The epoch may have changed between the command's answer and this line.
  assert.ok([0, 1].includes(daemon.network.currentEpoch - epoch), text.stdout);
  assert.match(text.stdout, /signatures +3, not verified/);
  const { stdout } = await katz(["pki", ...at, "--verify", "--json"]);
  const [record] = recordsOf(stdout);
  assertShape(record!, "pki");
  assert.deepEqual(record!["signers"], ["auth1", "auth2", "auth3"]);
  assert.deepEqual([record!["verified"], record!["threshold"]], [true, 2]);
});

test("pki --raw gives the bytes that the authorities signed", async () => {
  const { stdout } = await katz(["pki", ...at, "--raw", "--json"]);
  const [record] = recordsOf(stdout);
  assertShape(record!, "pkiRaw");
  const bytes = fromBase64(record!["certificateBase64"] as string);
  assert.equal(decodeCertificate(bytes).signatures.length, 3);
  const authorities = daemon.network.authorities;
  assert.equal(verifyPkiDocument(bytes, authorities).document.epoch, record!["epoch"]);
});

test("pki fails for an epoch whose document the daemon does not have", async () => {
  const { code, stderr } = await katz(["pki", ...at, "--epoch", "3", "--json"]);
  const [record] = recordsOf(stderr);
  assertShape(record!, "error");
  assert.deepEqual([code, record!["code"]], [4, "ERR_NO_PKI_DOCUMENT"]);
});

test("map draws the network as text and as objects", async () => {
  const { stdout } = await katz(["map", ...at]);
  assert.match(
    stdout,
    /^you +application and daemon\ngateways +gateway1\nmix layer 1 +mix1 {2}mix2/,
  );
  const [record] = recordsOf((await katz(["map", ...at, "--json"])).stdout);
  assertShape(record!, "map");
  assert.equal((record!["layers"] as unknown[]).length, 3);
});

test("map writes the picture of the docs to a file or to standard output", async () => {
  const file = join(folder, "map.svg");
  const written = await katz(["map", ...at, "-o", file]);
  assert.deepEqual([written.code, written.stdout], [0, ""]);
  assert.equal(written.stderr, `wrote ${file}\n`);
  const piped = await katz(["map", ...at, "-o", "-"]);
  assert.equal(piped.stdout, readFileSync(file, "utf8"));
  const committed = new URL("../../../docs/map.svg", import.meta.url);
  assert.equal(readFileSync(committed, "utf8"), piped.stdout, "run: katz map -o docs/map.svg");
});

test("map fails with one line if the folder is missing", async () => {
  const { code, stderr } = await katz(["map", ...at, "-o", join(folder, "none", "map.svg")]);
  assert.equal(code, 2);
  assert.equal(linesOf(stderr).length, 1);
  assert.match(stderr, /^katz: cannot write .*map\.svg: there is no such file or folder$/m);
});

test("watch prints events as they arrive, beginning with those of the handshake", async () => {
  const text = await katz(["watch", ...at, "-n", "2"]);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^\d\d:\d\d:\d\d {2}connectionStatus +connected to the mixnet\n/);
  assert.match(text.stdout, /newPkiDocument +epoch \d+\n$/);
});

test("watch --json reports that a daemon leaves and returns, and ends with the signal's exit code", async () => {
  const own = await DevDaemon.start({ listen: `unix:${join(folder, "watched.sock")}` });
  const restarts: Promise<void>[] = [];
  try {
    const { code, stdout } = await katz(["watch", "--json", "--address", own.addresses[0]!], {
      onStdout: (soFar, child) => {
        if (soFar.includes("newPkiDocument") && restarts.length === 0) restarts.push(own.restart());
        if (soFar.includes('"reconnected"') && !child.killed) child.kill("SIGTERM");
      },
    });
    await Promise.all(restarts);
    assert.equal(code, 128 + 15);
    const records = recordsOf(stdout);
    for (const record of records) assertShape(record, `event ${String(record["event"])}`);
    const events = new Set(records.map(({ event }) => event));
    for (const wanted of ["shutdown", "daemonDisconnected", "reconnected"]) {
      assert.ok(events.has(wanted), `${wanted} is among ${[...events].join(" ")}`);
    }
  } finally {
    await own.close();
  }
});

test("doctor finds no problem on a working network", async () => {
  const text = await katz(["doctor", ...at]);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^ok +configuration +unix:.*, from --address\n/s);
  assert.match(text.stdout, /\n\nEverything works\.\n$/);
  const { code, stdout } = await katz(["doctor", ...at, "--json"]);
  const records = recordsOf(stdout);
  assert.equal(code, 0);
  const checks = records.slice(0, -1);
  for (const record of checks) assertShape(record, "check");
  assert.deepEqual(
    checks.map(({ name, status }) => `${String(name)} ${String(status)}`),
    [
      "configuration",
      "socket",
      "handshake",
      "link",
      "mixnet",
      "document",
      "signatures",
      "echo",
      "box",
    ].map((name) => `${name} ok`),
  );
  assertShape(records.at(-1)!, "summary of doctor");
});

test("doctor says what to do when no daemon listens, and skips the other checks", async () => {
  const { code, stdout } = await katz(["doctor", "--address", `unix:${join(folder, "no.sock")}`]);
  assert.equal(code, 3);
  assert.match(stdout, /failed +socket +cannot connect/);
  assert.match(stdout, /→ start the daemon/);
  assert.equal(stdout.match(/^skipped /gm)?.length, 7);
});

test("doctor names the command as it was called", async () => {
  const path = join(folder, "katz");
  symlinkSync(mainPath, path);
  const args = [path, "doctor", "--address", `unix:${join(folder, "no.sock")}`];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.match(stdout.replace(/\s+/g, " "), / network: katz daemon --listen /);
});

test("doctor reports what was found damaged in a data directory", async () => {
  const data = join(folder, "data");
  const args = ["doctor", ...at, "--json", "--data", data];
  const check = async () => {
    const { stdout } = await katz(args);
    return JSON.parse(stdout.split("\n")[0]!) as Record<string, unknown>;
  };
  const none = await check();
  assert.equal(none["status"], "failed", "there is none");
  assert.equal(none["detail"], `the data directory ${data} does not exist`);
  await (await DevDaemon.start({ dataDirectory: data })).close();
  assert.equal((await check())["status"], "ok");
  const database = join(data, "level-1");
  const log = readdirSync(database).find((name) => name.endsWith(".log"))!;
  const bytes = readFileSync(join(database, log));
  bytes[bytes.length - 20]! ^= 1;
  writeFileSync(join(database, log), bytes);
  const told: string[] = [];
  const onFault = ({ message }: Error): void => void told.push(message);
  await (await DevDaemon.start({ dataDirectory: data, onFault })).close();
  assert.match(told.join(), /is damaged/);
  const { status, detail } = await check();
  assert.equal(status, "warning");
  assert.match(String(detail), /the damaged one is in .*damaged-1/);
});

test("doctor makes one connection, and reports why a daemon does not answer", async () => {
  let connections = 0;
  const path = join(folder, "counted.sock");
  const server = createServer((socket) => {
    connections++;
    const onward = createConnection(address.slice(5));
    socket.pipe(onward).pipe(socket);
    socket.on("error", () => onward.destroy());
    onward.on("error", () => socket.destroy());
  }).listen(path);
  await once(server, "listening");
  assert.equal((await katz(["doctor", "--address", `unix:${path}`])).code, 0);
  server.close();
  assert.equal(connections, 1);
  const mute = createServer(() => {}).listen(`${path}2`);
  await once(mute, "listening");
  const args = ["doctor", "--address", `unix:${path}2`, "--timeout", "300ms"];
  const { code, stdout } = await katz(args);
  mute.close();
  assert.equal(code, 5);
  assert.match(
    stdout.replace(/\s+/g, " "),
    /the daemon has no PKI document and other clients wait/,
  );
});

test("doctor determines the length of epochs, and warns about an old document", async () => {
  const other = await DevDaemon.start({
    listen: `unix:${join(folder, "o.sock")}`,
    epochMs: 60_000,
  });
  try {
    const look = async (...args: string[]): Promise<Record<string, unknown>> => {
      const { code, stdout } = await katz(["doctor", "--json", ...args]);
      assert.equal(code, 0);
      return recordsOf(stdout).find(({ name }) => name === "document")!;
    };
    const at = ["--address", other.addresses[0]!];
    const found = await look(...at);
    assert.equal(found["status"], "ok");
    assert.match(found["detail"] as string, /of 60\.0 s/);
    const told = await look(...at, "--epoch", "20m");
    assert.equal(told["status"], "warning");
    assert.match(told["advice"] as string, /epochs have another length \(--epoch TIME\)/);
  } finally {
    await other.close();
  }
});

test("doctor names the part that fails behind a responsive daemon", async () => {
  const cut = await DevDaemon.start({ listen: `unix:${join(folder, "c.sock")}` });
  try {
    // The daemon does not greet clients before it has a document.
    await using client = await ThinClient.connect(cut.config());
    cut.network.faults.setOnline(false);
    assert.equal(client.state, "ready");
    // Long enough for the handshake.
    const args = ["--address", cut.addresses[0]!, "--timeout", "1s", "--json"];
    const { code, stdout } = await katz(["doctor", ...args]);
    const failed = recordsOf(stdout).find(({ status }) => status === "failed");
    assert.deepEqual([code, failed!["name"], failed!["code"]], [5, "mixnet", "ERR_TIMEOUT"]);
  } finally {
    await cut.close();
  }
});

test("the embedded daemon passes every case of conform", async () => {
  const args = ["conform", address, "--area", "handshake", "--area", "keys"];
  const text = await katz(args);
  assert.equal(text.code, 0, text.stdout + text.stderr);
  assert.match(text.stdout, /\n\d+ pass, 0 fail, \d+ differ/);
  const records = recordsOf((await katz([...args, "--json"])).stdout);
  for (const record of records.slice(0, -1)) {
    assertShape(record, "case");
    assert.ok(["handshake", "keys"].includes(record["area"] as string));
  }
  assert.ok(records.length > 5);
  assertShape(records.at(-1)!, "summary of conform");
});

test("the configuration is found by flag, by environment variable and in the user's folder", async () => {
  const toml = `[Dial.Unix]\nAddress = ${JSON.stringify(address.slice(5))}\n`;
  const file = join(folder, "thinclient.toml");
  writeFileSync(file, toml);
  mkdirSync(join(folder, "config", "katzenpost"), { recursive: true });
  writeFileSync(join(folder, "config", "katzenpost", "thinclient.toml"), toml);
  const source = async (args: string[], env: Record<string, string>): Promise<string> => {
    const { stdout } = await katz(["doctor", "--json", ...args], { env });
    const [first] = recordsOf(stdout);
    assert.equal(first!["status"], "ok", stdout);
    return first!["detail"] as string;
  };
  assert.match(await source(["--config", file], {}), /from --config/);
  const variable = "KATZENPOST_THINCLIENT";
  assert.match(await source([], { [variable]: file }), /from KATZENPOST_THINCLIENT \(/);
  assert.match(await source([], { [variable]: address }), /from KATZENPOST_THINCLIENT$/);
  const home = { XDG_CONFIG_HOME: join(folder, "config") };
  assert.match(await source([], home), /the user's configuration/);
});
