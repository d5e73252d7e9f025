// Whoever is not a member learns so, and nothing else.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";

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
