import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  type Address,
  formatAddress,
  formatHostPort,
  parseAddress,
  parseHostPort,
  parseWsUrl,
  shownAddress,
} from "../../src/transport/address.js";

test("addresses are parsed and formatted", () => {
  const cases: [string, Address][] = [
    ["unix:/run/katz.sock", { kind: "unix", path: "/run/katz.sock" }],
    ["unix:relative path:1", { kind: "unix", path: "relative path:1" }],
    ["unix:@name", { kind: "unix", path: "@name" }],
    ["tcp:localhost:64331", { kind: "tcp", network: "tcp", host: "localhost", port: 64331 }],
    ["tcp4:127.0.0.1:0", { kind: "tcp", network: "tcp4", host: "127.0.0.1", port: 0 }],
    [
      "tcp6:[fe80::1%eth0]:65535",
      { kind: "tcp", network: "tcp6", host: "fe80::1%eth0", port: 65535 },
    ],
    [
      "ws://localhost:8080",
      { kind: "ws", secure: false, host: "localhost", port: 8080, path: "/" },
    ],
    [
      "wss://[::1]:8443/a?b=c",
      { kind: "ws", secure: true, host: "::1", port: 8443, path: "/a?b=c" },
    ],
  ];
  for (const [text, address] of cases) {
    assert.deepEqual(parseAddress(text), address);
    assert.equal(formatAddress(address), text);
  }
  assert.equal(cases.length, 8);
});

test("a WebSocket URL without a port uses its scheme's port, and the scheme may have any case", () => {
  assert.equal(parseWsUrl("ws://example.org").port, 80);
  assert.equal(parseWsUrl("wss://[::1]").port, 443);
  assert.deepEqual(parseWsUrl("WSS://a?x"), {
    kind: "ws",
    secure: true,
    host: "a",
    port: 443,
    path: "/?x",
  });
});

test("errors say what is wrong with an address", () => {
  const cases: [string, RegExp][] = [
    ["", /^address "" has no kind; expected unix:PATH, unix:@NAME, tcp:HOST:PORT or ws:/],
    ["localhost:64331", /has no kind \(meant: tcp:localhost:64331\?\)/],
    ["127.0.0.1:64331", /has no kind \(meant: tcp:127\.0\.0\.1:64331\?\)/],
    ["[::1]:64331", /has no kind \(meant: tcp:\[::1\]:64331\?\)/],
    ["udp:localhost:1", /has no kind; expected/],
    ["/run/x.sock", /has no kind \(meant: unix:\/run\/x\.sock\?\)/],
    ["@x", /has no kind \(meant: unix:@x\?\)/],
    ["TCP:a:1", /has no kind/],
    ["http://a:1", /has no kind/],
    ["unix:", /Unix socket is empty/],
    ["unix:@", /Unix socket is empty/],
    ["unix:a\0b", /NUL/],
    ["tcp:localhost", /"localhost" has no port; expected HOST:PORT or \[IPV6\]:PORT/],
    ["tcp:localhost:", /has no port/],
    ["tcp::64331", /has no host/],
    ["tcp:localhost:http", /has port "http", which is not a number from 0 to 65535/],
    ["tcp:localhost:65536", /has port "65536"/],
    ["tcp:localhost:-1", /has port "-1"/],
    ["tcp:localhost: 1", /has port " 1"/],
    ["tcp:localhost:1e3", /has port "1e3"/],
    ["tcp:::1:64331", /more than one colon \(an IPv6 address needs brackets\)/],
    ["tcp:[::1:64331", /brackets that do not enclose/],
    ["tcp:[localhost]:1", /brackets that do not enclose/],
    ["tcp:[]:1", /brackets that do not enclose/],
    ["tcp:a b:1", /invalid character/],
    ["tcp:a/b:1", /invalid character/],
    ["ws:localhost:1", /is not a WebSocket URL; expected ws:\/\/HOST:PORT/],
    ["ws://", /has no host/],
    ["ws://localhost:x", /has port "x"/],
    ["ws://localhost:1#here", /has a fragment/],
    ["ws://local host:1", /white space/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseAddress(text), { code: "ERR_CONFIG", message }, text);
  }
  assert.equal(cases.length, 31);
  assert.throws(() => parseAddress(7 as unknown as string), TypeError);
});

test("a password in a URL is refused and not repeated", () => {
  for (const text of [
    "ws://me:hunter2@localhost:1",
    "ws://hunter2@localhost",
    "http://x:hunter2@y",
  ]) {
    assert.throws(
      () => parseAddress(text),
      (error: Error) => !error.message.includes("hunter2") && /…@/.test(error.message),
    );
  }
});

test("every host and port survives formatting and parsing", () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(host, fc.nat(65535), (name, port) => {
      assert.deepEqual(parseHostPort(formatHostPort({ host: name, port })), { host: name, port });
    }),
    { numRuns: 300 },
  );
});

test("any text gives an address or a ConfigError", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map((rest) => `tcp:${rest}`),
    fc.string().map((rest) => `ws://${rest}`),
    fc
      .string({ unit: fc.constantFrom(...Array.from("[]:@/#?. a1%")) })
      .map((rest) => `ws://${rest}`),
  );
  fc.assert(
    fc.property(text, (value) => {
      try {
        const address = parseAddress(value);
        assert.deepEqual(parseAddress(formatAddress(address)), address);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "ERR_CONFIG");
      }
    }),
    { numRuns: 1000 },
  );
});

test("a query is not shown, because people put tokens there", () => {
  const address = parseAddress("ws://127.0.0.1:1/path?token=SECRET");
  assert.equal(shownAddress(address), "ws://127.0.0.1:1/path?…");
  assert.equal(shownAddress(parseAddress("tcp:localhost:1")), "tcp:localhost:1");
});

test("errors about an address do not show its query either", () => {
  for (const text of [
    "ws://a:1/katz?key=hunter2#here",
    "ws://a:x/?hunter2",
    "http://a/?k=hunter2",
  ]) {
    assert.throws(
      () => parseAddress(text),
      (error: Error) => !error.message.includes("hunter2") && /"/.test(error.message),
    );
  }
});
