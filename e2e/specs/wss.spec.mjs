// Relays that serve wss by themselves, as pages from https need.
import assert from "node:assert/strict";
import { ownBrowser } from "../harness/browsers.mjs";
import { certificate, trusting } from "../harness/certificates.mjs";
import { REFUSED, Relay } from "../harness/relays.mjs";
import { servePage } from "../harness/servers.mjs";
import { test } from "../harness/test.mjs";

// Browsers take every name under this one for the loopback interface.
const NAME = "relay.localhost";

/** A relay, and the ways in which configurations may name it. */
async function relay(t, tls) {
  const { address } = await Relay.start(t, { tls });
  const [, port, peer] = /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)\/tls\/ws\/p2p\/(\w+)$/.exec(address);
  return {
    origin: `wss://${NAME}:${port}`,
    byName: `/dns4/${NAME}/tcp/${port}/tls/ws/p2p/${peer}`,
    byAddress: `/ip4/127.0.0.1/tcp/${port}/wss/p2p/${peer}`,
  };
}

/** Has all sockets that the pages of a profile open put into a list. */
const listing = (sockets) => (profile) =>
  void profile.on("page", (page) => page.on("websocket", (socket) => sockets.push(socket.url())));

test("members whose page comes by https meet at a relay that serves wss by itself", async (t) => {
  const tls = certificate(NAME);
  const { origin, byName, byAddress } = await relay(t, tls);
  const sockets = [];
  const members = [];
  for (const [tone, address] of [byName, byAddress].entries()) {
    const url = await servePage(t, { tls, config: (config) => void (config.relays = [address]) });
    const inBrowser = await ownBrowser(t, { tone, extra: [trusting(tls)] });
    members.push(await t.member({ wallet: 2 + tone, url, inBrowser, before: listing(sockets) }));
  }
  const [one, two] = members;
  await one.enter();
  await two.enter();
  await Promise.all([one.hears(two), two.hears(one)]);
  assert.deepEqual([...new Set(sockets.map((url) => new URL(url).protocol))], ["wss:"]);
  assert.ok(sockets.some((url) => url.startsWith(origin)), `${sockets}`);
});

test("a relay whose certificate the browser does not believe is not used", async (t) => {
  t.expectConsole(REFUSED);
  const { byName } = await relay(t, certificate(NAME));
  const url = await servePage(t, { config: (config) => void (config.relays = [byName]) });
  const one = await t.member({ wallet: 2, url, inBrowser: await ownBrowser(t, { extra: [trusting(certificate(NAME))] }) });
  await one.connect();
  await one.says("No relay");
});
