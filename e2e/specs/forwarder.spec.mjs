// The forwarder that other tests rely on.
import assert from "node:assert/strict";
import { browser } from "../harness/browsers.mjs";
import { URL } from "../harness/environment.mjs";
import { Forwarder } from "../harness/forwarder.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** Two bare pages with a data channel between them, which the second sends back on. */
async function connected(t) {
  const forwarder = new Forwarder(t);
  const pages = [];
  for (const _ of [1, 2]) {
    const profile = await (await browser(0)).newContext();
    t.later(() => profile.close());
    await forwarder.serve(profile);
    const page = await profile.newPage();
    // Any page of the app's origin will do; this one runs nothing.
    await page.goto(`${URL}config.json`);
    pages.push(page);
  }
  const [one, two] = pages;
  for (const [from, to] of [[one, two], [two, one]]) {
    await from.exposeFunction("give", (what) => to.evaluate((what) => window.take(what), what));
  }
  for (const page of pages) {
    await page.evaluate(() => {
      const connection = new RTCPeerConnection();
      const describe = async () => {
        await connection.setLocalDescription();
        window.give({ description: connection.localDescription.toJSON() });
      };
      window.connection = connection;
      connection.onicecandidate = ({ candidate }) => candidate && window.give({ candidate: candidate.toJSON() });
      window.take = async ({ description, candidate }) => {
        if (candidate) return connection.addIceCandidate(candidate);
        await connection.setRemoteDescription(description);
        if (description.type === "offer") await describe();
      };
      window.start = () => {
        // Nothing is sent again: what is lost stays lost.
        window.channel = connection.createDataChannel("test", { ordered: false, maxRetransmits: 0 });
        window.came = 0;
        window.channel.onmessage = () => (window.came += 1);
        describe();
        return new Promise((resolve) => (window.channel.onopen = resolve));
      };
      connection.ondatachannel = ({ channel }) => {
        channel.onmessage = ({ data }) => channel.send(data);
      };
    });
  }
  await one.evaluate(() => window.start());
  const came = () => one.evaluate(() => window.came);
  const send = (count) =>
    one.evaluate((count) => {
      for (let sent = 0; sent < count; sent += 1) window.channel.send("x");
    }, count);
  /**
   * Sends a message and gives the milliseconds until it is back. One may be lost just after others
   * were, so another follows each second.
   */
  const trip = () =>
    one.evaluate(() => {
      const started = performance.now();
      const back = new Promise((resolve) => window.channel.addEventListener("message", resolve, { once: true }));
      window.channel.send("x");
      const another = setInterval(() => window.channel.send("x"), 1000);
      return back.then(() => {
        clearInterval(another);
        return performance.now() - started;
      });
    });
  const state = () => one.evaluate(() => window.connection.iceConnectionState);
  return { forwarder, one, two, link: forwarder.between(one, two), came, send, trip, state };
}

test("forwarder: everything between two pages passes it, and is delayed as it says", async (t) => {
  const { link, trip } = await connected(t);
  const before = link.passed;
  assert.ok(before > 0, "the channel opened through it");
  await trip();
  assert.ok(link.passed >= before + 2, "there and back");
  link.delay = 100;
  const slow = await trip();
  assert.ok(slow >= 200, `${slow} ms there and back`);
});

test("forwarder: what is cut is gone until it is mended", async (t) => {
  const { forwarder, one, two, link, came, send, trip, state } = await connected(t);
  await trip();
  link.cut = true;
  const [passed, before] = [link.passed, await came()];
  await send(10);
  await until("the browser sees that nothing comes", async () => (await state()) === "disconnected");
  assert.deepEqual([link.passed, await came()], [passed, before]);
  link.cut = false;
  await until("the browser sees that something comes", async () => (await state()) === "connected");
  await trip();
  assert.equal(forwarder.between(two, one), link);
}, { limit: 30_000 });

test("forwarder: some messages are lost while it is told to lose some, and none after", async (t) => {
  const { link, came, send, trip } = await connected(t);
  await trip();
  const before = await came();
  link.loss = 0.25;
  let sent = 0;
  await until("packets are lost", async () => {
    await send(10);
    sent += 10;
    return link.lost > 20;
  });
  link.loss = 0;
  const { lost } = link;
  for (let round = 0; round < 20; round += 1) await trip();
  const arrived = (await came()) - before - 20;
  assert.ok(arrived > 0 && arrived < sent, `${arrived} of ${sent} messages came back`);
  assert.equal(link.lost, lost);
});
