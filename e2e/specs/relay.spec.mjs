// A relay that is away, comes up, dies and comes back.
import { pageWithRelays, REFUSED } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

test("a relay that is away is said to be, and is used once it comes up", async (t) => {
  t.expectConsole(REFUSED);
  const { relays: [relay], url } = await pageWithRelays(t, { count: 1 });
  await relay.stop();
  const member = await t.member({ wallet: 2, url });
  await member.connect();
  await member.says("No relay reachable, trying again");
  await member.page.getByText("Nobody new can find you until a relay answers").waitFor();
  await relay.start();
  await member.says("Connected through 1 relay");
});

for (const [what, happens] of [
  ["there is a network again", () => window.dispatchEvent(new Event("online"))],
  ["somebody looks at the page", () => document.dispatchEvent(new Event("visibilitychange"))],
]) {
  test(`a relay that was away for long is tried at once when ${what}`, async (t) => {
    t.expectConsole(REFUSED);
    const { relays: [relay], url } = await pageWithRelays(t, { count: 1 });
    await relay.stop();
    const member = await t.member({ wallet: 2, url });
    let tried = 0;
    member.page.on("websocket", () => void (tried += 1));
    await member.connect();
    // The waits double: the next one is of 4 seconds and more.
    await until("it was tried five times", () => tried >= 5, 30_000);
    await member.says("No relay reachable, trying again");
    await relay.start();
    await member.page.evaluate(happens);
    await member.says("Connected through 1 relay", 3_000);
  });
}

test("a relay that dies in a meeting leaves the sound, and is found again", async (t) => {
  t.expectConsole(REFUSED);
  const { relays: [relay], url } = await pageWithRelays(t, { count: 1 });
  const one = await t.member({ wallet: 2, url });
  const two = await t.member({ wallet: 3, url });
  const addresses = [await one.address(t.chain), await two.address(t.chain)];
  await one.enter();
  await two.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  await relay.kill();
  await Promise.all([one, two].map((member) => member.says("No relay; connected to 1 member directly")));
  await Promise.all([one.hears(two), two.hears(one)]);
  await relay.start();
  await Promise.all([one.says("Connected through 1 relay"), two.says("Connected through 1 relay")]);
  await Promise.all([
    one.sees(addresses[1], { state: "connected" }),
    two.sees(addresses[0], { state: "connected" }),
  ]);
  await Promise.all([one.hears(two), two.hears(one)]);
  // They talk with each other again, not only by what was there before.
  await one.mute();
  await two.sees(addresses[0], { muted: "true" });
});

test("one relay of two is enough for a meeting, and for who comes to it", async (t) => {
  t.expectConsole(REFUSED);
  const { relays: [first], url } = await pageWithRelays(t);
  const [one, two] = await Promise.all([2, 3].map((wallet) => t.member({ wallet, url })));
  await Promise.all([one.enter(), two.enter()]);
  await Promise.all([one.hears(two), two.hears(one)]);
  await one.says("Connected through 2 relays");
  await first.kill();
  for (const member of [one, two]) await member.says("Connected through 1 relay");
  await one.raiseHand();
  await two.sees(await one.address(t.chain), { hand: "true" });
  await Promise.all([one.hears(two), two.hears(one)]);
  const three = await t.member({ wallet: 4, url });
  await three.enter();
  await Promise.all([three.hears(one), one.hears(three)]);
  await three.sees(await one.address(t.chain), { hand: "true" });
});

test("a relay that is lost is replaced within 2 seconds by one that stands by", async (t) => {
  t.expectConsole(REFUSED);
  const { relays, url } = await pageWithRelays(t, { count: 4 });
  const member = await t.member({ wallet: 2, url });
  await member.connect();
  await member.says("Connected through 3 relays");
  const stand = (...states) => (said) => said.relays.map(({ state }) => state).join() === states.join();
  await member.diagnosed("the fourth stands by", stand("connected", "connected", "connected", "standby"));
  await relays[1].kill();
  await member.diagnosed("the fourth steps in", stand("connected", "failed", "connected", "connected"), 2_000);
  await member.says("Connected through 3 relays");
  await Promise.all([relays[0].kill(), relays[2].kill()]);
  await member.says("Connected through 1 relay");
  await relays[3].kill();
  await member.says("No relay reachable");
});
