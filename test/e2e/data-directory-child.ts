/** A process that runs a daemon over a data directory until it is killed. */
import { DevDaemon } from "katzenpost-thinclient/testing";

const daemon = await DevDaemon.start({
  listen: "tcp:127.0.0.1:0",
  dataDirectory: process.argv[2]!,
});
process.stdout.write(`${daemon.addresses[0]!.slice("tcp:".length)}\n`);
await new Promise(() => setInterval(() => {}, 1000));
