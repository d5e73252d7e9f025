// How long the main threads of a browser's pages are busy without a pause.

/**
 * The most milliseconds that one task took of its thread, of the main threads of all pages in the
 * browser, while something is done. Time in which the machine ran something else is not in it:
 * what other programs do says nothing about the page.
 */
export async function longestTask(browser, something) {
  await browser.startTracing(undefined, { categories: ["toplevel"] });
  let trace;
  try {
    await something();
  } finally {
    trace = JSON.parse((await browser.stopTracing()).toString());
  }
  const thread = ({ pid, tid }) => `${pid}/${tid}`;
  const main = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")
      .map(thread),
  );
  const tasks = trace.traceEvents.filter((one) => one.ph === "X" && one.tdur !== undefined && main.has(thread(one)));
  if (tasks.length === 0) throw new Error("the trace has no task of a main thread");
  return tasks.reduce((most, { tdur }) => Math.max(most, tdur), 0) / 1000;
}
