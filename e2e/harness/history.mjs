// Histories that were written elsewhere, and members who take them in before they meet.
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { FOLDER } from "./environment.mjs";
import { startProbe } from "./probe.mjs";
import { pageWithRelays, REFUSED } from "./relays.mjs";
import { until } from "./until.mjs";
import { running } from "./workers.mjs";

const WIRE = readFileSync(join(import.meta.dirname, "wire.js"), "utf8");
export const PASSPHRASE = "correct horse";
/** Wallets of pages: others write the histories. */
const WALLETS = [4, 5];
export const LIMIT = 120_000;

/** Writes the backups of a history, and gives their files. */
export async function history(t, options, ...names) {
  const folder = mkdtempSync(join(FOLDER, "history-"));
  const files = Object.fromEntries(names.map((name) => [name, join(folder, name)]));
  const given = Object.entries({ ...options, ...files, passphrase: PASSPHRASE });
  await startProbe(t, 0, "history", ...given.flatMap(([name, value]) => [`--${name}`, String(value)])).done;
  return files;
}

/**
 * Members who cannot meet yet, with the backups that they took in, how large these were and how many
 * milliseconds each took; `meet` lets them.
 */
export async function apart(t, inBrowser, files, wallets = WALLETS) {
  t.expectConsole(REFUSED);
  const { relays, url } = await pageWithRelays(t);
  await Promise.all(relays.map((relay) => relay.kill()));
  const before = (profile) => profile.addInitScript({ content: WIRE });
  const members = [];
  const imports = [];
  for (const [at, wallet] of wallets.entries()) {
    const file = files[at];
    const member = await t.member({ wallet, url, inBrowser, before });
    members.push(member);
    await member.connect();
    await running(member);
    if (file) imports.push({ bytes: statSync(file).size, took: await takeIn(member, file) });
  }
  const meet = async () => {
    await Promise.all(relays.map((relay) => relay.start()));
    const linked = (page) => page.evaluate(() => window.wire.linked.length);
    for (const { page } of members) await until("they are linked", () => linked(page), LIMIT);
  };
  return { members, imports, meet };
}

/** Gives the rooms of a page a backup, and how long they took for it. */
async function takeIn({ page }, file) {
  await page.evaluate(() => {
    const input = document.createElement("input");
    input.type = "file";
    input.id = "backup";
    document.body.append(input);
  });
  await page.locator("#backup").setInputFiles(file);
  const [begun, done] = await page.evaluate(async (passphrase) => {
    const input = document.querySelector("#backup");
    const file = new Uint8Array(await input.files[0].arrayBuffer());
    input.remove();
    return window.wire.import(passphrase, file);
  }, PASSPHRASE);
  return done - begun;
}

/** Waits until a page counts so many messages as not read, within the page: asking it costs time. */
export async function unread({ page }, count) {
  const found = await page.evaluate(([count, limit]) => window.wire.unread(count, limit), [count, LIMIT]);
  if (found !== count) throw new Error(`${found} messages in place of ${count} within ${LIMIT} ms`);
}

/** A kind of frame: docs/protocol.md, section 6. */
const COMMITTED = 4;

/** Waits until a page has said of at least so many ops that it keeps them. */
export const kept = ({ page }, count) =>
  until(`${count} ops are kept`, async () => {
    const found = await page.evaluate((kind) => window.wire.frames
      .reduce((sum, frame) => sum + (frame.out && frame.kind === kind ? frame.items : 0), 0), COMMITTED);
    if (found < count) throw new Error(`${found}`);
    return true;
  }, LIMIT);
