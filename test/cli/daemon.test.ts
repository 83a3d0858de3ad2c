/** `katz daemon` as a process: its line, its file, its logs, and how it ends. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { parse } from "smol-toml";
import { katz, linesOf, mainPath, recordsOf, temporaryFolder } from "./katz.js";
import { assertShape } from "./shapes.js";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

/**
 * Runs a daemon until it has said where it listens and `use` is done, then ends it.
 * @param said what it must have said before `use`, by default one line.
 */
async function withDaemon(
  args: readonly string[],
  use: (stdout: string) => Promise<void>,
  signal: NodeJS.Signals = "SIGINT",
  said = "\n",
): ReturnType<typeof katz> {
  const uses: Promise<void>[] = [];
  const ended = await katz(["daemon", ...args], {
    cwd: folder,
    onStdout: (soFar, child) => {
      if (!soFar.includes(said) || uses.length > 0) return;
      uses.push(use(soFar).finally(() => child.kill(signal)));
    },
  });
  await Promise.all(uses);
  return ended;
}

test("prints one line with its address, serves there, and ends cleanly at Ctrl-C", async () => {
  const args = ["--listen", `unix:${path("a.sock")}`, "--listen", "tcp:127.0.0.1:0"];
  const { code, stdout, stderr } = await withDaemon(args, async (line) => {
    const match =
      /^listening on (unix:\S+) (tcp:127\.0\.0\.1:\d+) \(no anonymity: embedded network\)\n$/.exec(
        line,
      );
    assert.ok(match, line);
    for (const address of match.slice(1)) {
      const { code, stdout } = await katz(["ping", "--address", address, "-n", "1", "--quiet"]);
      assert.equal(code, 0);
      assert.match(stdout, /1 sent, 1 received, 0% loss/);
    }
  });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(linesOf(stdout).length, 1);
  assert.equal(existsSync(path("a.sock")), false, "the socket is removed");
});

test("ends cleanly at SIGTERM too, with a client connected", async () => {
  const args = ["--listen", `unix:${path("t.sock")}`];
  let client: ThinClient | null = null;
  const { code } = await withDaemon(
    args,
    async () => {
      client = await ThinClient.connect({ dial: { unix: { address: path("t.sock") } } });
    },
    "SIGTERM",
  );
  assert.equal(code, 0);
  await client!.stop();
});

test("treats two simultaneous signals as one, and ends cleanly", async () => {
  const data = path("two-signals");
  let told = false;
  const { code } = await katz(["daemon", "--listen", `unix:${path("s.sock")}`, "--data", data], {
    onStdout: (_, child) => {
      if (told) return;
      told = child.kill("SIGINT") && child.kill("SIGTERM");
    },
  });
  assert.equal(code, 0);
  assert.deepEqual([existsSync(path("s.sock")), existsSync(join(data, "lock"))], [false, false]);
});

test("writes a configuration that clients can use from any folder", async () => {
  // The address is relative to the daemon's folder; the file must not contain a relative one.
  const args = ["--listen", "unix:c.sock", "--write-config", "thinclient.toml"];
  const { code } = await withDaemon(args, async () => {
    const file = path("thinclient.toml");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const { code, stderr } = await katz(["services", "--config", file], { cwd: "/" });
    assert.equal(code, 0, stderr);
  });
  assert.equal(code, 0);
  const again = await withDaemon(args, async () => {});
  assert.equal(again.code, 0, `its own file is rewritten: ${again.stderr}`);
});

test("does not overwrite a configuration that somebody else wrote", async () => {
  writeFileSync(path("mine.toml"), "[Dial.Tcp]\nAddress = 'localhost:1'\n");
  const args = ["--listen", `unix:${path("m.sock")}`, "--write-config", path("mine.toml")];
  const { code, stdout, stderr } = await katz(["daemon", ...args]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /mine\.toml was not written by katz daemon and is left unchanged/);
  assert.match(readFileSync(path("mine.toml"), "utf8"), /localhost:1/);
  assert.equal(existsSync(path("m.sock")), false);
});

