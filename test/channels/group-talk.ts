/** Making groups, and hearing what is said in them, in tests. */
import assert from "node:assert/strict";
import type { Channels, Group, GroupMessage } from "../../src/channels/index.js";

/** More than anything in a group takes, in ms. */
export const DAY = 24 * 3600 * 1000;

const said = ({ sender, message }: GroupMessage): string => {
  if (message?.type === "text") return `${sender.displayName}: ${message.text}`;
  if (message?.type === "introduction")
    return `${sender.displayName} + ${message.member.displayName}`;
  return `${sender.displayName} ?`;
};

/** Collects the messages of a group until `isDone`. */
export async function hear(group: Group, isDone: (all: string[]) => boolean): Promise<string[]> {
  const all: string[] = [];
  for await (const message of group.messages()) {
    all.push(said(message));
    await message.box.ack();
    if (isDone(all)) break;
  }
  return all;
}

/** The texts among what was heard. */
export const texts = (all: string[]): string[] => all.filter((line) => line.includes(": "));

/** Adds the owner of `channels` to `group`. */
export async function take(group: Group, channels: Channels, name: string): Promise<Group> {
  const joining = await channels.groups.join("friends", { displayName: name });
  await admit(group, joining);
  return joining;
}

/** Lets a member admit somebody who joins. */
export async function admit(group: Group, joining: Group): Promise<void> {
  const induction = await group.induct(joining.voucher!);
  const [taken] = await Promise.all([induction.taken(), joining.joined()]);
  assert.equal(taken, joining.displayName);
}
