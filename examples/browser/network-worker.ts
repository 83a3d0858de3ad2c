/** A whole embedded network with a daemon, in a worker that all tabs share. */
// #region worker
import { EmbeddedDaemon } from "katzenpost-thinclient/network";
import { listenForPorts } from "katzenpost-thinclient/workers";

const listener = listenForPorts(self); // first, because the page may already connect
const embedded = await EmbeddedDaemon.start({ store: "katzenpost" }); // boxes survive a reload
embedded.daemon.listen(listener);
// #endregion
