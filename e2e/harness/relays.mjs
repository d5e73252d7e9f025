// Relays of a test's own, beside the two that run already: they can be killed and come back, be
// far away, or lose and spoil what they carry.
import { spawn } from "node:child_process";
import { mkdtempSync, openSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CHATS, CONFIG_FILE, FOLDER } from "./environment.mjs";
import { startProbe } from "./probe.mjs";
import { freePort, servePage } from "./servers.mjs";

/** What browsers write to the console when a relay is away. */
export const REFUSED = /WebSocket connection to .* failed/;

export class Relay {
  #run;
  #port;
  #key;
  #more;
  #transport;
  #stderr = "pipe";
  #child;
  #ended;
  /** How many circuits it began to carry, and how many of them ended; a talkative one writes it to `log`. */
  circuits = { begun: 0, ended: 0 };

  /**
   * Starts a relay with a port and a key of its own. With `turn`, members may use it for TURN; it
   * serves `wss` with the certificate `tls`. With `talkative`, it writes all that it can say of what
   * it does to the file `log`.
   */
  static async start(run, { turn = false, tls, talkative = false } = {}) {
    const relay = new Relay();
    relay.#more = turn ? ["--turn", "127.0.0.1:0", "--config", CONFIG_FILE, "--dev"] : [];
    if (tls) relay.#more.push("--tls-cert", tls.files.cert, "--tls-key", tls.files.key);
    relay.#transport = tls ? "tls/ws" : "ws";
    relay.#run = run;
    relay.#port = await freePort();
    const folder = mkdtempSync(join(FOLDER, "relay-"));
    relay.#key = join(folder, "key");
    if (talkative) {
      relay.log = join(folder, "log");
      relay.#stderr = openSync(relay.log, "a");
    }
    run.later(() => relay.stop());
    await relay.start();
    return relay;
  }

  /** Starts it again, on the same port and with the same key. */
  async start() {
    const listen = `/ip4/127.0.0.1/tcp/${this.#port}/${this.#transport}`;
    this.#child = spawn(CHATS, ["relay", "--listen", listen, "--key", this.#key, ...this.#more], {
      stdio: ["ignore", "pipe", this.#stderr],
      env: { ...process.env, RUST_LOG: this.log ? "trace" : "chats_net=debug" },
    });
    const said = this.#child.stderr && createInterface({ input: this.#child.stderr });
    said?.on("line", (line) => {
      if (line.includes("CircuitReqAccepted ")) this.circuits.begun += 1;
      if (line.includes("CircuitClosed ")) this.circuits.ended += 1;
    });
    this.#ended = new Promise((resolve) => this.#child.once("exit", resolve));
    for await (const line of createInterface({ input: this.#child.stdout })) {
      const [, what, address] = /^(listening|turn) (\S+)$/.exec(line) ?? [];
      /** Where its TURN server is, if it has one: IP address and port. */
      if (what === "turn") this.turn = address;
      if (what !== "listening") continue;
      /** Where it listens, with its peer id. */
      this.address = address;
      return;
    }
    throw new Error("a relay ended before it listened");
  }

  /** Ends it in good order. */
  stop() {
    return this.#end("SIGTERM");
  }

  /** Ends it as a power cut would. */
  kill() {
    return this.#end("SIGKILL");
  }

  #end(signal) {
    this.#child.kill(signal);
    return this.#ended;
  }
}

/**
 * Starts a relay that does to circuits what `fault` says ("drop", "delay" or "corrupt") once the
 * device that was dialled was sent `after` bytes. Gives its address, and `tampered()`, how often it did.
 */
export async function startCarrier(run, fault, after) {
  const probe = startProbe(run, 0, "carrier", "--fault", fault, "--after", String(after));
  const { address } = await probe.until(({ event }) => event === "listening");
  return { address, tampered: () => probe.events.filter(({ event }) => event === "tampered").length };
}

/** The address of a relay as it is reached from far away: everything takes `delay` milliseconds each way. */
export async function farAway(run, address, delay) {
  const [, port] = /\/tcp\/(\d+)\//.exec(address);
  const sockets = new Set();
  const pass = (from, to) => {
    sockets.add(from);
    from.on("data", (bytes) => setTimeout(() => to.write(bytes), delay));
    from.on("close", () => setTimeout(() => to.destroy(), delay));
    from.on("error", () => {});
  };
  const server = createServer((near) => {
    const far = connect(Number(port), "127.0.0.1");
    pass(near, far);
    pass(far, near);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  run.later(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return address.replace(`/tcp/${port}/`, `/tcp/${server.address().port}/`);
}

/** Relays, two unless told otherwise, and the address of a page that knows them and no others. */
export async function pageWithRelays(run, { count = 2, ...options } = {}) {
  const relays = await Promise.all(Array.from({ length: count }, () => Relay.start(run, options)));
  const config = (settings) => void (settings.relays = relays.map(({ address }) => address));
  return { relays, url: await servePage(run, { config }) };
}
