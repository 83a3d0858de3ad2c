import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equalBytes } from "../../src/bytes/bytes.js";
import { hash256 } from "../../src/bytes/hash.js";
import { makeReadMessage } from "../../src/crypto/envelope/box-messages.js";
import { mkemDecapsulate, mkemEncapsulate } from "../../src/crypto/mkem/mkem.js";
import type { NikeScheme } from "../../src/crypto/nike/scheme.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { keepSecrets, reuseKeys } from "../../src/network/kept-secrets.js";
import { StorageFixture, stream } from "./storage-fixture.js";

/** X25519 that counts its computations. */
class CountedScheme {
  pairs = 0;
  secrets = 0;
  readonly scheme: NikeScheme = {
    ...x25519Nike,
    generate: (random) => {
      this.pairs++;
      return x25519Nike.generate(random);
    },
    sharedSecret: (privateKey, publicKey) => {
      this.secrets++;
      return x25519Nike.sharedSecret(privateKey, publicKey);
    },
  };
}

describe("a scheme that keeps secrets", () => {
  test("computes each one once, and returns the same as the bare scheme", async () => {
    const counted = new CountedScheme();
    const kept = keepSecrets(counted.scheme);
    const [own, one, two] = [1, 2, 3].map(() => x25519Nike.generate());
    for (const { publicKey } of [one!, two!, one!, two!]) {
      const secret = await kept.hashedSecret!(own!.privateKey, publicKey);
      assert.deepEqual(secret, hash256(x25519Nike.sharedSecret(own!.privateKey, publicKey)));
    }
    assert.equal(counted.secrets, 2);
  });

  test("distinguishes private keys", async () => {
    const kept = keepSecrets(x25519Nike);
    const [one, two, other] = [1, 2, 3].map(() => x25519Nike.generate());
    const first = await kept.hashedSecret!(one!.privateKey, other!.publicKey);
    const second = await kept.hashedSecret!(two!.privateKey, other!.publicKey);
    assert.ok(!equalBytes(first, second));
  });

  test("refuses a low-order point each time", async () => {
    const kept = keepSecrets(x25519Nike);
    const { privateKey } = x25519Nike.generate();
    for (let i = 0; i < 2; i++) {
      await assert.rejects(async () => kept.hashedSecret!(privateKey, new Uint8Array(32)), {
        name: "RangeError",
      });
    }
  });
});

describe("a scheme that reuses its keys", () => {
  test("seals many messages with one pair, and every recipient can open its own", async () => {
    const counted = new CountedScheme();
    const sender = reuseKeys(counted.scheme);
    const recipients = [1, 2].map(() => x25519Nike.generate());
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const recipient = recipients[i % 2]!;
      const message = Uint8Array.of(i);
      const sealed = await mkemEncapsulate(sender, [recipient.publicKey], message);
      seen.add(String(sealed.envelope));
      const opened = await mkemDecapsulate(x25519Nike, recipient.privateKey, sealed);
      assert.deepEqual(opened.payload, message);
    }
    assert.equal(seen.size, 20);
    assert.deepEqual([counted.pairs, counted.secrets], [1, 2]);
  });

  test("creates another pair after 1,024 messages", async () => {
    const sender = reuseKeys(x25519Nike);
    const pairs = new Set<string>();
    for (let i = 0; i < 1025; i++) pairs.add(String((await sender.generate()).publicKey));
    assert.equal(pairs.size, 2);
  });

  test("does not keep a pair that could not be created", async () => {
    let tries = 0;
    const failing: NikeScheme = {
      ...x25519Nike,
      generate: async () => {
        if (++tries === 1) throw new Error("no worker");
        return x25519Nike.generate();
      },
    };
    const sender = reuseKeys(failing);
    await assert.rejects(async () => sender.generate(), /no worker/);
    await sender.generate();
    await sender.generate();
    assert.equal(tries, 2);
  });
});

test("a missing box costs a network two key exchanges per question, however often the courier asks", async () => {
  const counted = new CountedScheme();
  const fixture = await StorageFixture.start({ scheme: counted.scheme });
  const { readCap, firstMessageIndex } = stream(1);
  const read = makeReadMessage(readCap, firstMessageIndex);
  const ask = async (polls: number): Promise<void> => {
    const envelope = await fixture.envelope(read);
    for (let i = 0; i <= polls; i++) {
      await fixture.send(envelope);
      await fixture.settle();
    }
  };
  // Every replica that passes messages on learns the keys of both shards.
  for (let i = 0; i < 10; i++) await ask(5);
  counted.pairs = 0;
  counted.secrets = 0;
  await ask(5);
  assert.deepEqual([counted.pairs, counted.secrets], [0, 2]);
  await fixture.network.close();
});
