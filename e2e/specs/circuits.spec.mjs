// Members between whom no direct link can be made: relays carry what they say, half a minute at a time.
import assert from "node:assert/strict";
import { pageWithRelays } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** A browser in which links for data find no way; sound has connections of its own. */
const noLinks = (profile) =>
  profile.addInitScript(() => {
    const { addIceCandidate } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.addIceCandidate = function (...given) {
      const sdp = this.remoteDescription?.sdp ?? "";
      return sdp.includes("m=audio") ? addIceCandidate.apply(this, given) : Promise.resolve();
    };
  });

/** Takes note, in the page, of every moment at which it does not show two members online, one of them connected. */
const watch = ({ page }, address) =>
  page.evaluate((address) => {
    window.__lapses = [];
    const look = () => {
      const other = document.querySelector(`[aria-label="Participants"] [data-address="${address}" i]`);
      const seen = { state: other?.dataset.state, online: document.querySelectorAll("section.members li").length };
      if (seen.state !== "connected" || seen.online !== 2) window.__lapses.push(seen);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  }, address);

const lapses = ({ page }) => page.evaluate(() => window.__lapses);

test("members without a direct link stay online and audible while circuits of half a minute come and go", async (t) => {
  const { relays, url } = await pageWithRelays(t);
  const { one, two, addresses } = await t.pair({ url, before: noLinks });
  const both = [one, two];
  await Promise.all([one.hears(two), two.hears(one)]);
  const { media } = await one.connections();
  const count = (what) => relays.reduce((sum, { circuits }) => sum + circuits[what], 0);
  const between = (circuits) =>
    until(`circuit ${circuits} is over and none stands`, () => count("ended") >= circuits && count("begun") === count("ended"), 45_000);
  await Promise.all([watch(one, addresses[1]), watch(two, addresses[0])]);
  await between(1);
  await Promise.all([one.hears(two), two.hears(one)]);
  const ended = count("ended");
  const started = performance.now();
  await until("another circuit", () => count("begun") > ended, 45_000);
  const pause = performance.now() - started;
  assert.ok(pause > 10_000, `dialled again after ${pause} ms, with nothing to say`);
  await between(ended + 1);
  // Whoever has something to say does not wait for the next one.
  await one.raiseHand();
  await two.sees(addresses[0], { hand: "true" }, 5_000);
  await Promise.all([one.hears(two), two.hears(one)]);
  assert.deepEqual(await Promise.all(both.map(lapses)), [[], []]);
  assert.equal((await one.connections()).media, media, "the sound is the one that was there");
  await one.diagnosed("the path is a circuit", ({ peers }) => peers.length === 1 && peers[0].path === "circuit");
}, { limit: 240_000 });
