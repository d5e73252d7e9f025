// Members whom no direct path reaches: a relay's TURN server carries what they say.
import assert from "node:assert/strict";
import { pageWithRelays } from "../harness/relays.mjs";
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
