/** A whole program: a network, a client, a message to the echo service, and back. */
// #region echo
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/daemon";

// With a real kpclientd there is no DevDaemon: ThinClient.connect("thinclient.toml").
await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());

const echo = client.getService("echo");
const reply = await client.blockingSendMessage("hello mixnet", ...echo.toDestination());
// Replies have the packet's length: the answer first, then zeros.
console.log(utf8ToText(reply.subarray(0, 12)));
// #endregion

if (utf8ToText(reply.subarray(0, 12)) !== "hello mixnet") throw new Error("the echo differs");
