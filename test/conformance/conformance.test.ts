import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../src/bytes/bytes.js";
import {
  CONFORMANCE_AREAS,
  type ConformanceArea,
  type ConformanceReport,
  checkConformance,
  formatConformance,
  startTestNetwork,
} from "../../src/testing/index.js";
import type { DaemonResponse } from "../../src/wire/responses.js";
import { type Tampering, tampered } from "./tampered-daemon.js";

const LIMITS = { timeoutMs: 30_000, networkTimeoutMs: 60_000 };
/** For daemons that leave something unanswered, which costs as long. */
const SHORT = { timeoutMs: 500, networkTimeoutMs: 3000 };

const named = (report: ConformanceReport, verdict: string): string[] =>
  report.results.filter((result) => result.verdict === verdict).map(({ name }) => name);

test("our daemon passes every case except vouchers, and with kindSessions it never differs", async () => {
  await using network = await startTestNetwork({ kindSessions: true });
  const areas = CONFORMANCE_AREAS.filter((area) => area !== "vouchers");
  const heard: string[] = [];
  const report = await checkConformance(network.dial, {
    ...LIMITS,
    areas,
    onResult: ({ name }) => void heard.push(name),
  });
  assert.deepEqual(named(report, "fail"), []);
  assert.ok(report.conforms && report.passed === 64 && report.differed === 0);
  assert.deepEqual(
    heard,
    report.results.map(({ name }) => name),
  );
  assert.match(formatConformance(report), /\n\n64 pass, 0 fail, 0 differ \(allowed\)\n$/);
  const { load } = network.daemon.daemon;
  assert.equal(load.operations, 0, "nothing is left behind");
});

test("without kind options our daemon also passes, and differs where the reference does", async () => {
  await using network = await startTestNetwork({ kindCouriers: false, kindCancels: false });
  const report = await checkConformance(network.dial, {
    ...LIMITS,
    // One answer never comes.
    timeoutMs: 2000,
    areas: ["sessions", "operations", "storage", "copying", "messages"],
  });
  assert.deepEqual(named(report, "fail"), []);
  assert.deepEqual(named(report, "differs (allowed)"), [
    "the answer to a read that arrives while the client is away is kept",
  ]);
  assert.equal(network.daemon.daemon.load.operations, 0, "nothing is left behind");
});

test("our daemon passes the voucher cases", async () => {
  await using network = await startTestNetwork({ seed: "vouchers" });
  const report = await checkConformance(network.dial, { ...LIMITS, areas: ["vouchers"] });
  assert.deepEqual([report.passed, report.failed, report.differed], [2, 0, 0]);
});

/** A wrong daemon, the areas that are tested on it, and the cases that must fail. */
interface Defect {
  /** Whether it leaves requests unanswered; the test waits less long for each then. */
  readonly isSilent?: true;
  readonly areas: readonly ConformanceArea[];
  readonly make: () => Tampering;
  readonly fails: readonly string[];
}

const only =
  <K extends DaemonResponse["kind"]>(
    kind: K,
    change: (response: DaemonResponse<K>) => readonly DaemonResponse[],
  ) =>
  (): Tampering => ({
    toClient: (response) =>
      response.kind === kind ? change(response as DaemonResponse<K>) : [response],
  });

