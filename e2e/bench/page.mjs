// Measures what people wait for, in real browsers on this machine, and prints the figures.
// `cargo xtask bench` starts this with the running system in the environment.
import { until } from "../harness/until.mjs";
import { figures, measured } from "./figures.mjs";

const RUNS = 20;

await measured(async (t) => {
  const [joins, fromClick] = await joining(t);
  const loads = await loading(t);
  const rows = [
    ["join click to first remote audio, ms", joins],
    ["of these, until the answer is applied, ms", fromClick],
    ["page load to chats:app-ready, empty cache, ms", loads.map(({ ready }) => ready)],
    ["page load to chats:app-ready, warm cache, ms", loads.map(({ again }) => again)],
    ["transferred on first load, bytes", loads.map(({ bytes }) => bytes)],
  ];
  console.log("| what | median | p95 | least | most | n |\n|---|---|---|---|---|---|");
  for (const [what, values] of rows) {
    const { median, p95, least, most } = figures(values);
    console.log(`| ${what} | ${[median, p95, least, most].map(Math.round).join(" | ")} | ${values.length} |`);
  }
});

/** A member in the meeting, another who joins it again and again from a page in the lobby. */
async function joining(t) {
  const host = await t.member({ wallet: 2, tone: 0 });
  await host.enter();
  const guest = await t.member({ wallet: 3, tone: 1 });
  await guest.page.addInitScript(() => {
    const original = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = async function (...all) {
      const result = await original.apply(this, all);
      performance.mark("bench:described");
      return result;
    };
  });
  await guest.go("#/c/1/m/main");
  await guest.connect();
  await guest.button("Join meeting").waitFor();
  const joins = [];
  const described = [];
  for (let round = 0; round < RUNS; round += 1) {
    // A fresh page each time: connected to the relay and to the other member, and no media yet.
    await guest.page.reload();
    await guest.button("Join meeting").waitFor();
    await until("the other member is online", async () => {
      const items = guest.page.getByRole("list", { name: "Members online" }).getByRole("listitem");
      if ((await items.count()) < 2) throw new Error("alone");
      return true;
    });
    await until("the microphone moves the meter", async () => {
      const level = await guest.page.getByRole("meter", { name: "Microphone level" }).getAttribute("aria-valuenow");
      if (!(Number(level) > 0)) throw new Error(`level ${level}`);
      return true;
    });
    const { media } = await guest.connections();
    if (media !== 0) throw new Error(`${media} connections with sound before the click`);
    await guest.button("Join meeting").click();
    const marks = await until("first audio", async () => {
      const found = await guest.marks();
      if (!found["chats:first-audio"]) throw new Error(JSON.stringify(found));
      return found;
    });
    joins.push(marks["chats:first-audio"] - marks["chats:joined"]);
    described.push(marks["bench:described"] - marks["chats:joined"]);
    await guest.leave();
  }
  return [joins, described];
}

/** The front page in new profiles, and once more in each. */
async function loading(t) {
  const loads = [];
  for (let round = 0; round < RUNS; round += 1) {
    const visitor = await t.member({ tone: 0 });
    const ready = await whenReady(visitor);
    const bytes = await visitor.page.evaluate(() => {
      const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
      return entries.reduce((sum, { transferSize }) => sum + transferSize, 0);
    });
    await visitor.page.reload();
    loads.push({ ready, bytes, again: await whenReady(visitor) });
    await visitor.profile.close();
  }
  return loads;
}

function whenReady(visitor) {
  return until("the page is ready", async () => {
    const { "chats:app-ready": ready } = await visitor.marks();
    if (!ready) throw new Error("not yet");
    return ready;
  });
}
