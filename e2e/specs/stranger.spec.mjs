// Whoever is not a member learns so, and nothing else.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";
import { startProbe } from "../harness/probe.mjs";

const REFUSALS = ["NotAMember", "Certificate", "OtherCommunity", "Undecided", "Malformed"];

test("a stranger is told that it is not a member and gets no peer connection", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.enter();
  const stranger = await t.member({ wallet: 9 });
  await stranger.go("#/c/1/m/main");
  await stranger.connect();
  await stranger.alert().filter({ hasText: "not a member" }).waitFor();
  assert.equal(await stranger.button("Join meeting").count(), 0);
  assert.equal(await stranger.page.getByRole("list", { name: "Participants" }).count(), 0);
  assert.deepEqual(await stranger.connections(), { all: 0, media: 0 });
  // The member saw nobody come, and made no connection either.
  assert.equal((await member.connections()).media, 0);
  const strangerAddress = await stranger.address(t.chain);
  assert.ok((await member.participants()).every(({ address }) => address !== strangerAddress));
});

test("a wallet that is rejected gives a message and another try", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.chooseWallet(/^Test wallet 2\b/);
  const dialog = member.page.getByRole("dialog", { name: "Test wallet", exact: true });
  await dialog.getByRole("button", { name: "Reject", exact: true }).click();
  await member.alert().first().waitFor();
  await member.connect();
  await member.button("Account").waitFor();
});

test("a stranger's program learns nothing of any member, but the hello of whoever comes after it", async (t) => {
  const before = await t.member({ wallet: 2 });
  const after = await t.member({ wallet: 3 });
  await before.enter();
  const probe = startProbe(t, 9, "stranger", "--seconds", "30");
  await probe.until(({ event }) => event === "present");
  await after.enter();
  await Promise.all([before.hears(after), after.hears(before)]);
  const { devices } = (await probe.done).at(-1);
  const addresses = await Promise.all([before.address(t.chain), after.address(t.chain)]);
  for (const member of [before, after]) {
    const shown = await member.participants();
    assert.deepEqual(shown.map(({ address }) => address).sort(), addresses.toSorted());
    const made = "one link and one connection for sound, to the other member";
    assert.deepEqual(await member.connections(), { all: 2, media: 1 }, made);
    const doctor = await member.doctor();
    const { bytes, dialled, dialledUs, hello, protocols } = devices[doctor.peer];
    const said = JSON.stringify(devices[doctor.peer]);
    // libp2p's own; the relay's part of a circuit ends at the relay.
    for (const name of Object.keys(bytes)) assert.match(name, /^\/ipfs\/(id|ping)\//, said);
    assert.deepEqual(protocols, [], "members do not list what they speak");
    const { Hello = 0, ...refusals } = hello;
    assert.ok(refusals.NotAMember > 0, said);
    for (const kind of Object.keys(refusals)) assert.ok(REFUSALS.includes(kind), said);
    // Known to be disclosed: whoever comes dials those who are there, and the one who dials speaks
    // first. So a stranger who waits learns the certificate, hence the wallet, of a newcomer.
    assert.deepEqual({ Hello, dialledUs }, member === after ? { Hello: 1, dialledUs: 1 } : { Hello: 0, dialledUs: 0 });
    assert.ok(dialled > 8, said);
    const refused = Object.values(doctor.refused).reduce((sum, one) => sum + one, 0);
    const told = Object.values(refusals).reduce((sum, one) => sum + one, 0);
    assert.ok(told <= refused, `${said}; ${JSON.stringify(doctor.refused)}`);
    assert.equal(doctor.ignored, 0, "nothing it said was taken for a member's");
  }
  await Promise.all([before.hears(after), after.hears(before)]);
}, { limit: 120_000 });
