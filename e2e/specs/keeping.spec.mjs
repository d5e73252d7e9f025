// What is kept in the browser: that it lasts, that nobody else can read it, and what is said and
// done when it does not last.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Clock } from "../harness/clock.mjs";
import { aloneInGeneral, inGeneral } from "../harness/general.mjs";
import { damageRooms, deleteRooms } from "../harness/kept.mjs";
import { damageFiles, filesWith, Machine } from "../harness/machine.mjs";
import { pageWithRelays } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

const HOUR_MS = 60 * 60 * 1000;

/** Leaves the page for one of the same origin that runs nothing. */
async function leave(member) {
  const empty = `${member.url}empty`;
  await member.page.route(empty, (route) => route.fulfill({ contentType: "text/html", body: "<link rel=icon href=data:,>" }));
  await member.page.goto(empty);
}

/** Comes back to the room. */
async function comeBack(member) {
  await member.page.goto(member.url);
  await member.room();
}

test("what is kept comes back when its database is deleted under the page", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("before it was deleted");
  await two.reads("before it was deleted");
  assert.equal(await deleteRooms(two.page), 1);
  await two.write("after it was deleted");
  await one.reads("after it was deleted", { author: two.at });
  await two.page.getByText("Some of what was kept here was damaged").waitFor();
  await two.reads("after it was deleted", { state: "delivered" });
  await two.page.reload();
  await two.reads("before it was deleted", { author: one.at });
  await two.reads("after it was deleted");
});

test("messages that were damaged come back from another member", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("by another");
  await two.reads("by another");
  await two.write("by oneself");
  await one.reads("by oneself");
  await leave(two);
  assert.ok((await damageRooms(two.page, ["index", "bodies"])) > 0);
  await comeBack(two);
  await two.page.getByText("Some of what was kept here was damaged").waitFor();
  await two.reads("by another", { author: one.at });
  await two.reads("by oneself", { author: two.at });
  await two.write("from then on");
  await one.reads("from then on");
});

test("when all that was kept is damaged, keys and messages come back from another member", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("by another");
  await two.reads("by another");
  await leave(two);
  assert.ok((await damageRooms(two.page, ["rows", "index", "bodies"])) > 0);
  await comeBack(two);
  await two.page.getByText("Some of what was kept here was damaged").waitFor();
  await two.reads("by another", { author: one.at });
  await two.write("from then on");
  await one.reads("from then on");
});

test("where the browser cannot open what it kept, the page says what helps", async (t) => {
  const machine = await Machine.start(t);
  await machine.open({ wallet: 2 }).then((two) => two.connect());
  await machine.kill();
  // Chromium starts anew where its other files are damaged, but not without this one.
  damageFiles(machine.folder, /CURRENT$/);
  await machine.start();
  const two = await machine.open({ wallet: 2 });
  await two.page.getByText("delete this site's data in the browser's settings").waitFor();
});

test("two tabs of one profile show and write the same", async (t) => {
  const [one, first] = await inGeneral(t, [1, 2]);
  await first.write("from the first tab");
  await one.reads("from the first tab");
  const second = await t.tab(first);
  await second.button("Use here").click();
  await second.room();
  await second.reads("from the first tab", { state: "delivered" });
  await second.write("from the second tab");
  await one.reads("from the second tab", { author: first.at });
  await first.button("Use here").click();
  await first.room();
  assert.deepEqual(await first.said(), ["from the first tab", "from the second tab"]);
  await first.write("from the first again");
  await one.reads("from the first again", { author: first.at });
});

test("a clock that is set back loses nothing and keeps the order, and is spoken of", async (t) => {
  const [right, wrong] = [new Clock(), new Clock()];
  // Both have been signed in for a while.
  for (const clock of [right, wrong]) await clock.set(-3 * HOUR_MS);
  const one = await aloneInGeneral(t, { before: right.rules });
  const [two] = await inGeneral(t, [2], { before: wrong.rules });
  for (const clock of [right, wrong]) await clock.set(0);
  await two.write("first");
  await one.reads("first");
  await one.write("second");
  await two.reads("second");
  await wrong.set(-2 * HOUR_MS);
  await two.write("third");
  await one.reads("third", { author: two.at });
  await two.reads("third", { state: "delivered" });
  await one.write("fourth");
  await two.page.getByText("Your clock seems to be behind").waitFor();
  await two.page.reload();
  await two.reads("third");
  assert.deepEqual(await two.said(), ["first", "second", "third"]);
  await two.write("fifth");
  await one.reads("fifth", { author: two.at });
  await wrong.set(0);
  await two.page.reload();
  await two.reads("fourth", { author: one.at });
  // By the time that it was written, as far as its writer could tell.
  const all = ["first", "second", "third", "fifth", "fourth"];
  assert.deepEqual(await two.said(), all);
  assert.deepEqual(await one.said(), all);
  await two.page.getByText("Your clock seems to be behind").waitFor({ state: "detached" });
  for (const { page } of [one, two]) assert.equal(await page.getByText("wrote two different things").count(), 0);
}, { limit: 90_000 });

test("a clock that is ahead is said to be, and all goes on when it is right again", async (t) => {
  const clock = new Clock();
  const one = await aloneInGeneral(t, { before: clock.rules });
  await clock.set(2 * HOUR_MS);
  await one.page.reload();
  await one.page.getByText("Your clock shows a later time").waitFor();
  await clock.set(0);
  await one.page.reload();
  await one.page.getByText("Connected through").waitFor();
  await one.write("on time");
  await one.reads("on time");
});

