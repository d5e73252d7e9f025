// Relays that lose or spoil what they carry, and devices that show another key than they use.
import assert from "node:assert/strict";
import { announceAnotherKey, INTERFERED } from "../harness/another-key.mjs";
import { farAway, Relay, startCarrier } from "../harness/relays.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";

/** So many bytes into a circuit the two ends are shaking hands, or saying hello. */
const [IN_THE_HANDSHAKE, LATER] = [300, 1_200];

const linked = (member) =>
  member.diagnosed("a direct link", ({ peers }) => peers.length === 1 && peers[0].path === "webrtc", 30_000);

for (const [fault, after] of [
  ["drop", IN_THE_HANDSHAKE],
  ["drop", LATER],
  ["delay", IN_THE_HANDSHAKE],
  ["corrupt", IN_THE_HANDSHAKE],
  ["corrupt", LATER],
]) {
  test(`members are linked by another relay when the nearest does this to circuits after ${after} bytes: ${fault}`, async (t) => {
    const bad = await startCarrier(t, fault, after);
    const good = await farAway(t, (await Relay.start(t)).address, 40);
    // That it is the nearest is measured: in the list it comes last.
    const config = (settings) => void (settings.relays = [good, bad.address]);
    const url = await servePage(t, { config });
    const one = await t.member({ wallet: 2, url });
    await one.connect();
    await one.says("Connected through 2 relays");
    const near = ({ relays: [first, second] }) => first.rttMs > second.rttMs;
    await one.diagnosed("the bad relay is the nearest", near);
    const two = await t.member({ wallet: 3, url });
    await two.connect();
    const since = performance.now();
    await Promise.all([linked(one), linked(two)]);
    t.note(`linked after ${((performance.now() - since) / 1000).toFixed(1)} s`);
    assert.ok(bad.tampered() > 0, "the bad relay had its chance");
    for (const { page } of [one, two]) assert.equal(await page.getByText(INTERFERED).count(), 0);
  }, { limit: 90_000 });
}

test("a device that announces another key than it uses gets no link, and that is told as an attack", async (t) => {
  const one = await t.member({ wallet: 2 });
  await one.connect();
  const two = await t.member({ wallet: 3, before: announceAnotherKey });
  await two.connect();
  for (const member of [one, two]) {
    await member.alert().filter({ hasText: INTERFERED }).waitFor({ timeout: 30_000 });
  }
  const { peers } = await one.doctor();
  assert.deepEqual(peers.map(({ path }) => path), ["circuit"]);
  await Promise.all([one, two].map((member) => member.go("#/c/1/m/main")));
  await Promise.all([one.join(), two.join()]);
  await one.raiseHand();
  await two.sees(await one.address(t.chain), { hand: "true" });
});
