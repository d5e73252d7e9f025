// Members who were away for long.
import assert from "node:assert/strict";
import { Clock } from "../harness/clock.mjs";
import { inGeneral } from "../harness/general.mjs";
import { test } from "../harness/test.mjs";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Comes back a long time later: the sign-in has run out, the device is the same. */
async function comeBack(member) {
  await member.page.goto(member.url);
  await member.connect();
  await member.room();
}

test("who was away for longer than prekeys live reads what was written meanwhile", async (t) => {
  // Long ago by the clocks of all pages; relays go by the right time.
  const clock = new Clock();
  await clock.set(-31 * DAY_MS);
  const [one, two, three] = await inGeneral(t, [1, 2, 3], { before: clock.rules });
  await one.write("before");
  await two.reads("before");
  await three.reads("before");
  const device = (await two.doctor()).peer;
  await Promise.all([one, two, three].map(({ page }) => page.goto("about:blank")));
  await clock.set(0);
  await comeBack(one);
  await comeBack(three);
  // Under a new epoch, which is sealed to nobody who is away for so long.
  await one.write("meanwhile");
  await three.reads("meanwhile", { author: one.at });
  await comeBack(two);
  await two.reads("before", { author: one.at });
  await two.reads("meanwhile", { author: one.at }, 30_000);
  await two.write("back again");
  await one.reads("back again", { author: two.at });
  assert.equal((await two.doctor()).peer, device);
}, { limit: 120_000 });
