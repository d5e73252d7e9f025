// Chromium processes, one for each microphone: a browser's fake microphone plays one file.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { BROWSER, FOLDER } from "./environment.mjs";
import { TONES, wav } from "./tone.mjs";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  "--autoplay-policy=no-user-gesture-required",
];

const launched = new Map();

/** The browser whose microphone plays `TONES[index]`; started when first asked for. */
export function browser(index) {
  if (!launched.has(index)) launched.set(index, launch(index));
  return launched.get(index);
}

async function launch(index) {
  if (!(index in TONES)) throw new Error(`there are ${TONES.length} browsers, not number ${index}`);
  const file = join(FOLDER, `tone-${TONES[index]}.wav`);
  writeFileSync(file, wav(TONES[index]));
  return chromium.launch({
    executablePath: BROWSER,
    args: [...ARGUMENTS, `--use-file-for-fake-audio-capture=${file}`],
  });
}

/** Ends all browsers. */
export async function closeBrowsers() {
  for (const one of launched.values()) await (await one).close();
}
