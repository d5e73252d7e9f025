// A person at the page: finds things by the roles and names of INTERFACES.md, as people do.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { browser } from "./browsers.mjs";
import { URL } from "./environment.mjs";
import { PULSE_MS, TONES } from "./tone.mjs";
import { until } from "./until.mjs";

const EARS = readFileSync(join(import.meta.dirname, "ears.js"), "utf8");

/** Profiles whose pages are prepared already. */
const prepared = new WeakSet();

export class Member {
  /**
   * Opens the page in a new browser profile. `tone` is the browser, hence the microphone;
   * `wallet` the number of the test wallet; `context` options of the profile. `inBrowser` and
   * `profile` are a browser and a profile to use in place of new ones; `before` is done to the
   * profile before anything of these tests is opened in it.
   */
  static async open(run, options = {}) {
    const { tone = 0, wallet = 2, url = URL, route = "#/", context = {}, inBrowser, before } = options;
    let { profile } = options;
    if (!profile) {
      const own = inBrowser ?? (await browser(tone));
      profile = await own.newContext({ permissions: ["microphone"], ...context });
      run.later(() => profile.close());
    }
    if (!prepared.has(profile)) {
      prepared.add(profile);
      await profile.addInitScript(EARS);
      await before?.(profile);
    }
    const member = new Member(run, profile, await profile.newPage(), { tone, wallet, url });
    await member.page.goto(url + route);
    return member;
  }

  /** Another tab of the same profile. */
  async tab(run, route = "#/") {
    const other = new Member(run, this.profile, await this.profile.newPage(), {
      tone: TONES.indexOf(this.tone),
      wallet: this.wallet,
      url: this.url,
    });
    await other.page.goto(this.url + route);
    return other;
  }

