// The same as in sync.mjs, with Yjs.
import { setTimeout as pause } from "node:timers/promises";
import { openYjs, startSignalling } from "../../harness/yjs.mjs";

/** Two pages of y-webrtc do not always meet: how long is waited, and how often it is tried. */
const [PATIENCE_MS, TRIES] = [60_000, 3];

/** Two pages of which one has so many messages and the other all but the last `missing`. */
export async function sync(...given) {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const result = await once(...given);
    if (result) return result;
    console.error(`Yjs: not all came within ${PATIENCE_MS / 1000} s, at try ${tries} of ${TRIES}`);
  }
  return { refused: `not within ${PATIENCE_MS / 1000} s, tried ${TRIES} times` };
}

async function once(t, inBrowser, count, missing, authors) {
  const signalling = await startSignalling(t);
  const pages = [];
  for (const author of ["one", "two"]) {
    const page = await openYjs(t, inBrowser, []);
    pages.push(page);
    await page.evaluate((author) => window.yjs.open(author, "history"), author);
  }
  const [one, two] = pages;
  for (const [page, until] of [[one, count], [two, count - missing]]) {
    await page.evaluate(([until, authors]) => window.yjs.write(0, until, authors), [until, authors]);
    await page.evaluate((until) => window.yjs.complete(until), until);
  }
  const complete = two.evaluate((count) => window.yjs.complete(count), count);
  for (const page of pages) await page.evaluate((signalling) => window.yjs.meet("history", signalling), signalling);
  const refused = one.evaluate(() => window.yjs.refused).then((refused) => ({ refused }));
  // They end with their pages.
  for (const one of [complete, refused]) one.catch(() => {});
  const result = await Promise.race([complete, refused, pause(PATIENCE_MS, undefined, { ref: false })]);
  const sent = await Promise.all(pages.map((page) => page.evaluate(() => window.yjs.sent)));
  const begun = Math.min(...sent.map(({ first }) => first));
  const bytes = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const page of pages) await page.context().close();
  if (!result || result.refused) return result;
  return { shown: result.shown - begun, stored: result.stored - begun, bytes };
}
