// Wallets of the browser: found by EIP-6963, spoken to by EIP-1193, in an extension of our own.
import assert from "node:assert/strict";
import { browserWithExtension } from "../harness/browsers.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";
import { EXAMPLE_WALLET, extension, withExampleWallet } from "../harness/wallet.mjs";

/** A member with wallet 2 in an Example Wallet. */
async function holder(t) {
  const account = (await t.chain.accounts())[2];
  return t.member({ wallet: 2, before: withExampleWallet(account) });
}

/** Has the wallet answer `method` by an error of EIP-1193 or JSON-RPC, until `obeys`. */
const refuses = (member, method, code, message) =>
  member.page.evaluate(([method, code, message]) => {
    window.exampleWallet.answers[method] = () => {
      throw Object.assign(new Error(message), { code });
    };
  }, [method, code, message]);

const obeys = (member, method) =>
  member.page.evaluate((method) => delete window.exampleWallet.answers[method], method);

/** Has the wallet keep the signature to itself until told to give it; waits until it is asked. */
async function heldBack(member) {
  await member.page.evaluate(() => {
    window.exampleWallet.answers.personal_sign = (params, forward) =>
      new Promise((resolve) => {
        window.exampleWallet.give = async () => {
          resolve(await forward("personal_sign", params));
          // The page has had its turn once a timer of ours rings.
          setTimeout(() => (window.exampleWallet.given = true), 50);
        };
      });
  });
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.page.waitForFunction(() => window.exampleWallet.give);
}

const asked = (member) => member.page.evaluate(() => window.exampleWallet.asked);

/** Signs in with the Example Wallet, which now does as it is asked. */
async function signsIn(member) {
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.button("Account").waitFor();
  await member.alert().waitFor({ state: "detached" });
}

test("a wallet in an extension signs once, and its holder joins and is heard", async (t) => {
  const account = (await t.chain.accounts())[2];
  const profile = await browserWithExtension(t, extension(account));
  const one = await t.member({ wallet: 2, profile });
  const two = await t.member({ wallet: 3 });
  await two.enter();
  await one.go("#/c/1/m/main");
  await one.chooseWallet(EXAMPLE_WALLET);
  await one.button("Join meeting").click();
  await Promise.all([one.hears(two), two.hears(one)]);
  assert.equal((await asked(one)).filter((method) => method === "personal_sign").length, 1);
});

test("a signature rejected in the wallet is no dead end", async (t) => {
  const member = await holder(t);
  await refuses(member, "personal_sign", 4001, "User rejected the request.");
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.alert().filter({ hasText: "You rejected the request in the wallet" }).waitFor();
  await obeys(member, "personal_sign");
  await signsIn(member);
});

test("a connection rejected in the wallet is no dead end", async (t) => {
  const member = await holder(t);
  const address = await member.address(t.chain);
  await refuses(member, "eth_requestAccounts", 4001, "User rejected the request.");
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.alert().filter({ hasText: "You rejected the request in the wallet" }).waitFor();
  assert.deepEqual(await asked(member), ["eth_requestAccounts"]);
  await member.page.evaluate((account) => {
    window.exampleWallet.answers.eth_requestAccounts = () => [account];
  }, address);
  await signsIn(member);
});

test("a wallet that still asks about an earlier request is named, with what to do", async (t) => {
  const member = await holder(t);
  await refuses(member, "personal_sign", -32002, "Request of type 'personal_sign' already pending.");
  await member.chooseWallet(EXAMPLE_WALLET);
  const alert = member.alert().filter({ hasText: EXAMPLE_WALLET });
  await alert.filter({ hasText: "still asking about an earlier request" }).waitFor();
  await obeys(member, "personal_sign");
  await signsIn(member);
});

for (const [what, event, value, words] of [
  ["account", "accountsChanged", "other account", "The account was changed in the wallet"],
  ["network", "chainChanged", "0x1", "The network was changed in the wallet"],
]) {
  test(`changing the ${what} while the wallet asks takes the request back`, async (t) => {
    const member = await holder(t);
    const other = (await t.chain.accounts())[3];
    await heldBack(member);
    const told = value === "other account" ? [other] : value;
    await member.page.evaluate(([event, told]) => window.exampleWallet.emit(event, told), [event, told]);
    await member.alert().filter({ hasText: words }).waitFor();
    await obeys(member, "personal_sign");
    await signsIn(member);
  });
}

test("a signature by another account than the one given signs nobody in", async (t) => {
  const member = await holder(t);
  const other = (await t.chain.accounts())[3];
  await member.page.evaluate((other) => {
    window.exampleWallet.answers.personal_sign = ([text], forward) => forward("personal_sign", [text, other]);
  }, other);
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.alert().filter({ hasText: "The signature is not that of the address the wallet gave" }).waitFor();
  await obeys(member, "personal_sign");
  await signsIn(member);
});

test("giving up while the wallet asks leads back to the start", async (t) => {
  const member = await holder(t);
  await heldBack(member);
  await member.page.getByRole("dialog", { name: "Approve in your wallet" }).waitFor();
  await member.button("Cancel").click();
  await member.button("Connect wallet").first().waitFor();
  // A late answer to the old request signs nobody in, now or at the next visit.
  await member.page.evaluate(() => window.exampleWallet.give());
  await until("the wallet answered", () => member.page.evaluate(() => window.exampleWallet.given));
  assert.equal(await member.button("Account").count(), 0);
  await member.page.reload();
  await member.button("Connect wallet").first().waitFor();
  await signsIn(member);
});
