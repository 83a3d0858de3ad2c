import assert from "node:assert/strict";
import { test } from "node:test";
import { importsOf, sources } from "./source-tree.js";

/**
 * The allowed imports: for each folder, the folders (or single files) and packages that it may use.
 * A folder may always import itself. `node:` stands for every module of Node.
 */
const rules: Record<string, readonly string[]> = {
  bytes: ["@noble/hashes", "#bytes"],
  clock: [],
  errors: ["bytes"],
  cbor: ["bytes", "errors", "cborg"],
  wire: ["bytes", "cbor", "errors"],
  transport: ["bytes", "clock", "errors", "#platform"],
  // Records in any database of the level family.
  store: ["bytes", "errors", "#platform", "abstract-level"],
  platform: [
    "bytes",
    "clock",
    "errors",
    "store",
    "transport",
    "@noble/*",
    "browser-level",
    "hash-wasm",
  ],
  pki: ["bytes", "cbor", "errors", "#platform", "@noble/hashes", "@noble/post-quantum"],
  config: ["bytes", "errors", "pki", "transport", "#platform", "smol-toml"],
  // Never crypto, daemon or network: for a client, capabilities are only bytes.
  client: ["bytes", "clock", "config", "errors", "pki", "transport", "wire", "#platform"],
  // Streams between pages and workers, and a connection that tabs share. To the daemon it is a
  // client, so it counts and watches like one.
  workers: [
    "bytes",
    "clock",
    "errors",
    "transport",
    "wire",
    "src/client/liveness",
    "src/client/unread",
  ],
  // Above the client, whose calls it makes. Of crypto it uses only BACAP, because it computes
  // indices.
  channels: [
    "bytes",
    "cbor",
    "clock",
    "errors",
    "#platform",
    "src/client/call-options",
    "src/client/thin-client",
    "bacap",
    "#level",
    "src/platform/level-contract",
    "@noble/*",
  ],
  bacap: ["bytes", "errors", "#platform", "@noble/*"],
  // Of pki only the table of schemes, and the sizes of messages.
  crypto: [
    "bacap",
    "bytes",
    "cbor",
    "clock",
    "errors",
    "src/pki/scheme-names",
    "src/pki/copy-stream-plan",
    "src/pki/pigeonhole-sizes",
    "#platform",
    "@noble/*",
    "cborg",
  ],
  kem: ["bytes", "#platform", "@noble/hashes", "@noble/post-quantum", "@stablelib/blake2b"],
  sphinx: ["bytes", "errors", "kem", "pki", "#platform", "@noble/ciphers", "@noble/hashes"],
  // Shared parts of every link, the gateway's and the embedded network's: paths, packets, reply
  // blocks.
  mixnet: ["bytes", "clock", "errors", "pki", "sphinx"],
  // Never network or client: it shares only the codec with the client, which recordings pin.
  daemon: [
    "bytes",
    "clock",
    "errors",
    "wire",
    "transport",
    "pki",
    "bacap",
    "crypto",
    "mixnet",
    "@noble/hashes",
  ],
  // Never network, daemon or client: a link to a real network does not know them.
  gateway: [
    "bytes",
    "clock",
    "errors",
    "kem",
    "mixnet",
    "pki",
    "sphinx",
    "transport",
    "#platform",
    "@noble/hashes",
  ],
  // Never daemon or wire: a network does not handle clients' messages. Never gateway: a port speaks
  // the wire protocol and passes packets to the network, which knows nothing else of clients.
  network: [
    "bytes",
    "cbor",
    "clock",
    "errors",
    "pki",
    "bacap",
    "crypto",
    "mixnet",
    "sphinx",
    "store",
    "#platform",
    "@noble/curves",
  ],
  // Cases for any daemon: they speak the protocol and know no implementation.
  conformance: ["bytes", "cbor", "clock", "errors", "pki", "transport", "wire", "@noble/hashes"],
  // Daemon and network together, with listeners, files and workers, and further tools for tests.
  testing: [
    "bytes",
    "client",
    "clock",
    "config",
    "conformance",
    "crypto",
    "daemon",
    "errors",
    "gateway",
    "kem",
    "mixnet",
    "network",
    "pki",
    "platform",
    "store",
    "transport",
    "wire",
    "node:",
  ],
  // A daemon on a real network: link and daemon together, with listeners, files and workers.
  join: [
    "bytes",
    "clock",
    "config",
    "crypto",
    "daemon",
    "errors",
    "gateway",
    "kem",
    "mixnet",
    "pki",
    "platform",
    "transport",
    "wire",
    "node:",
  ],
  // A console's view of client, daemon and network together; the command has its server.
  console: [
    "bacap",
    "bytes",
    "cbor",
    "client",
    "clock",
    "daemon",
    "errors",
    "mixnet",
    "network",
    "pki",
  ],
  // Like a user: by the package's name.
  cli: [
    "katzenpost-thinclient",
    "node:",
    "@stricli/core",
    "fast-string-truncated-width",
    "fast-string-width",
    "fast-wrap-ansi",
    "smol-toml",
  ],
};

