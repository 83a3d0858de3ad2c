/** The differences between two documents, in words. */
import type { DocumentView } from "./protocol.js";

/** Lists the differences in words. */
export function differences(current: DocumentView, before: DocumentView): string[] {
  const found: string[] = [];
  const old = new Map(before.nodes.map((node) => [node.name, node]));
  for (const node of current.nodes) {
    const was = old.get(node.name);
    old.delete(node.name);
    if (!was) {
      found.push(`${node.name} (${node.role}) is new`);
      continue;
    }
    if (was.identity !== node.identity) found.push(`${node.name} has another identity key`);
    if (was.link !== node.link) found.push(`${node.name} has another link key`);
    if (was.addresses.join() !== node.addresses.join()) {
      found.push(`${node.name} moved to ${node.addresses.join(", ")}`);
    }
    if (was.services.join() !== node.services.join()) {
      found.push(`${node.name} now offers ${node.services.join(", ") || "nothing"}`);
    }
    if (was.layer !== node.layer) {
      found.push(`${node.name} went from layer ${was.layer} to layer ${node.layer}`);
    }
  }
  for (const name of old.keys()) found.push(`${name} is gone`);
  for (const [name, rate] of Object.entries(current.rates)) {
    const was = before.rates[name];
    if (was !== rate) found.push(`${name} went from ${was} to ${rate} per ms`);
  }
  const fresh = current.nodes.filter((node) => {
    const was = before.nodes.find(({ name }) => name === node.name);
    return was !== undefined && was.keys.join() !== node.keys.join();
  }).length;
  const nodes = fresh === 1 ? "1 node" : `${fresh} nodes`;
  if (fresh > 0) found.push(`${nodes} published new keys of coming epochs`);
  return found;
}
