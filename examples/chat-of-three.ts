/**
 * A chat of three people in a group. With a daemon's address and a name it is one person's end, at a
 * terminal; without them it embeds a network, types for all three, and prints their screens.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ThinClient, fromBase64, toBase64 } from "katzenpost-thinclient";
import {
  type Channels,
  type Delivery,
  type Group,
  openChannels,
} from "katzenpost-thinclient/channels";
import { DevDaemon } from "katzenpost-thinclient/testing";

type Show = (line: string) => void;

// #region enter
/** Opens the group; the first time, creates or joins it. A newcomer waits to be admitted. */
async function enter(
  channels: Channels,
  displayName: string,
  isFirst: boolean,
  handOver: (voucher: string) => void,
): Promise<Group> {
  const { groups } = channels;
  const known = await groups.list();
  const group =
    known.length > 0
      ? await groups.get("three")
      : await groups[isFirst ? "create" : "join"]("three", { displayName });
  if (group.voucher) handOver(toBase64(group.voucher));
  await group.joined();
  return group;
}
// #endregion

// #region chat
/** Sends what one person types, and shows what the others say, until there are no more lines. */
async function chat(group: Group, lines: AsyncIterable<string>, show: Show): Promise<void> {
  const leaving = new AbortController();
  const hearing = hear(group, show, leaving.signal);
  try {
    await Promise.race([type(group, lines, show), hearing]);
  } finally {
    leaving.abort();
    await Promise.allSettled([hearing]);
  }
}

async function hear(group: Group, show: Show, signal: AbortSignal): Promise<void> {
  for await (const { sender, message, box } of group.messages({ signal })) {
    const name = printable(sender.displayName);
    if (box.gap > 0) show(`* ${box.gap} boxes of ${name} were lost`);
    if (message?.type === "text") show(`${name}: ${printable(message.text)}`);
    if (message?.type === "introduction") {
      show(`* ${name} admits ${printable(message.member.displayName)}`);
    }
  }
}

async function type(group: Group, lines: AsyncIterable<string>, show: Show): Promise<void> {
  let last: Delivery | null = null;
  for await (const line of lines) {
    const [, voucher] = /^\/admit (\S+)$/.exec(line) ?? [];
    if (voucher !== undefined) void admit(group, voucher, show);
    else if (line !== "") last = await group.send(line);
  }
  // Without this they would leave when the program runs again.
  await last?.stored;
}

async function admit(group: Group, voucher: string, show: Show): Promise<void> {
  try {
    const { taken } = await group.induct(fromBase64(voucher));
    show(`* ${printable(await taken())} is in`);
  } catch (error) {
    show(`* ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Others choose names and texts: no control character of theirs reaches the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\u{FFFD}");
}
// #endregion

/** One person at this terminal. */
async function atTerminal(address: string, name: string, isFirst: boolean): Promise<void> {
  await using client = await ThinClient.connect(address);
  await using channels = await openChannels(client, `chat-of-${name}`);
  const group = await enter(channels, name, isFirst, (voucher) => {
    console.log(`* hand this over in private; a member types it: /admit ${voucher}`);
  });
  console.log("* you are in; Ctrl-D ends");
  await chat(group, createInterface({ input: process.stdin }), console.log);
}

const script = [
  ["Alice", "Friday is Dan's birthday."],
  ["Bob", "I bring the cake."],
  ["Carol", "I bring the music."],
  ["Alice", "And not a word to Dan!"],
] as const;

const screens = { Alice: [] as string[], Bob: [] as string[], Carol: [] as string[] };
const vouchers = new Map<string, string>();

/** What is said, without the remarks. */
const said = (screen: readonly string[]): string[] =>
  screen.filter((line) => !line.startsWith("*"));

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

/** What one of the three types: each line once the lines before it are on the screen. */
async function* typed(name: keyof typeof screens): AsyncGenerator<string, void> {
  const screen = screens[name];
  for (const guest of name === "Alice" ? ["Bob", "Carol"] : []) {
    await until(() => vouchers.has(guest));
    yield `/admit ${vouchers.get(guest)!}`;
    await until(() => screen.includes(`* ${guest} is in`));
  }
  for (const [turn, [who, line]] of script.entries()) {
    // Several lines may arrive at once.
    await until(() => said(screen).length >= turn);
    if (who !== name) continue;
    screen.push(`> ${line}`);
    yield line;
  }
  await until(() => said(screen).length >= script.length);
}

async function scripted(): Promise<void> {
  await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
  const folder = await mkdtemp(join(tmpdir(), "katz-chat-of-three-"));
  const person = async (name: keyof typeof screens): Promise<void> => {
    await using client = await ThinClient.connect(daemon.config());
    await using channels = await openChannels(client, join(folder, name));
    const group = await enter(channels, name, name === "Alice", (voucher) => {
      vouchers.set(name, voucher);
    });
    await chat(group, typed(name), (line) => screens[name].push(line));
  };
  await Promise.all([person("Alice"), person("Bob"), person("Carol")]);
  await rm(folder, { recursive: true });
  for (const [name, screen] of Object.entries(screens)) {
    console.log(`${name}'s screen:\n  ${screen.join("\n  ")}\n`);
    const heard = said(screen).map((line) => line.replace(/^> /, `${name}: `));
    assert.deepEqual(
      heard,
      script.map(([who, line]) => `${who}: ${line}`),
    );
  }
  console.log("three screens show one conversation");
}

const [, , address, name, first] = process.argv;
if (address !== undefined && name !== undefined) {
  await atTerminal(address, name, first === "--create");
} else {
  await scripted();
}
