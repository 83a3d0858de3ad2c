/**
 * `katz console --join` as a process, on a real gateway's port: the port of an embedded network
 * whose mixes take real packets.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { clientConfigOf } from "../../src/cli/commands/daemon/daemon.js";
import { writeClientConfigFile } from "../../src/cli/commands/daemon/write-config.js";
import {
  type ConsoleAction,
  type ConsoleEvent,
  type ConsoleState,
  decodeToPage,
  encodeMessage,
} from "../../src/console/protocol.js";
import { DevDaemon } from "../../src/testing/index.js";
import { wsTokenProtocol } from "../../src/transport/ws-token.js";
import { KatzProcess } from "../e2e/katz-process.js";
import { emptyEnvironment, temporaryFolder } from "./katz.js";

const folder = temporaryFolder();

/** The data that a page would have: the state and all events so far. */
class Page {
  state: ConsoleState | null = null;
  readonly events: ConsoleEvent[] = [];
  readonly #socket: WebSocket;
  #changed: () => void = () => {};

  constructor({ host, hash, origin }: URL) {
    const protocol = wsTokenProtocol(hash.slice(1));
    this.#socket = new WebSocket(`ws://${host}/socket`, [protocol], { origin });
    this.#socket.on("message", (data: Buffer) => {
      const { state, events } = decodeToPage(data);
      this.state = { ...this.state, ...state } as ConsoleState;
      this.events.push(...events);
      this.#changed();
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    const gone = new Promise<never>((_, reject) => {
      this.#socket.once("close", (code) => reject(new Error(`the page is gone: ${code}`)));
    });
    gone.catch(() => {});
    while (!isSo()) {
      await Promise.race([gone, new Promise<void>((resolve) => (this.#changed = resolve))]);
    }
  }

  perform(action: ConsoleAction): void {
    this.#socket.send(encodeMessage(action));
  }

  close(): void {
    this.#socket.terminate();
  }
}

test("katz console --join shows its own packets, and nothing from inside the network", async () => {
  await using daemon = await DevDaemon.start({
    gateway: "tcp:127.0.0.1:0",
    listen: [],
    seed: "console joins",
    // Packets rest 5 ms and leave every 20 ms on average, so that the test is quick.
    mu: 0.2,
    lambdaP: 0.05,
    kindMixes: true,
  });
  const file = join(folder, "client.toml");
  await writeClientConfigFile(file, clientConfigOf(daemon));
  const epochMs = daemon.network.describe().epoch.periodMs;
  const args = ["console", "--json", "--join", file, "--listen", `unix:${join(folder, "s")}`];
  await using katz = new KatzProcess(
    [...args, "--epoch", `${epochMs}ms`],
    emptyEnvironment(folder),
  );
  const { url, mode } = JSON.parse(await katz.firstLine()) as { url: string; mode: string };
  assert.equal(mode, "joined");
  const page = new Page(new URL(url));
  await page.until(() => page.state?.link.toNetwork === true && page.state.map !== null);
  page.perform({ do: "echo" });
  const echo = () =>
    page.events.find(
      (event) => event.event === "ended" && event.operation === "blockingSendMessage",
    );
  await page.until(() => echo() !== undefined);
  page.perform({ do: "online", value: false });
  await page.until(() => page.events.some((event) => event.event === "failed"));

  await page.until(() => page.state!.documents.length > 0);
  const ended = echo()!;
  assert.equal(ended.event === "ended" && ended.outcome, "ok");
  const sent = page.events.find(
    (event) => event.source === "link" && event.event === "sent" && !event.decoy,
  )!;
  assert.ok(sent.source === "link" && sent.event === "sent");
  assert.equal(sent.forward.length + sent.reply.length, 9, "five nodes there, four back");
  const replied = page.events.filter(({ event }) => event === "reply");
  assert.ok(replied.some((event) => "packet" in event && event.packet === sent.packet));
  const { link, traffic, replicas, faults, about, documents } = page.state!;
  assert.equal(link.gateway, daemon.gateway!.name);
  assert.equal(link.address, daemon.gateway!.addresses[0]);
  assert.ok(traffic!["sent"]! >= 1);
  assert.ok(!("lost" in traffic!), "losses cannot be known");
  assert.deepEqual([replicas, faults, about.mixing], [null, null, null]);
  assert.deepEqual(
    documents[0]!.signatures!.map(({ valid }) => valid),
    daemon.network.authorities.map(() => true),
  );
  assert.equal(daemon.network.faults.online, true);
  page.close();
});
