/** Ending an operation by its name, from another part of the program or after a restart. */
import assert from "node:assert/strict";
import {
  EnvelopeHash,
  StartResendingCancelledError,
  ThinClient,
  randomBytes,
  utf8,
  writeCapHash,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());
const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));

// #region read
const envelope = await client.encryptRead(readCap, firstMessageIndex); // nobody has written it
const reading = client.startResendingEncryptedMessage(envelope);
const ended = reading.catch((error: unknown) => {
  if (!(error instanceof StartResendingCancelledError)) throw error;
  console.log("the read was cancelled");
});

// The hash of the envelope is the name of the operation.
await client.cancelResendingEncryptedMessage(envelope.envelopeHash);
await ended;
// #endregion
await assert.rejects(reading, StartResendingCancelledError);

// #region copy
const temporary = await client.newKeypair(randomBytes(32)); // never written: the copy must wait
const copying = client.startResendingCopyCommand(temporary.writeCap);
const copyEnded = copying.catch((error: unknown) => {
  if (!(error instanceof StartResendingCancelledError)) throw error;
  console.log("the copy was cancelled");
});

// The hash of the temporary stream's WriteCap is the name of the copy command.
await client.cancelResendingCopyCommand(writeCapHash(temporary.writeCap));
await copyEnded;
// #endregion
await assert.rejects(copying, StartResendingCancelledError);

// #region restart
// A program that was killed can end what it left at the daemon, if it saved the session token and
// the envelope's hash before it started the operation.
const { sessionToken } = client;
const sealed = await client.encryptWrite(utf8("hello"), writeCap, firstMessageIndex);
const saved = EnvelopeHash.toHex(sealed.envelopeHash);
const writing = client.startResendingEncryptedMessage(sealed);
writing.catch(() => {}); // rejects, because this client goes away
await client.disconnect(); // the daemon keeps the session, and goes on

await using restarted = await ThinClient.connect(daemon.config(), { sessionToken });
// Not an error if the operation has ended by itself.
await restarted.cancelResendingEncryptedMessage(EnvelopeHash.fromHex(saved));
// #endregion
await restarted.stop();
console.log("nothing is left at the daemon");
