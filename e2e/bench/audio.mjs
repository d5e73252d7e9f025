// Measures sound on the connection that a data link has already, and on a second one beside it:
// plain pages, without the app. `cargo xtask bench audio` starts this with the running system in
// the environment.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ownBrowser } from "../harness/browsers.mjs";
import { URL } from "../harness/environment.mjs";
import { cost, figures, measured } from "./figures.mjs";

const SCRIPT = readFileSync(join(import.meta.dirname, "audio.js"), "utf8");
const MODES = [["the data link's own connection", false], ["a second connection", true]];
const ROUNDS = 30;
/** Links held at once to see what one takes, and for how long. */
const HELD = 8;
const SECONDS = 10;

await measured(async (t) => {
  const { one, other } = await pages(t);
  const times = new Map(MODES.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, beside] of MODES) {
      const id = `${round} ${name}`;
      await one.evaluate((id) => window.link(id), id);
      times.get(name).push(await one.evaluate(([id, beside]) => window.talk(id, beside), [id, beside]));
      for (const page of [one, other]) await page.evaluate((id) => window.end(id), id);
    }
  }
  console.log("| sound on | start to first sound, median | p95 | memory an end | CPU of both ends |\n|---|---|---|---|---|");
  const silent = await held(t);
  for (const [name, beside] of MODES) {
    const { median, p95 } = figures(times.get(name));
    const { bytes, seconds } = await held(t, beside);
    const kilobytes = (bytes - silent.bytes) / 1024 / HELD / 2;
    const share = (seconds - silent.seconds) / SECONDS / HELD;
    console.log(`| ${name} | ${median.toFixed(1)} ms | ${p95.toFixed(1)} ms | ${Math.round(kilobytes)} kB | ${(100 * share).toFixed(1)} % of a core |`);
  }
  console.log(`memory and CPU: what is more than with ${HELD} silent data links, for one of ${HELD}`);
});

/** Two pages in a browser of their own. */
async function pages(t) {
  const own = await ownBrowser(t, {});
  const [one, other] = [await (await own.newContext()).newPage(), await (await own.newContext()).newPage()];
  for (const [from, to] of [[one, other], [other, one]]) {
    await from.exposeFunction("give", (id, message) => to.evaluate(([id, message]) => window.take(id, message), [id, message]));
    await from.addInitScript(SCRIPT);
    // Any page of the app's origin will do; this one runs nothing.
    await from.goto(`${URL}config.json`);
    await from.evaluate((worklet) => window.prepare(worklet), `${URL}worklets/meter.js`);
  }
  return { own, one, other };
}

/** What a browser takes with data links, and with sound in one of the modes, for some seconds. */
async function held(t, beside) {
  const { own, one } = await pages(t);
  for (let id = 0; id < HELD; id += 1) {
    await one.evaluate((id) => window.link(id), id);
    if (beside !== undefined) await one.evaluate(([id, beside]) => window.talk(id, beside), [id, beside]);
  }
  const before = await cost(own);
  await pause(1000 * SECONDS);
  const after = await cost(own);
  await own.close();
  return { bytes: after.bytes, seconds: after.seconds - before.seconds };
}
