// Endpoints of the chain that are away, slow, wrong, behind, or lie.
import assert from "node:assert/strict";
import { both, Endpoint, misdeed } from "../harness/endpoints.mjs";
import { ROLE } from "../harness/chain.mjs";
import { CONFIG, RPC } from "../harness/environment.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";
import { EXAMPLE_WALLET, withExampleWallet } from "../harness/wallet.mjs";

/** The browser's own word on requests that failed. */
const FAILED = /Failed to load resource/;
/** A chain that is no local one: the age of its blocks counts. */
const OTHER_CHAIN = 31_338;

const origin = (url) => new URL(url).origin;

/** Somebody with `wallet` at a page that reads the chain through `endpoints` alone. */
async function reader(t, endpoints, { wallet = 2, chain = CONFIG.chain.id } = {}) {
  const url = await servePage(t, {
    config: (config) => {
      config.chain.id = chain;
      config.chain.rpc = endpoints.map((endpoint) => endpoint.url ?? endpoint);
    },
  });
  // A wallet has its own way to the chain.
  const account = (await t.chain.accounts())[wallet];
  return t.member({ wallet, url, before: withExampleWallet(account) });
}

/** Nothing is decided, for this reason; once the endpoint is mended another try lets the member in. */
async function undecidedUntil(member, reason, mend) {
  await member.chooseWallet(EXAMPLE_WALLET);
  const alert = member.alert().filter({ hasText: "Your membership could not be checked" });
  await alert.filter({ hasText: reason }).waitFor();
  assert.equal(await member.alert().count(), 1);
  mend();
  await member.button("Try again").click();
  await member.page.getByRole("list", { name: "Members online" }).waitFor();
  await member.alert().waitFor({ state: "detached" });
}

const CASES = [
  ["is away", misdeed.away, /cannot be used.*did not|no answer|unreachable|cannot be reached/i],
  ["is on another chain", misdeed.otherChain(1), "is on chain 1 instead of 31337"],
];

for (const [what, does, reason] of CASES) {
  test(`an endpoint that ${what} decides nothing, and another try works`, async (t) => {
    t.expectConsole(FAILED);
    const endpoint = await Endpoint.start(t, does);
    const member = await reader(t, [endpoint]);
    await undecidedUntil(member, reason, () => delete endpoint.does);
  });
}

test("an endpoint that is slow decides nothing, and another try works", async (t) => {
  t.expectConsole(FAILED);
  const endpoint = await Endpoint.start(t, misdeed.slow);
  const member = await reader(t, [endpoint]);
  await undecidedUntil(member, "did not answer in time", () => delete endpoint.does);
});

test("an endpoint that is frozen at an old block decides nothing, and another try works", async (t) => {
  const there = misdeed.otherChain(OTHER_CHAIN);
  const endpoint = await Endpoint.start(t, both(there, misdeed.frozen(600)));
  const member = await reader(t, [endpoint], { chain: OTHER_CHAIN });
  await undecidedUntil(member, /stands at block \d+, which is 6\d\d s old/, () => (endpoint.does = there));
});

test("a community that the registry does not have is said to be missing", async (t) => {
  const url = await servePage(t, { config: (config) => void (config.community = "7") });
  const member = await t.member({ wallet: 2, url });
  await member.alert().filter({ hasText: "there is no community 7 in this registry" }).first().waitFor();
});

/** What `#/doctor` says of the endpoints that were no use. */
async function named(member, url) {
  await member.go("#/doctor");
  const text = () => member.page.getByLabel("Diagnostics", { exact: true }).last().textContent();
  return until(`${url} is named`, async () => {
    const { problems } = JSON.parse(await text()).chain;
    return problems?.find(([endpoint]) => endpoint === origin(url));
  });
}

