/**
 * What runs in the page: a client over the WebSocket that all tabs share, and a form that sends a
 * message.
 */
import { DialConfig, ThinClient, isThinClientError, utf8ToText } from "katzenpost-thinclient";
import { dialShared } from "katzenpost-thinclient/workers";

// #region shared
async function connect(address: string, token: string): Promise<ThinClient> {
  const daemon = new DialConfig({ ws: { address, token } });
  const worker = (): SharedWorker =>
    new SharedWorker(new URL("./connection-worker.js", import.meta.url), {
      type: "module",
      name: `${address},${token}`, // tabs with the same name share the worker
    });
  return ThinClient.connect(
    { dial: daemon },
    { dial: ({ signal }) => dialShared(worker, daemon, { signal }) },
  );
}
// #endregion

// #region page
const log = document.querySelector("#log")!; // these three are in the page's HTML
const form = document.querySelector("form")!;
const input = document.querySelector("input")!;

function say(line: string): void {
  log.textContent += `${line}\n`;
}

async function run(address: string, token: string): Promise<void> {
  const client = await connect(address, token);
  say("connected");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void echo(client, input.value);
  });
}

async function echo(client: ThinClient, text: string): Promise<void> {
  try {
    const service = client.getService("echo");
    const reply = await client.blockingSendMessage(text, ...service.toDestination());
    say(utf8ToText(reply).replace(/\0+$/, ""));
  } catch (error) {
    say(isThinClientError(error) ? error.code : String(error));
  }
}
// #endregion

// The part of an address after # is never sent to a server.
const [address, token] = location.hash.slice(1).split(",");
run(address!, token!).catch((error: unknown) => say(String(error)));
