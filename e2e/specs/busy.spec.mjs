// The page answers its user while much is going on.
import assert from "node:assert/strict";
import { browser } from "../harness/browsers.mjs";
import { apart, history, kept } from "../harness/history.mjs";
import { longestTask } from "../harness/tasks.mjs";
import { test } from "../harness/test.mjs";

const MESSAGES = 10_000;
/** Longer tasks are called long: W3C, Long Tasks API. */
const LONG_MS = 50;

test(`no task of a page is long while ${MESSAGES} messages come to it`, async (t) => {
  const { whole, keys } = await history(t, { messages: MESSAGES, authors: 3, every: 800 }, "whole", "keys");
  const shared = await browser(0);
  const { members: [, reader], meet } = await apart(t, shared, [whole, keys]);
  await reader.room();
  const busy = (ms) => reader.page.evaluate((ms) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  }, ms);
  const control = await longestTask(shared, () => busy(4 * LONG_MS));
  assert.ok(control >= LONG_MS, `a task that was made to be long took ${control} ms`);
  const longest = await longestTask(shared, async () => {
    await meet();
    await kept(reader, MESSAGES);
    await reader.page.getByRole("article").first().waitFor();
  });
  t.note(`longest task: ${longest} ms`);
  assert.ok(longest < LONG_MS, `a task took ${longest} ms`);
}, { limit: 120_000 });
