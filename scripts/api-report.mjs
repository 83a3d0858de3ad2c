// Writes docs/api/*.api.md, one page for each entry of the package: every exported symbol with its
// signature, so that reviews show changes of the public API. `--check` only reports whether all are
// up to date. Needs the build (npm run build).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
} from "@microsoft/api-extractor";

const check = process.argv.includes("--check");
const root = process.cwd();
const folder = join(root, "docs/api");
const temporary = join(root, ".build/api-report");
const entries = {
  index: "dist/src/index.d.ts",
  wire: "dist/src/wire/index.d.ts",
  bacap: "dist/src/bacap/index.d.ts",
  channels: "dist/src/channels/index.d.ts",
  errors: "dist/src/errors/index.d.ts",
  daemon: "dist/src/daemon/index.d.ts",
  network: "dist/src/network/index.d.ts",
  join: "dist/src/join/index.d.ts",
  workers: "dist/src/workers/index.d.ts",
  testing: "dist/src/testing/index.d.ts",
};

for (const path of [folder, temporary]) mkdirSync(path, { recursive: true });

function configFor(name, entry) {
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, "package.json"),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, entry),
      compiler: { tsconfigFilePath: join(root, "tsconfig.docs.json") },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: folder,
        reportTempFolder: temporary,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        // Release tags are not used; typedoc checks comments and exports.
        extractorMessageReporting: { default: { logLevel: "none" } },
        tsdocMessageReporting: { default: { logLevel: "none" } },
      },
    },
  });
}

const configs = Object.entries(entries).map(([name, entry]) => {
  return { name, config: configFor(name, entry) };
});
const compilerState = CompilerState.create(configs[0].config, {
  additionalEntryPoints: Object.values(entries).map((entry) => join(root, entry)),
});

for (const { name, config } of configs) {
  const { apiReportChanged } = Extractor.invoke(config, {
    compilerState,
    localBuild: !check,
    messageCallback: (message) => {
      // Its own messages; changes are reported below.
      if (
        message.logLevel === ExtractorLogLevel.Info ||
        message.messageId.startsWith("console-api-report")
      ) {
        message.logLevel = ExtractorLogLevel.None;
      }
    },
  });
  if (!apiReportChanged) continue;
  if (check) {
    console.error(`docs/api/${name}.api.md is stale; run node scripts/api-report.mjs`);
    process.exitCode = 1;
  } else {
    console.log(`docs/api/${name}.api.md was written: commit it`);
  }
}
