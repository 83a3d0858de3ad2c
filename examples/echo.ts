/** The first program: a message to a service, and its reply. Plain JavaScript, too. */
// #region echo
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

// With a real kpclientd, use ThinClient.connect("thinclient.toml") and no DevDaemon.
const daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const client = await ThinClient.connect(daemon.config());
try {
  const echo = client.getService("echo");
  const reply = await client.blockingSendMessage("hello mixnet", ...echo.toDestination());
  // Replies have the packet's length: the answer first, then zeros.
  console.log(utf8ToText(reply.subarray(0, 12)));
} finally {
  await client.stop();
  await daemon.close();
}
// #endregion
