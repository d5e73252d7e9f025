// A room's first keys for many devices: made by one page, opened by another.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { FOLDER } from "../../harness/environment.mjs";
import { startProbe } from "../../harness/probe.mjs";
import { until } from "../../harness/until.mjs";
import { apart, PASSPHRASE } from "../../harness/history.mjs";

const ROOMS = 5;
/** A room that can be read and written. */
const OPEN = 2;
const ITEMS = 3;

/** The first epoch of some rooms, sealed to all devices of so many wallets and to those of two pages. */
export async function epoch(t, inBrowser, { wallets, devices }) {
  const file = join(mkdtempSync(join(FOLDER, "crowd-")), "crowd");
  const given = Object.entries({ wallets, devices, file, passphrase: PASSPHRASE });
  await startProbe(t, 0, "crowd", ...given.flatMap(([name, value]) => [`--${name}`, String(value)])).done;
  const { members, meet } = await apart(t, inBrowser, [file, file], [1, 2]);
  const [maker, reader] = members.map(({ page }) => page);
  await meet();
  // The first room is made without anybody's doing.
  for (const member of members) await member.room("general", 60_000);
  const [made, opened, pages] = [[], [], []];
  for (let number = 0; number < ROOMS; number += 1) {
    const name = `room ${number}`;
    const sent = await maker.evaluate(() => window.wire.frames.length);
    const [begun, done] = await maker.evaluate((name) => window.wire.create(name), name);
    made.push(done - begun);
    opened.push(await until(`${name} is open`, () => reader.evaluate(([name, OPEN, ITEMS]) => {
      const { frames, rooms } = window.wire;
      const open = rooms.find(({ names, states }) => states[names.indexOf(name)] === OPEN);
      // The page comes by sync, since it is too large for gossip.
      const came = frames.findLast(({ kind, out, longest, at }) => kind === ITEMS && !out && longest > 20_000 && at <= open.at);
      return open.at - came.at;
    }, [name, OPEN, ITEMS]), 60_000));
    pages.push(await maker.evaluate(([sent, ITEMS]) => {
      const items = window.wire.frames.slice(sent).filter(({ kind, out }) => kind === ITEMS && out);
      return Math.max(...items.map(({ longest }) => longest));
    }, [sent, ITEMS]));
  }
  return { made, opened, page: Math.max(...pages) };
}
