// Backups: saved in one browser, brought back in another.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { FOLDER } from "../harness/environment.mjs";
import { aloneInGeneral, inGeneral } from "../harness/general.mjs";
import { filesWith } from "../harness/machine.mjs";
import { pageWithRelays, REFUSED } from "../harness/relays.mjs";
import { test } from "../harness/test.mjs";

const PASSPHRASE = "four words and more";

/** Asks for a backup with this passphrase. */
async function ask(member, passphrase) {
  await member.go("#/settings");
  await member.button("Save a backup").click();
  const dialog = member.page.getByRole("dialog", { name: "Save a backup" });
  await dialog.getByLabel("Passphrase").fill(passphrase);
  await dialog.getByRole("button", { name: "Save a backup" }).click();
}

/** Saves a backup into a folder of its own, and gives the file. */
async function save(member) {
  const downloading = member.page.waitForEvent("download");
  await ask(member, PASSPHRASE);
  const download = await downloading;
  await member.page.getByText("The backup is written").waitFor();
  assert.equal(download.suggestedFilename(), "community-chats.backup");
  const file = join(mkdtempSync(join(FOLDER, "backup-")), "backup");
  await download.saveAs(file);
  return file;
}

/** Has a member bring back a file. */
async function bringBack(member, file, passphrase = PASSPHRASE) {
  await member.go("#/settings");
  await member.button("Bring back a backup").click();
  const dialog = member.page.getByRole("dialog", { name: "Bring back a backup" });
  await dialog.getByLabel("Backup file").setInputFiles(file);
  await dialog.getByLabel("Passphrase").fill(passphrase);
  await dialog.getByRole("button", { name: "Bring back a backup" }).click();
}

test("a backup brings rooms and direct messages back in another browser, with nobody there", async (t) => {
  t.expectConsole(REFUSED);
  const { relays, url } = await pageWithRelays(t);
  const [one, two] = await inGeneral(t, [1, 2], { url });
  await one.write("written by another");
  await two.reads("written by another");
  await two.write("written by oneself");
  await one.reads("written by oneself");
  await two.write(`/msg ${one.at} between us`);
  await two.page.getByRole("navigation", { name: "Rooms" }).locator(`[data-address="${one.at}" i]`).waitFor();
  await two.reads("between us", { state: "delivered" });
  const file = await save(two);
  assert.deepEqual(filesWith(dirname(file), "community-chats backup"), [file]);
  for (const words of ["written by another", "between us", "general"]) {
    assert.deepEqual(filesWith(dirname(file), words), [], words);
  }
  await Promise.all(relays.map((relay) => relay.kill()));
  await Promise.all([one.page.close(), two.page.close()]);
  const other = await t.member({ wallet: 2, url });
  await other.connect();
  await bringBack(other, file);
  await other.page.getByText("The backup is read").waitFor();
  await other.room();
  await other.reads("written by another", { author: one.at });
  await other.reads("written by oneself", { author: two.at });
  await other.page.getByRole("navigation", { name: "Rooms" }).locator(`[data-address="${one.at}" i]`).click();
  await other.reads("between us", { author: two.at });
  // It is kept: it is there after a reload too.
  await other.page.reload();
  await other.reads("between us", { author: two.at });
}, { limit: 90_000 });

test("a backup does not open with another passphrase, damaged, cut off, or if it is none", async (t) => {
  const one = await aloneInGeneral(t);
  await one.write("something to lose");
  await one.reads("something to lose");
  const file = await save(one);
  const whole = readFileSync(file);
  const refuses = async (bytes, why, passphrase) => {
    writeFileSync(file, bytes);
    await bringBack(one, file, passphrase);
    await one.alert().filter({ hasText: why }).waitFor();
    await one.alert().getByRole("button", { name: "Dismiss" }).click();
    await one.alert().waitFor({ state: "detached" });
    assert.equal(await one.page.getByText("The backup is read").count(), 0);
  };
  const closed = "The backup does not open: this is not its passphrase, or the file is damaged.";
  await refuses(whole, closed, "some other words");
  const middle = Math.floor(whole.length / 2);
  await refuses(Buffer.from(whole).fill(whole[middle] ^ 1, middle, middle + 1), closed);
  await refuses(whole.subarray(0, -1), closed);
  await refuses(Buffer.from("a letter"), "This file is no backup of Community Chats");
  writeFileSync(file, whole);
  await bringBack(one, file);
  await one.page.getByText("The backup is read").waitFor();
});

test("a passphrase that is too short is refused", async (t) => {
  const one = await aloneInGeneral(t);
  await ask(one, "short");
  await one.alert().filter({ hasText: "at least 8 characters" }).waitFor();
});
