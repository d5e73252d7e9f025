// How a page looks: pictures of it, and that it is fit for every width and for everyone.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { hasNoViolations } from "./axe.mjs";

const PICTURES = join(import.meta.dirname, "../screenshots/pages");
/** In CSS pixels: a small phone, a tablet, a computer. */
const WIDTHS = [360, 768, 1280];
const HEIGHT = 800;

/**
 * Takes pictures of the page at each width, light and dark, called `name`. Fails if it can be
 * scrolled sideways, or if axe finds anything at the smallest or the largest width.
 */
export async function looksRight(member, name) {
  const { page } = member;
  const before = page.viewportSize();
  mkdirSync(PICTURES, { recursive: true });
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: HEIGHT });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: join(PICTURES, `${name}-${width}-${colorScheme}.png`) });
    }
    const wider = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      if (scrollWidth <= clientWidth) return null;
      const sticksOut = (element) => element.getBoundingClientRect().right > clientWidth + 0.5;
      const first = [...document.body.querySelectorAll("*")].find(sticksOut);
      return `${scrollWidth} px wide, by ${first?.outerHTML.slice(0, 200)}`;
    });
    if (wider) throw new Error(`${name} at ${width} px is ${wider}`);
    if (width !== 768) await hasNoViolations(page);
  }
  await page.setViewportSize(before);
}
