// Browsers and addresses that the app cannot work in say what is lacking and what helps.
import assert from "node:assert/strict";
import { ownBrowser } from "../harness/browsers.mjs";
import { certificate, trusting } from "../harness/certificates.mjs";
import { CONFIG } from "../harness/environment.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";

const HOST = "chats.test";
const MAPPED = [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`];

/** The page under a host name that is not the loopback interface's. */
async function elsewhere(t, options) {
  const url = await servePage(t, options);
  return url.replace("127.0.0.1", HOST);
}

async function says(member, title, help) {
  await member.alert().filter({ hasText: title }).filter({ hasText: help }).waitFor();
  assert.equal(await member.button("Connect wallet").count(), 0);
}

/** A browser without the interface of this name. */
const without = (name) => (profile) =>
  profile.addInitScript((name) => {
    delete window[name];
    delete Window.prototype[name];
  }, name);

test("a page that did not come over a secure connection says so", async (t) => {
  const url = await elsewhere(t);
  const member = await t.member({
    url,
    inBrowser: await ownBrowser(t, { extra: MAPPED }),
    context: { permissions: [] },
  });
  await says(member, "needs a secure connection", "Open it by https:// or on localhost");
});

test("a browser without WebRTC says so", async (t) => {
  const member = await t.member({ before: without("RTCPeerConnection") });
  await says(member, "This browser cannot make calls", "It has no WebRTC");
});

test("a browser without IndexedDB says so", async (t) => {
  const member = await t.member({ before: without("indexedDB") });
  await says(member, "does not let the page keep anything", "private windows");
});

test("a browser that refuses IndexedDB says so, and another try works once it does not", async (t) => {
  const refuse = (profile) =>
    profile.addInitScript(() => {
      const open = IDBFactory.prototype.open;
      window.refusing = true;
      IDBFactory.prototype.open = function (...given) {
        if (window.refusing) throw new DOMException("A mutation operation was attempted.", "InvalidStateError");
        return open.apply(this, given);
      };
    });
  const member = await t.member({ before: refuse });
  await says(member, "does not let the page keep anything", "leave the private window");
  await member.page.evaluate(() => (window.refusing = false));
  await member.button("Try again").click();
  await member.button("Connect wallet").first().waitFor();
});

test("a browser without locks between tabs says so", async (t) => {
  const member = await t.member({ before: without("LockManager") });
  await says(member, "too old", "recent Chrome, Edge, Firefox or Safari");
});

test("a browser that cannot unpack the page says so", async (t) => {
  const member = await t.member({ before: without("DecompressionStream") });
  await member.alert().filter({ hasText: "too old for Community Chats" }).waitFor();
});

/** The page over https, with these relays. */
async function secure(t, relays) {
  const tls = certificate(HOST);
  const url = await elsewhere(t, { tls, config: (config) => void (config.relays = relays) });
  return t.member({ url, wallet: 2, inBrowser: await ownBrowser(t, { extra: [...MAPPED, trusting(tls)] }) });
}

const PEER = /\/p2p\/(\w+)$/.exec(CONFIG.relays[0])[1];

test("a page from https whose relays are all plain ws says which it needs", async (t) => {
  const member = await secure(t, [`/dns4/relay.test/tcp/9090/ws/p2p/${PEER}`, `/ip4/192.0.2.1/tcp/9090/ws/p2p/${PEER}`]);
  await says(member, "No relay can be reached from this page", "/tls/ws or /wss");
});

test("a page from https works with one relay that it may reach", async (t) => {
  t.expectConsole(/relay\.test/);
  const member = await secure(t, [CONFIG.relays[0], `/dns4/relay.test/tcp/9090/ws/p2p/${PEER}`]);
  await member.connect();
  const status = member.page.getByRole("status", { name: "Connection" });
  await status.filter({ hasText: "Connected through 1 relay" }).waitFor();
});
