/** What runs in the page: a client over a WebSocket, and a form that sends a message. */
import { ThinClient, isThinClientError, utf8ToText } from "katzenpost-thinclient";

/** The little of the page that is used here; a real application compiles with `"lib": ["dom"]`. */
declare const document: {
  querySelector(selector: string): {
    textContent: string;
    readonly value: string;
    addEventListener(type: string, listener: (event: { preventDefault(): void }) => void): void;
  };
};
declare const location: { readonly hash: string };

const log = document.querySelector("#log");
function say(line: string): void {
  log.textContent += `${line}\n`;
}

// #region page
async function run(address: string, token: string): Promise<void> {
  const client = await ThinClient.connect({ dial: { ws: { address, token } } });
  say("connected");
  document.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    void echo(client, document.querySelector("input").value);
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
