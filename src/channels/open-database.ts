/** Turns the `store` argument of `openChannels` into an open database. */
import { openLevel } from "#level";
import { describeType } from "../bytes/bytes.js";
import { type ChannelDatabase, openingFailure } from "./store.js";

/**
 * @param store a path or name, or a database.
 * @throws TypeError when it is neither; ChannelStoreError when it cannot be opened.
 */
export async function openDatabase(store: string | ChannelDatabase): Promise<ChannelDatabase> {
  if (typeof store === "string") {
    if (store === "") throw new TypeError("`store` must be a path or a name, got an empty string");
    try {
      return await openLevel(store);
    } catch (error) {
      throw openingFailure(error);
    }
  }
  const database = store as Partial<ChannelDatabase> | null | undefined;
  if (typeof database?.batch !== "function" || typeof database.iterator !== "function") {
    throw new TypeError(
      "`store` must be a path, a name or an abstract-level database, got " + describeType(store),
    );
  }
  try {
    await store.open();
  } catch (error) {
    throw openingFailure(error);
  }
  return store;
}
