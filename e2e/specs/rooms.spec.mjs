// Members write to each other, in rooms and alone.
import assert from "node:assert/strict";
import { ROLE } from "../harness/chain.mjs";
import { inGeneral } from "../harness/general.mjs";
import { apart, history } from "../harness/history.mjs";
import { pageWithRelays, REFUSED } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** The chain's version is looked at every 54 to 66 s, and roles some blocks behind it. */
const NOTICED_WITHIN = 90_000;
/** The height of a line of text, in pixels. */
const LINE = 24;

test("what one member writes the others read, and it is said how far it has come", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("Hello from the moderator");
  await two.reads("Hello from the moderator", { author: one.at });
  await one.reads("Hello from the moderator", { state: "delivered" });
  await two.write("Hello **back**");
  const read = await one.reads("Hello back", { author: two.at });
  assert.match(read.id, /^[0-9a-z]{52}$/);
  assert.equal(await one.message("Hello back").locator("strong").textContent(), "back");
});

test("who comes later reads what was written before", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("first words");
  await two.reads("first words");
  await two.write("second words");
  await one.reads("second words");
  const late = await t.member({ wallet: 3 });
  await late.connect();
  await late.room();
  await late.reads("first words", { author: one.at });
  await late.reads("second words", { author: two.at });
});

test("what is written with nobody there is kept, reads after a reload, and goes out later", async (t) => {
  t.expectConsole(REFUSED);
  const { relays, url } = await pageWithRelays(t);
  const [one, two] = await inGeneral(t, [1, 2], { url });
  await one.write("before");
  await two.reads("before");
  await one.reads("before", { state: "delivered" });
  await Promise.all(relays.map((relay) => relay.kill()));
  await one.page.goto("about:blank");
  await two.write("is anybody there?");
  await two.reads("is anybody there?", { state: "queued" });
  await two.page.reload();
  await two.room();
  await two.reads("before");
  await two.reads("is anybody there?", { state: "queued" });
  await Promise.all(relays.map((relay) => relay.start()));
  await one.page.goto(url);
  await one.room();
  await one.reads("is anybody there?", { author: two.at }, 30_000);
  await two.reads("is anybody there?", { state: "delivered" }, 30_000);
}, { limit: 120_000 });

test("direct messages are between two, and a third sees nothing of them", async (t) => {
  const [one, two, three] = await inGeneral(t, [1, 2, 3]);
  await two.page.getByRole("list", { name: "Members online" }).getByRole("listitem")
    .filter({ has: two.page.locator(`[data-address="${three.at}" i]`) })
    .getByRole("button", { name: /^Message/ }).click();
  // The room that was open before has a field as well.
  await two.page.getByPlaceholder(new RegExp(three.at.slice(0, 6), "i")).waitFor();
  await two.write("between us");
  await two.reads("between us", { state: "delivered" });
  const direct = three.page.getByRole("navigation", { name: "Rooms" }).locator(`[data-address="${two.at}" i]`);
  await direct.click();
  await three.reads("between us", { author: two.at });
  assert.equal(await one.page.getByRole("navigation", { name: "Rooms" }).locator("[data-address]").count(), 0);
});

test("who loses the seat reads nothing that is written afterwards", async (t) => {
  const [one, two, three] = await inGeneral(t, [1, 2, 3]);
  await three.write("I am still here");
  await Promise.all([one.reads("I am still here"), two.reads("I am still here")]);
  await t.chain.setRoles([three.wallet], ROLE.none);
  await three.alert().filter({ hasText: "is not a member of" }).waitFor({ timeout: NOTICED_WITHIN });
  await one.write("without three");
  await two.reads("without three", { author: one.at }, NOTICED_WITHIN);
  await two.reads("I am still here", { author: three.at });
}, { limit: 240_000 });

test("a message can be changed and taken away", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await two.write("a mistke");
  await one.reads("a mistke");
  const message = two.message("a mistke");
  await message.hover();
  await message.getByRole("button", { name: "Edit" }).click();
  const box = two.page.getByRole("textbox", { name: "Message", exact: true });
  await box.fill("a mistake");
  await two.button("Save").click();
  await one.reads("a mistake");
  await one.message("a mistake").getByText("edited").waitFor();
  await two.message("a mistake").hover();
  await two.message("a mistake").getByRole("button", { name: "More" }).click();
  const remove = two.page.locator(".menu-item").filter({ hasText: /delete/i });
  await remove.click();
  await remove.click();
  await one.message("This message was deleted").waitFor();
});

test("what is typed while a message goes out stays, and it goes out once", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  const field = one.page.getByRole("textbox", { name: "Message", exact: true });
  const press = (times, more) =>
    field.evaluate((field, [times, more]) => {
      const enter = { key: "Enter", bubbles: true, cancelable: true };
      for (let time = 0; time < times; time += 1) field.dispatchEvent(new KeyboardEvent("keydown", enter));
      if (!more) return;
      field.value += more;
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }, [times, more]);
  await field.fill("first");
  await press(1, " second");
  assert.equal(await field.inputValue(), " second");
  await press(2);
  await two.reads("second");
  assert.equal(await field.inputValue(), "");
  assert.equal(await two.message("first").count(), 1);
  assert.equal(await two.message("second").count(), 1);
});

test("who is led to an old message finds the way back as it was", async (t) => {
  const { whole } = await history(t, { messages: 200, authors: 3, every: 800 }, "whole");
  const { members: [one] } = await apart(t, undefined, [whole], [4]);
  await one.room();
  const log = one.page.getByRole("log", { name: "Messages" });
  const begins = one.page.getByText("This is where it begins.");
  await until("the first message is there", async () => {
    await log.evaluate((log) => log.scrollTo(0, -log.scrollHeight));
    return begins.count();
  });
  const first = log.getByRole("article").first();
  await first.hover();
  await first.getByRole("button", { name: "Reply" }).click();
  await one.write("an answer");
  await one.reads("an answer");
  await one.page.reload();
  await one.room();
  await one.message("an answer").locator("button.reply").click();
  await begins.waitFor();
  await until("it is in sight", () => first.evaluate((it) => it.getBoundingClientRect().bottom > 0));
  const heights = () =>
    log.locator(".log-part").evaluateAll((all) => all.map((part) => Math.round(part.getBoundingClientRect().height)));
  const before = await heights();
  await log.evaluate(async (log) => {
    while (log.scrollTop < -1) {
      log.scrollBy(0, log.clientHeight / 2);
      for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
    }
  });
  assert.ok(before.length > 3, `${before.length} parts`);
  const after = await heights();
  // The first row of a part shows whose it is until the part before it is there.
  const same = before.every((height, part) => Math.abs(height - after[part]) < LINE);
  assert.ok(same, `${before} before, ${after} after`);
});

test("the first page asks for nothing of what rooms need", async (t) => {
  const asked = [];
  const before = (profile) => profile.on("request", (request) => asked.push(request.url()));
  const one = await t.member({ wallet: 1, before });
  await one.button("Connect wallet").waitFor();
  assert.deepEqual(asked.filter((url) => /rooms/.test(url)), []);
  await one.connect();
  await one.page.getByRole("navigation", { name: "Rooms" }).waitFor();
  await one.page.waitForRequest(/rooms/, { timeout: 10_000 }).catch(() => {});
  assert.ok(asked.some((url) => /rooms/.test(url)));
});
