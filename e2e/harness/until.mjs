// Waiting for something to become so, never for time to pass.
import { setTimeout as pause } from "node:timers/promises";

const EVERY = 25;

/**
 * Asks `probe` again and again until it gives something truthy, and gives that. After `limit`
 * milliseconds it fails, saying `what` was waited for and what `probe` gave last: probes may throw
 * an Error to say why not yet.
 */
export async function until(what, probe, limit = 15_000) {
  const deadline = performance.now() + limit;
  for (;;) {
    let last;
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error.message;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${limit} ms: ${what}; last seen: ${JSON.stringify(last)}`);
    }
    await pause(EVERY);
  }
}
