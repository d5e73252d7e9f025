// What a wrong config.json says, and that mending it is enough.
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";

/** Each: what is done to a good configuration, the key that is named, the value found, what is expected. */
const WRONG = [
  [(config) => delete config.version, "version", "missing", "the number 1"],
  [(config) => (config.version = 2), "version", "2", "the number 1"],
  [(config) => delete config.name, "name", "missing", "a name of 1 to 64 bytes"],
  [(config) => (config.name = ""), "name", '""', "a name of 1 to 64 bytes"],
  [(config) => delete config.community, "community", "missing", "the community's number as text"],
  [(config) => (config.community = 1), "community", "1", "the community's number as text"],
  [(config) => delete config.chain, "chain.id", "missing", "a chain id"],
  [(config) => delete config.chain.id, "chain.id", "missing", "a chain id"],
  [(config) => (config.chain.id = "31337"), "chain.id", '"31337"', "a chain id"],
  [(config) => delete config.chain.communities, "chain.communities", "missing", "the address of a Communities contract"],
  [(config) => (config.chain.communities = "0x12"), "chain.communities", '"0x12"', "0x and 40 digits"],
  [(config) => delete config.chain.rpc, "chain.rpc", "missing", "a list of 1 to 16 endpoints"],
  [(config) => (config.chain.rpc = []), "chain.rpc", "[]", "a list of 1 to 16 endpoints"],
  [(config) => (config.chain.rpc = ["ftp://x"]), "chain.rpc[0]", '"ftp://x"', "an http: or https: URL"],
  [(config) => delete config.relays, "relays", "missing", "a list of 1 to 16 relays"],
  [(config) => (config.relays = []), "relays", "[]", "a list of 1 to 16 relays"],
  [(config) => (config.relays[1] = "127.0.0.1:9090"), "relays[1]", '"127.0.0.1:9090"', "a multiaddress"],
  [(config) => (config.relays = ["/ip4/300.0.0.1/tcp/1/ws/p2p/x"]), "relays[0]", "/ip4/300.0.0.1/tcp/1/ws/p2p/x", "a multiaddress"],
  [(config) => delete config.ice, "ice", "missing", "a list of at most 16 ICE servers"],
  [(config) => (config.ice = [{ urls: ["turn:x"] }]), "ice[0].urls[0]", '"turn:x"', "a stun: URL"],
  [(config) => (config.theme = { accent: "red" }), "theme.accent", '"red"', 'a colour such as "#4f46e5"'],
];

/** The page with a configuration that is wrong until `mend` is called, and what it says of it. */
async function open(t, wrong) {
  let mended = false;
  const url = await servePage(t, { config: (config) => (mended ? undefined : wrong(config)) });
  const member = await t.member({ wallet: 2, url });
  return { member, mend: () => (mended = true) };
}

/** "Try again" leads to the page once the configuration is mended. */
async function recovers({ member, mend }) {
  // Still wrong: the same is said again.
  await member.button("Try again").click();
  await member.alert().filter({ hasText: "settings" }).waitFor();
  mend();
  await member.button("Try again").click();
  await member.button("Connect wallet").first().waitFor();
  await member.alert().waitFor({ state: "detached" });
}

test("each missing or wrong key is named with what was found and what is expected", async (t) => {
  let change;
  const url = await servePage(t, { config: (config) => void change(config) });
  let member;
  for (const [wrong, key, found, expected] of WRONG) {
    change = wrong;
    if (member) await member.page.reload();
    else member = await t.member({ wallet: 2, url });
    const alert = member.alert().filter({ hasText: "The app's settings are not right" });
    await alert.filter({ hasText: `"${key}"` }).filter({ hasText: found }).filter({ hasText: expected }).waitFor();
    await member.button("Try again").waitFor();
  }
}, { limit: 90_000 });

test("a wrong configuration can be mended without a reload", async (t) => {
  await recovers(await open(t, (config) => void (config.community = "none")));
});

test("a configuration that is no JSON says so", async (t) => {
  const page = await open(t, () => "<!doctype html>");
  await page.member.alert().filter({ hasText: "config.json is not JSON" }).waitFor();
  await recovers(page);
});

test("a configuration that is missing says where it belongs", async (t) => {
  t.expectConsole(/404/);
  const page = await open(t, () => null);
  const alert = page.member.alert().filter({ hasText: "settings cannot be loaded" });
  await alert.filter({ hasText: "config.json belongs beside index.html" }).waitFor();
  await recovers(page);
});

test("diagnostics can be read while the configuration is wrong", async (t) => {
  const { member } = await open(t, (config) => void (config.community = "none"));
  await member.page.getByRole("link", { name: "Diagnostics" }).first().click();
  await member.page.getByLabel("Diagnostics").filter({ hasText: '"version"' }).waitFor();
});

test("keys that are not known yet are left alone", async (t) => {
  const url = await servePage(t, { config: (config) => void (config.later = { some: ["thing"] }) });
  const member = await t.member({ wallet: 2, url });
  await member.button("Connect wallet").first().waitFor();
});
