/** Where commands keep channels, and how they find a channel by name. */
import { dirname, join } from "node:path";
import { hasCode } from "katzenpost-thinclient";
import {
  type Channels,
  type Contact,
  type Reader,
  type Writer,
  openChannels,
} from "katzenpost-thinclient/channels";
import { type ClientFlags, type ClientRun, withClient } from "./connect.js";
import { UsageError } from "./failure.js";
import { fileProblem, makeFolder } from "./private-file.js";
import { RECONNECT, tellReconnects } from "./reconnects.js";
import { stateFolder } from "./user-folders.js";

/** The flag of every command that uses channels. */
export interface StoreFlags {
  /** The folder of the channels; by default in the user's state folder. */
  readonly store?: string;
}

/** The folder of the channels. */
export function storeFolder({ store }: StoreFlags): string {
  return store ?? join(stateFolder(process.env), "katzenpost", "channels");
}

/** Runs a command's work with open channels, and closes them afterwards. */
export function withChannels(
  flags: ClientFlags & StoreFlags,
  work: (run: ClientRun, channels: Channels) => Promise<void>,
): Promise<void> {
  const once = async (run: ClientRun): Promise<void> => {
    tellReconnects(run);
    const folder = storeFolder(flags);
    await makeFolder(dirname(folder), 0o700).catch((error: unknown) => {
      throw new UsageError(`cannot use ${folder}: ${fileProblem(error)}`, { cause: error });
    });
    await using channels = await openChannels(run.client, folder);
    await work(run, channels);
  };
  return withClient(flags, once, { online: false, reconnect: RECONNECT });
}

/** The contact with that name; null if there is none. */
export async function contactNamed(channels: Channels, name: string): Promise<Contact | null> {
  return orNull(channels.contacts.get(name));
}

/**
 * The channel for sending with that name, or that of the contact with that name once it exists.
 * @throws UsageError when there is neither; what `Contact.ready` throws.
 */
export async function writerNamed(
  channels: Channels,
  name: string,
  signal: AbortSignal,
): Promise<Writer> {
  const writer = await orNull(channels.writer(name));
  if (writer) return writer;
  const contact = await contactNamed(channels, name);
  if (contact) return (await contact.ready({ signal })).writer;
  throw unknown(
    name,
    "Make a channel with katz channel create, or a contact with invite or accept",
  );
}

/**
 * The channel for reading with that name, or that of the contact with that name once it exists.
 * @throws as {@link writerNamed}.
 */
export async function readerNamed(
  channels: Channels,
  name: string,
  signal: AbortSignal,
): Promise<Reader> {
  const reader = await orNull(channels.reader(name));
  if (reader) return reader;
  const contact = await contactNamed(channels, name);
  if (contact) return (await contact.ready({ signal })).reader;
  throw unknown(
    name,
    "Import a channel with --import FILE, or make a contact with invite or accept",
  );
}

function unknown(name: string, advice: string): UsageError {
  const what = `the store has no channel or contact ${JSON.stringify(name)} for this`;
  return new UsageError(what, { advice: [advice] });
}

async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (hasCode(error, "ERR_CHANNEL_NOT_FOUND")) return null;
    throw error;
  }
}
