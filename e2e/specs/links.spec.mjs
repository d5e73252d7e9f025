// Direct links between members, and meetings without any relay.
import assert from "node:assert/strict";
import { Forwarder } from "../harness/forwarder.mjs";
import { pageWithRelays, REFUSED } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** Waits until a member is linked directly to as many others. */
const linked = (member, count) =>
  member.diagnosed(
    `${count} direct links`,
    ({ peers }) => peers.filter(({ path }) => path === "webrtc").length === count,
  );

/** Members with these wallets, and all relays, which are this test's own. */
async function members(t, wallets, { forwarder } = {}) {
  t.expectConsole(REFUSED);
  const { relays, url } = await pageWithRelays(t);
  const all = [];
  for (const wallet of wallets) {
    const before = forwarder && ((profile) => forwarder.serve(profile));
    const member = await t.member({ wallet, url, before });
    all.push(Object.assign(member, { at: await member.address(t.chain) }));
  }
  return { relays, all };
}

const killAll = async (relays, all) => {
  await Promise.all(relays.map((relay) => relay.kill()));
  await Promise.all(all.map((member) => member.says("No relay")));
};

test("members are linked directly, and nothing is left on the relay", async (t) => {
  const { relays, all: [one, two] } = await members(t, [2, 3]);
  await one.connect();
  await two.connect();
  await linked(one, 1);
  await linked(two, 1);
  const count = (what) => relays.reduce((sum, { circuits }) => sum + circuits[what], 0);
  // Long before the relays would end them, after half a minute.
  await until("no circuit is left", () => count("begun") > 0 && count("begun") === count("ended"), 10_000);
  const { peers } = await one.doctor();
  assert.deepEqual(peers.map(({ path }) => path), ["webrtc"]);
});

test("a meeting goes on when all relays are killed: sound, mute and hands", async (t) => {
  const { relays, all: [one, two] } = await members(t, [2, 3]);
  await one.enter();
  await two.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  await Promise.all([linked(one, 1), linked(two, 1)]);
  await killAll(relays, [one, two]);
  await Promise.all([one.hears(two), two.hears(one)]);
  await one.raiseHand();
  await two.sees(one.at, { hand: "true" });
  await one.button("Lower hand").click();
  await two.sees(one.at, { hand: "false" });
  await one.mute();
  await two.sees(one.at, { muted: "true" });
  await two.noLongerHears(one);
});

test("a member linked to one participant joins and hears all, with every relay gone", async (t) => {
  const forwarder = new Forwarder(t);
  const { relays, all: [one, two, three] } = await members(t, [2, 3, 4], { forwarder });
  const apart = forwarder.between(two.page, three.page);
  apart.cut = true;
  await one.enter();
  await two.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  await three.connect();
  await Promise.all([linked(three, 1), linked(two, 1), linked(one, 2)]);
  await killAll(relays, [one, two, three]);
  apart.cut = false;
  await three.join();
  await Promise.all([three.hears(one), three.hears(two), one.hears(three), two.hears(three)]);
}, { limit: 90_000 });

test("a pair that loses its way is mended through a third, without relay and without a click", async (t) => {
  const forwarder = new Forwarder(t);
  const { relays, all: [one, two, three] } = await members(t, [2, 3, 4], { forwarder });
  for (const member of [one, two, three]) await member.enter();
  await Promise.all([one.hears(two), two.hears(one), one.hears(three), two.hears(three)]);
  await Promise.all([one, two, three].map((member) => linked(member, 2)));
  await killAll(relays, [one, two, three]);
  const between = forwarder.between(one.page, two.page);
  between.cut = true;
  await one.sees(two.at, { state: "reconnecting" }, 20_000);
  // The links are given up, so that nothing but signalling through the third brings them back.
  await Promise.all([linked(one, 1), linked(two, 1)]);
  await Promise.all([one.hears(three), two.hears(three)]);
  const names = [one, two, three].map(async (member) => {
    const { peer } = await member.doctor();
    await member.go("#/c/1/m/main");
    return peer;
  });
  const [first, second, third] = await Promise.all(names);
  const row = (hearing, of) => hearing.find(({ peer }) => peer === of)?.hears.toSorted().join();
  const table = (ofFirst, ofSecond) => ({ hearing }) =>
    row(hearing, first) === ofFirst.toSorted().join() && row(hearing, second) === ofSecond.toSorted().join();
  await three.diagnosed("the third is told that the two do not hear each other", table([third], [third]));
  between.cut = false;
  await Promise.all([one.hears(two, 30_000), two.hears(one, 30_000)]);
  await three.diagnosed("it is told that they do again", table([second, third], [first, third]));
  await one.sees(two.at, { state: "connected" });
  await Promise.all([linked(one, 2), linked(two, 2)]);
}, { limit: 90_000 });

