/** The chapter on deliberate differences. */

/** What is different on purpose, and why. */
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
    why: "Whoever awaits them knows that thin_close has left and the socket is closed.",
  },
  {
    there: "`Config(path)` reads a file in its constructor",
    here: "`await Config.load(path)`",
    why: "Reading is asynchronous, and a browser has no files: `new Config({ dial })` needs none.",
  },
  {
    there: "events are maps with keys of the wire",
    here: "typed records, told apart by `type`; also by `client.on` and `client.events`",
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
    why: "Nobody has to write `!` for the rest of the program.",
  },
  {
    there: "`a == b` compares bytes",
    here: "`equalBytes(a, b)`",
    why: "`===` compares two Uint8Arrays by identity: it is false for equal bytes.",
  },
  {
    there: "a write that fails in `send_message` is logged",
    here: "the call rejects",
    why: "A message that was not sent must not look sent.",
  },
  {
    there: "calls wait for ever",
    here:
      "60 s for calls without network and key exchange, 30 s for `blockingSendMessage`, none for " +
      "network calls; `{ signal, timeoutMs }` everywhere",
    why: "A program that hangs is worse than one that fails.",
  },
  {
    there: "operations are taken up again only when the daemon is another one",
    here: "after every reconnect: cancelled, then started with new query IDs",
    why:
      "A daemon discards answers that come while nobody is connected, and may have forgotten the " +
      "session; couriers recognise what they had already.",
  },
  {
    there: "a cancel is not sent while the mixnet is not reached",
    here: "the daemon is told at once, or with the next connection",
    why: "It would go on sending, and who waits would wait for ever.",
  },
  {
    there: "a broken handshake ends in an assertion, or kills the client",
    here: "`ProtocolError` from `start()`; on a reconnect the client tries again",
    why: "A daemon that restarts may say anything once.",
  },
  {
    there: "`recv` competes with the worker for frames",
    here: "it gives the next frame, which is dispatched as well",
    why: "No frame may be lost to a caller that looks.",
  },
  {
    there: "codes 3 and 4 of `start_resending_encrypted_message` are always a replica's",
    here: "the daemon's own, where the reply names no courier",
    why: "`InvalidSignatureError` for a request that never left the daemon would mislead.",
  },
  {
    there: "copy replies are read with the table of reads and writes",
    here: "with their own",
    why: "3 is a wrong request there, not a wrong signature.",
  },
  {
    there: "`tombstone_range` loses what was made when it fails",
    here: "`TombstoneRangeError.partial` has it",
    why: "On a real daemon each tombstone costs seconds.",
  },
  {
    there: "a builder's last call with nothing in it makes no element, and says nothing",
    here: "`RangeError` before anything is sent",
    why: "No element would be the last, and a courier reads on where the stream has no end.",
  },
  {
    there: "lengths of capabilities and IDs are not checked",
    here: "`RangeError` before anything is sent",
    why: "A daemon hangs up on a wrong length, and takes all other calls with it.",
  },
  {
    there: "`pretty_print_pki_doc` changes its argument and prints nothing",
    here: "it returns the text and changes nothing",
    why: "What its name says.",
  },
  {
    there: "built-in exceptions: `asyncio.TimeoutError`, `BrokenPipeError`, `ValueError`",
    here:
      "`RequestTimeoutError`, `ConnectionLostError`; `TypeError` and `RangeError` for arguments, " +
      "`ProtocolError` for frames",
    why: "One `code` to branch on, and wrong arguments are bugs, not outcomes.",
  },
];
