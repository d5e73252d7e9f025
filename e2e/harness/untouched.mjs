// Pages that nobody has touched. Whatever the test library evaluates counts as a gesture, so that
// what browsers allow only after one cannot be seen to be held back by its usual means.
import { ownBrowser } from "./browsers.mjs";
import { until } from "./until.mjs";

/** A browser that plays nothing before a gesture, and whose microphone is not allowed either. */
export const strictBrowser = (run) =>
  ownBrowser(run, {
    without: ["--autoplay-policy", "--use-fake-ui"],
    extra: ["--autoplay-policy=document-user-activation-required"],
  });

/** Gives what evaluates an expression in a page without touching it. */
export async function glimpse(member) {
  const session = await member.profile.newCDPSession(member.page);
  return async (expression) => {
    const { result } = await session.send("Runtime.evaluate", { expression, returnByValue: true });
    return result.value;
  };
}

const TURN_ON_SOUND = `[...document.querySelectorAll("button")].filter(
  (button) => button.textContent.trim() === "Turn on sound").length`;

/**
 * Wallet 2 in a meeting in which somebody speaks, come without a gesture, as a restored tab does:
 * the browser keeps what the tab remembered. Waits until the sound is held back.
 */
export async function restored(run) {
  const inBrowser = await strictBrowser(run);
  const member = await run.member({ wallet: 2, inBrowser, context: { permissions: [] } });
  await member.enter();
  await member.page.close();
  await member.profile.addInitScript(() => sessionStorage.setItem("meeting", "main"));
  const tab = await run.tab(member, "#/c/1/m/main");
  const look = await glimpse(tab);
  await until("somebody is there, and the one button", async () => {
    const [audio, buttons] = [await look(`document.querySelectorAll("audio").length`), await look(TURN_ON_SOUND)];
    return audio > 0 && buttons === 1;
  });
  return tab;
}
