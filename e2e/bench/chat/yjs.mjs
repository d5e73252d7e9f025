// The same as in sync.mjs, with Yjs.
import { openYjs, startSignalling } from "../../harness/yjs.mjs";

/** Two pages of which one has so many messages and the other all but the last `missing`. */
export async function sync(t, inBrowser, count, missing, authors) {
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
  // It ends with the page.
  refused.catch(() => {});
  const result = await Promise.race([complete, refused]);
  const sent = await Promise.all(pages.map((page) => page.evaluate(() => window.yjs.sent)));
  const begun = Math.min(...sent.map(({ first }) => first));
  const bytes = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const page of pages) await page.context().close();
  if (result.refused) return result;
  return { shown: result.shown - begun, stored: result.stored - begun, bytes };
}
