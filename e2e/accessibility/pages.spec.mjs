// Every page and state: for everyone, in both colour schemes, at every width.
import { ownBrowser } from "../harness/browsers.mjs";
import { ROLE } from "../harness/chain.mjs";
import { Endpoint, misdeed } from "../harness/endpoints.mjs";
import { looksRight } from "../harness/look.mjs";
import { Relay } from "../harness/relays.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";
import { restored } from "../harness/untouched.mjs";
import { EXAMPLE_WALLET, withExampleWallet } from "../harness/wallet.mjs";

/** A member with wallet 2, signed in. */
async function signedIn(t, options) {
  const member = await t.member({ wallet: 2, ...options });
  await member.connect();
  await member.page.getByRole("list", { name: "Members online" }).waitFor();
  return member;
}

test("look: home, signed out", async (t) => {
  const member = await t.member();
  await member.button("Connect wallet").first().waitFor();
  await looksRight(member, "home-signed-out");
});

test("look: the wallet chooser", async (t) => {
  const member = await t.member();
  await member.button("Connect wallet").first().click();
  await member.page.getByRole("dialog", { name: "Choose a wallet" }).waitFor();
  await looksRight(member, "wallet-chooser");
});

test("look: the wallet chooser without a wallet", async (t) => {
  // A chain that is no local one has no test wallets.
  const url = await servePage(t, { config: (config) => void (config.chain.id = 1) });
  const member = await t.member({ url });
  await member.alert().waitFor();
  await member.button("Connect wallet").first().click();
  await member.page.getByText("No wallet found in this browser").waitFor();
  await looksRight(member, "wallet-chooser-empty");
});

test("look: while the wallet asks", async (t) => {
  const account = (await t.chain.accounts())[2];
  const member = await t.member({ before: withExampleWallet(account) });
  await member.page.evaluate(() => {
    window.exampleWallet.answers.personal_sign = () => new Promise(() => {});
  });
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.page.getByRole("dialog", { name: "Approve in your wallet" }).waitFor();
  await looksRight(member, "wallet-asks");
});

test("look: a test wallet's question", async (t) => {
  const member = await t.member();
  await member.chooseWallet(/^Test wallet 2\b/);
  await member.page.getByRole("dialog", { name: "Test wallet", exact: true }).waitFor();
  await looksRight(member, "test-wallet");
});

test("look: a request rejected", async (t) => {
  const member = await t.member();
  await member.chooseWallet(/^Test wallet 2\b/);
  await member.button("Reject").click();
  await member.alert().filter({ hasText: "You rejected the request" }).waitFor();
  await looksRight(member, "rejected");
});

test("look: home, signed in", async (t) => {
  const member = await signedIn(t);
  await looksRight(member, "home");
});

test("look: the account's menu", async (t) => {
  const member = await signedIn(t);
  await member.button("Account").click();
  await member.button("Sign out").waitFor();
  await looksRight(member, "account");
});

test("look: not a member", async (t) => {
  const stranger = await t.member({ wallet: 9 });
  await stranger.connect();
  await stranger.alert().filter({ hasText: "not a member" }).waitFor();
  await looksRight(stranger, "not-a-member");
});

test("look: banned", async (t) => {
  await t.chain.setRoles([5], ROLE.banned);
  const member = await t.member({ wallet: 5 });
  await member.connect();
  await member.alert().filter({ hasText: "is banned from" }).waitFor();
  await looksRight(member, "banned");
});

test("look: the community is paused", async (t) => {
  await t.chain.setPaused(true);
  const member = await t.member({ wallet: 5 });
  await member.connect();
  await member.alert().filter({ hasText: "paused" }).waitFor();
  await looksRight(member, "paused");
});

/** Somebody at a page whose one endpoint of the chain is away. */
async function withoutChain(t) {
  t.expectConsole(/Failed to load resource/);
  const endpoint = await Endpoint.start(t, misdeed.away);
  const url = await servePage(t, { config: (config) => void (config.chain.rpc = [endpoint.url]) });
  const account = (await t.chain.accounts())[2];
  const member = await t.member({ url, before: withExampleWallet(account) });
  await member.alert().filter({ hasText: "The chain cannot be read" }).waitFor();
  return member;
}

