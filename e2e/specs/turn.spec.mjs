// Members whom no direct path reaches: a relay's TURN server carries what they say.
import assert from "node:assert/strict";
import { Clock } from "../harness/clock.mjs";
import { Forwarder } from "../harness/forwarder.mjs";
import { Relay, pageWithRelays } from "../harness/relays.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";
import { onlyTurn, TurnFront } from "../harness/turn.mjs";
import { until } from "../harness/until.mjs";

const MINUTE_MS = 60_000;

/** The page says so of each, to the other. */
async function saysRelayed(members, addresses) {
  for (const [at, member] of members.entries()) {
    const tile = member.page.locator(`[data-address="${addresses[1 - at]}" i]`);
    await tile.filter({ hasText: "Relayed" }).waitFor();
  }
}

/** Waits until a member's connections stand, and makes sure that a TURN server carries all of them. */
async function carried({ page }) {
  const kinds = await until("connections stand", async () => {
    const kinds = await page.evaluate(() => window.__turn.kinds());
    return kinds.length >= 2 && kinds;
  });
  assert.ok(kinds.every((kind) => kind === "relay"), `${kinds}`);
}

test("members with nothing but TURN hear each other, and are told that they are relayed", async (t) => {
  const { url } = await pageWithRelays(t, { turn: true });
  const { one, two, addresses } = await t.pair({ url, before: onlyTurn() });
  await Promise.all([one.hears(two), two.hears(one)]);
  await saysRelayed([one, two], addresses);
  for (const member of [one, two]) await carried(member);
});

test("a grant is renewed before it ends, and new ways are found with the new one", async (t) => {
  const { relays: [relay], url } = await pageWithRelays(t, { count: 1, turn: true });
  const front = await TurnFront.before(t, relay.turn);
  const clock = new Clock();
  const before = async (profile) => {
    await clock.rules(profile);
    await onlyTurn(front)(profile);
  };
  const { one, two, addresses } = await t.pair({ url, before });
  const hear = () => Promise.all([one.hears(two), two.hears(one)]);
  await hear();
  const names = () => Promise.all([one, two].map(({ page }) => page.evaluate(() => window.__turn.names())));
  const first = (await names()).flat();
  assert.equal(first.length, 2, "each has one grant");
  assert.ok(first.every((name) => front.names.has(name)));
  const made = await one.connections();
  // An hour is granted, and the next is asked for five minutes before its end.
  await clock.set(56 * MINUTE_MS);
  const second = await until("each has another grant", async () => {
    const now = (await names()).flat();
    return now.length === 2 && now.every((name) => !first.includes(name)) && now;
  });
  await hear();
  assert.ok(second.every((name) => !front.names.has(name)), "what was allocated is kept");
  await one.page.evaluate(() => navigator.connection.dispatchEvent(new Event("change")));
  await until("both ask for other ways with it", () => second.every((name) => front.names.has(name)));
  await hear();
  assert.equal((await one.connections()).media, made.media, "the connection finds other ways, and is not made anew");
  for (const member of [one, two]) await carried(member);
  await saysRelayed([one, two], addresses);
}, { limit: 90_000 });

/** Two members between whom a forwarder stands, with the pages `urls`. */
async function apart(t, urls) {
  const forwarder = new Forwarder(t);
  const before = (profile) => forwarder.serve(profile);
  const one = await t.member({ wallet: 2, url: urls[0], before });
  const two = await t.member({ wallet: 3, url: urls[1], before });
  const addresses = [await one.address(t.chain), await two.address(t.chain)];
  return { one, two, addresses, between: forwarder.between(one.page, two.page) };
}

const hear = (one, two, limit) => Promise.all([one.hears(two, limit), two.hears(one, limit)]);

test("members whom no direct path reaches are relayed without their doing", async (t) => {
  const { url } = await pageWithRelays(t, { turn: true });
  const { one, two, addresses, between } = await apart(t, [url, url]);
  between.cut = true;
  await one.enter();
  const since = performance.now();
  await two.enter();
  await hear(one, two);
  t.note(`relayed sound ${((performance.now() - since) / 1000).toFixed(1)} s after the click to connect; the aim is 10 s`);
  await saysRelayed([one, two], addresses);
}, { limit: 90_000 });

test("a pair is relayed if a relay grants TURN to one of the two alone", async (t) => {
  const [giving, plain] = [await Relay.start(t, { turn: true }), await Relay.start(t)];
  const page = (relays) => servePage(t, { config: (config) => void (config.relays = relays.map((one) => one.address)) });
  const { one, two, addresses, between } = await apart(t, [await page([giving, plain]), await page([plain])]);
  between.cut = true;
  await one.enter();
  await two.enter();
  await hear(one, two);
  await saysRelayed([one, two], addresses);
}, { limit: 90_000 });

test("a pair that loses its direct path in a meeting is relayed without a click", async (t) => {
  const { url } = await pageWithRelays(t, { turn: true });
  const { one, two, addresses, between } = await apart(t, [url, url]);
  await one.enter();
  await two.enter();
  await hear(one, two);
  await Promise.all([one.listensFor(two), two.listensFor(one)]);
  between.cut = true;
  const gaps = await Promise.all([one.hearsAgain(two), two.hearsAgain(one)]);
  t.note(`no sound for ${gaps.map((gap) => (gap / 1000).toFixed(1)).join(" and ")} s; the aim is 10 s`);
  await saysRelayed([one, two], addresses);
}, { limit: 90_000 });
