// Pages and browsers that are killed in the middle of writing.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { aloneInGeneral } from "../harness/general.mjs";
import { Machine } from "../harness/machine.mjs";
import { test } from "../harness/test.mjs";
import { until } from "../harness/until.mjs";

/** How often, in all. */
const KILLS = 20;
/** The longest after a message was handed in that the kill comes, in milliseconds. */
const LATEST = 250;

/** Pseudorandom numbers from 0 to 1 (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Runs in the page: tells of each message that it shows, and how far it says that it has come. */
function watch() {
  const told = new Map();
  const look = () => {
    for (const { dataset, textContent } of document.querySelectorAll("article[data-id]")) {
      if (told.get(dataset.id) === dataset.state) continue;
      told.set(dataset.id, dataset.state);
      const [text] = /kill \d\d, message \d/.exec(textContent) ?? [];
      if (text) window.__shown(text, dataset.state);
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
}

test("nothing that was shown as kept is lost when page or browser is killed at any moment", async (t) => {
  const seed = Number(process.env.E2E_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.note(`E2E_SEED=${seed}`);
  const draw = random(seed);
  /** What was shown of messages, and how far it was said to have come. */
  const shown = new Map();
  const before = async (profile) => {
    await profile.exposeFunction("__shown", (text, state) => {
      if (state !== "failed") shown.set(text, state);
    });
    await profile.addInitScript(watch);
  };
  const one = await aloneInGeneral(t, { tone: 1 });
  const machine = await Machine.start(t);
  for (let kill = 0; ; kill += 1) {
    const two = await machine.open({ wallet: 2, before });
    if (kill === 0) await two.connect();
    await two.room();
    await until(`all that was shown is there after ${kill} kills`, async () => {
      const said = await two.said();
      const lost = [...shown].filter(([text]) => !said.includes(text));
      if (lost.length > 0) throw new Error(`lost: ${JSON.stringify(lost)}`);
      return true;
    });
    if (kill === KILLS) break;
    const whole = kill % 2 === 0;
    const reap = whole ? () => machine.kill() : await machine.reaper();
    for (const i of [1, 2]) await two.write(`kill ${String(kill).padStart(2, "0")}, message ${i}`);
    await pause(draw() * LATEST);
    await reap();
    if (whole) await machine.start();
  }
  const states = [...shown.values()];
  const count = (state) => `${states.filter((one) => one === state).length} ${state}`;
  t.note(`${shown.size} of ${2 * KILLS} were shown: ${["queued", "sent", "delivered"].map(count).join(", ")}`);
  assert.ok(shown.size > 0, "none was shown before a kill");
  for (const text of shown.keys()) await one.reads(text);
}, { limit: 300_000 });
