/** The chapter on deliberate differences. */

/** The deliberate differences, with reasons. */
export const DEVIATIONS: readonly {
  readonly there: string;
  readonly here: string;
  readonly why: string;
}[] = [
  {
    there: "`start(loop)`, `recv(loop)`, `worker_loop(loop)`",
    here: "no loop argument",
    why: "JavaScript has one event loop.",
  },
  {
    there: "`stop()` and `disconnect()` return at once",
    here: "they return promises",
    why: "When the promise resolves, thin_close has left and the socket is closed.",
  },
  {
    there: "`Config(path)` reads a file in its constructor",
    here: "`await Config.load(path)`",
    why:
      "Reading is asynchronous, and a browser does not have files: use `new Config({ dial })` " +
      "there.",
  },
  {
    there: "events are maps with the wire's keys",
    here: "typed records, distinguished by `type`; also through `client.on` and `client.events`",
    why: "The compiler knows their fields; several parts of a program can listen.",
  },
  {
    there: "seconds, and nanoseconds in `reply_eta`",
    here: "milliseconds everywhere, in names that end in `Ms`; `sentAt` is a `Date`",
    why: "One unit, the platform's.",
  },
  {
    there: "`geometry` is None before the handshake",
    here: "`client.geometry` throws `InvalidStateError` then",
    why: "Programs do not need `!` after every access.",
  },
  {
    there: "`a == b` compares bytes",
    here: "`equalBytes(a, b)`",
    why: "`===` compares two Uint8Arrays by identity: it is false for equal bytes.",
  },
  {
    there: "a write that fails in `send_message` is logged",
    here: "the call rejects",
    why: "The caller must learn that the message was not sent.",
  },
  {
    there: "calls wait forever",
    here:
      "60 s for calls without network and key exchange, 30 s for `blockingSendMessage`, none for " +
      "network calls; `{ signal, timeoutMs }` everywhere",
    why: "A failure is easier to handle than a hang.",
  },
  {
    there: "operations restart only if the daemon is a new instance",
    here: "after every reconnect: cancelled, then started with new query IDs",
    why:
      "A daemon discards answers that arrive without a connected client, and may have forgotten " +
      "the session; couriers recognise envelopes they already have.",
  },
  {
    there: "a cancel is not sent while the mixnet is unreachable",
    here: "the client tells the daemon at once, or after the next reconnect",
    why: "Otherwise the daemon would keep sending, and the caller would wait forever.",
  },
  {
    there: "a broken handshake ends in an assertion, or kills the client",
    here: "`ProtocolError` from `start()`; on a reconnect the client tries again",
    why: "A daemon may send an invalid frame while it restarts.",
  },
  {
    there: "`recv` competes with the worker for frames",
    here: "it returns the next frame, which the client also dispatches",
    why: "Calling `recv` must not take frames from the client.",
  },
  {
    there: "codes 3 and 4 of `start_resending_encrypted_message` are always a replica's",
    here: "they are the daemon's own codes if the reply does not name a courier",
    why: "`InvalidSignatureError` would be misleading for a request that never left the daemon.",
  },
  {
    there:
      "a read may be started without its `message_box_index`, and fails at the end with code 4",
    here: "`TypeError` before anything is sent",
    why: "The daemon cannot decrypt the box without the index.",
  },
  {
    there: "copy replies use the code table of reads and writes",
    here: "they use their own table",
    why: "In a copy reply, 3 means an invalid request, not an invalid signature.",
  },
  {
    there: "if `tombstone_range` fails, it loses the envelopes made so far",
    here: "`TombstoneRangeError.partial` contains them",
    why: "On a real daemon each tombstone costs seconds.",
  },
  {
    there: "a builder's last call without content creates no element and does not report it",
    here: "`RangeError` before anything is sent",
    why: "The stream would have no last element, and a courier would keep reading past its end.",
  },
  {
    there: "lengths of capabilities, IDs, payloads and plaintexts are not checked",
    here: "`RangeError` before anything is sent",
    why: "A daemon closes the connection on some wrong lengths, which interrupts all other calls.",
  },
  {
    there: "unknown keyword arguments are errors; unknown keys of a destination are not",
    here: "an unknown option or field is always a `TypeError`",
    why: "A misspelt option would have no effect, and nobody would notice.",
  },
  {
    there: "`None` stands for an argument that is not needed",
    here: "`null` or `undefined`",
    why: "Both mean the same, so code can be ported argument by argument.",
  },
  {
    there: "a second start of an envelope that is still being sent begins at once",
    here: "it begins when the first one has been answered",
    why: "A cancel of the first would otherwise end the second, because both have the same hash.",
  },
  {
    there: "calls that wait hang when the client stops",
    here: "they reject with `ClientClosedError`",
    why: "A program must be able to end.",
  },
  {
    there: "requests made while the connection to the daemon is down fail or hang",
    here: "they wait for it, until their deadline; with `reconnect: false` they reject",
    why: "A daemon that restarts is back within seconds.",
  },
  {
    there: "the client learns of a new document when the daemon announces it",
    here: "it also asks for the document when an epoch ends",
    why: "A real daemon announces it after about 0.7 of the epoch.",
  },
  {
    there: "`pretty_print_pki_doc` changes its argument and prints nothing",
    here: "it returns the text and changes nothing",
    why: "The name suggests that it returns text.",
  },
  {
    there:
      "built-in exceptions: `asyncio.TimeoutError`, `BrokenPipeError`, `ValueError`, `Exception`",
    here:
      "`RequestTimeoutError`, `ConnectionLostError`; `TypeError` and `RangeError` for arguments, " +
      "`ProtocolError` for frames, `DaemonRequestError` for what a daemon refuses",
    why: "One `code` to branch on, and wrong arguments are bugs, not outcomes.",
  },
];
