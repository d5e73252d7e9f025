// The worker that has the rooms: who fetches it, what is said to it, what becomes of it when it fails.
import assert from "node:assert/strict";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";
import { overhear, running, watchFetches, worker } from "../harness/workers.mjs";

const FAILED = /the worker of the rooms failed/;

test("the rooms' module is fetched by members and by nobody else", async (t) => {
  let fetched;
  const before = (profile) => (fetched = watchFetches(profile));
  const member = await t.member({ wallet: 9, before });
  await member.button("Connect wallet").first().waitFor();
  await member.connect();
  await member.alert().filter({ hasText: "not a member" }).waitFor();
  assert.deepEqual(fetched, []);
  const other = await t.member({ wallet: 2, before });
  await other.connect();
  await running(other);
  assert.equal(fetched.filter((url) => url.endsWith(".js")).length, 1, fetched.join(" "));
});

test("the rooms run under a sub-path of another server", async (t) => {
  const member = await t.member({ wallet: 2, url: await servePage(t, { path: "/some/where/deep/" }) });
  await member.connect();
  await running(member);
});

test("no secret is in what the page and its worker say to each other", async (t) => {
  const member = await t.member({ wallet: 2, before: overhear });
  await member.connect();
  await running(member);
  const secrets = await member.page.evaluate(async () => {
    const database = await new Promise((resolve) => {
      const opening = indexedDB.open("community-chats");
      opening.onsuccess = () => resolve(opening.result);
    });
    const row = (store, key) =>
      new Promise((resolve) => {
        const reading = database.transaction(store).objectStore(store).get(key);
        reading.onsuccess = () => resolve(reading.result);
      });
    const key = await row("keys", "current");
    const open = async (name, context) => {
      const sealed = await row("device", name);
      const additionalData = new TextEncoder().encode(context);
      const parameters = { name: "AES-GCM", iv: sealed.slice(0, 12), additionalData };
      return [...new Uint8Array(await crypto.subtle.decrypt(parameters, key, sealed.slice(12)))];
    };
    const all = [await open("current", "community-chats/1 device"), await open("data key", "community-chats/1 data key")];
    database.close();
    return all;
  });
  const said = await member.page.evaluate(() => window.__said.map((bytes) => bytes.join(",")));
  // It was told to begin, and said that it had.
  assert.ok(said.length >= 3, `${said.length} messages`);
  for (const secret of secrets) {
    assert.equal(secret.length, 32);
    assert.ok(said.every((bytes) => !bytes.includes(secret.join(","))));
  }
});

test("a worker that breaks is started again", async (t) => {
  t.expectConsole(FAILED);
  t.expectConsole(/broken by the test/);
  const member = await t.member({ wallet: 2 });
  await member.connect();
  assert.equal((await running(member)).restarts, 0);
  const rooms = await worker(member);
  await rooms.evaluate(() => {
    setTimeout(() => {
      throw new Error("broken by the test");
    });
  });
  await running(member, ({ restarts }) => restarts === 1);
});

test("a worker that was ended without a word is started again", async (t) => {
  t.expectConsole(FAILED);
  const member = await t.member({ wallet: 2 });
  await member.connect();
  await running(member);
  const rooms = await worker(member);
  await rooms.evaluate(() => self.close());
  await running(member, ({ restarts }) => restarts === 1);
}, { limit: 90_000 });

test("signing out ends the worker and deletes what it kept", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.connect();
  await running(member);
  const databases = () => member.page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  assert.equal((await databases()).filter((name) => name.includes("rooms")).length, 1);
  await member.go("#/");
  await member.button("Account").click();
  await member.button("Sign out").click();
  await member.button("Connect wallet").first().waitFor();
  assert.deepEqual((await databases()).filter((name) => name.includes("rooms")), []);
  assert.deepEqual(member.page.workers(), []);
});

test("another tab that takes over has the one worker", async (t) => {
  const first = await t.member({ wallet: 2 });
  await first.connect();
  await running(first);
  const second = await t.tab(first);
  await second.button("Use here").click();
  await running(second);
  assert.deepEqual(first.page.workers(), []);
});
