// Members meet: they hear each other, see each other's state, and see each other go.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";

test("two members join and hear each other's tones", async (t) => {
  const { one, two } = await t.pair();
  await Promise.all([one.hears(two), two.hears(one)]);
});

test("no media connection exists before the click on join", async (t) => {
  const one = await t.member({ wallet: 2 });
  const two = await t.member({ wallet: 3 });
  await two.enter();
  await one.go("#/c/1/m/main");
  await one.connect();
  await one.button("Join meeting").waitFor();
  assert.equal((await one.connections()).media, 0);
  await one.button("Join meeting").click();
  await one.hears(two);
  assert.equal((await one.connections()).media, 1);
});

test("muting is heard and seen, and so is its end", async (t) => {
  const { one, two, addresses } = await t.pair();
  await two.hears(one);
  await one.mute();
  await two.sees(addresses[0], { muted: "true" });
  await two.noLongerHears(one);
  await one.unmute();
  await two.sees(addresses[0], { muted: "false" });
  await two.hears(one);
});

test("who speaks is seen", async (t) => {
  const { one, two, addresses } = await t.pair();
  await one.mute();
  await one.sees(addresses[1], { speaking: "true" });
  await two.sees(addresses[0], { speaking: "false" });
});

test("leaving is seen within 3 seconds", async (t) => {
  const { one, two, addresses } = await t.pair();
  await one.leave();
  await two.misses(addresses[0], 3_000);
});

test("a killed tab is seen within 15 seconds", async (t) => {
  const { one, two, addresses } = await t.pair();
  await one.kill();
  await two.misses(addresses[0], 15_000);
});

test("three members all hear each other", async (t) => {
  const members = [];
  for (const wallet of [0, 1, 4]) {
    const member = await t.member({ wallet });
    await member.enter();
    members.push(member);
  }
  const pairs = members.flatMap((one) => members.filter((two) => two !== one).map((two) => [one, two]));
  await Promise.all(pairs.map(([one, two]) => one.hears(two)));
}, { limit: 90_000 });
