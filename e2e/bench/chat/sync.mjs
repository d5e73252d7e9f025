// What members wrote while others were away comes to these.
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { FOLDER } from "../../harness/environment.mjs";
import { startProbe } from "../../harness/probe.mjs";
import { pageWithRelays, REFUSED } from "../../harness/relays.mjs";
import { until } from "../../harness/until.mjs";
import { running } from "../../harness/workers.mjs";
import { kilobytes } from "./table.mjs";

const WIRE = readFileSync(join(import.meta.dirname, "wire.js"), "utf8");
export const PASSPHRASE = "correct horse";
/** Kinds of frames: docs/protocol.md, section 6. */
const [HELLO, WELCOME, ITEMS, COMMITTED] = [0, 7, 3, 4];
/** Wallets of pages: others write the histories. */
const WALLETS = [4, 5];
const LIMIT = 120_000;

/** Writes the backups of a history, and gives their files. */
async function history(t, options, ...names) {
  const folder = mkdtempSync(join(FOLDER, "history-"));
  const files = Object.fromEntries(names.map((name) => [name, join(folder, name)]));
  const given = Object.entries({ ...options, ...files, passphrase: PASSPHRASE });
  await startProbe(t, 0, "history", ...given.flatMap(([name, value]) => [`--${name}`, String(value)])).done;
  return files;
}

/** Members who cannot meet yet, with the backups that they took in; `meet` lets them. */
export async function apart(t, inBrowser, files, wallets = WALLETS) {
  t.expectConsole(REFUSED);
  const { relays, url } = await pageWithRelays(t);
  await Promise.all(relays.map((relay) => relay.kill()));
  const before = (profile) => profile.addInitScript({ content: WIRE });
  const members = [];
  for (const [at, wallet] of wallets.entries()) {
    const file = files[at];
    const member = await t.member({ wallet, url, inBrowser, before });
    members.push(member);
    await member.connect();
    await running(member);
    if (file) console.error(`a backup of ${kilobytes(statSync(file).size)} was taken in within ${Math.round(await takeIn(member, file))} ms`);
  }
  const meet = async () => {
    await Promise.all(relays.map((relay) => relay.start()));
    const linked = (page) => page.evaluate(() => window.wire.linked.length);
    for (const { page } of members) await until("they are linked", () => linked(page), LIMIT);
  };
  return { members, meet };
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

/** Waits until a page counts so many messages as not read. */
const unread = ({ page }, count) =>
  until(`${count} messages`, async () => {
    const found = await page.evaluate(() => window.wire.rooms.at(-1)?.unread ?? 0);
    if (found !== count) throw new Error(`${found}`);
    return true;
  }, LIMIT);

/**
 * What a page saw of a sync: milliseconds from the link, and from the first word of the session in
 * which items came, until so many messages were on disk and counted as not read; bytes of all
 * frames but for items; the longest task of the page's main thread meanwhile, over 50 ms.
 */
async function seen({ page }, messages) {
  return page.evaluate(([messages, HELLO, WELCOME, ITEMS, COMMITTED]) => {
    const { frames, rooms, linked, longTasks } = window.wire;
    const shown = rooms.find(({ unread }) => unread === messages).at;
    const stored = frames.findLast(({ kind, out, items }) => kind === COMMITTED && out && items > 0).at;
    const end = Math.max(shown, stored);
    const items = frames.filter(({ kind, out }) => kind === ITEMS && !out);
    // Ops come in the session that brings most; those before it bring certificates and keys.
    const most = items.reduce((most, one) => (one.items > most.items ? one : most));
    const first = frames.findLast(({ kind, at }) => (kind === HELLO || kind === WELCOME) && at <= most.at);
    const sum = (all, pick) => all.reduce((sum, one) => sum + pick(one), 0);
    const long = longTasks.filter(({ at }) => at >= linked[0] && at <= end).map(({ duration }) => duration);
    return {
      linked: end - linked[0],
      session: end - first.at,
      overhead: sum(frames, ({ bytes }) => bytes) - sum(frames.filter(({ kind }) => kind === ITEMS), ({ itemBytes }) => itemBytes),
      items: sum(items, ({ items }) => items),
      longest: Math.max(0, ...long),
    };
  }, [messages, HELLO, WELCOME, ITEMS, COMMITTED]);
}

/** Lets two members meet of whom the first has all messages; gives what the other saw. */
async function sync(t, inBrowser, messages, files) {
  const { members, meet } = await apart(t, inBrowser, files);
  await meet();
  const [, { page }] = members;
  await unread(members[1], messages);
  await until("all is on disk", () => page.evaluate(([ITEMS, COMMITTED]) => {
    const all = (kind, out) => window.wire.frames.filter((frame) => frame.kind === kind && frame.out === out);
    return all(ITEMS, false).length === all(COMMITTED, true).length;
  }, [ITEMS, COMMITTED]), LIMIT);
  const saw = await seen(members[1], messages);
  for (const { profile } of members) await profile.close();
  return saw;
}

/** A history that comes to somebody who has none of it: a newcomer, and one who has the keys. */
export async function cold(t, inBrowser, messages) {
  const { whole, keys } = await history(t, { messages, authors: 4, every: 600 }, "whole", "keys");
  return {
    newcomer: await sync(t, inBrowser, messages, [whole]),
    keys: await sync(t, inBrowser, messages, [whole, keys]),
  };
}

/** A few that are missing of many: the newest, and as many that lie all over. */
export async function few(t, inBrowser, messages, missing) {
  const plan = { messages, missing, authors: 2, every: 8_700 };
  const { whole, earlier, scattered } = await history(t, plan, "whole", "earlier", "scattered");
  return {
    newest: await sync(t, inBrowser, messages, [whole, earlier]),
    scattered: await sync(t, inBrowser, messages, [whole, scattered]),
  };
}