const DEFECTS: Readonly<Record<string, Defect>> = {
  "sends the document before the status": {
    areas: ["handshake"],
    make: () => {
      let status: DaemonResponse | null = null;
      return {
        toClient(response) {
          if (response.kind === "connectionStatusEvent" && status === null) {
            status = response;
            return [];
          }
          return response.kind === "newPkiDocumentEvent" ? [response, status!] : [response];
        },
      };
    },
    fails: ["*"],
  },
  "resumes unknown tokens": {
    isSilent: true,
    areas: ["handshake", "sessions"],
    make: only("sessionTokenReply", (reply) => [{ ...reply, resumed: true }]),
    fails: [
      "a session token is answered with a new application ID, and before anything else",
      "a session that was ended by thin_close is not resumed",
    ],
  },
  "never resumes a session": {
    areas: ["sessions"],
    make: only("sessionTokenReply", (reply) => [{ ...reply, resumed: false }]),
    fails: [
      "a session whose connection was dropped is resumed",
      "the newer of two connections with one token is served, also after the older one ends",
      "the answer to a read that arrives while the client is away is kept",
    ],
  },
  "answers twice": {
    areas: ["keys"],
    make: only("nextMessageBoxIndexReply", (reply) => [reply, reply]),
    fails: [
      "each index has exactly one next index, whose counter is higher by one",
      "a missing index is refused with 3",
      "an index of 1 byte is refused",
    ],
  },
  "accepts every seed": {
    areas: ["keys"],
    make: only("newKeypairReply", (reply) => [{ ...reply, errorCode: 0 }]),
    fails: ["a seed of 31 bytes or none is refused with 3"],
  },
  "counts by two": {
    areas: ["keys"],
    make: only("getMessageBoxIndexCounterReply", (reply) => [
      { ...reply, counter: reply.counter * 2n },
    ]),
    fails: ["each index has exactly one next index, whose counter is higher by one"],
  },
  "makes envelopes one byte too long": {
    areas: ["envelopes"],
    make: only("encryptWriteReply", (reply) => [
      {
        ...reply,
        messageCiphertext: reply.messageCiphertext
          ? (Uint8Array.of(...reply.messageCiphertext, 0) as Bytes)
          : null,
      },
    ]),
    fails: ["all envelopes for writes have the same length, including those for tombstones"],
  },
  "does not hang up on garbage": {
    isSilent: true,
    areas: ["frames"],
    make: () => ({ toDaemon: (request) => (request === null ? "swallow" : "pass") }),
    fails: [
      "garbage makes the daemon disconnect",
      "an array makes the daemon disconnect",
      "text in place of bytes makes the daemon disconnect",
      "bytes after the message make the daemon disconnect",
      "an empty frame makes the daemon disconnect",
      "a frame longer than 40 MiB makes the daemon disconnect",
      "one client's garbage does not affect another client",
    ],
  },
  "does not answer a cancelled start": {
    isSilent: true,
    areas: ["operations"],
    make: only("startResendingEncryptedMessageReply", (reply) =>
      reply.errorCode === 24 ? [] : [reply],
    ),
    fails: [
      "a waiting read is cancelled: its start is answered first, with 24",
      "another client's cancel has no effect",
    ],
  },
  "forgets which courier answered": {
    areas: ["storage"],
    make: only("startResendingEncryptedMessageReply", (reply) => [
      { ...reply, courierIdentityHash: null },
    ]),
    fails: [
      "a written box can be read, and both answers name the courier",
      "an empty box is reported with 1 on request",
    ],
  },
  "reports tombstones as empty boxes": {
    areas: ["storage"],
    make: only("startResendingEncryptedMessageReply", (reply) => [
      { ...reply, errorCode: reply.errorCode === 11 ? 1 : reply.errorCode },
    ]),
    fails: ["a tombstone deletes a box, which is then read as 11 and cannot be written again"],
  },
  "reports every copy as a success": {
    areas: ["copying"],
    make: only("startResendingCopyCommandReply", (reply) => [{ ...reply, errorCode: 0 }]),
    fails: ["a copy onto a taken box fails with 26, and reports 10 and the position"],
  },
  "does not pad replies": {
    areas: ["messages"],
    make: only("messageReplyEvent", (event) => [
      { ...event, payload: event.payload!.slice(0, 5) as Bytes },
    ]),
    fails: [
      "an echo comes back: first the sent event, then the reply, padded with zeros",
      "a message of the maximum length comes back complete",
    ],
  },
  "hides that a message was not sent": {
    areas: ["messages"],
    make: only("messageSentEvent", (event) => [{ ...event, err: null }]),
    fails: [
      "a message that is too long is reported as not sent",
      "a message to an unknown node is reported as not sent",
      "a message to a queue of 33 bytes is reported as not sent",
    ],
  },
  "lists no authorities": {
    areas: ["documents"],
    make: only("getDirectoryAuthoritiesReply", (reply) => [{ ...reply, authorities: [] }]),
    fails: ["the raw document is signed by the authorities that the daemon lists"],
  },
};

