/** The commands of `katz`. Each is loaded when it is wanted; here is only what it takes. */
import { createRequire } from "node:module";
import { buildApplication, buildRouteMap } from "@stricli/core";
import { authorities } from "./definitions/authorities.js";
import { complete, completion } from "./definitions/completion.js";
import { conform } from "./definitions/conform.js";
import { daemon } from "./definitions/daemon.js";
import { doctor } from "./definitions/doctor.js";
import { help } from "./definitions/help.js";
import { map } from "./definitions/map.js";
import { ping } from "./definitions/ping.js";
import { pki } from "./definitions/pki.js";
import { couriers, services } from "./definitions/services.js";
import { copy, keygen, read, tombstone, write } from "./definitions/streams.js";
import { tour } from "./definitions/tour.js";
import { receive, send } from "./definitions/transfer.js";
import { watch } from "./definitions/watch.js";
import { type CommandGroups, helpIntegration, versionIntegration } from "./help.js";
import { wording } from "./wording.js";

const { version } = createRequire(import.meta.url)("katzenpost-thinclient/package.json") as {
  version: string;
};

/** How `katz --help` groups the commands. */
const groups: CommandGroups = {
  "START HERE": ["tour", "daemon", "doctor"],
  "THE NETWORK": ["ping", "services", "couriers", "authorities", "pki", "map", "watch"],
  FILES: ["send", "receive"],
  BOXES: ["keygen", "write", "read", "tombstone", "copy"],
  TOOLS: ["conform", "completion", "help"],
};

/** Their names. */
export const commandNames: readonly string[] = Object.values(groups).flat();

const routes = buildRouteMap({
  routes: {
    tour,
    daemon,
    doctor,
    ping,
    services,
    couriers,
    authorities,
    pki,
    map,
    watch,
    send,
    receive,
    keygen,
    write,
    read,
    tombstone,
    copy,
    conform,
    completion,
    help,
    complete,
  },
  docs: {
    brief: "Katzenpost, the mixnet, from the command line.",
    hideRoute: { complete: true },
  },
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
