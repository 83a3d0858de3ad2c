/** `katz services` and `katz couriers`: list what the network offers. */
import { type PkiDocument, findServices, toHex, utf8ToText } from "katzenpost-thinclient";
import { type ClientFlags, type ClientRun, withClient } from "../../connect.js";
import { currentDocument } from "../../network-view.js";
import type { Output } from "../../output.js";
import { table } from "../../text.js";

/** Digits of a hash on a terminal: enough to tell nodes apart. */
const SHOWN_DIGITS = 16;

/** Lists the services that the current document offers. */
export function services(flags: ClientFlags): Promise<void> {
  return withClient(flags, async (run) => list(run, null), { online: false, revealsNothing: true });
}

/** Lists the couriers, which take boxes to the storage replicas. */
export function couriers(flags: ClientFlags): Promise<void> {
  return withClient(flags, async (run) => list(run, "courier"), {
    online: false,
    revealsNothing: true,
  });
}

function list({ client, output }: ClientRun, only: string | null): void {
  const document = currentDocument(client);
  const names = only === null ? offered(document) : [only];
  const rows: string[][] = [];
  for (const name of names) {
    for (const service of findServices(name, document)) {
      const [hash, queue] = service.toDestination();
      const node = service.mixDescriptor.name;
      const endpoint = utf8ToText(queue);
      output.record({ type: "service", service: name, node, endpoint, identityHash: hash });
      rows.push([name, node, endpoint, shownHash(hash, output)]);
    }
  }
  if (rows.length === 0) output.remark(`the network offers none in epoch ${document.epoch}`);
  if (!output.quiet && rows.length > 0) rows.unshift(["SERVICE", "NODE", "ENDPOINT", "IDENTITY"]);
  for (const [i, line] of table(rows).entries()) {
    output.line(i === 0 && !output.quiet ? output.style("bold", line) : line);
  }
}

/**
 * A hash as a table cell: complete for programs, short on a terminal, where it would break the row.
 */
function shownHash(hash: Uint8Array, output: Output): string {
  const digits = toHex(hash);
  return output.terminal.isTerminal ? `${digits.slice(0, SHOWN_DIGITS)}…` : digits;
}

function offered(document: PkiDocument): string[] {
  const names = document.serviceNodes.flatMap((node) => [...(node.kaetzchen?.keys() ?? [])]);
  return [...new Set(names)].sort();
}
