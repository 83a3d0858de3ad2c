// A reporter for run-tests.mjs: how many tests ran, and which files had any.
export default async function* countReporter(source) {
  let tests = 0;
  const files = new Set();
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    // A file that ends without a test is reported as a test named like the file.
    const isFile = data.file && data.name && data.file.endsWith(data.name);
    if (isFile || data.details?.type === "suite") continue;
    tests++;
    if (data.file) files.add(data.file);
  }
  yield JSON.stringify({ tests, filesWithTests: [...files] });
}
