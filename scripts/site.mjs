// Builds .build/site: the guide, the API reference and the playground, as a folder that any web
// server can serve as it is. Needs the build (npm run build).
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPlayground } from "./build-playground.mjs";

const root = process.cwd();
const site = join(root, ".build/site");
rmSync(site, { recursive: true, force: true });
mkdirSync(site, { recursive: true });

execFileSync(
  process.execPath,
  ["node_modules/typedoc/bin/typedoc", "--options", "typedoc.site.json", "--logLevel", "Error"],
  { cwd: root, stdio: "inherit" },
);
await buildPlayground(join(site, "playground"), true);
writeFileSync(
  join(site, "index.html"),
  `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self'; img-src data:" />
    <title>katzenpost-thinclient</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="playground/playground.css" />
  </head>
  <body>
    <h1>katzenpost-thinclient</h1>
    <p>The Katzenpost thin client for TypeScript, for Node and the browser.</p>
    <ul>
      <li><a href="playground/index.html">Playground</a>: change and run the guide's examples on a network in the page</li>
      <li><a href="reference/index.html">Guide</a>: one page for each task</li>
      <li><a href="reference/modules.html">API reference</a>: every export of every entry</li>
    </ul>
  </body>
</html>
`,
);
console.log("the site is in .build/site: serve that folder, e.g. npx http-server .build/site");
