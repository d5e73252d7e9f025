// One run of one test: what it opens is closed, what pages complain of fails it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Chain } from "./chain.mjs";
import { Member } from "./member.mjs";

const SCREENSHOTS = join(import.meta.dirname, "../screenshots");

export class TestRun {
  #cleanups = [];
  #complaints = [];
  #expected = [];
  #tones = 0;

  constructor(name) {
    this.name = name;
    /** The pages of this test. */
    this.members = [];
    /** The chain; changes to it are undone after the test. */
    this.chain = new Chain();
    this.later(() => this.chain.restore());
  }

  /** Runs the test and gives all that went wrong. */
  async execute(body, limit) {
    const errors = [];
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the test took longer than ${limit} ms`)), limit);
    });
    try {
      await Promise.race([body(this), late]);
    } catch (error) {
      errors.push(error);
      await this.#screenshots();
    }
    clearTimeout(timer);
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        errors.push(error);
      }
    }
    const unexpected = this.#complaints.filter((text) => !this.#expected.some((one) => one.test(text)));
    return [...errors, ...unexpected.map((text) => new Error(text))];
  }

  /** Does something once the test has ended; the last given comes first. */
  later(cleanup) {
    this.#cleanups.push(cleanup);
  }

  /** Says that a page may write an error to its console that matches. */
  expectConsole(pattern) {
    this.#expected.push(pattern);
  }

  /** Says something about this run that whoever reads the results should know. */
  note(text) {
    console.log(`  ${text}`);
  }

  /** Takes note of an error that a page had. */
  complain(text) {
    this.#complaints.push(text);
  }

  /** A new browser profile with the page open: see Member.open. */
  async member(options) {
    const member = await Member.open(this, { tone: this.#tones, ...options });
    this.#tones += 1;
    this.members.push(member);
    return member;
  }

  /** Another tab of a member's profile, on the same page. */
  async tab(member, route) {
    const tab = await member.tab(this, route);
    this.members.push(tab);
    return tab;
  }

  /**
   * Two members in the meeting, each shown to the other as connected, and their addresses;
   * `options` are for both.
   */
  async pair(options) {
    const one = await this.member({ wallet: 2, ...options });
    const two = await this.member({ wallet: 3, ...options });
    const addresses = [await one.address(this.chain), await two.address(this.chain)];
    await one.enter();
    await two.enter();
    await Promise.all([
      one.sees(addresses[1], { state: "connected" }),
      two.sees(addresses[0], { state: "connected" }),
    ]);
    return { one, two, addresses };
  }

  async #screenshots() {
    mkdirSync(SCREENSHOTS, { recursive: true });
    for (const [index, { page }] of this.members.entries()) {
      const path = join(SCREENSHOTS, `${this.name.replaceAll(/[^a-z0-9]+/gi, "-")}-${index}.png`);
      // A crashed page has no picture; the test's own error says more.
      await page.screenshot({ path, timeout: 5_000 }).then(
        () => console.log(`  screenshot ${path}`),
        () => {},
      );
    }
  }
}
