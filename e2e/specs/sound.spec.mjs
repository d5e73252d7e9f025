// Sound that the browser holds back until somebody asks for it.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";
import { glimpse, restored, strictBrowser } from "../harness/untouched.mjs";

/** Runs in the page: whether what others send comes out of some element. */
const PLAYS = `[...document.querySelectorAll("audio")].some(
  (audio) => audio.srcObject && audio.currentTime > 0 && !audio.paused && !audio.muted)`;

/** Another member in the meeting, who is to be heard. */
async function speaker(t) {
  const other = await t.member({ wallet: 3 });
  await other.enter();
  return other;
}

test("sound that is held back is turned on by one click", async (t) => {
  const other = await speaker(t);
  const member = await restored(t);
  const look = await glimpse(member);
  await other.sees(await member.address(t.chain), { state: "connected" });
  assert.equal(await look(PLAYS), false);
  assert.equal(await look("navigator.userActivation.hasBeenActive"), false);
  const button = member.button("Turn on sound");
  await button.click();
  await until("the sound plays", () => look(PLAYS));
  await member.hears(other);
  await button.waitFor({ state: "detached" });
});

test("nobody is asked to turn on sound that plays", async (t) => {
  const other = await speaker(t);
  const inBrowser = await strictBrowser(t);
  const member = await t.member({ wallet: 2, inBrowser, context: { permissions: [] } });
  await member.enter();
  await member.hears(other);
  await until("the sound plays", () => member.page.evaluate(PLAYS));
  assert.equal(await member.button("Turn on sound").count(), 0);
});
