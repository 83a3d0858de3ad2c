/** The connection to the daemon that all tabs of a page's origin share. */
// #region worker
import { DialConfig } from "katzenpost-thinclient";
import { listenForPorts, shareConnection } from "katzenpost-thinclient/workers";

const [address, token] = self.name.split(",") as [string, string]; // the page named the worker so
shareConnection(listenForPorts(self), new DialConfig({ ws: { address, token } }));
// #endregion
