// Sound that the browser holds back until somebody asks for it.
import assert from "node:assert/strict";
import { ownBrowser } from "../harness/browsers.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** A browser that plays nothing before a gesture, and whose microphone is not allowed either. */
const strict = (t) =>
  ownBrowser(t, {
    without: ["--autoplay-policy", "--use-fake-ui"],
    extra: ["--autoplay-policy=document-user-activation-required"],
  });

/** Runs in the page: whether what others send comes out of some element. */
const PLAYS = `[...document.querySelectorAll("audio")].some(
  (audio) => audio.srcObject && audio.currentTime > 0 && !audio.paused && !audio.muted)`;

/** Evaluates without touching the page: what the test library evaluates counts as a gesture. */
async function glimpse(member) {
  const session = await member.profile.newCDPSession(member.page);
  return async (expression) => (await session.send("Runtime.evaluate", { expression, returnByValue: true })).result.value;
}

/**
 * Somebody who comes into the meeting without a gesture, as a restored tab does: the browser keeps
 * what the tab remembered, and nobody has touched the page.
 */
async function restored(t) {
  const member = await t.member({ wallet: 2, tone: 0, inBrowser: await strict(t), context: { permissions: [] } });
  await member.enter();
  await member.page.close();
  await member.profile.addInitScript(() => sessionStorage.setItem("meeting", "main"));
  return t.tab(member, "#/c/1/m/main");
}

test("sound that is held back is turned on by one click", async (t) => {
  const other = await t.member({ wallet: 3, tone: 1 });
  await other.enter();
  const member = await restored(t);
  const look = await glimpse(member);
  const buttons = `[...document.querySelectorAll("button")].filter((it) => it.textContent.trim() === "Turn on sound").length`;
  await until("the other is there, and the button", async () => {
    const [audio, shown] = [await look(`document.querySelectorAll("audio").length`), await look(buttons)];
    return audio > 0 && shown === 1;
  });
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
  const other = await t.member({ wallet: 3, tone: 1 });
  await other.enter();
  const member = await t.member({ wallet: 2, tone: 0, inBrowser: await strict(t), context: { permissions: [] } });
  await member.enter();
  await member.hears(other);
  await until("the sound plays", () => member.page.evaluate(PLAYS));
  assert.equal(await member.button("Turn on sound").count(), 0);
});
