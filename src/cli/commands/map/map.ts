/** `katz map`: shows the topology as text or as a picture. */
import { writeFile } from "node:fs/promises";
import { type ClientFlags, withClient } from "../../connect.js";
import { UsageError } from "../../failure.js";
import { isNamedPipe } from "../../input-file.js";
import { mapSvg } from "./map-svg.js";
import { writing } from "../../private-file.js";
import { type NetworkView, currentDocument, viewOf } from "../../network-view.js";
import { standardOutput } from "../../standard-output.js";
import { table } from "../../text.js";

/** Flags of the command. */
export interface MapFlags extends ClientFlags {
  /** Where to write the picture; `-` is standard output. */
  readonly output?: string;
}

/** Draws the network of the current document. */
export function map(flags: MapFlags): Promise<void> {
  return withClient(
    flags,
    async ({ client, output }) => {
      const view = viewOf(currentDocument(client));
      const target = flags.output;
      if (target === "-") {
        standardOutput.write(mapSvg(view));
        return;
      }
      if (target !== undefined) {
        // Writing to a named pipe would block until a reader comes, and signals would not be
        // handled.
        if (await isNamedPipe(target)) {
          throw new UsageError(`${target} is a named pipe: write there with -o - > ${target}`);
        }
        await writing(target, () => writeFile(target, mapSvg(view)));
        output.remark(`wrote ${target}`);
        output.record({ type: "map", file: target, ...view });
        return;
      }
      output.record({ type: "map", file: null, ...view });
      for (const line of textMap(view)) output.line(line);
    },
    { online: false, revealsNothing: true },
  );
}

function textMap(view: NetworkView): string[] {
  const names = (nodes: readonly { readonly name: string }[]): string =>
    nodes.map(({ name }) => name).join("  ");
  const rows = [
    ["you", "application and daemon"],
    ["gateways", names(view.gateways)],
    ...view.layers.map((layer, i) => [`mix layer ${i + 1}`, names(layer)]),
    ...view.serviceNodes.map((node, i) => [
      i === 0 ? "services" : "",
      `${node.name}: ${node.services.join(", ")}`,
    ]),
    ["replicas", names(view.replicas)],
  ];
  return table(rows);
}
