// Measures direct links, requests and gossip between two pages, ours and those of js-libp2p, one
// after the other in the same browser and through the same relay. `cargo xtask bench net` starts
// this with the running system in the environment.
import { browser, ownBrowser } from "../harness/browsers.mjs";
import { CONFIG } from "../harness/environment.mjs";
import { Stranger } from "../harness/strangers.mjs";
import { until } from "../harness/until.mjs";
import { cost, figures, measured } from "./figures.mjs";

const KINDS = ["ours", "js"];
const [RELAY] = CONFIG.relays;
const LINKS = 30;
/** Rounds of requests: path, bytes each way, how many in a row, and how often, each on a new circuit. */
const REQUESTS = [
  ["direct", 100, 50, 4],
  ["direct", 60_000, 10, 4],
  ["circuit", 100, 50, 4],
  // A circuit carries no more than this: it is for signalling.
  ["circuit", 60_000, 1, 20],
];
const CALLS = 200;
/** Links held open at once to see what one takes. */
const IDLE = 20;

const rows = new Map(); // what is measured -> kind -> values
const failures = new Map(KINDS.map((kind) => [kind, 0]));

function note(what, kind, values) {
  if (!rows.has(what)) rows.set(what, new Map(KINDS.map((one) => [one, []])));
  rows.get(what).get(kind).push(...values);
}

class Pair {
  static async open(t, kind, inBrowser) {
    const pair = new Pair();
    pair.kind = kind;
    pair.one = await Stranger.open(t, kind, RELAY, inBrowser);
    pair.other = await Stranger.open(t, kind, RELAY, inBrowser);
    return pair;
  }

  /** No connections, then a circuit; gives the milliseconds that took. */
  async circuit() {
    const { one, other } = this;
    await Promise.all([one.call("hangUp", other.peer), other.call("hangUp", one.peer)]);
    for (const [from, to] of [[one, other], [other, one]]) {
      await until("all are closed", async () => (await from.call("connections", to.peer)) === 0, 30_000);
    }
    return one.call("dial", other.address.replace("/webrtc", ""));
  }

  /** A direct link; gives the milliseconds that took. */
  link() {
    return this.one.call("dial", this.other.address);
  }

  /** Both, again and again until it works. */
  connect() {
    return this.#persist(async () => [await this.circuit(), await this.link()]);
  }

  /** One more direct link. */
  another() {
    return this.#persist(() => this.link());
  }

  async #persist(attempt) {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        failures.set(this.kind, failures.get(this.kind) + 1);
        if (failures.get(this.kind) > LINKS) throw error;
      }
    }
  }
}

await measured(async (t) => {
  const shared = await browser(0);
  const pairs = [];
  for (const kind of KINDS) pairs.push(await Pair.open(t, kind, shared));
  for (const pair of pairs) await pair.connect(); // what is compiled at first use is
  for (let round = 0; round < LINKS; round += 1) {
    for (const pair of pairs) {
      const [circuit, link] = await pair.connect();
      note("circuit", pair.kind, [circuit]);
      note("direct link over an open circuit", pair.kind, [link]);
    }
  }
  for (const [path, bytes, count, times] of REQUESTS) {
    for (let time = 0; time < times; time += 1) {
      for (const pair of pairs) {
        if (path === "circuit") await pair.circuit();
        else await pair.connect();
        const size = bytes < 1000 ? `${bytes} B` : `${bytes / 1000} kB`;
        const what = `request of ${size}, answered by as much, ${path}`;
        note(what, pair.kind, await pair.one.call("roundTrips", pair.other.peer, path, bytes, count));
      }
    }
  }
  for (const pair of pairs) {
    await pair.connect();
    note("gossip there and back, direct", pair.kind, await pair.one.call("gossip", CALLS));
  }
  console.log("| milliseconds | ours: median | p95 | js-libp2p: median | p95 | n |\n|---|---|---|---|---|---|");
  for (const [what, kinds] of rows) {
    const cells = KINDS.flatMap((kind) => {
      const { median, p95 } = figures(kinds.get(kind));
      return [median.toFixed(1), p95.toFixed(1)];
    });
    console.log(`| ${what} | ${cells.join(" | ")} | ${kinds.get("ours").length} |`);
  }
  for (const kind of KINDS) console.log(`${kind}: an idle link takes ${Math.round((await idle(t, kind)) / 1024)} kB at each end`);
  for (const [kind, count] of failures) console.log(`${kind}: ${count} connections failed and were tried again`);
});

/** The bytes that one more direct link between two pages takes, at each end. */
async function idle(t, kind) {
  const own = await ownBrowser(t, {});
  const pair = await Pair.open(t, kind, own);
  await pair.connect();
  const before = await settled(own);
  for (let made = 0; made < IDLE; made += 1) await pair.another();
  return ((await settled(own)) - before) / (2 * IDLE);
}

/** The bytes a browser takes once it has nothing more to give back. */
async function settled(own) {
  let last = Infinity;
  return until("the memory stays the same", async () => {
    for (const page of own.contexts().flatMap((profile) => profile.pages())) await page.requestGC();
    const { bytes } = await cost(own);
    const change = Math.abs(bytes - last);
    last = bytes;
    return change < 256 * 1024 && bytes;
  });
}
