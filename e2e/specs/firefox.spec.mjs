// Two kinds of browser in one meeting.
import { announceAnotherKey, INTERFERED } from "../harness/another-key.mjs";
import { NO_FIREFOX } from "../harness/environment.mjs";
import { FirefoxMember } from "../harness/firefox.mjs";
import { test } from "../harness/test.mjs";

test("Firefox and Chromium hear each other", async (t) => {
  const chromium = await t.member({ wallet: 2, tone: 0 });
  const firefox = await FirefoxMember.open(t, { wallet: 3, tone: 1 });
  const [first, second] = [2, 3].map(async (wallet) => (await t.chain.accounts())[wallet]);
  await Promise.all([chromium.enter(), firefox.enter()]);
  await Promise.all([
    chromium.sees(await second, { state: "connected" }),
    firefox.sees(await first, "connected"),
  ]);
  await Promise.all([chromium.hears(firefox), firefox.hears(chromium)]);
  await chromium.diagnosed("a direct link to Firefox", ({ peers }) => peers.some(({ path }) => path === "webrtc"));
}, { skip: NO_FIREFOX });

test("Firefox, too, tells a key that was not announced as an attack", async (t) => {
  const firefox = await FirefoxMember.open(t, { wallet: 3, tone: 1 });
  const chromium = await t.member({ wallet: 2, before: announceAnotherKey });
  await Promise.all([chromium.connect(), firefox.enter()]);
  await firefox.alerts(INTERFERED);
}, { skip: NO_FIREFOX });
