/** The definition of `katz services`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described } from "../../flags.js";

/** `katz services`. */
export const services = buildCommand({
  loader: async () => (await import("./services.js")).services,
  parameters: { flags: clientFlags },
  docs: {
    brief: "List the services of the network",
    fullDescription: described(
      "Lists each service that the current PKI document offers, with its node, its endpoint on\n" +
        "that node, and the node's identity hash, which messages are addressed to.",
      ["katz services", "katz services --json"],
    ),
  },
});

/** `katz couriers`. */
export const couriers = buildCommand({
  loader: async () => (await import("./services.js")).couriers,
  parameters: { flags: clientFlags },
  docs: {
    brief: "List the couriers, which carry boxes to the replicas",
    fullDescription: described(
      "Lists the couriers of the current PKI document. Calls that write and read boxes\n" +
        "choose a new one each time; choosing one yourself links boxes.",
      ["katz couriers", "katz couriers --json"],
    ),
  },
});
