// Chromium processes, one for each microphone: a browser's fake microphone plays one file.
import { mkdtempSync, writeFileSync } from "node:fs";
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
  return chromium.launch(options(index, {}));
}

function options(index, { without = [], extra = [] }) {
  if (!(index in TONES)) throw new Error(`there are ${TONES.length} browsers, not number ${index}`);
  const file = join(FOLDER, `tone-${TONES[index]}.wav`);
  writeFileSync(file, wav(TONES[index]));
  const usual = [...ARGUMENTS, `--use-file-for-fake-audio-capture=${file}`];
  const kept = usual.filter((argument) => !without.some((start) => argument.startsWith(start)));
  return { executablePath: BROWSER, args: [...kept, ...extra] };
}

/**
 * A browser for one test alone. It plays `TONES[tone]` and starts without the arguments that begin
 * as one of `without` does, and with those of `extra`.
 */
export async function ownBrowser(run, { tone = 0, ...changes }) {
  const own = await chromium.launch(options(tone, changes));
  run.later(() => own.close());
  return own;
}

/** A browser for one test alone that has the unpacked extension in `folder`; gives its profile. */
export async function browserWithExtension(run, folder, { tone = 0 } = {}) {
  const { executablePath, args } = options(tone, {
    // A browser takes one such argument only.
    without: ["--disable-features"],
    extra: [
      "--disable-features=WebRtcHideLocalIpsWithMdns,DisableLoadExtensionCommandLineSwitch",
      `--disable-extensions-except=${folder}`,
      `--load-extension=${folder}`,
    ],
  });
  const profile = await chromium.launchPersistentContext(mkdtempSync(join(FOLDER, "profile-")), {
    executablePath,
    // The small headless browser that playwright starts otherwise knows no extensions.
    args: [...args, "--headless=new"],
    headless: false,
    permissions: ["microphone"],
  });
  run.later(() => profile.close());
  return profile;
}

/** Starts a browser that keeps its profile in `folder`, for one test alone; gives the profile. */
export async function browserOn(folder, { tone = 0 } = {}) {
  return chromium.launchPersistentContext(folder, { ...options(tone, {}), permissions: ["microphone"] });
}

/** Ends all browsers. */
export async function closeBrowsers() {
  for (const one of launched.values()) await (await one).close();
}
