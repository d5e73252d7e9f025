// Several devices of one wallet: who gives a new one the keys, and how one is taken away.
import assert from "node:assert/strict";
import { aloneInGeneral, inGeneral } from "../harness/general.mjs";
import { keptKeys, roomsKept } from "../harness/kept.mjs";
import { damageFiles, Machine } from "../harness/machine.mjs";
import { test } from "../harness/test.mjs";

/** The rows of a list of devices in the settings, which are open. */
const devices = ({ page }, list) => page.getByRole("list", { name: list }).getByRole("listitem");

/** The device of a member, by what its page says of it in the settings. */
async function own(member) {
  await member.go("#/settings");
  const row = devices(member, "Your devices").filter({ hasText: "This device" });
  return row.getAttribute("data-device");
}

/** The row of another member's device in the settings, which are opened. */
async function rowOf(member, list, device) {
  await member.go("#/settings");
  return devices(member, list).and(member.page.locator(`[data-device="${device}"]`));
}

/** Another device of this wallet, signed in, whose rooms are still locked; and which it is. */
async function newDevice(t, wallet) {
  const member = await t.member({ wallet });
  await member.connect();
  await member.page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: "Locked room" }).click();
  await member.page.getByText("This room is still locked here").waitFor();
  const device = await own(member);
  return { member, device };
}

/** Waits until a new device has the keys, and opens the room. */
async function reads(member, text, wanted) {
  await member.room();
  await member.reads(text, wanted);
}

test("a new device reads what was written before once an older one of its wallet approves it", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("before the new device");
  await two.reads("before the new device");
  const { member: other, device } = await newDevice(t, 2);
  await other.go("#/");
  await other.page.getByRole("link", { name: "Locked room" }).click();
  await other.page.getByText("Approve it on a device you used before").waitFor();
  await two.page.getByText("A new device signed in with your wallet").waitFor();
  const row = await rowOf(two, "Your devices", device);
  await row.filter({ hasText: "Waits for approval" }).waitFor();
  await row.getByRole("button", { name: "Approve" }).click();
  await reads(other, "before the new device", { author: one.at });
  await other.write("from the new device");
  await one.reads("from the new device", { author: two.at });
  await row.filter({ hasText: "Waits for approval" }).waitFor({ state: "detached" });
  await two.page.getByText("A new device signed in with your wallet").waitFor({ state: "detached" });
});

test("a moderator approves a new device of another member", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await two.write("before the new device");
  await one.reads("before the new device");
  await two.page.close();
  const { member: other, device } = await newDevice(t, 2);
  const row = await rowOf(one, "Devices that wait for a moderator", device);
  await row.getByRole("button", { name: "Approve" }).click();
  await reads(other, "before the new device", { author: two.at });
});

test("whoever's browser lost all that it kept signs in anew, and reads it again once approved", async (t) => {
  const one = await aloneInGeneral(t, { tone: 1 });
  const machine = await Machine.start(t);
  const two = await machine.open({ wallet: 2 });
  await two.connect();
  await two.room();
  await two.write("before the files were damaged");
  await one.reads("before the files were damaged");
  await machine.kill();
  damageFiles(machine.folder, /(\.log|\.ldb|MANIFEST-\d+)$/);
  await machine.start();
  const other = await machine.open({ wallet: 2 });
  await other.connect();
  const device = await own(other);
  const row = await rowOf(one, "Devices that wait for a moderator", device);
  await row.getByRole("button", { name: "Approve" }).click();
  await reads(other, "before the files were damaged", { author: await other.address(t.chain) });
  await other.write("from then on");
  await one.go("#/c/1/r/general");
  await one.reads("from then on");
});

test("a device that its wallet signs out reads nothing that is written afterwards", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await one.write("while it was ours");
  await two.reads("while it was ours");
  const { member: lost, device } = await newDevice(t, 2);
  const row = await rowOf(two, "Your devices", device);
  await row.getByRole("button", { name: "Approve" }).click();
  await reads(lost, "while it was ours");
  await row.getByRole("button", { name: "Revoke" }).click();
  const dialog = two.page.getByRole("dialog", { name: "Sign this device out for good?" });
  await dialog.getByRole("button", { name: /^Test wallet 2\b/ }).click();
  await two.page.getByRole("dialog", { name: "Test wallet", exact: true }).getByRole("button", { name: "Approve" }).click();
  await row.filter({ hasText: "Signed out for good" }).waitFor();
  assert.equal(await row.getByRole("button").count(), 0);
  await lost.page.getByText("was signed out for good").waitFor();
  await one.write("after it was lost");
  await two.room();
  await two.reads("after it was lost", { author: one.at });
  // It gets what is sealed to others, and cannot open it.
  await lost.diagnosed("something stays sealed", ({ rooms }) => rooms.sealed > 0);
  await lost.go("#/c/1/r/general");
  await lost.reads("while it was ours");
  assert.equal(await lost.message("after it was lost").count(), 0);
}, { limit: 90_000 });

test("forgetting a device leaves nothing of it, and the next one gets the history back", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await two.write("before it was forgotten");
  await one.reads("before it was forgotten");
  const before = await own(two);
  await two.button("Forget this device").click();
  await two.button("Connect wallet").first().waitFor();
  assert.deepEqual(await keptKeys(two.page), { keys: [], device: [], certificates: [] });
  assert.deepEqual(await roomsKept(two.page), []);
  await two.go("#/");
  await two.connect();
  const now = await own(two);
  assert.notEqual(now, before);
  const row = await rowOf(one, "Devices that wait for a moderator", now);
  await row.getByRole("button", { name: "Approve" }).click();
  await reads(two, "before it was forgotten", { author: two.at });
});
