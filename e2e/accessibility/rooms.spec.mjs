// Rooms: for everyone, in both colour schemes, at every width, and by keyboard alone.
import assert from "node:assert/strict";
import { aloneInGeneral, inGeneral } from "../harness/general.mjs";
import { looksRight } from "../harness/look.mjs";
import { test } from "../harness/test.mjs";

const box = ({ page }) => page.getByRole("textbox", { name: "Message", exact: true });

/** What has the focus. */
const focused = ({ page }) =>
  page.evaluate(() => {
    const { activeElement: it } = document;
    return { tag: it.tagName.toLowerCase(), name: it.ariaLabel ?? it.textContent.trim(), id: it.dataset.id };
  });

test("look: a room that is empty", async (t) => {
  const member = await aloneInGeneral(t);
  await member.page.getByText("Nothing here yet").waitFor();
  await looksRight(member, "room-empty");
});

test("look: a room with messages", async (t) => {
  const member = await aloneInGeneral(t);
  await member.write("Good evening. The **plan** is at https://example.org/plan:");
  await member.write("> who waters on Sunday?\n\n- Ann\n- Ben\n\n```rust\nfn water() {}\n```");
  await member.write("/me waves");
  await member.reads("waves");
  await member.message("Good evening").hover();
  await looksRight(member, "room");
  await member.message("Good evening").hover();
  await member.button("More").click();
  await member.page.getByText("Signed by this device, checked").waitFor();
  await looksRight(member, "message-menu");
});

test("look: suggestions, and what a command answers", async (t) => {
  const member = await aloneInGeneral(t);
  await box(member).pressSequentially("/");
  await member.page.getByRole("option").first().waitFor();
  await looksRight(member, "commands");
  await box(member).pressSequentially("help");
  await box(member).press("Enter");
  await member.page.getByRole("status").filter({ hasText: "You can type" }).waitFor();
  await looksRight(member, "help");
});

test("look: writing offline", async (t) => {
  t.expectConsole(/Failed to load resource|WebSocket connection/);
  const member = await aloneInGeneral(t);
  await member.profile.setOffline(true);
  await member.write("for later");
  await member.reads("for later", { state: "queued" });
  await member.page.getByText("messages go out later").waitFor();
  await looksRight(member, "room-offline");
});

test("look: making a room", async (t) => {
  const member = await aloneInGeneral(t);
  await member.go("#/");
  await member.button("New room").click();
  await member.page.getByRole("dialog", { name: "New room" }).waitFor();
  await looksRight(member, "new-room");
});

test("look: people", async (t) => {
  const member = await aloneInGeneral(t);
  await member.go("#/people");
  await member.page.getByRole("list", { name: "Members online" }).first().waitFor();
  await looksRight(member, "people");
});

test("look: a room that is not there", async (t) => {
  const member = await aloneInGeneral(t);
  await member.go("#/c/1/r/no-such-room");
  await member.page.getByText("This room is not here").waitFor();
  await looksRight(member, "room-lost");
});

test("look: devices", async (t) => {
  const member = await aloneInGeneral(t);
  await member.go("#/settings");
  await member.page.getByRole("list", { name: "Your devices" }).getByText("This device").waitFor();
  await looksRight(member, "devices");
});

for (const what of ["Save a backup", "Bring back a backup"]) {
  test(`look: ${what.toLowerCase()}`, async (t) => {
    const member = await aloneInGeneral(t);
    await member.go("#/settings");
    await member.button(what).click();
    await member.page.getByRole("dialog", { name: what }).waitFor();
    await looksRight(member, what.toLowerCase().replaceAll(" ", "-"));
  });
}

test("look: a new device of one's own", async (t) => {
  const [, member] = await inGeneral(t, [1, 2]);
  const other = await t.member({ wallet: 2 });
  await other.connect();
  await member.page.getByText("A new device signed in with your wallet").waitFor();
  await looksRight(member, "new-device");
  await other.page.getByRole("link", { name: "Locked room" }).click();
  await other.page.getByText("This device is new").waitFor();
  await looksRight(other, "room-locked");
});

test("keyboard: write, walk through the messages, answer, change", async (t) => {
  const member = await aloneInGeneral(t);
  const { keyboard } = member.page;
  await box(member).focus();
  for (const words of ["first", "second"]) {
    await keyboard.type(words);
    await keyboard.press("Enter");
    await member.reads(words);
  }
  await member.page.getByRole("log", { name: "Messages" }).focus();
  await keyboard.press("ArrowUp");
  const { id } = await member.reads("second");
  assert.equal((await focused(member)).id, id);
  await keyboard.press("ArrowUp");
  assert.equal((await focused(member)).id, (await member.reads("first")).id);
  for (let presses = 0; (await focused(member)).name !== "Reply"; presses += 1) {
    assert.ok(presses < 8, "Tab does not lead to Reply");
    await keyboard.press("Tab");
  }
  await keyboard.press("Enter");
  assert.equal((await focused(member)).tag, "textarea");
  await keyboard.type("an answer");
  await keyboard.press("Shift+Enter");
  await keyboard.type("of two lines");
  await keyboard.press("Enter");
  await member.message("of two lines").getByRole("button", { name: /first/ }).waitFor();
  await keyboard.press("ArrowUp");
  assert.equal(await box(member).inputValue(), "an answer\nof two lines");
  await keyboard.press("Escape");
  assert.equal(await box(member).inputValue(), "");
});

test("what others write is said politely, and what one writes oneself is not", async (t) => {
  const [one, two] = await inGeneral(t, [1, 2]);
  await two.write("hello");
  await one.reads("hello");
  const live = (element) => element.closest("[aria-live]").getAttribute("aria-live");
  assert.equal(await one.message("hello").evaluate(live), "polite");
  assert.equal(await two.message("hello").evaluate(live), "off");
});
