/**
 * The embedded authorities' ports, queried over real sockets as by a client of a real authority.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../src/bytes/bytes.js";
import { realClock } from "../../src/clock/real.js";
import { DevDaemon } from "../../src/testing/dev-daemon.js";
import { CommandCodec, type WireCommand } from "../../src/gateway/commands.js";
import { shakeHandsAsClient } from "../../src/gateway/shake-hands.js";
import { WireLink } from "../../src/gateway/wire-link.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { decodePublicKeyPem } from "../../src/pki/pem.js";
import { verifyPkiDocument } from "../../src/pki/verify.js";
import { DialConfig } from "../../src/transport/dial-config.js";
import { parseAddress } from "../../src/transport/address.js";
import type { AuthorityIdentity } from "../../src/network/authority/authority.js";

/** Sends one request to an authority; returns its answer, or null if it hangs up instead. */
async function ask(
  authority: AuthorityIdentity,
  request: WireCommand,
  additionalData: Uint8Array = new Uint8Array(0),
): Promise<WireCommand | null> {
  const address = parseAddress(authority.addresses[0]!.replace("tcp://", "tcp:"));
  const transport = await DialConfig.fromAddress(address).dial({});
  const link = new WireLink(transport, realClock);
  const keyOf = (pem: string): Bytes => decodePublicKeyPem(pem).publicKey;
  const { keys } = await shakeHandsAsClient(link, {
    kem: x25519Kem,
    server: {
      name: authority.identifier,
      identityKey: keyOf(authority.identityPublicKeyPem),
      linkKey: keyOf(authority.linkPublicKeyPem),
    },
    additionalData,
    clock: realClock,
  });
  const said: WireCommand[] = [];
  link.beginCommands({
    codec: new CommandCodec(null),
    sealKey: keys.initiatorToResponder,
    openKey: keys.responderToInitiator,
    longestCommand: 1_000_000,
    readTimeoutMs: 10_000,
    writeTimeoutMs: 10_000,
    onCommand: (command) => void said.push(command),
  });
  await link.send(request).catch(() => {});
  // The authority ends each connection after one request.
  await link.ended;
  assert.ok(said.length === 0 || said[0]!.type === "NoOp", "the handshake ends with a NoOp");
  return said[1] ?? null;
}

test("each embedded authority serves the signed document of an epoch, and has a code for a missing one", async () => {
  await using daemon = await DevDaemon.start({ authorityPort: 0 });
  const { authorities, currentEpoch } = daemon.network;
  for (const authority of authorities) {
    const answer = await ask(authority, { type: "GetConsensus", epoch: BigInt(currentEpoch) });
    assert.ok(answer?.type === "Consensus" && answer.errorCode === 0);
    assert.equal(verifyPkiDocument(answer.payload, authorities).document.epoch, currentEpoch);
  }
  for (const [epoch, errorCode] of [
    [BigInt(currentEpoch + 5), 1],
    [1n, 2],
  ] as const) {
    const answer = await ask(authorities[0]!, { type: "GetConsensus", epoch });
    assert.ok(answer?.type === "Consensus");
    assert.deepEqual([answer.errorCode, answer.payload.length], [errorCode, 0]);
  }
});

test("an authority closes connections of nodes, of other requests and of other protocols", async () => {
  await using daemon = await DevDaemon.start({ authorityPort: 0 });
  const authority = daemon.network.authorities[0]!;
  const request = { type: "GetConsensus", epoch: 1n } as const;
  assert.equal(await ask(authority, request, new Uint8Array(32)), null);
  assert.equal(await ask(authority, { type: "GetConsensus2", epoch: 1n }), null);
  const address = parseAddress(authority.addresses[0]!.replace("tcp://", "tcp:"));
  const transport = await DialConfig.fromAddress(address).dial({});
  const closed = new Promise((resolve) => transport.open({ onData() {}, onClose: resolve }));
  transport.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await closed;
});

test("no authority listens without a port, and an invalid port is refused", async () => {
  await using daemon = await DevDaemon.start();
  assert.equal(daemon.network.authorities[0]!.addresses[0], "tcp://127.0.0.1:30001");
  for (const authorityPort of [-1, 1.5, 65_534, "0" as never]) {
    await assert.rejects(DevDaemon.start({ authorityPort }), /`options.authorityPort` must be/);
  }
});
