/** Checks a daemon against the protocol, over raw frames. */
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
const config = daemon.config();

// #region conformance
import { checkConformance, formatConformance } from "katzenpost-thinclient/testing";

const report = await checkConformance((options) => config.dial.dial(options), {
  areas: ["handshake", "frames", "sessions", "keys", "envelopes"], // without this option: all areas
});
console.log(formatConformance(report));
// #endregion

if (!report.conforms || report.passed < 30) throw new Error("the daemon does not conform");
