/** Unreadable files, tested from inside: the errors, and the open files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs, { closeSync, fstatSync, openSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { UsageError } from "../../src/cli/failure.js";
import { daemonPlaces } from "../../src/cli/find-daemon.js";
import { chunksOf } from "../../src/cli/input-file.js";
import { temporaryFolder } from "./katz.js";

const folder = temporaryFolder();
const pipe = join(folder, "pipe");
const file = join(folder, "file");
execFileSync("mkfifo", ["-m", "600", pipe]);
writeFileSync(file, "bytes");
// Opened for writing too, so that opening does not wait for another process.
const handed = openSync(pipe, "r+");
after(() => closeSync(handed));
const path = `/dev/fd/${handed}`;
const { signal } = new AbortController();

test("a pipe that fails while it is read counts as an unreadable file", async (t) => {
  const cause = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
  // None of our pipes fails by itself, so the system's read is replaced by a double.
  t.mock.method(Socket.prototype, "_read", function (this: Socket) {
    this.destroy(cause);
  });
  const message = `cannot read ${path}: EIO: i/o error, read`;
  await assert.rejects(chunksOf(path, signal).next(), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.deepEqual([error.message, error.cause], [message, cause]);
    return true;
  });
});

test("the reason of a signal is thrown unchanged", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const next = chunksOf(path, controller.signal).next();
  setImmediate(() => controller.abort(reason));
  await assert.rejects(next, reason);
});

test("a file that was opened as a pipe and is not one is closed again", async (t) => {
  const fd = openSync(file, "r");
  // A path may change between the check and the open: this double simulates it.
  t.mock.method(fs, "openSync", () => fd);
  syncBuiltinESMExports();
  try {
    await assert.rejects(chunksOf(path, signal).next(), UsageError);
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.throws(() => fstatSync(fd), { code: "EBADF" });
});

test("an error about a configuration that is not a file says who named it, and keeps the first error", async () => {
  await assert.rejects(daemonPlaces({ config: "/dev/null" }, signal), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, /^--config: cannot read \/dev\/null: it is a device/);
    assert.ok(error.cause instanceof UsageError);
    assert.equal(`--config: ${error.cause.message}`, error.message);
    return true;
  });
});