/** The files and packages that single files may use beyond their folder's rule. */
const additions: Record<string, readonly string[]> = {
  // Its errors list the available link schemes.
  "src/config/daemon-config.ts": ["kem"],
  "src/cli/main.ts": ["src/platform/node-version"],
  // Durable names of files, which nobody's subpath has.
  "src/cli/private-file.ts": ["src/platform/node-make-folder", "src/platform/node-small-file"],
  "src/cli/transfer/incoming-files.ts": ["src/platform/node-small-file"],
  // The page's data does not belong to any subpath.
  "src/cli/commands/console/console.ts": ["src/console", "src/clock/real"],
  "src/cli/commands/console/server.ts": ["src/console", "src/platform/node-ws-handshake", "ws"],
  // It names the events of the daemon in front of it.
  "src/network/index.ts": ["src/daemon/trace"],
  // The network with a daemon in front, for places without a platform.
  "src/network/kept-network.ts": ["#level"],
  "src/network/embedded-daemon.ts": ["daemon", "transport"],
  "src/platform/contract.ts": ["src/crypto/ctidh/worker-protocol"],
  "src/platform/browser-worker.ts": ["src/crypto/ctidh/worker-protocol"],
  "src/platform/browser-ctidh-worker.ts": ["src/crypto/ctidh/worker-protocol"],
  "src/platform/node-worker.ts": ["src/crypto/ctidh/worker-protocol"],
  "src/platform/node-ctidh-worker.ts": ["src/crypto/ctidh/worker-protocol"],
};

/** The files of the package's public surface, and the folders that they may name. */
const surfaces: Record<string, readonly string[]> = {
  "src/index.ts": [
    "bytes",
    "client",
    "clock",
    "config",
    "errors",
    "pki",
    "src/platform/contract",
    "transport",
    "wire",
  ],
};

/** Whether `allowed` covers `target`. */
function fits(target: string, allowed: string): boolean {
  if (allowed.endsWith("/*")) return target.startsWith(allowed.slice(0, -1));
  if (allowed === "node:") return target.startsWith("node:");
  return (
    target === allowed || target.startsWith(`${allowed}/`) || target.startsWith(`src/${allowed}/`)
  );
}

function allowedFor(path: string): readonly string[] {
  const surface = surfaces[path];
  if (surface) return surface;
  const folder = path.split("/")[1]!;
  const rule = rules[folder];
  assert.ok(rule, `${path} is in a folder that has no rule`);
  // Only the files for Node may import Node, and only they know the packages for it.
  const isNode = /^src\/platform\/node[^/]*$/.test(path);
  return [
    folder,
    ...rule,
    ...(isNode ? ["node:", "ws", "classic-level"] : []),
    ...(additions[path] ?? []),
  ];
}

test("every file imports only what the rule of its folder allows", () => {
  const violations: string[] = [];
  let checked = 0;
  for (const path of sources) {
    if (path.endsWith(".d.ts")) continue;
    const allowed = allowedFor(path);
    for (const target of importsOf(path)) {
      checked++;
      if (!allowed.some((one) => fits(target, one))) violations.push(`${path} imports ${target}`);
    }
  }
  assert.deepEqual(violations, []);
  assert.ok(checked > 500, `${checked} imports`);
});

test("the rules name only existing folders, and every folder has a rule", () => {
  const folders = new Set(sources.map((path) => path.split("/")[1]!));
  for (const folder of folders) {
    if (folder.endsWith(".ts")) continue;
    assert.ok(folder in rules, folder);
  }
  for (const folder of Object.keys(rules)) assert.ok(folders.has(folder), folder);
  for (const path of [...Object.keys(additions), ...Object.keys(surfaces)]) {
    assert.ok(sources.includes(path), path);
  }
});

test("a broken rule would be detected", () => {
  const broken = (path: string, target: string): boolean =>
    !allowedFor(path).some((one) => fits(target, one));
  assert.ok(broken("src/client/session.ts", "src/crypto/sharding"));
  assert.ok(broken("src/client/session.ts", "node:net"));
  assert.ok(broken("src/daemon/arq.ts", "src/network/network"));
  assert.ok(broken("src/daemon/arq.ts", "src/client/session"));
  assert.ok(broken("src/network/topology.ts", "src/wire/requests"));
  assert.ok(broken("src/platform/browser.ts", "node:net"));
  assert.ok(broken("src/cli/main.ts", "src/client/session"));
  assert.ok(broken("src/bytes/bytes.ts", "src/errors/errors"));
  assert.ok(!broken("src/platform/node-dial.ts", "node:net"));
});

test("nothing that runs in a browser imports a module of Node", () => {
  // Checks everything that the browser's platform, the package's neutral surfaces and the link to
  // real networks import.
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const target of importsOf(path)) {
      assert.ok(!target.startsWith("node:") && target !== "ws", `${path} imports ${target}`);
      if (target.startsWith("src/")) visit(`${target}.ts`);
    }
  };
  const roots = [
    "src/platform/browser.ts",
    "src/platform/browser-ctidh-worker.ts",
    "src/gateway/gateway-link.ts",
    "src/network/index.ts",
    "src/workers/index.ts",
  ];
  for (const path of [...Object.keys(surfaces), ...roots]) visit(path);
  assert.ok(reached.size > 60, String(reached.size));
});
