// Everything a person does, by keyboard alone.
import assert from "node:assert/strict";
import { test } from "../harness/test.mjs";

/** What has the focus: role or element, and name. */
const focused = (page) =>
  page.evaluate(() => {
    const { activeElement: it } = document;
    return { tag: it.tagName.toLowerCase(), text: (it.ariaLabel ?? it.textContent).replace(/\s+/g, " ").trim() };
  });

/** Presses Tab until the focus is on a thing of this name; fails where the focus goes round first. */
async function tabTo(page, name) {
  const MOST = 40;
  const passed = [];
  for (let i = 0; i < MOST; i += 1) {
    await page.keyboard.press("Tab");
    const { tag, text } = await focused(page);
    if (name.test(text) && tag !== "body") return;
    passed.push(`${tag} "${text.slice(0, 40)}"`);
  }
  throw new Error(`Tab does not lead to ${name}; it led to ${passed.join(", ")}`);
}

/** The focus can be seen: the element that has it is drawn in another way than without. */
async function showsFocus(page) {
  const ring = await page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
    return { outline: outlineStyle !== "none" && parseFloat(outlineWidth) > 0, shadow: boxShadow !== "none" };
  });
  assert.ok(ring.outline || ring.shadow, `no ring around ${JSON.stringify(await focused(page))}`);
}

test("keyboard: connect, approve, join, mute, leave", async (t) => {
  const member = await t.member({ wallet: 2, route: "#/c/1/m/main" });
  const { page } = member;
  const { keyboard } = page;
  await member.button("Connect wallet").first().waitFor();
  await tabTo(page, /^Connect wallet$/);
  await showsFocus(page);
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Choose a wallet" }).waitFor();
  await tabTo(page, /^Test wallet 2$/);
  await showsFocus(page);
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Test wallet", exact: true }).waitFor();
  await tabTo(page, /^Approve$/);
  await showsFocus(page);
  await keyboard.press("Space");
  await member.button("Join meeting").waitFor();
  await tabTo(page, /^Join meeting$/);
  await showsFocus(page);
  await keyboard.press("Enter");
  await page.getByRole("region", { name: "Meeting", exact: true }).waitFor();
  await tabTo(page, /^Mute microphone$/);
  await showsFocus(page);
  await keyboard.press("Space");
  await member.button("Unmute microphone").waitFor();
  // The button stays under the finger.
  await keyboard.press("Space");
  await member.button("Mute microphone").waitFor();
  await tabTo(page, /^Leave meeting$/);
  await showsFocus(page);
  await keyboard.press("Enter");
  await member.button("Join meeting").waitFor();
});

test("keyboard: Escape closes the chooser and rejects a test wallet's question", async (t) => {
  const { page } = await t.member({ wallet: 2 });
  const button = (name) => page.getByRole("button", { name });
  await button("Connect wallet").first().focus();
  await page.keyboard.press("Enter");
  const chooser = page.getByRole("dialog", { name: "Choose a wallet" });
  await chooser.waitFor();
  await page.keyboard.press("Escape");
  await chooser.waitFor({ state: "hidden" });
  assert.match((await focused(page)).text, /^Connect wallet$/);
  await page.keyboard.press("Enter");
  await chooser.getByRole("button", { name: /^Test wallet 2\b/ }).press("Enter");
  await page.getByRole("dialog", { name: "Test wallet", exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("alert").filter({ hasText: "You rejected the request" }).waitFor();
});

test("keyboard: a dialog that is opened again at once stays open", async (t) => {
  const { page } = await t.member({ wallet: 2 });
  const connect = page.getByRole("button", { name: "Connect wallet" }).first();
  await connect.focus();
  await page.keyboard.press("Enter");
  const chooser = page.getByRole("dialog", { name: "Choose a wallet" });
  await chooser.waitFor();
  const button = await connect.elementHandle();
  // Keys that were pressed while the browser was busy come before what it tells of the closing.
  const open = await chooser.evaluate(async (dialog, button) => {
    const told = new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    dialog.dispatchEvent(new Event("cancel", { cancelable: true }));
    while (dialog.open) await null;
    button.click();
    while (!dialog.open) await null;
    await told;
    await new Promise(requestAnimationFrame);
    return dialog.open;
  }, button);
  assert.ok(open, "the chooser closed again by itself");
});

test("keyboard: sign out", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.connect();
  const { page } = member;
  await member.button("Account").waitFor();
  await tabTo(page, /^Account/);
  await showsFocus(page);
  await page.keyboard.press("Enter");
  await member.button("Sign out").waitFor();
  await tabTo(page, /^Sign out$/);
  await showsFocus(page);
  await page.keyboard.press("Space");
  await member.button("Connect wallet").first().waitFor();
});

test("keyboard: the first Tab offers to skip to the content", async (t) => {
  const member = await t.member({ wallet: 2 });
  const { page } = member;
  await member.button("Connect wallet").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal((await focused(page)).text, "Skip to content");
  await page.keyboard.press("Enter");
  assert.equal((await focused(page)).tag, "main");
  assert.equal(new URL(page.url()).hash, "#/");
});