  constructor(run, profile, page, { tone, wallet, url }) {
    this.profile = profile;
    this.page = page;
    this.wallet = wallet;
    this.url = url;
    /** What its microphone plays, in hertz. */
    this.tone = TONES[tone];
    page.setDefaultTimeout(15_000);
    const who = `wallet ${wallet}`;
    page.on("pageerror", (error) => run.complain(`uncaught in the page of ${who}: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") run.complain(`console error of ${who}: ${message.text()}`);
    });
  }

  /** The address of the test wallet, in lower case. */
  async address(chain) {
    return (await chain.accounts())[this.wallet].toLowerCase();
  }

  /** Goes to a route without loading the page anew. */
  async go(route) {
    await this.page.goto(this.url + route);
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  alert() {
    return this.page.getByRole("alert");
  }

  /** Connects the test wallet and approves the one signature asked for. */
  async connect() {
    await this.chooseWallet(new RegExp(`^Test wallet ${this.wallet}\\b`));
    const dialog = this.page.getByRole("dialog", { name: "Test wallet", exact: true });
    await dialog.getByRole("button", { name: "Approve", exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
  }

  async chooseWallet(name) {
    await this.button("Connect wallet").first().click();
    const dialog = this.page.getByRole("dialog", { name: "Choose a wallet" });
    await dialog.getByRole("button", { name }).click();
  }

  /** From anywhere into the meeting, the wallet being connected. */
  async join(meeting = "main") {
    await this.go(`#/c/1/m/${meeting}`);
    await this.button("Join meeting").click();
    await this.page.getByRole("region", { name: "Meeting", exact: true }).waitFor();
  }

  /** Connects and joins. */
  async enter() {
    await this.go("#/c/1/m/main");
    await this.connect();
    await this.button("Join meeting").click();
    await this.page.getByRole("region", { name: "Meeting", exact: true }).waitFor();
  }

  /** Who the page shows in the meeting. */
  participants() {
    const items = this.page.getByRole("list", { name: "Participants" }).getByRole("listitem");
    return items.evaluateAll((all) => all.map(({ dataset }) => ({ ...dataset, address: dataset.address?.toLowerCase() })));
  }

  /** Waits until the page shows the participant with `address` as `wanted` says. */
  sees(address, wanted = {}, limit = 15_000) {
    return until(`${address} shown to wallet ${this.wallet} as ${JSON.stringify(wanted)}`, async () => {
      const all = await this.participants();
      const found = all.find((one) => one.address === address);
      if (found && Object.entries(wanted).every(([key, value]) => found[key] === value)) return found;
      throw new Error(JSON.stringify(all));
    }, limit);
  }

  /** Waits until the page shows nobody with `address`. */
  misses(address, limit) {
    return until(`${address} gone for wallet ${this.wallet}`, async () => {
      const all = await this.participants();
      if (all.every((one) => one.address !== address)) return true;
      throw new Error(JSON.stringify(all));
    }, limit);
  }

  /** Waits until the other's tone comes out of a remote track. */
  hears(other, limit = 15_000) {
    return until(`wallet ${this.wallet} hears ${other.tone} Hz`, () => this.#toneWithin(other.tone, PULSE_MS), limit);
  }

  /** Waits until the other's tone has ended. */
  noLongerHears(other, limit = 15_000) {
    return until(
      `wallet ${this.wallet} no longer hears ${other.tone} Hz`,
      async () => !(await this.#toneWithin(other.tone, 2 * PULSE_MS)),
      limit,
    );
  }

  /** Listens for a gap in the other's tone from now on. */
  listensFor(other) {
    return this.page.evaluate((tone) => window.__ears.listen(tone), other.tone);
  }

  /** Waits until the other's tone is heard when what was on its way must be over; how long it was not heard. */
  hearsAgain(other, limit = 30_000) {
    return until(
      `wallet ${this.wallet} hears ${other.tone} Hz again`,
      () => this.page.evaluate(([tone, least]) => window.__ears.gap(tone, least), [other.tone, 3 * PULSE_MS]),
      limit,
    );
  }

  #toneWithin(hertz, milliseconds) {
    return this.page.evaluate(([tone, most]) => window.__ears.since(tone) < most, [hertz, milliseconds]);
  }

  /** How many peer connections the page made: all, and those that carry media. */
  connections() {
    return this.page.evaluate(() => ({ all: window.__ears.connections, media: window.__ears.media }));
  }

  async mute() {
    await this.button("Mute microphone").click();
    await this.button("Unmute microphone").waitFor();
  }

  async unmute() {
    await this.button("Unmute microphone").click();
    await this.button("Mute microphone").waitFor();
  }

  async leave() {
    await this.button("Leave meeting").click();
    await this.page.getByRole("region", { name: "Meeting", exact: true }).waitFor({ state: "hidden" });
  }

  async raiseHand() {
    await this.button("Raise hand").click();
    await this.button("Lower hand").waitFor();
  }

  /** Waits until the page lists a room of this name, and opens it. */
  async room(name = "general", limit = 20_000) {
    const rooms = this.page.getByRole("navigation", { name: "Rooms" });
    await rooms.getByRole("link", { name }).first().waitFor({ timeout: limit });
    await this.go(`#/c/1/r/${name}`);
    await this.#messages().waitFor();
    await this.page.getByRole("textbox", { name: "Message", exact: true }).waitFor({ timeout: limit });
  }

  #messages() {
    return this.page.getByRole("log", { name: "Messages" });
  }

  /** The message in the open room that says this. */
  message(text) {
    return this.#messages().getByRole("article").filter({ hasText: text });
  }

  /** Writes a message in the open room. */
  async write(text) {
    await this.page.getByRole("textbox", { name: "Message", exact: true }).fill(text);
    await this.button("Send").click();
  }

  /** Waits until the open room shows a message that says this, as `wanted` says. */
  reads(text, wanted = {}, limit = 15_000) {
    return until(`wallet ${this.wallet} reads ${JSON.stringify(text)} as ${JSON.stringify(wanted)}`, async () => {
      const all = await this.message(text).evaluateAll((found) =>
        found.map(({ dataset }) => ({ ...dataset, author: dataset.author?.toLowerCase() })));
      const fits = (one) => Object.entries(wanted).every(([key, value]) => one[key] === value);
      if (all.length === 1 && fits(all[0])) return all[0];
      throw new Error(JSON.stringify(all));
    }, limit);
  }

  /** What the messages of the open room say, in their order. */
  said() {
    const words = this.#messages().getByRole("article").locator("[data-words]");
    return words.evaluateAll((all) => all.map((one) => one.textContent.trim()));
  }

  /** Waits until the page says of its connection what holds this text. */
  async says(text, timeout) {
    await this.page.getByRole("status", { name: "Connection" }).filter({ hasText: text }).waitFor({ timeout });
  }

  /** Ends the page's process, as a crash or the system would: nothing in it runs any more. */
  async kill() {
    const session = await this.profile.newCDPSession(this.page);
    const crashed = this.page.waitForEvent("crash");
    // The answer never comes.
    session.send("Page.crash").catch(() => {});
    await crashed;
  }

  /** What `#/doctor` says. */
  async doctor() {
    await this.go("#/doctor");
    return this.#diagnostics();
  }

  async #diagnostics() {
    return JSON.parse(await this.page.getByLabel("Diagnostics").textContent());
  }

  /** Waits until `#/doctor` says what `probe` finds true, and goes back to where it was. */
  async diagnosed(what, probe, limit) {
    const [, route] = this.page.url().split("#");
    await this.go("#/doctor");
    await until(`wallet ${this.wallet}: ${what}`, async () => {
      const said = await this.#diagnostics();
      if (probe(said)) return true;
      throw new Error(JSON.stringify({ relays: said.relays, peers: said.peers }));
    }, limit);
    await this.go(`#${route}`);
  }

  /** The time of each of the app's marks, in milliseconds since the page began to load. */
  marks() {
    return this.page.evaluate(() =>
      Object.fromEntries(performance.getEntriesByType("mark").map(({ name, startTime }) => [name, startTime])),
    );
  }
}