/** Says how long each of two did not hear the other. */
async function outage(t, what, one, two) {
  const gaps = await Promise.all([one.hearsAgain(two), two.hearsAgain(one)]);
  t.note(`${what}: no sound for ${gaps.map((gap) => (gap / 1000).toFixed(1)).join(" and ")} s; the aim is 3 s`);
}

test("sound comes back without a click when the way between two ends for good", async (t) => {
  const forwarder = new Forwarder(t);
  const { all: [one, two] } = await members(t, [2, 3], { forwarder });
  for (const member of [one, two]) await member.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  await Promise.all([linked(one, 1), linked(two, 1)]);
  const before = await one.connections();
  await Promise.all([one.listensFor(two), two.listensFor(one)]);
  forwarder.between(one.page, two.page).sever();
  await outage(t, "a way that ended", one, two);
  await Promise.all([linked(one, 1), linked(two, 1)]);
  await one.sees(two.at, { state: "connected" });
  const { media } = await one.connections();
  assert.equal(media, before.media, "the connection finds other paths, and is not made anew");
}, { limit: 90_000 });

/** Has a member's page run so many times slower. */
async function slow({ profile, page }, rate) {
  const session = await profile.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate });
}

test("pages that hardly get to run keep their links", async (t) => {
  const { all: [one, two] } = await members(t, [2, 3]);
  for (const member of [one, two]) await member.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  await Promise.all([linked(one, 1), linked(two, 1)]);
  const before = await Promise.all([one.connections(), two.connections()]);
  for (const member of [one, two]) await slow(member, 6);
  // A network that changes has each ask whether the other still answers.
  await one.page.evaluate(() => navigator.connection.dispatchEvent(new Event("change")));
  await one.mute();
  await two.sees(one.at, { muted: "true" }, 20_000);
  await one.unmute();
  await two.sees(one.at, { muted: "false" }, 20_000);
  for (const member of [one, two]) await slow(member, 1);
  await Promise.all([one.hears(two), two.hears(one)]);
  assert.deepEqual(await Promise.all([one.connections(), two.connections()]), before);
}, { limit: 120_000 });

test("sound comes back without a click after a change of network", async (t) => {
  t.expectConsole(/ERR_INTERNET_DISCONNECTED/);
  const forwarder = new Forwarder(t);
  const { all: [one, two] } = await members(t, [2, 3], { forwarder });
  for (const member of [one, two]) await member.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  await Promise.all([linked(one, 1), linked(two, 1)]);
  const before = await one.connections();
  await Promise.all([one.listensFor(two), two.listensFor(one)]);
  // All that the page had open is lost with the old network, and the browser says so.
  await one.profile.setOffline(true);
  forwarder.between(one.page, two.page).sever();
  await one.profile.setOffline(false);
  await outage(t, "another network", one, two);
  await Promise.all([linked(one, 1), linked(two, 1)]);
  await one.sees(two.at, { state: "connected" });
  assert.equal((await one.connections()).media, before.media, "the connection finds other paths, and is not made anew");
}, { limit: 90_000 });

test("a pair whose way ends for good finds another through a third, without relay and without a click", async (t) => {
  const forwarder = new Forwarder(t);
  const { relays, all: [one, two, three] } = await members(t, [2, 3, 4], { forwarder });
  for (const member of [one, two, three]) await member.enter();
  await Promise.all([one, two, three].map((member) => linked(member, 2)));
  await killAll(relays, [one, two, three]);
  await Promise.all([one.hears(two), two.hears(one)]);
  await Promise.all([one.listensFor(two), two.listensFor(one)]);
  // As when a router forgets what it let through: no candidate that was told so far works again.
  forwarder.between(one.page, two.page).sever();
  await outage(t, "a way that ended, and no relay", one, two);
  await Promise.all([linked(one, 2), linked(two, 2)]);
}, { limit: 90_000 });
