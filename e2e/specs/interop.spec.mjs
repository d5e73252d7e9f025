// js-libp2p and our own: each reaches the other directly, through either's relay.
import assert from "node:assert/strict";
import { CONFIG } from "../harness/environment.mjs";
import { startJsRelay, Stranger } from "../harness/strangers.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

const [OUR_RELAY] = CONFIG.relays;
const ONE_MB = 1_000_000;

/**
 * `one` dials `other`, at most so many times; then everything that streams can do goes right, begun
 * by either.
 */
async function reach(one, other, dials = 1) {
  for (let left = dials; ; left -= 1) {
    try {
      await one.call("dial", other.address);
      break;
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
  for (const [from, to] of [[one, other], [other, one]]) {
    await until("both know of the direct connection", () => from.call("isDirect", to.peer));
    assert.ok((await from.call("ping", to.peer)) > 0);
    await from.call("echo", to.peer, ONE_MB);
    assert.equal(await from.call("halfClose", to.peer, 100_000), 100_000);
    const before = (await to.call("events")).length;
    await from.call("reset", to.peer);
    const events = await until("the reset is seen", async () => {
      const events = await to.call("events");
      return events.length > before && events;
    });
    assert.equal(events.at(-1), "the stream ended by reset");
    assert.equal(await from.call("resetByOther", to.peer), "the stream ended by reset");
    assert.equal((await from.call("gossip", 3)).length, 3);
  }
}

test("two pages of js-libp2p reach each other through our relay", async (t) => {
  const [one, other] = await Promise.all([Stranger.open(t, "js", OUR_RELAY), Stranger.open(t, "js", OUR_RELAY)]);
  // Of js-libp2p (webrtc 6.0.33), both sides close the "init" channel. Where the one that answers is
  // first, the one that dials waits for what it has missed, until its six seconds are over.
  await reach(one, other, 3);
});

for (const [dials, is] of [["ours", "js"], ["js", "ours"]]) {
  const who = { ours: "our page", js: "a page of js-libp2p" };
  test(`${who[dials]} reaches ${who[is]} through our relay`, async (t) => {
    const [one, other] = await Promise.all([Stranger.open(t, dials, OUR_RELAY), Stranger.open(t, is, OUR_RELAY)]);
    await reach(one, other);
  });
}

test("two of our pages reach each other through a relay of js-libp2p", async (t) => {
  const relay = await startJsRelay(t);
  const [one, other] = await Promise.all([Stranger.open(t, "ours", relay), Stranger.open(t, "ours", relay)]);
  await reach(one, other);
});