test("one endpoint of three that denies a member is outvoted and named", async (t) => {
  const liar = await Endpoint.start(t, misdeed.givesRole(ROLE.none));
  const honest = await Endpoint.start(t);
  const member = await reader(t, [liar, honest, RPC]);
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.page.getByRole("list", { name: "Members online" }).waitFor();
  assert.match((await named(member, liar.url))[1], /contradict/);
});

test("one endpoint of three that admits a stranger is outvoted and named", async (t) => {
  const liar = await Endpoint.start(t, misdeed.givesRole(ROLE.member));
  const honest = await Endpoint.start(t);
  const stranger = await reader(t, [liar, honest, RPC], { wallet: 9 });
  await stranger.chooseWallet(EXAMPLE_WALLET);
  await stranger.alert().filter({ hasText: "not a member" }).waitFor();
  assert.match((await named(stranger, liar.url))[1], /contradict/);
});

test("members do not let in whom one endpoint of three admits", async (t) => {
  const liar = await Endpoint.start(t, misdeed.givesRole(ROLE.member));
  const honest = await Endpoint.start(t);
  const member = await reader(t, [liar, honest, RPC]);
  await member.go("#/c/1/m/main");
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.button("Join meeting").click();
  // The stranger's own page believes the liar, so it does all that a member does.
  const stranger = await reader(t, [liar], { wallet: 9 });
  await stranger.go("#/c/1/m/main");
  await stranger.chooseWallet(EXAMPLE_WALLET);
  await stranger.button("Join meeting").click();
  await until("the member refused the stranger", async () => {
    const { refused } = await member.doctor();
    return Object.keys(refused).length > 0;
  });
  assert.deepEqual(await member.connections(), { all: 0, media: 0 });
  assert.deepEqual(await stranger.connections(), { all: 0, media: 0 });
});

test("two endpoints that disagree decide nothing, and are both named", async (t) => {
  const liar = await Endpoint.start(t, misdeed.givesRole(ROLE.none));
  const member = await reader(t, [liar, RPC]);
  await member.chooseWallet(EXAMPLE_WALLET);
  const alert = member.alert().filter({ hasText: "the chain endpoints do not agree" });
  await alert.filter({ hasText: origin(liar.url) }).filter({ hasText: origin(RPC) }).waitFor();
  delete liar.does;
  await member.button("Try again").last().click();
  await member.page.getByRole("list", { name: "Members online" }).waitFor();
});

test("one endpoint of three that is away is named and missed by nobody", async (t) => {
  t.expectConsole(FAILED);
  const [away, honest] = [await Endpoint.start(t, misdeed.away), await Endpoint.start(t)];
  const member = await reader(t, [away, honest, RPC]);
  await member.chooseWallet(EXAMPLE_WALLET);
  await member.page.getByRole("list", { name: "Members online" }).waitFor();
  await named(member, away.url);
});

test("a chain that goes away in a meeting leaves the sound, lets nobody new in, and recovers", async (t) => {
  t.expectConsole(FAILED);
  const endpoint = await Endpoint.start(t);
  const one = await reader(t, [endpoint]);
  const two = await reader(t, [endpoint], { wallet: 3 });
  for (const member of [one, two]) {
    await member.go("#/c/1/m/main");
    await member.chooseWallet(EXAMPLE_WALLET);
    await member.button("Join meeting").click();
  }
  await Promise.all([one.hears(two), two.hears(one)]);
  endpoint.does = misdeed.away;
  // A third member, who reads the chain elsewhere, comes.
  const three = await t.member({ wallet: 4 });
  const address = await three.address(t.chain);
  await three.enter();
  const alert = one.alert().filter({ hasText: "The chain cannot be read right now" });
  await alert.filter({ hasText: "nobody new is let in" }).waitFor();
  await one.misses(address);
  assert.equal((await three.connections()).media, 0);
  await Promise.all([one.hears(two), two.hears(one)]);
  delete endpoint.does;
  await one.button("Try again").click();
  await alert.waitFor({ state: "detached" });
  await one.sees(address, { state: "connected" });
  await Promise.all([one.hears(three), three.hears(one)]);
});
