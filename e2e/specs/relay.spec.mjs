// A relay that is away, comes up, dies and comes back.
import { pageWithRelays } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";

/** The browser's own word on a socket that failed. */
const REFUSED = /WebSocket connection to .* failed/;

const status = (member, text) =>
  member.page.getByRole("status", { name: "Connection" }).filter({ hasText: text }).waitFor();

test("a relay that is away is said to be, and is used once it comes up", async (t) => {
  t.expectConsole(REFUSED);
  const { relays: [relay], url } = await pageWithRelays(t, { count: 1 });
  await relay.stop();
  const member = await t.member({ wallet: 2, url });
  await member.connect();
  await status(member, "No relay reachable, trying again");
  await member.page.getByText("Nobody new can find you until a relay answers").waitFor();
  await relay.start();
  await status(member, "Connected through 1 relay");
});

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
  await Promise.all([one, two].map((member) => status(member, "No relay")));
  await Promise.all([one.hears(two), two.hears(one)]);
  await relay.start();
  await Promise.all([status(one, "Connected through 1 relay"), status(two, "Connected through 1 relay")]);
  await Promise.all([
    one.sees(addresses[1], { state: "connected" }),
    two.sees(addresses[0], { state: "connected" }),
  ]);
  await Promise.all([one.hears(two), two.hears(one)]);
  // They talk with each other again, not only by what was there before.
  await one.mute();
  await two.sees(addresses[0], { muted: "true" });
});

test("one relay of two is enough", async (t) => {
  t.expectConsole(REFUSED);
  const { relays: [first], url } = await pageWithRelays(t);
  const one = await t.member({ wallet: 2, url });
  await one.connect();
  await status(one, "Connected through 2 relays");
  await first.kill();
  await status(one, "Connected through 1 relay");
  const two = await t.member({ wallet: 3, url });
  await two.enter();
  await one.join();
  await Promise.all([one.hears(two), two.hears(one)]);
});