test("reports a file that it cannot write before it makes the network", async () => {
  writeFileSync(path("a-file"), "");
  const cases = [
    [path("nowhere/f.toml"), "there is no such file or folder"],
    [path("a-file/f.toml"), "a part of its path is not a folder"],
  ] as const;
  for (const flag of ["--write-config", "--write-client-config", "--write-authority"]) {
    for (const [file, problem] of cases) {
      const data = path("never-made");
      const { code, stdout, stderr } = await katz(["daemon", "--data", data, flag, file]);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.equal(stderr, `katz: cannot write ${file}: ${problem}\n`);
      assert.equal(existsSync(data), false, "nothing was made");
    }
  }
});

test("keeps boxes over a kill with --data, and writes the configuration beside them", async () => {
  const args = ["--data", path("data"), "--listen", `unix:${path("data.sock")}`];
  const config = path("data/thinclient.toml");
  const killed = await withDaemon(
    args,
    async () => {
      await using client = await ThinClient.connect(config);
      const { writeCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32).fill(7));
      await client.write(writeCap, firstMessageIndex, "still there", { ifExists: "error" });
    },
    "SIGKILL",
  );
  assert.equal(killed.signal, "SIGKILL");
  const { code } = await withDaemon(args, async () => {
    await using client = await ThinClient.connect(config);
    const { readCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32).fill(7));
    const { plaintext } = await client.read(readCap, firstMessageIndex, { timeoutMs: 20_000 });
    assert.equal(utf8ToText(plaintext), "still there");
    const second = await katz(["daemon", "--data", path("data"), "--listen", "tcp:127.0.0.1:0"]);
    assert.equal(second.code, 2);
    assert.match(second.stderr, /data directory .* is in use, by another process/);
  });
  assert.equal(code, 0);
});

test(
  "reports a full disk, even with --quiet",
  { skip: process.platform === "win32" && "not run: Windows has no limits of file sizes" },
  async () => {
    const socket = path("full.sock");
    const script = 'ulimit -f 2; exec "$0" "$@"';
    const args = ["daemon", "--quiet", "--data", path("full"), "--listen", `unix:${socket}`];
    const daemon = spawn("bash", ["-c", script, process.execPath, mainPath, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      // With coverage, its file would also exceed the limit.
      env: { ...process.env, NODE_V8_COVERAGE: "" },
    });
    let errors = "";
    daemon.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    await Promise.race([once(daemon.stdout, "data"), once(daemon, "exit")]);
    const client = await ThinClient.connect({ dial: { unix: { address: socket } } });
    const { writeCap, firstMessageIndex } = await client.newKeypair(new Uint8Array(32));
    const writing = [firstMessageIndex];
    for (let i = 0; i < 4; i++) writing.push(await client.nextMessageBoxIndex(writing[i]!));
    const writes = writing.map((index) => client.write(writeCap, index, "x", { timeoutMs: 3000 }));
    await Promise.allSettled(writes);
    await client.stop();
    const isTold = (): boolean => errors !== "";
    for (let waited = 0; !isTold() && waited < 6000; waited++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    daemon.kill("SIGTERM");
    await once(daemon, "close");
    const told = linesOf(errors);
    assert.ok(told.length > 0, "something is reported");
    for (const line of told)
      assert.match(line, /^katz: cannot write data directory .*full: .*File too large/);
  },
);

test("opens the network with --gateway, and tells a daemon how to join with --write-client-config", async () => {
  const file = path("client.toml");
  const args = ["--listen", `unix:${path("g.sock")}`, "--write-client-config", file];
  const { code, stderr } = await withDaemon([...args, "--epoch", "2m"], async () => {
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const text = readFileSync(file, "utf8");
    assert.match(text, /KATZENPOST_EPOCH_DURATION=120000ms/);
    const config = parse(text) as unknown as ClientToml;
    assert.equal(config.WireKEMScheme, "x25519");
    assert.equal(config.Listen.Tcp.Address, "127.0.0.1:64331");
    assert.equal(config.UpstreamProxy.Type, "none");
    assert.equal(config.SphinxGeometry.NrHops, 5);
    assert.equal(config.VotingAuthority.Peers.length, 3);
    const [gateway] = config.PinnedGateways.Gateways;
    // The gateway is there, and disconnects a peer that does not speak the protocol.
    const socket = connect(Number(/^tcp:\/\/127\.0\.0\.1:(\d+)$/.exec(gateway!.Addresses[0]!)![1]));
    socket.on("error", () => {});
    socket.write("\x04".repeat(33));
    await once(socket.resume(), "close");
  });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /kpclientd -c .*client\.toml joins the network/);
});