test("look: the chain cannot be read", async (t) => {
  await looksRight(await withoutChain(t), "chain-away");
});

test("look: membership could not be checked", async (t) => {
  const member = await withoutChain(t);
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.alert().filter({ hasText: "could not be checked" }).waitFor();
  await looksRight(member, "undecided");
});

test("look: wrong settings", async (t) => {
  const url = await servePage(t, { config: (config) => void (config.community = "none") });
  const member = await t.member({ url });
  await member.alert().waitFor();
  await looksRight(member, "wrong-settings");
});

test("look: open in another tab", async (t) => {
  const member = await signedIn(t);
  const tab = await t.tab(member);
  await tab.button("Use here").waitFor();
  await looksRight(tab, "another-tab");
});

test("look: no relay", async (t) => {
  t.expectConsole(/WebSocket connection to .* failed/);
  const relay = await Relay.start(t);
  await relay.stop();
  const url = await servePage(t, { config: (config) => void (config.relays = [relay.address]) });
  const member = await signedIn(t, { url });
  await member.page.getByText("Nobody new can find you").waitFor();
  await looksRight(member, "no-relay");
});

test("look: offline", async (t) => {
  t.expectConsole(/Failed to load resource|WebSocket connection/);
  const member = await signedIn(t);
  await member.profile.setOffline(true);
  await member.page.getByText("You're offline. What you see").waitFor();
  await looksRight(member, "offline");
});

test("look: lobby", async (t) => {
  const member = await signedIn(t, { route: "#/c/1/m/main" });
  await member.button("Join meeting").waitFor();
  await looksRight(member, "lobby");
});

/** A member in the lobby on a machine without a microphone. */
async function withoutMicrophone(t) {
  const inBrowser = await ownBrowser(t, { without: ["--use-fake", "--use-file-for-fake"] });
  const member = await signedIn(t, { inBrowser, route: "#/c/1/m/main" });
  await member.alert().filter({ hasText: "No microphone was found" }).waitFor();
  return member;
}

test("look: lobby without a microphone", async (t) => {
  await looksRight(await withoutMicrophone(t), "lobby-no-microphone");
});

test("look: meeting without a microphone", async (t) => {
  const member = await withoutMicrophone(t);
  await member.button("Join meeting").click();
  await member.page.getByRole("region", { name: "Meeting", exact: true }).waitFor();
  await looksRight(member, "meeting-no-microphone");
});

test("look: alone in the meeting", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.enter();
  await member.page.getByText("You're the first one here").waitFor();
  await looksRight(member, "meeting-alone");
});

test("look: sound held back", async (t) => {
  const other = await t.member({ wallet: 3 });
  await other.enter();
  const member = await restored(t);
  await looksRight(member, "meeting-sound-held-back");
  await member.button("Turn on sound").waitFor();
});

test("look: in the meeting on another device", async (t) => {
  const first = await t.member({ wallet: 2 });
  await first.enter();
  const second = await signedIn(t, { route: "#/c/1/m/main" });
  await second.page.getByRole("list", { name: "Already here" }).waitFor();
  await second.button("Join meeting").click();
  await second.alert().filter({ hasText: "on another device" }).waitFor();
  await looksRight(second, "other-device");
});

test("look: elsewhere while in a meeting", async (t) => {
  const member = await t.member({ wallet: 2 });
  await member.enter();
  await member.go("#/");
  await member.page.getByText("You are in it").waitFor();
  await looksRight(member, "home-in-meeting");
});

test("look: a meeting of three, muted", async (t) => {
  const others = [];
  for (const wallet of [0, 1]) {
    const other = await t.member({ wallet });
    await other.enter();
    others.push(other);
  }
  const member = await t.member({ wallet: 2 });
  await member.enter();
  await member.mute();
  for (const other of others) await member.sees(await other.address(t.chain), { state: "connected" });
  await looksRight(member, "meeting");
}, { limit: 90_000 });

for (const [route, name] of [["#/settings", "settings"], ["#/doctor", "doctor"], ["#/no-such-page", "lost"]]) {
  test(`look: ${route}`, async (t) => {
    const member = await t.member({ wallet: 2, route });
    await member.page.getByRole("heading", { level: 2 }).first().waitFor();
    await looksRight(member, name);
  });
}
