// Hands: raised and lowered, by button and by key, seen and said.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

test("a raised hand is seen by the others within a second, and lowered as well", async (t) => {
  const { one, two, addresses } = await t.pair();
  await one.hears(two);
  await one.button("Raise hand").click();
  await two.sees(addresses[0], { hand: "true" }, 1_000);
  await one.sees(addresses[0], { hand: "true" });
  await one.page.keyboard.press("h");
  await one.button("Raise hand").waitFor();
  await two.sees(addresses[0], { hand: "false" }, 1_000);
});

test("hands are numbered in the order in which they were raised", async (t) => {
  const { one, two, addresses } = await t.pair();
  await one.hears(two);
  await two.button("Raise hand").click();
  await one.sees(addresses[1], { hand: "true" });
  await one.button("Raise hand").click();
  await two.sees(addresses[0], { hand: "true" });
  for (const member of [one, two]) {
    const number = (address) =>
      member.page.locator(`[data-address="${address}" i]`).getByText(/^Hand raised, number \d+$/).textContent();
    assert.equal(await number(addresses[1]), "Hand raised, number 1");
    assert.equal(await number(addresses[0]), "Hand raised, number 2");
  }
});

test("leaving lowers the hand", async (t) => {
  const { one, two, addresses } = await t.pair();
  await one.button("Raise hand").click();
  await two.sees(addresses[0], { hand: "true" });
  await one.leave();
  await two.misses(addresses[0], 3_000);
  await one.button("Join meeting").click();
  await two.sees(addresses[0], { hand: "false" });
  await one.button("Raise hand").waitFor();
});

test("who hears whom is in the diagnostics of both", async (t) => {
  const { one, two } = await t.pair();
  await Promise.all([one.hears(two), two.hears(one)]);
  await until("the table is whole", async () => {
    const { hearing, peer, peers } = await one.doctor();
    const other = peers[0].peer;
    const wanted = { [peer]: [other], [other]: [peer] };
    const found = Object.fromEntries(hearing.map((row) => [row.peer, row.hears]));
    assert.deepEqual(found, wanted);
    return true;
  });
});
