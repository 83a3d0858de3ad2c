/** Level databases in a browser: IndexedDB, through the package browser-level. */
import { ConfigError } from "../errors/errors.js";
import type { LevelDatabase } from "./level-contract.js";

/** The event that is used; its type would need Node's types. */
interface Closing {
  on(event: "closed", listener: () => void): void;
}

/** The part of the Web Locks API that is used. */
interface Locks {
  request(
    name: string,
    options: { readonly ifAvailable: true },
    callback: (lock: object | null) => Promise<void> | void,
  ): Promise<void>;
}

/** Opens the IndexedDB database `location`. See the contract. */
export async function openLevel(location: string): Promise<LevelDatabase> {
  const release = await lock(location);
  try {
    const { BrowserLevel } = await import("browser-level");
    const database = new BrowserLevel<string, Uint8Array>(location, { valueEncoding: "view" });
    await database.open();
    (database as unknown as Closing).on("closed", release);
    return database as unknown as LevelDatabase;
  } catch (error) {
    release();
    throw error;
  }
}

/** IndexedDB lets every tab of an origin write. The lock is released when the tab closes. */
function lock(location: string): Promise<() => void> {
  const { locks } = (globalThis as { navigator?: { locks?: Locks } }).navigator ?? {};
  if (!locks) return Promise.resolve(() => {});
  return new Promise((resolve, reject) => {
    const name = `katzenpost-thinclient:${location}`;
    locks
      .request(name, { ifAvailable: true }, (held) => {
        if (held) return new Promise<void>((release) => resolve(release));
        reject(
          new ConfigError(
            `the store ${JSON.stringify(location)} is in use by another tab; close that tab, or ` +
              "use another name",
          ),
        );
        return undefined;
      })
      .catch(reject);
  });
}
