/** A daemon that says what a test tells it to, for what a correct one never shows. */
import assert from "node:assert/strict";
import { ThinClient } from "katzenpost-thinclient";
import { ScriptedDaemon } from "katzenpost-thinclient/testing";

const config = { dial: { unix: { address: "@not-dialled" } } };

// #region script
const daemon = new ScriptedDaemon();
const client = new ThinClient(config, { dial: daemon.dial });
const started = client.start();
const connection = await daemon.shakeHands();
await started;

const keypair = client.newKeypair(new Uint8Array(32)); // the call under test
const request = await connection.expect("newKeypair"); // what the client asked
connection.sendRaw(new Uint8Array([0, 0, 0, 0])); // and an answer that no daemon gives
// #endregion
keypair.catch(() => {}); // asked again after the reconnect, until the client is closed
assert.equal(request.seed?.length, 32);
await client.stop();
await assert.rejects(keypair, { code: "ERR_CLOSED" });
