// A reporter for run-tests.mjs: how many tests passed and failed, which files had tests and which
// failed, and, if measured, how much of src/ the tests cover.
export default async function* countReporter(source) {
  const counts = {
    passed: 0,
    failed: 0,
    skipped: 0,
    filesWithTests: [],
    failedFiles: [],
    coverage: null,
  };
  const files = new Set();
  const failed = new Set();
  for await (const { type, data } of source) {
    if (type === "test:coverage") counts.coverage = coverageOf(data.summary);
    if (type !== "test:pass" && type !== "test:fail") continue;
    // A file that ends without a test is reported as a test named like the file.
    const isFile = data.file && data.name && data.file.endsWith(data.name);
    if (type === "test:fail" && !data.todo && data.file) failed.add(data.file);
    if (type === "test:fail" && isFile) counts.failed++;
    if (isFile || data.details?.type === "suite") continue;
    if (type === "test:fail" && !data.todo) counts.failed++;
    else if (data.skip !== undefined) counts.skipped++;
    else counts.passed++;
    if (data.file) files.add(data.file);
  }
  counts.filesWithTests = [...files];
  counts.failedFiles = [...failed];
  yield JSON.stringify(counts);
}

/** Percentages over the files of src/, to a tenth; tests and tools do not count. */
function coverageOf({ workingDirectory, files }) {
  const root = `${workingDirectory}/`.replaceAll("\\", "/");
  const measured = files
    .map((file) => ({ ...file, path: file.path.replaceAll("\\", "/").replace(root, "") }))
    .filter(({ path }) => /^(dist\/)?src\//.test(path));
  const share = (covered, total) => {
    const sum = (name) => measured.reduce((all, file) => all + file[name], 0);
    return Math.floor((1000 * sum(covered)) / Math.max(1, sum(total))) / 10;
  };
  return {
    files: measured.length,
    lines: share("coveredLineCount", "totalLineCount"),
    branches: share("coveredBranchCount", "totalBranchCount"),
    functions: share("coveredFunctionCount", "totalFunctionCount"),
    least: measured
      .map(({ path, coveredLinePercent }) => ({ path, lines: coveredLinePercent }))
      .sort((a, b) => a.lines - b.lines)
      .slice(0, 10),
  };
}
