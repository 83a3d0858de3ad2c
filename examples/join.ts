/** A daemon on a real network, in this process. It needs the network's client.toml. */
import { ThinClient } from "katzenpost-thinclient";
import { JoinedDaemon } from "katzenpost-thinclient/join";

const [, , file] = process.argv;
if (file === undefined) {
  console.log("usage: node join.mjs CLIENT.TOML");
} else {
  // #region join
  await using joined = await JoinedDaemon.start({ config: file });
  await using client = await ThinClient.connect(joined.config());
  await client.waitUntilOnline();
  const { link } = joined.describe();
  console.log(`connected to ${link.gateway}, epoch ${link.epoch}`);
  const echo = client.getService("echo");
  await client.blockingSendMessage("hello mixnet", ...echo.toDestination());
  // #endregion
}
