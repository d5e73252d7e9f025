// The microphone: refused, missing, unplugged, or another one. Listening works without.
import assert from "node:assert/strict";
import { ownBrowser } from "../harness/browsers.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** Keeps what the page opens within the test's reach. */
const watched = (profile) =>
  profile.addInitScript(() => {
    window.opened = [];
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wanted) => {
      const stream = await open(wanted);
      window.opened.push(...stream.getAudioTracks());
      return stream;
    };
  });

/** A browser that neither has microphones made up for it nor allows any by itself. */
const plain = (t) => ownBrowser(t, { without: ["--use-fake", "--use-file-for-fake"] });

/** A browser with microphones that asks before each use, and is never answered but by rights given. */
const asking = (t) => ownBrowser(t, { without: ["--use-fake-ui"] });

/** Another member in the meeting, who is heard. */
async function speaker(t) {
  const other = await t.member({ wallet: 3, tone: 1 });
  await other.enter();
  return other;
}

/** Joins without a microphone: hears the other, and is shown as muted to both. */
async function listens(t, member, other) {
  const address = await member.address(t.chain);
  await member.button("Join meeting").click();
  await member.hears(other);
  await other.sees(address, { state: "connected", muted: "true" });
  await member.sees(address, { muted: "true" });
}

const level = (member) =>
  member.page.getByRole("meter", { name: "Microphone level" }).getAttribute("aria-valuenow").then(Number);

async function lobby(member) {
  await member.go("#/c/1/m/main");
  await member.connect();
}

test("a microphone that is not allowed says so, and can be allowed later", async (t) => {
  const member = await t.member({ inBrowser: await asking(t), context: { permissions: [] } });
  await lobby(member);
  await member.alert().filter({ hasText: "The microphone is not allowed" }).waitFor();
  await member.profile.grantPermissions(["microphone"]);
  await member.button("Try again").click();
  await member.alert().waitFor({ state: "detached" });
  await until("the level moves", async () => (await level(member)) > 0);
});

test("who does not allow the microphone can listen", async (t) => {
  const other = await speaker(t);
  const member = await t.member({ tone: 0, inBrowser: await asking(t), context: { permissions: [] } });
  await lobby(member);
  await member.alert().filter({ hasText: "The microphone is not allowed" }).waitFor();
  await listens(t, member, other);
});

test("who joined to listen can speak once the microphone is allowed", async (t) => {
  const other = await speaker(t);
  const member = await t.member({ tone: 0, inBrowser: await asking(t), context: { permissions: [] } });
  await lobby(member);
  await member.alert().filter({ hasText: "The microphone is not allowed" }).waitFor();
  await listens(t, member, other);
  await member.profile.grantPermissions(["microphone"]);
  await member.button("Try again").click();
  await member.alert().waitFor({ state: "detached" });
  await member.unmute();
  await other.hears(member);
});

test("a machine without a microphone says so, and lets one listen", async (t) => {
  const other = await speaker(t);
  const member = await t.member({ tone: 0, inBrowser: await plain(t) });
  await lobby(member);
  await member.alert().filter({ hasText: "No microphone was found" }).waitFor();
  await member.button("Try again").click();
  await member.alert().filter({ hasText: "No microphone was found" }).waitFor();
  await listens(t, member, other);
});

test("a microphone unplugged in the meeting says so, and is used again once it is back", async (t) => {
  const other = await speaker(t);
  const member = await t.member({ tone: 0, before: watched });
  await lobby(member);
  await member.button("Join meeting").click();
  await Promise.all([other.hears(member), member.hears(other)]);
  await member.page.evaluate(() => {
    // What the browser does when the device goes away.
    const track = window.opened.at(-1);
    track.stop();
    track.dispatchEvent(new Event("ended"));
  });
  await member.alert().filter({ hasText: "The microphone is gone" }).waitFor();
  await other.noLongerHears(member);
  const address = await member.address(t.chain);
  await other.sees(address, { muted: "true" });
  await member.hears(other);
  await member.button("Try again").click();
  await member.alert().waitFor({ state: "detached" });
  await other.hears(member);
  await other.sees(address, { muted: "false" });
});

test("another microphone can be chosen, and is the one that is used", async (t) => {
  const member = await t.member({ before: watched });
  await lobby(member);
  const choice = member.page.getByRole("combobox", { name: "Microphone" });
  await until("the level moves", async () => (await level(member)) > 0);
  const [first, other] = await until("there is a choice", async () => {
    const shown = await choice.inputValue();
    const all = await choice.getByRole("option").evaluateAll((all) => all.map(({ value }) => value));
    const another = all.find((value) => value !== shown && value !== "default");
    return another && [shown, another];
  });
  await choice.selectOption(other);
  await until("the chosen one is open, and the first is not", async () => {
    const tracks = await member.page.evaluate(() =>
      window.opened.map((track) => [track.getSettings().deviceId, track.readyState]),
    );
    const live = tracks.filter(([, state]) => state === "live").map(([id]) => id);
    return live.length === 1 && live[0] === other;
  });
  assert.notEqual(first, other);
  assert.equal(await choice.inputValue(), other);
  await until("the level moves", async () => (await level(member)) > 0);
});

test("going elsewhere without joining lets go of the microphone", async (t) => {
  const member = await t.member({ before: watched });
  await lobby(member);
  await until("the level moves", async () => (await level(member)) > 0);
  await member.go("#/");
  await until("no track is live", () =>
    member.page.evaluate(() => window.opened.every(({ readyState }) => readyState === "ended")),
  );
});
