// A clock of a test's own for pages and for the workers that have their rooms.

/** Runs in a page or worker: its clock goes so many milliseconds ahead of the machine's. */
function set(ahead) {
  const machine = (globalThis.__machineNow ??= Date.now);
  Date.now = () => machine() + ahead;
}

export class Clock {
  #ahead = 0;
  #profiles = [];

  /** To be run in a profile before a page opens: its pages and their workers go by this clock. */
  rules = async (profile) => {
    this.#profiles.push(profile);
    await profile.addInitScript(set, this.#ahead);
    await profile.route(/\/rooms-[^/]*\.js$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `(${set})(${this.#ahead});\n${await response.text()}` });
    });
  };

  /** Sets it so many milliseconds ahead of the machine's; behind it, if negative. */
  async set(ahead) {
    this.#ahead = ahead;
    for (const profile of this.#profiles) {
      await profile.addInitScript(set, ahead);
      for (const page of profile.pages()) {
        for (const place of [page, ...page.workers()]) await place.evaluate(set, ahead);
      }
    }
  }
}
