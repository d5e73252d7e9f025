// What members wrote while others were away comes to these.
import { apart, history, LIMIT, unread } from "../../harness/history.mjs";
import { until } from "../../harness/until.mjs";
import { kilobytes, milliseconds } from "./table.mjs";

/** Kinds of frames: docs/protocol.md, section 6. */
const [HELLO, WELCOME, ITEMS, COMMITTED] = [0, 7, 3, 4];

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
  const { members, imports, meet } = await apart(t, inBrowser, files);
  for (const { bytes, took } of imports) console.error(`a backup of ${kilobytes(bytes)} was taken in within ${milliseconds(took)}`);
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
  const { whole, keys } = await history(t, { messages, authors: 3, every: 800 }, "whole", "keys");
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
