/** A page that needs no server: its client talks to the network in a worker. */
import { ThinClient, utf8ToText } from "katzenpost-thinclient";
import { dialPort } from "katzenpost-thinclient/workers";

const log = document.querySelector("#log")!; // these three are in the page's HTML
const form = document.querySelector("form")!;
const input = document.querySelector("input")!;

// #region connect
const worker = new SharedWorker(new URL("./network-worker.js", import.meta.url), {
  type: "module",
});
const client = await ThinClient.connect(
  "ws://in-this-page:1", // only error messages show it: `dial` connects
  { dial: ({ signal }) => dialPort(worker.port, { signal }) },
);
// #endregion

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void echo(input.value);
});

async function echo(text: string): Promise<void> {
  const service = client.getService("echo");
  const reply = await client.blockingSendMessage(text, ...service.toDestination());
  log.textContent += `${utf8ToText(reply).replace(/\0+$/, "")}\n`;
}
log.textContent += "connected\n";
