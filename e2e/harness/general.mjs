// The room that tests talk in.

/** Members with these wallets in the room "general", which the first, a moderator, makes. */
export async function inGeneral(t, wallets, options = {}) {
  const all = [];
  for (const wallet of wallets) {
    const member = await t.member({ wallet, ...options });
    all.push(Object.assign(member, { at: await member.address(t.chain) }));
    await member.connect();
  }
  for (const member of all) await member.room();
  return all;
}

/** A moderator who is alone and has made the room "general". */
export async function aloneInGeneral(t, options) {
  const member = await t.member({ wallet: 1, ...options });
  member.at = await member.address(t.chain);
  await member.connect();
  await member.button("New room").click();
  const dialog = member.page.getByRole("dialog", { name: "New room" });
  await dialog.getByRole("textbox", { name: "Name" }).fill("general");
  await dialog.getByRole("button", { name: "Make room" }).click();
  await member.room();
  return member;
}
