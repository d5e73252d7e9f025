// axe-core on a page, in both colour schemes.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Fails unless axe finds nothing wrong with the page as it stands, light and dark. */
export async function hasNoViolations(page) {
  // Evaluated by the debugger: the page's content security policy has no say in it.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(SOURCE);
  for (const colorScheme of ["light", "dark"]) {
    // Colours are judged as they are in the end, not on their way.
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const found = await page.evaluate(async (rules) => {
      await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})));
      const { violations, passes } = await window.axe.run(document, { runOnly: rules });
      const faults = violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id} (${help}) at ${target}: ${failureSummary}`),
      );
      return { faults, passes: passes.length };
    }, RULES);
    if (found.passes === 0) throw new Error("axe found nothing to judge");
    if (found.faults.length > 0) throw new Error(`${colorScheme}: ${found.faults.join("\n")}`);
  }
}
