/** The commands of `katz`. Each is loaded when it is wanted; here is only what it takes. */
import { createRequire } from "node:module";
import { buildApplication, buildRouteMap } from "@stricli/core";
import { daemon } from "./definitions/daemon.js";
import { tour } from "./definitions/tour.js";
import { type CommandGroups, helpIntegration, versionIntegration } from "./help.js";
import { wording } from "./wording.js";

const { version } = createRequire(import.meta.url)("katzenpost-thinclient/package.json") as {
  version: string;
};

/** How `katz --help` groups the commands. */
const groups: CommandGroups = {
  "START HERE": ["tour", "daemon"],
};

const routes = buildRouteMap({
  routes: { daemon, tour },
  docs: { brief: "Katzenpost, the mixnet, from the command line." },
});

/** The application. */
export const katz = buildApplication(
  routes,
  {
    name: "katz",
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    localization: { text: wording },
  },
  { help: helpIntegration(groups), version: versionIntegration(version) },
);
