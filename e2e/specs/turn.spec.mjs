// Members whom no direct path reaches: a relay's TURN server carries what they say.
import assert from "node:assert/strict";
import { Forwarder } from "../harness/forwarder.mjs";
import { Relay, pageWithRelays } from "../harness/relays.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** The page says so of each, to the other. */
async function saysRelayed(members, addresses) {
  for (const [at, member] of members.entries()) {
    const tile = member.page.locator(`[data-address="${addresses[1 - at]}" i]`);
    await tile.filter({ hasText: "Relayed" }).waitFor();
  }
}

/** A browser that uses nothing but TURN, and what it uses. */
const onlyTurn = (profile) =>
  profile.addInitScript(() => {
    const Native = window.RTCPeerConnection;
    const connections = [];
    const only = (configuration) => ({ ...configuration, iceTransportPolicy: "relay" });
    window.RTCPeerConnection = class RTCPeerConnection extends Native {
      constructor(configuration) {
        super(only(configuration));
        connections.push(this);
      }
      setConfiguration(configuration) {
        super.setConfiguration(only(configuration));
      }
    };
    window.__kinds = async () => {
      const kinds = [];
      for (const connection of connections) {
        const stats = await connection.getStats();
        for (const one of stats.values()) {
          if (one.type === "candidate-pair" && one.nominated) kinds.push(stats.get(one.localCandidateId).candidateType);
        }
      }
      return kinds;
    };
  });

test("members with nothing but TURN hear each other, and are told that they are relayed", async (t) => {
  const { url } = await pageWithRelays(t, { turn: true });
  const { one, two, addresses } = await t.pair({ url, before: onlyTurn });
  await Promise.all([one.hears(two), two.hears(one)]);
  await saysRelayed([one, two], addresses);
  for (const { page } of [one, two]) {
    const kinds = await until("connections stand", async () => {
      const kinds = await page.evaluate(() => window.__kinds());
      return kinds.length >= 2 && kinds;
    });
    assert.ok(kinds.every((kind) => kind === "relay"), `${kinds}`);
  }
});

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
