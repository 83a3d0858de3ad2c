/** The share of a daemon's ticks that carry work, measured on a virtual clock. */
import type { VirtualClock } from "../../src/clock/virtual.js";
import type { DevDaemon } from "../../src/testing/dev-daemon.js";

/** Whether this process waits for a file. */
function isDiskBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => /^FSReq|^CloseReq/.test(name));
}

/**
 * Runs `work` and returns the share of the ticks between its first and its last packet that carried
 * it.
 * @param options `waitsForDisk`: the work reads or writes files.
 */
export async function shareOfTicks(
  daemon: DevDaemon,
  clock: VirtualClock,
  work: () => Promise<unknown>,
  { waitsForDisk = false }: { readonly waitsForDisk?: boolean } = {},
): Promise<{ readonly share: number; readonly packets: number; readonly seconds: number }> {
  const began = clock.monotonic();
  const seen: { readonly work: number; readonly decoys: number }[] = [];
  const look = (): void => {
    const { sent, decoys } = daemon.network.describe().traffic;
    seen.push({ work: sent - decoys, decoys });
  };
  look();
  const state = { ended: false };
  const working = work().finally(() => (state.ended = true));
  while (!state.ended) {
    await clock.advance(50);
    // The virtual clock stands while work waits for the disk, however slow that is.
    if (waitsForDisk) {
      do await new Promise((resolve) => setTimeout(resolve, 1));
      while (isDiskBusy());
    }
    look();
  }
  await working;
  const first = seen.findLast(({ work: sent }) => sent === seen[0]!.work)!;
  const last = seen.find(({ work: sent }) => sent === seen.at(-1)!.work)!;
  const packets = last.work - first.work;
  const idle = last.decoys - first.decoys;
  const seconds = (clock.monotonic() - began) / 1000;
  return { share: packets / (packets + idle), packets, seconds };
}
