/** The first ten lines of a client: a message to the echo service, and back. */
import { DevDaemon } from "katzenpost-thinclient/daemon";

// With a real kpclientd: ThinClient.connect("thinclient.toml").
await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const config = daemon.config();

// #region echo
import { ThinClient, utf8ToText } from "katzenpost-thinclient";

await using client = await ThinClient.connect(config); // or the path of a thinclient.toml
const echo = client.getService("echo");
const reply = await client.blockingSendMessage("hello mixnet", ...echo.toDestination());
// Replies have the packet's length: the answer first, then zeros.
console.log(utf8ToText(reply.subarray(0, 12)));
// #endregion

if (utf8ToText(reply.subarray(0, 12)) !== "hello mixnet") throw new Error("the echo differs");