test("a clock that is behind the sign-in is said to be wrong, and nothing is lost", async (t) => {
  const clock = new Clock();
  const one = await aloneInGeneral(t, { before: clock.rules });
  await one.write("before");
  await one.reads("before");
  await clock.set(-2 * HOUR_MS);
  await one.page.reload();
  await one.alert().filter({ hasText: "Your clock is behind" }).waitFor();
  await clock.set(0);
  await one.button("Try again").click();
  await one.reads("before");
  await one.write("after");
  await one.reads("after");
});

test("with no space left it is said what is not kept, and nothing that was said to be kept is lost", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await two.write("while there was space");
  await one.reads("while there was space");
  const browser = await two.profile.newCDPSession(two.page);
  const { origin } = new URL(two.url);
  await browser.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  // The browser looks at its quota anew every half a minute only.
  let fitting = 0;
  await until("there is no space", async () => {
    await two.write(`another ${fitting}.`);
    const { state } = await two.reads(`another ${fitting}.`);
    if (state === "failed") return true;
    fitting += 1;
    return pause(2_000, false);
  }, 60_000);
  await two.write("no space for this");
  await two.reads("no space for this", { state: "failed" });
  await two.message("no space for this").getByText("Not kept: it is lost when you close the page").waitFor();
  await two.page.getByText("there is no more space to keep messages in").waitFor();
  await one.write("to somebody with a full disk");
  await two.reads("to somebody with a full disk");
  // Nobody has it on disk.
  await one.reads("to somebody with a full disk", { state: "sent" });
  assert.equal(await one.message("no space for this").count(), 0);
  await browser.send("Storage.overrideQuotaForOrigin", { origin });
  await two.message("no space for this").getByRole("button", { name: "Try again" }).click();
  await two.reads("no space for this", { state: "delivered" });
  await one.reads("no space for this", { author: two.at });
  await one.reads("to somebody with a full disk", { state: "delivered" });
  await two.page.getByText("there is no more space").waitFor({ state: "detached" });
  await two.page.reload();
  for (const text of ["while there was space", "no space for this", "to somebody with a full disk"]) await two.reads(text);
}, { limit: 120_000 });

test("the browser is asked to keep what is written with the first message, and a backup is offered", async (t) => {
  const before = (profile) =>
    profile.addInitScript(() => {
      window.asked = 0;
      navigator.storage.persist = async () => {
        window.asked += 1;
        return false;
      };
    });
  const one = await aloneInGeneral(t, { before });
  const asked = () => one.page.evaluate(() => window.asked);
  assert.equal(await asked(), 0);
  await one.write("something to lose");
  await one.reads("something to lose");
  assert.equal(await asked(), 1);
  await one.write("and more");
  await one.reads("and more");
  assert.equal(await asked(), 1);
  await one.go("#/settings");
  await one.page.getByText("it may delete them when space runs short").waitFor();
  await one.button("Save a backup").waitFor();
});

test("what is refused comes back to the field it was written in", async (t) => {
  const one = await aloneInGeneral(t);
  const box = one.page.getByRole("textbox", { name: "Message", exact: true });
  const refused = one.alert().filter({ hasText: "30 messages a minute" });
  // No more than that are shown of one person; these may begin in one minute and end in the next.
  let text;
  for (let i = 1; i <= 60 && (await refused.count()) === 0; i += 1) {
    text = `message ${i}.`;
    await one.write(text);
    await until("it is shown or refused", async () => (await one.message(text).count()) + (await refused.count()));
  }
  await refused.waitFor();
  assert.equal(await box.inputValue(), text);
  assert.equal(await one.message(text).count(), 0);
});

test("nothing that is written is in clear on the disk or in the logs of relays", async (t) => {
  const secret = `secret${crypto.randomUUID().replaceAll("-", "")}`;
  const { relays, url } = await pageWithRelays(t, { talkative: true });
  const one = await aloneInGeneral(t, { url });
  const machine = await Machine.start(t, { tone: 1 });
  const two = await machine.open({ wallet: 2, url });
  await two.connect();
  await two.room();
  await two.write(`from here ${secret}`);
  await one.reads(`from here ${secret}`);
  await one.write(`from there ${secret}`);
  await two.reads(`from there ${secret}`);
  const { peer } = await two.doctor();
  // What is not sealed is found by the same search.
  const plain = `plain${crypto.randomUUID().replaceAll("-", "")}`;
  await two.page.evaluate(async (plain) => {
    const opening = indexedDB.open("in clear");
    opening.onupgradeneeded = () => opening.result.createObjectStore("texts");
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const writing = opening.result.transaction("texts", "readwrite");
    writing.objectStore("texts").put(plain, "key");
    await new Promise((resolve) => (writing.oncomplete = resolve));
  }, plain);
  await machine.stop();
  assert.notDeepEqual(filesWith(machine.folder, plain), []);
  assert.deepEqual(filesWith(machine.folder, secret), []);
  for (const relay of relays) {
    await relay.stop();
    assert.ok(!readFileSync(relay.log, "utf8").includes(secret));
  }
  assert.ok(relays.some(({ log }) => readFileSync(log, "utf8").includes(peer)), "the relays logged nothing of this");
}, { limit: 90_000 });
