// Who loses the seat while in a meeting is dropped by the others, and told.
import assert from "node:assert/strict";
import { ROLE } from "../harness/chain.mjs";
import { test } from "../harness/test.mjs";

/** The chain's version is looked at every 54 to 66 s, and roles some blocks behind it. */
const NOTICED_WITHIN = 90_000;

test("who loses the seat in a meeting is dropped and told, without anybody's doing", async (t) => {
  const { one, two, addresses } = await t.pair();
  const address = addresses[1];
  await Promise.all([one.hears(two), two.hears(one)]);
  await t.chain.setRoles([two.wallet], ROLE.none);
  await Promise.all([
    one.misses(address, NOTICED_WITHIN),
    one.noLongerHears(two, NOTICED_WITHIN),
    two.alert().filter({ hasText: "is not a member of" }).waitFor({ timeout: NOTICED_WITHIN }),
    two.noLongerHears(one, NOTICED_WITHIN),
  ]);
}, { limit: 150_000 });

test("who is banned in a meeting is dropped as soon as somebody comes who knows", async (t) => {
  const { one, two, addresses } = await t.pair();
  const address = addresses[1];
  await Promise.all([one.hears(two), two.hears(one)]);
  await t.chain.setRoles([two.wallet], ROLE.banned);
  const three = await t.member({ wallet: 4 });
  await three.connect();
  const SOON = 30_000;
  await Promise.all([
    one.misses(address, SOON),
    one.noLongerHears(two, SOON),
    two.alert().filter({ hasText: "is banned from" }).waitFor({ timeout: SOON }),
  ]);
  assert.deepEqual((await three.connections()).media, 0);
}, { limit: 90_000 });
