// What all benchmarks share.
import { readFileSync } from "node:fs";
import { closeBrowsers } from "../harness/browsers.mjs";
import { TestRun } from "../harness/test-run.mjs";

/** Runs a benchmark as a test is run, and ends the process with its success. */
export async function measured(body) {
  const run = new TestRun("bench");
  const errors = await run.execute(body, 900_000);
  await closeBrowsers();
  for (const error of errors) console.error(error.stack ?? String(error));
  process.exit(errors.length === 0 ? 0 : 1);
}

/** What lies in the middle of some values, above nearly all, and at their ends. */
export function figures(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return { median: at(0.5), p95: at(0.95), least: sorted[0], most: sorted.at(-1) };
}

/** What all processes of a browser cost so far: memory in bytes, shared pages by share, and seconds of CPU. */
export async function cost(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  let [bytes, seconds] = [0, 0];
  for (const { id, cpuTime } of processInfo) {
    const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"));
    bytes += 1024 * Number(kilobytes);
    seconds += cpuTime;
  }
  return { bytes, seconds };
}
