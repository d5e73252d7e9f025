// Every page in both colour schemes.
import { hasNoViolations } from "../harness/axe.mjs";
import { test } from "../harness/test.mjs";

test("axe: home, signed out, and the wallet chooser", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.button("Connect wallet").first().waitFor();
  await hasNoViolations(member.page);
  await member.button("Connect wallet").first().click();
  await member.page.getByRole("dialog", { name: "Choose a wallet" }).waitFor();
  await hasNoViolations(member.page);
});

test("axe: home, signed in", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.connect();
  await member.button("Account").waitFor();
  await hasNoViolations(member.page);
});

test("axe: refusal", async (t) => {
  const stranger = await t.member({ wallet: 9 });
  await stranger.connect();
  await stranger.alert().filter({ hasText: "not a member" }).waitFor();
  await hasNoViolations(stranger.page);
});

test("axe: lobby and meeting", async (t) => {
  const one = await t.member({ wallet: 2 });
  const two = await t.member({ wallet: 3 });
  await two.enter();
  await one.go("#/c/1/m/main");
  await one.connect();
  await one.button("Join meeting").waitFor();
  await hasNoViolations(one.page);
  await one.button("Join meeting").click();
  await one.sees(await two.address(t.chain), { state: "connected" });
  await hasNoViolations(one.page);
});

for (const route of ["#/settings", "#/doctor", "#/no-such-page"]) {
  test(`axe: ${route}`, async (t) => {
    const member = await t.member({ wallet: 2, route });
    await member.page.getByRole("heading", { level: 1 }).waitFor();
    await hasNoViolations(member.page);
  });
}
