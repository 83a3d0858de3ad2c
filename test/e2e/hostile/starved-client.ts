/**
 * A client in a process with little memory. It connects to the given address, receives events until
 * the daemon disconnects, and prints the result as JSON.
 */
import { ThinClient } from "katzenpost-thinclient";

const [what, address] = process.argv.slice(2);

function tell(outcome: object): void {
  process.stdout.write(JSON.stringify(outcome));
}

try {
  const client = await ThinClient.connect(address!, { reconnect: false, liveness: false });
  const events = client.events();
  let read = 0;
  let error: string | null = null;
  let isOver = false;
  const readAll = async (pauseMs: number): Promise<void> => {
    try {
      for await (const _event of events) {
        read++;
        if (pauseMs > 0 && !isOver) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } catch (failure) {
      error = (failure as Error).name;
    }
  };
  const slow = what === "reads slowly" ? readAll(250) : null;
  const { reason } = await client.closed;
  // What it has by then it reads at once: the daemon may have taken long to send it all.
  isOver = true;
  await (slow ?? readAll(0));
  tell({ reason, read, error, epoch: client.pkiDocument()?.epoch ?? null });
} catch (failure) {
  tell({ failed: (failure as Error).name, message: (failure as Error).message });
}
