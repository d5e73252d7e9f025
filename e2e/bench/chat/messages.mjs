// From sending a message to its being shown by the other.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../harness/until.mjs";
import { openYjs, startSignalling } from "../../harness/yjs.mjs";
import { figures } from "../figures.mjs";

const ROOM = readFileSync(join(import.meta.dirname, "room.js"), "utf8");
const COUNT = 200;
/** Between two messages of one kind. Of one author 30 a minute are shown, so these are 25. */
const PACE = 1200;

/** Both ends of a room of each kind, where the two see each other. */
async function rooms(t, shared) {
  const before = (profile) => profile.addInitScript({ content: ROOM });
  const ours = [];
  for (const wallet of [1, 2]) {
    const member = await t.member({ wallet, inBrowser: shared, before });
    ours.push(member);
    await member.connect();
  }
  for (const member of ours) await member.room();
  const signalling = await startSignalling(t);
  const yjs = [];
  for (const author of ["one", "two"]) {
    const page = await openYjs(t, shared, [ROOM]);
    yjs.push(page);
    await page.evaluate((author) => window.yjs.open(author, "messages"), author);
    await page.evaluate((signalling) => window.yjs.meet("messages", signalling), signalling);
  }
  for (const page of yjs) await until("Yjs is connected", () => page.evaluate(() => window.yjs.others()));
  return { ours: ours.map(({ page }) => page), yjs };
}

/** Sends one message, once the pause before it is over. */
async function one([from, to], text, wait) {
  await from.evaluate((text) => window.room.type(text), text);
  const shown = to.evaluate((text) => window.room.expect(text), text);
  await pause(wait);
  const at = await from.evaluate(() => window.room.send());
  const result = await shown;
  return { shown: result.shown - at, drawn: result.drawn - at };
}

/** Milliseconds from sending to being shown and drawn, of each message of each kind. */
export async function messages(t, shared) {
  const both = await rooms(t, shared);
  const times = { ours: [], yjs: [] };
  for (const kind of ["ours", "yjs"]) {
    for (const page of both[kind]) await page.evaluate(() => window.room.watch());
    // What is done at first use is done: rooms get their first keys, for one.
    for (const pair of [both[kind], both[kind].toReversed()]) await one(pair, `good morning ${pair === both[kind]}`, PACE);
  }
  for (let number = 0; number < COUNT; number += 1) {
    for (const kind of ["ours", "yjs"]) {
      const pair = number % 2 ? both[kind].toReversed() : both[kind];
      const text = `message ${number}: nothing much, but long enough to be one that somebody might have written`;
      times[kind].push(await one(pair, text, PACE / 2));
    }
  }
  // Clocks of two pages may differ by a little; so much is that at most.
  const middle = (all) => figures(all).median;
  const each = [0, 1].map((way) => middle(times.ours.filter((_, at) => at % 2 === way).map(({ shown }) => shown)));
  console.error(`one way and the other differ by ${Math.abs(each[0] - each[1]).toFixed(1)} ms in their medians`);
  return times;
}
