/** Writes docs/differences.md. */
import { writeFileSync } from "node:fs";
import { renderDifferences } from "./render-differences.js";

writeFileSync(new URL("../../../../docs/differences.md", import.meta.url), renderDifferences());
