// A member's device that lies, and one that talks too much, while others are in the meeting.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";
import { startProbe } from "../harness/probe.mjs";

/** What a wallet can cost others: connections made at once, and one more every 5 s. */
const BURST = 16;
const PACE = 5_000;

test("a member's lies are each counted and change nothing for anybody else", async (t) => {
  const { one, two } = await t.pair();
  await Promise.all([one.hears(two), two.hears(one)]);
  const members = [one, two];
  const probe = startProbe(t, 5, "liar");
  const events = await probe.done;
  const { ignored } = events.at(-1);
  const cut = events.filter((event) => event.event === "lie" && event.cut);
  assert.deepEqual(cut, [], "no lie within a frame ends the connection");
  await Promise.all([one.hears(two), two.hears(one)]);
  const addresses = await t.chain.accounts();
  await Promise.all([one.sees(addresses[3], { state: "connected" }), two.sees(addresses[2], { state: "connected" })]);
  for (const member of members) {
    const { media } = await member.connections();
    assert.ok(media <= 1 + BURST, `${media} connections`);
    const doctor = await member.doctor();
    assert.ok(ignored[doctor.peer] > 40);
    assert.equal(doctor.ignored, ignored[doctor.peer]);
  }
});

test("a member who floods the others with messages takes their voices from nobody", async (t) => {
  const { one, two } = await t.pair();
  await Promise.all([one.hears(two), two.hears(one)]);
  // Those of the two to each other: their link, and their sound.
  const before = Math.max(...await Promise.all([one, two].map(async (member) => (await member.connections()).all)));
  const started = performance.now();
  const probe = startProbe(t, 5, "flood");
  let over = false;
  probe.done.then(() => (over = true), () => (over = true));
  // All the while, not just in the end.
  while (!over) await Promise.all([one.hears(two, 5_000), two.hears(one, 5_000)]);
  const told = (await probe.done).filter(({ event }) => event === "lie");
  assert.equal(told.length, 2 * 5);
  await Promise.all([one.hears(two), two.hears(one)]);
  const most = before + BURST + Math.ceil((performance.now() - started) / PACE);
  for (const member of [one, two]) {
    const { all } = await member.connections();
    assert.ok(all <= most, `${all} connections, at most ${most} may be`);
    const address = (await t.chain.accounts())[member === one ? 3 : 2];
    await member.sees(address, { state: "connected" });
  }
});
