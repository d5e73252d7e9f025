// The list that spec files add their tests to.

/** @type {{ name: string, body: (t: import("./test-run.mjs").TestRun) => Promise<void>, limit: number, skip?: string }[]} */
export const registered = [];

/** Adds a test; `limit` is how many milliseconds it may take in all, `skip` why it cannot run here. */
export function test(name, body, { limit = 60_000, skip } = {}) {
  if (registered.some((other) => other.name === name)) throw new Error(`two tests are called "${name}"`);
  registered.push({ name, body, limit, skip });
}
