// A person at the page in Firefox, driven over WebDriver BiDi: what `Member` is in Chromium, as
// far as tests need it.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { FIREFOX, FOLDER, PULSEAUDIO, URL } from "./environment.mjs";
import { PULSE_MS, TONES } from "./tone.mjs";
import { until } from "./until.mjs";

const EARS = readFileSync(join(import.meta.dirname, "ears.js"), "utf8");

/** A microphone that hums, no questions, sound without a gesture, and connections over loopback. */
const preferences = (hertz) => ({
  "media.navigator.streams.fake": true,
  "media.navigator.audio.fake_frequency": hertz,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
});

/** Speakers that nobody hears: without any, Firefox lets no audio context run. */
async function startSpeakers(run) {
  const home = mkdtempSync(join(FOLDER, "pulse-"));
  const socket = join(home, "socket");
  const modules = [`module-native-protocol-unix socket=${socket} auth-anonymous=1`, "module-null-sink"];
  const usual = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"];
  const child = spawn(PULSEAUDIO, [...usual, ...modules.map((module) => `--load=${module}`)], {
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, PULSE_RUNTIME_PATH: home },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  run.later(() => {
    child.kill();
    return ended;
  });
  await until("pulseaudio listens", () => existsSync(socket));
  return `unix:${socket}`;
}

export class FirefoxMember {
  /** Opens the page in a Firefox of its own, whose microphone hums `TONES[tone]`. */
  static async open(run, { tone, wallet, route = "#/" }) {
    const speakers = await startSpeakers(run);
    const browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: FIREFOX,
      headless: true,
      env: { ...process.env, PULSE_SERVER: speakers },
      extraPrefsFirefox: preferences(TONES[tone]),
    });
    run.later(() => browser.close());
    const member = new FirefoxMember(run, await browser.newPage(), { tone, wallet });
    run.members.push(member);
    await member.page.evaluateOnNewDocument(EARS);
    await member.page.goto(URL + route);
    return member;
  }

  constructor(run, page, { tone, wallet }) {
    this.page = page;
    this.wallet = wallet;
    /** What its microphone hums, in hertz. */
    this.tone = TONES[tone];
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => run.complain(`uncaught in Firefox: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") run.complain(`console error of Firefox: ${message.text()}`);
    });
  }

  async #click(name) {
    await this.page.locator(`::-p-aria(${name}[role="button"])`).click();
  }

  /** Connects, approves the signature, and joins. */
  async enter() {
    await this.page.goto(`${URL}#/c/1/m/main`);
    for (const name of ["Connect wallet", `Test wallet ${this.wallet}`, "Approve", "Join meeting"]) await this.#click(name);
    await this.page.waitForSelector('::-p-aria(Meeting[role="region"])');
  }

  /** Waits until the page says this in an alert. */
  alerts(text) {
    return until(`Firefox says ${text}`, () =>
      this.page.$$eval('[role="alert"]', (all, text) => all.some((one) => one.textContent.includes(text)), text),
    );
  }

  /** Waits until the page shows the participant with `address` in this state. */
  sees(address, state) {
    return until(`${address} shown in Firefox as ${state}`, async () => {
      const shown = await this.page.$$eval("[data-address]", (all) => all.map(({ dataset }) => ({ ...dataset })));
      if (shown.some((one) => one.address.toLowerCase() === address && one.state === state)) return true;
      throw new Error(JSON.stringify(shown));
    });
  }

  /** Waits until the other's tone comes out of a remote track. */
  hears(other) {
    return until(`Firefox hears ${other.tone} Hz`, () =>
      this.page.evaluate((tone, most) => window.__ears.since(tone) < most, other.tone, PULSE_MS),
    );
  }
}
