/** A daemon that does only what a test tells it to, for behaviour that a correct one never shows. */
import assert from "node:assert/strict";
import { ThinClient } from "katzenpost-thinclient";
import { ScriptedDaemon } from "katzenpost-thinclient/testing";

// #region script
const config = { dial: { unix: { address: "@not-dialled" } } }; // not dialled: see `dial` below
const daemon = new ScriptedDaemon();
const client = new ThinClient(config, { dial: daemon.dial });
const started = client.start();
const connection = await daemon.shakeHands();
await started;

const keypair = client.newKeypair(new Uint8Array(32)); // the call under test
const request = await connection.expect("newKeypair"); // what the client asked
connection.sendRaw(new Uint8Array([0, 0, 0, 0])); // and an answer that no daemon gives

// The client closes the connection to such a daemon, reconnects, and repeats the request until it is
// stopped.
const ended = assert.rejects(keypair, { code: "ERR_CLOSED" });
assert.equal(request.seed?.length, 32);
await client.stop();
await ended;
// #endregion
console.log("the client asked, did not believe the answer, and stopped");