test("another daemon of ours joins with that file, and its echoes return through the gateway", async () => {
  const file = path("join.toml");
  const args = ["--listen", `unix:${path("e.sock")}`, "--nike", "x25519", "--epoch", "2m"];
  const { code } = await withDaemon([...args, "--write-client-config", file], async () => {
    const joining = ["--join", file, "--listen", `unix:${path("j.sock")}`, "--epoch", "2m"];
    const joined = await withDaemon(joining, async () => {
      const address = ["--address", `unix:${path("j.sock")}`, "--timeout", "50s"];
      const { code, stdout } = await katz(["ping", ...address, "-n", "2", "--quiet"]);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /2 sent, 2 received, 0% loss/);
    });
    assert.equal(joined.code, 0, joined.stderr);
  });
  assert.equal(code, 0);
});

test("refuses a gateway address that a daemon could not dial", async () => {
  const { code, stderr } = await katz(["daemon", "--gateway", "unix:/tmp/gateway.sock"]);
  assert.equal(code, 2);
  assert.match(stderr, /a gateway listens on tcp:HOST:PORT/);
});

/** The part of a client.toml that the test reads. */
interface ClientToml {
  readonly WireKEMScheme: string;
  readonly Listen: { readonly Tcp: { readonly Address: string } };
  readonly UpstreamProxy: { readonly Type: string };
  readonly SphinxGeometry: { readonly NrHops: number };
  readonly VotingAuthority: { readonly Peers: readonly unknown[] };
  readonly PinnedGateways: {
    readonly Gateways: readonly { readonly Addresses: readonly string[] }[];
  };
}

interface Named {
  readonly Identifier: string;
}

/** The part of an authority.toml that the test reads. */
interface AuthorityToml {
  readonly Server: Named & {
    readonly Addresses: readonly string[];
    readonly PKISignatureScheme: string;
    readonly WireKEMScheme: string;
  };
  readonly Authorities: readonly (Named & { readonly Addresses: readonly string[] })[];
  readonly GatewayNodes: readonly Named[];
  readonly ServiceNodes: readonly Named[];
  readonly Mixes: readonly Named[];
  readonly StorageReplicas: readonly (Named & { readonly ReplicaID: number })[];
  readonly Topology: { readonly Layers: readonly { readonly Nodes: readonly Named[] }[] };
  readonly Parameters: { readonly Mu: number; readonly LambdaP: number };
  readonly SphinxGeometry: { readonly NrHops: number };
}

test("opens ports for the authorities and writes their addresses with --write-authority", async () => {
  const file = path("authority.toml");
  const args = ["--listen", `unix:${path("authority.sock")}`, "--write-authority", file];
  await withDaemon(args, async () => {
    const { Authorities } = parse(readFileSync(file, "utf8")) as {
      Authorities: Record<string, string & string[]>[];
    };
    assert.deepEqual(
      Authorities.map(({ Identifier }) => Identifier),
      ["auth1", "auth2", "auth3"],
    );
    for (const authority of Authorities) {
      assert.match(authority["IdentityPublicKey"]!, /BEGIN ED25519 PUBLIC KEY/);
      assert.match(authority["LinkPublicKey"]!, /BEGIN X25519 PUBLIC KEY/);
      const { hostname, port } = new URL(authority["Addresses"]![0]!);
      const socket = connect(Number(port), hostname);
      await once(socket, "connect");
      socket.destroy();
    }
  });
});

