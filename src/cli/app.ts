/**
 * The commands of `katz`. Only their definitions are here; the code of a command is loaded when it
 * runs.
 */
import { createRequire } from "node:module";
import { buildApplication, buildRouteMap } from "@stricli/core";
import { authorities } from "./commands/authorities/definition.js";
import { channel } from "./commands/channel/definition.js";
import { chat } from "./commands/chat/definition.js";
import { complete, completion } from "./commands/completion/definition.js";
import { conform } from "./commands/conform/definition.js";
import { console } from "./commands/console/definition.js";
import { copy } from "./commands/copy/definition.js";
import { daemon } from "./commands/daemon/definition.js";
import { doctor } from "./commands/doctor/definition.js";
import { help } from "./commands/help/definition.js";
import { keygen } from "./commands/keygen/definition.js";
import { map } from "./commands/map/definition.js";
import { ping } from "./commands/ping/definition.js";
import { pki } from "./commands/pki/definition.js";
import { playground } from "./commands/playground/definition.js";
import { read } from "./commands/read/definition.js";
import { receive } from "./commands/receive/definition.js";
import { send } from "./commands/send/definition.js";
import { couriers, services } from "./commands/services/definition.js";
import { tombstone } from "./commands/tombstone/definition.js";
import { tour } from "./commands/tour/definition.js";
import { watch } from "./commands/watch/definition.js";
import { write } from "./commands/write/definition.js";
import { type CommandGroups, helpIntegration, versionIntegration } from "./help.js";
import { wording } from "./wording.js";

const { version } = createRequire(import.meta.url)("katzenpost-thinclient/package.json") as {
  version: string;
};

/** How `katz --help` groups the commands. */
const groups: CommandGroups = {
  "START HERE": ["tour", "playground", "console", "daemon", "doctor"],
  "THE NETWORK": ["ping", "services", "couriers", "authorities", "pki", "map", "watch"],
  FILES: ["send", "receive"],
  MESSAGES: ["chat", "channel"],
  BOXES: ["keygen", "write", "read", "tombstone", "copy"],
  TOOLS: ["conform", "completion", "help"],
};

/** The names of all commands. */
export const commandNames: readonly string[] = Object.values(groups).flat();

const routes = buildRouteMap({
  routes: {
    tour,
    playground,
    console,
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
    chat,
    channel,
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
