// node run.mjs FOLDER [FILTER]: runs the tests of FOLDER/*.spec.mjs whose name holds FILTER, one
// after the other. `cargo xtask test` starts this with the running system in the environment.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { closeBrowsers } from "./harness/browsers.mjs";
import { TestRun } from "./harness/test-run.mjs";
import { registered } from "./harness/test.mjs";

const [folder, filter = ""] = process.argv.slice(2);
if (!folder || process.argv.length > 4) {
  console.error("usage: node run.mjs FOLDER [FILTER]");
  process.exit(2);
}

const root = join(import.meta.dirname, folder);
for (const file of readdirSync(root).sort()) {
  if (file.endsWith(".spec.mjs")) await import(pathToFileURL(join(root, file)));
}

let passed = 0;
let failed = 0;
let skipped = 0;
for (const { name, body, limit, skip } of registered) {
  if (!name.includes(filter)) continue;
  if (skip) {
    skipped += 1;
    console.log(`skip ${name}: ${skip}`);
    continue;
  }
  const started = performance.now();
  const run = new TestRun(name);
  const errors = await run.execute(body, limit);
  const took = `${Math.round(performance.now() - started)} ms`;
  if (errors.length === 0) {
    passed += 1;
    console.log(`ok ${name} ${took}`);
  } else {
    failed += 1;
    for (const error of errors) console.log(`  ${String(error.stack ?? error).replaceAll("\n", "\n  ")}`);
    console.log(`not ok ${name} ${took}`);
  }
}
await closeBrowsers();
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