test("--write-authority writes the values of the network that the authorities' configuration has", async () => {
  const file = path("network.toml");
  const socket = `unix:${path("network.sock")}`;
  const args = [
    "--listen",
    socket,
    "--write-authority",
    file,
    "--couriers",
    "2",
    "--replicas",
    "4",
  ];
  await withDaemon(args, async () => {
    const { Server, Parameters, SphinxGeometry, Topology, ...lists } = parse(
      readFileSync(file, "utf8"),
    ) as unknown as AuthorityToml;
    const names = (nodes: readonly { readonly Identifier: string }[]): string[] =>
      nodes.map(({ Identifier }) => Identifier);
    assert.equal(Server.Identifier, "auth1");
    assert.deepEqual(Server.Addresses, lists.Authorities[0]!.Addresses);
    assert.deepEqual([Server.PKISignatureScheme, Server.WireKEMScheme], ["Ed25519", "x25519"]);
    assert.equal(SphinxGeometry.NrHops, 5);
    assert.ok(Parameters.Mu > 0 && Parameters.LambdaP > 0);
    // The document lists the same names.
    await using client = await ThinClient.connect(socket);
    const document = client.pkiDocument()!;
    const described = (nodes: readonly { readonly name: string }[]): string[] =>
      nodes.map(({ name }) => name).sort();
    assert.deepEqual(names(lists.GatewayNodes).sort(), described(document.gatewayNodes));
    assert.deepEqual(names(lists.ServiceNodes).sort(), described(document.serviceNodes));
    assert.deepEqual(names(lists.Mixes).sort(), described(document.topology.flat()));
    assert.deepEqual(
      Topology.Layers.map(({ Nodes }) => names(Nodes).sort()),
      document.topology.map(described),
    );
    assert.deepEqual(
      lists.StorageReplicas.map(({ Identifier, ReplicaID }) => [Identifier, ReplicaID]),
      document.storageReplicas.map(({ name, replicaId }) => [name, replicaId]),
    );
  });
});

test("logs objects with --json, each with its time", async () => {
  const args = ["--json", "--listen", `unix:${path("j.sock")}`, "--epoch", "1h"];
  const more = ["--couriers", "2", "--replicas", "4", "--realistic", "--seed", "s"];
  const until = '"type":"epoch"';
  const { stdout, stderr } = await withDaemon(
    [...args, ...more],
    () => Promise.resolve(),
    "SIGINT",
    until,
  );
  assert.equal(stderr, "");
  const records = recordsOf(stdout);
  assert.deepEqual(
    records.map(({ type }) => type),
    ["listening", "epoch", "stopping"],
  );
  for (const record of records) assertShape(record, record["type"] as string);
  const { addresses, couriers, replicas, mixing, epochMs, anonymity } = records[0]!;
  assert.deepEqual(
    { addresses, couriers, replicas, mixing, epochMs, anonymity },
    {
      addresses: [`unix:${path("j.sock")}`],
      couriers: 2,
      replicas: 4,
      mixing: "realistic",
      epochMs: 3_600_000,
      anonymity: false,
    },
  );
});

test(
  "warns if other programs cannot reach this Node's abstract sockets",
  { skip: process.platform !== "linux" && "not run: only Linux has abstract sockets" },
  async () => {
    const name = `katz-cli-${process.pid}`;
    let shown: string | undefined;
    const { code, stderr } = await withDaemon(["--listen", `unix:@${name}`], async () => {
      // The system's form of the name: a padded one has an @ for each NUL.
      const sockets = readFileSync("/proc/net/unix", "utf8");
      shown = new RegExp(`@${name}@*$`, "m").exec(sockets)?.[0];
      const { code } = await katz(["services", "--address", `unix:@${name}`]);
      assert.equal(code, 0);
    });
    assert.equal(code, 0);
    const told = /so only programs on a similar Node reach unix:@katz-cli-\d+\./.test(stderr);
    assert.equal(told, shown !== `@${name}`, `${shown}: ${stderr}`);
  },
);

test("does not take an address on which another daemon listens", async () => {
  const args = ["--listen", `unix:${path("two.sock")}`];
  await withDaemon(args, async () => {
    const { code, stderr } = await katz(["daemon", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /another process already listens there/);
  });
});

test("gives the same network for the same seed", async () => {
  const hashes: string[] = [];
  for (const name of ["one", "two"]) {
    const address = `unix:${path(`${name}-seed.sock`)}`;
    await withDaemon(["--listen", address, "--seed", "same"], async () => {
      hashes.push((await katz(["services", "--address", address])).stdout);
    });
  }
  assert.match(hashes[0]!, /servicenode1/);
  assert.equal(hashes[0], hashes[1]);
});