for (const [what, { areas, make, fails, isSilent = false }] of Object.entries(DEFECTS)) {
  test(`a daemon that ${what} fails exactly the cases that concern it`, async () => {
    await using network = await startTestNetwork();
    const dial = tampered(network.dial, make);
    const report = await checkConformance(dial, { ...(isSilent ? SHORT : LIMITS), areas });
    assert.equal(report.conforms, false);
    const failed = named(report, "fail");
    if (fails[0] === "*") assert.equal(failed.length, report.results.length);
    else assert.deepEqual(failed, fails);
  });
}

test("known differences of the reference daemon are allowed and reported", async () => {
  await using network = await startTestNetwork();
  const dial = tampered(network.dial, () => {
    let told = 0;
    let lost = false;
    let wrongLength = false;
    let status: DaemonResponse | null = null;
    return {
      toClient(response) {
        told++;
        // Recorded: the reference hangs up on capabilities and indices of a wrong length.
        const kinds = ["nextMessageBoxIndexReply", "encryptReadReply", "encryptWriteReply"];
        if (wrongLength && kinds.includes(response.kind)) return "hang up";
        // Recorded: `get_pki_document_reply` with code 10 has a null payload.
        if (response.kind === "getPkiDocumentReply" && response.errorCode === 10) {
          return [{ ...response, payload: null }];
        }
        if (response.kind === "startResendingEncryptedMessageReply") {
          // Recorded: a start with a garbage descriptor is never answered.
          if (response.errorCode === 22) return [];
          // Recorded: an answer that arrived while the client was away is lost.
          if (lost) return [];
        }
        // spec/thin-protocol §3.1: a broadcast may come before the token's answer.
        if (response.kind === "sessionTokenReply") {
          lost = response.resumed && told === 3;
          return [status!, response];
        }
        if (response.kind === "connectionStatusEvent") status = response;
        return [response];
      },
      toDaemon(request) {
        wrongLength = hasWrongLength(request);
        if (request?.kind === "startResendingEncryptedMessage") lost = false;
        return "pass";
      },
    };
  });
  const report = await checkConformance(dial, {
    ...SHORT,
    areas: ["handshake", "sessions", "keys", "envelopes", "operations", "documents"],
  });
  assert.deepEqual(named(report, "fail"), []);
  assert.ok(report.conforms);
  assert.deepEqual(named(report, "differs (allowed)"), [
    "a session token is answered with a new application ID, and before anything else",
    "the answer to a read that arrives while the client is away is kept",
    "an index of 1 byte is refused",
    "a read capability of 3 bytes is refused",
    "a read capability in place of a write capability is refused",
    "a start with an invalid descriptor is answered with an error",
    "a document of an old epoch is refused with 10, and has no bytes",
  ]);
  for (const { verdict, reason } of report.results) assert.equal(reason === "", verdict === "pass");
  assert.match(formatConformance(report), /differs \(allowed\) {2}keys: an index of 1 byte/);
});

function hasWrongLength(request: Parameters<NonNullable<Tampering["toDaemon"]>>[0]): boolean {
  if (request === null) return false;
  const lengths = { readCap: 136, writeCap: 168, messageBoxIndex: 104 } as const;
  return Object.entries(lengths).some(([name, length]) => {
    const value = (request as Record<string, unknown>)[name];
    return value instanceof Uint8Array && value.length !== length;
  });
}

test("an unknown area is refused, and a missing daemon is reported", async () => {
  const areas = ["weather" as ConformanceArea];
  await assert.rejects(
    checkConformance(() => Promise.reject(new Error("unused")), { areas }),
    /must be of handshake, .*got "weather"/,
  );
  const nobody = (): Promise<never> => Promise.reject(new Error("nobody is there"));
  await assert.rejects(checkConformance(nobody), /nobody is there/);
});

test("a run ends with its signal", async () => {
  await using network = await startTestNetwork();
  const controller = new AbortController();
  const run = checkConformance(network.dial, {
    ...LIMITS,
    signal: controller.signal,
    onResult: () => controller.abort(new Error("enough")),
  });
  await assert.rejects(run, /enough/);
});
