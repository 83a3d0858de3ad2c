/** Real processes that receive kill -9 at random moments in the middle of traffic. */
import { describe, it } from "node:test";
import { killClients, killDaemon } from "./crashes-run.js";

describe("kill -9", () => {
  it("of the daemon, 50 times in the middle of traffic, loses nothing", (t) => killDaemon(50, t));

  it("of a client, 10 times during sends, does not affect the daemon's other clients", (t) =>
    killClients(10, t));
});
