// What lasts from one visit to the next, what is forgotten, and which tab it belongs to.
import assert from "node:assert/strict";
import { CONFIG } from "../harness/environment.mjs";
import { changeKept, keptBytes, keptKeys } from "../harness/kept.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The device of this page, by what the page says in `#/doctor`. */
async function device(member) {
  return (await member.doctor()).peer;
}

async function signOut(member) {
  await member.button("Account").click();
  await member.button("Sign out").click();
  await member.button("Connect wallet").first().waitFor();
}

/** A member, signed in. */
async function signedIn(t, options) {
  const member = await t.member({ wallet: 2, ...options });
  await member.connect();
  await member.button("Account").waitFor();
  return member;
}

/** Loads the page anew and expects nobody signed in, nothing wrong, and a sign-in that works. */
async function comesBackSignedOut(member) {
  await member.page.reload();
  await member.button("Connect wallet").first().waitFor();
  assert.equal(await member.button("Account").count(), 0);
  assert.equal(await member.alert().count(), 0);
  await member.connect();
  await member.button("Account").waitFor();
}

test("a reload keeps the sign-in and returns to the meeting by itself", async (t) => {
  const one = await t.member({ wallet: 2 });
  const two = await t.member({ wallet: 3 });
  const address = await one.address(t.chain);
  await one.enter();
  await two.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  const [before] = (await two.participants()).filter((other) => other.address === address);
  await one.page.reload();
  await one.page.getByRole("region", { name: "Meeting", exact: true }).waitFor();
  await Promise.all([one.hears(two), two.hears(one)]);
  const entries = (await two.participants()).filter((other) => other.address === address);
  assert.deepEqual(entries.map(({ peer, muted }) => ({ peer, muted })), [{ peer: before.peer, muted: "false" }]);
});

test("who was muted comes back muted after a reload", async (t) => {
  const one = await t.member({ wallet: 2 });
  await one.enter();
  await one.mute();
  await one.page.reload();
  await one.button("Unmute microphone").waitFor();
  await one.sees(await one.address(t.chain), { muted: "true" });
});

test("who has left the meeting is not put back into it by a reload", async (t) => {
  const one = await t.member({ wallet: 2 });
  await one.enter();
  await one.leave();
  await one.page.reload();
  await one.button("Join meeting").waitFor();
});

test("signing out forgets the device, and the next sign-in makes another", async (t) => {
  const member = await signedIn(t);
  const first = await device(member);
  const { keys, device: devices, certificates } = await keptKeys(member.page);
  assert.deepEqual([keys.length, certificates.length], [1, 1]);
  // Beside it the key of what its rooms keep, once that is needed.
  assert.ok(devices.includes("current") && devices.length <= 2, devices.join());
  await member.go("#/");
  await signOut(member);
  assert.deepEqual(await keptKeys(member.page), { keys: [], device: [], certificates: [] });
  await comesBackSignedOut(member);
  const second = await device(member);
  assert.match(second, /^12D3/);
  assert.notEqual(second, first);
});

test("signing out in a meeting leaves it", async (t) => {
  const one = await t.member({ wallet: 2 });
  const two = await t.member({ wallet: 3 });
  const address = await one.address(t.chain);
  await one.enter();
  await two.enter();
  await two.sees(address, { state: "connected" });
  await signOut(one);
  await two.misses(address, 3_000);
});

test("a second tab offers to go on there, and the first can take back", async (t) => {
  const first = await signedIn(t);
  const second = await t.tab(first);
  await second.button("Use here").waitFor();
  assert.equal(await first.button("Use here").count(), 0);
  await second.button("Use here").click();
  await second.button("Account").waitFor();
  await first.page.getByText("is open in another tab").waitFor();
  assert.equal(await first.button("Account").count(), 0);
  await first.button("Use here").click();
  await first.button("Account").waitFor();
  await second.button("Use here").waitFor();
});

test("taking a meeting over from another tab moves the one participant", async (t) => {
  const first = await t.member({ wallet: 2 });
  const two = await t.member({ wallet: 3 });
  const address = await first.address(t.chain);
  await two.enter();
  await first.enter();
  await two.sees(address, { state: "connected" });
  const second = await t.tab(first, "#/c/1/m/main");
  await second.button("Use here").click();
  await two.misses(address);
  await second.button("Join meeting").click();
  await Promise.all([two.hears(second), second.hears(two)]);
  assert.equal((await two.participants()).filter((other) => other.address === address).length, 1);
});

test("closing the tab that was in use lets another go on", async (t) => {
  const first = await signedIn(t);
  const second = await t.tab(first);
  await second.button("Use here").waitFor();
  await first.page.close();
  await second.button("Use here").click();
  await second.button("Account").waitFor();
});

test("a wallet that is in the meeting on another device is told so, and gets in after that one", async (t) => {
  const first = await t.member({ wallet: 2 });
  await first.enter();
  const second = await t.member({ wallet: 2 });
  await second.connect();
  await second.go("#/c/1/m/main");
  // It knows once it has met the other.
  await second.page.getByRole("list", { name: "Already here" }).waitFor();
  await second.button("Join meeting").click();
  await second.alert().filter({ hasText: "You are in this meeting on another device" }).waitFor();
  await first.leave();
  await until("it lets us in", async () => {
    await second.button("Try again").click({ timeout: 1_000 }).catch(() => {});
    return second.page.getByRole("region", { name: "Meeting", exact: true }).isVisible();
  });
});

test("an address that needs a wallet is gone on to after signing in", async (t) => {
  const member = await t.member({ wallet: 2, route: "#/c/1/m/main" });
  await member.connect();
  await member.button("Join meeting").waitFor();
  assert.equal(new URL(member.page.url()).hash, "#/c/1/m/main");
});

test("an expired sign-in is signed out without an error", async (t) => {
  const member = await signedIn(t);
  await member.profile.addInitScript((ahead) => {
    const now = Date.now;
    Date.now = () => now() + ahead;
  }, 31 * DAY_MS);
  await comesBackSignedOut(member);
});

test("a sign-in that runs out while in use says so and can be renewed", async (t) => {
  const member = await signedIn(t, {
    before: (profile) =>
      profile.addInitScript(() => {
        const now = Date.now;
        window.ahead = 0;
        Date.now = () => now() + window.ahead;
      }),
  });
  await member.page.evaluate((ahead) => (window.ahead = ahead), 31 * DAY_MS);
  await member.alert().filter({ hasText: "Your sign-in has run out" }).waitFor();
  await member.connect();
  await member.button("Account").waitFor();
  await member.alert().waitFor({ state: "detached" });
});

/** The key of the one certificate kept. */
async function registry(member) {
  const { certificates } = await keptKeys(member.page);
  assert.equal(certificates.length, 1);
  return certificates[0];
}

/** Flips a bit of the byte that lies at this share of a row's length. */
const flip = (share) => `(row) => row.with(row.length * ${share}, row[Math.floor(row.length * ${share})] ^ 1)`;

for (const [what, share] of [["statement", 0.1], ["wallet's signature", 0.6], ["device's signature", 0.95]]) {
  test(`a certificate with a tampered ${what} is signed out without an error`, async (t) => {
    const member = await signedIn(t);
    await changeKept(member.page, "certificates", flip(share), { from: await registry(member) });
    await comesBackSignedOut(member);
  });
}

test("a certificate that is no bytes is signed out without an error", async (t) => {
  const member = await signedIn(t);
  await changeKept(member.page, "certificates", () => "something else", { from: await registry(member) });
  await comesBackSignedOut(member);
});

test("a device that cannot be unsealed is replaced by another without an error", async (t) => {
  const member = await signedIn(t);
  const first = await device(member);
  await changeKept(member.page, "device", flip(0.5), { from: "current" });
  await member.go("#/");
  await comesBackSignedOut(member);
  assert.notEqual(await device(member), first);
});

test("a certificate of another device is signed out without an error", async (t) => {
  const member = await signedIn(t);
  const other = await signedIn(t);
  const stolen = await keptBytes(other.page, "certificates", await registry(other));
  const replay = `() => new Uint8Array(${JSON.stringify(stolen)})`;
  await changeKept(member.page, "certificates", replay, { from: await registry(member) });
  await comesBackSignedOut(member);
});

test("a certificate for another registry is signed out without an error", async (t) => {
  let { communities } = CONFIG.chain;
  const config = async (route) => {
    const json = structuredClone(CONFIG);
    json.chain.communities = communities;
    await route.fulfill({ json });
  };
  const member = await signedIn(t, { before: (profile) => profile.route("**/config.json", config) });
  const here = await registry(member);
  communities = `0x${"1".repeat(40)}`;
  await member.page.reload();
  // Nothing is at that address, which is said; a certificate for it is made all the same.
  await member.alert().filter({ hasText: "no contract at" }).first().waitFor();
  await member.connect();
  await member.page.getByText("Your membership could not be checked").waitFor();
  const { certificates } = await keptKeys(member.page);
  const there = certificates.find((key) => key !== here);
  await changeKept(member.page, "certificates", (row) => row, { from: there, to: here });
  ({ communities } = CONFIG.chain);
  await comesBackSignedOut(member);
});
