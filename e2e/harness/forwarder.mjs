// What stands between pages: all UDP of their peer connections goes through it, and it can lose,
// delay or cut what passes between any two of them.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { until } from "./until.mjs";

const WIRES = readFileSync(join(import.meta.dirname, "wires.js"), "utf8");

/** What passes between two pages, either way. */
class Link {
  #owed = 0;
  /** Nothing passes. */
  cut = false;
  /** How often all ways were ended; those made before the last time are. */
  age = 0;
  /** This share of the packets is lost, spread evenly. */
  loss = 0;
  /** In milliseconds, each way. */
  delay = 0;
  /** How many packets were handed on so far. */
  passed = 0;
  /** How many were not. */
  lost = 0;

  /** Ends all ways there are, for good; new ones can be found. */
  sever() {
    this.age += 1;
  }

  /** Hands on one packet of a way that was made at an `age`, or does not. */
  take(age, hand) {
    this.#owed += this.loss;
    if (this.cut || age < this.age || this.#owed >= 1) {
      this.#owed %= 1;
      this.lost += 1;
      return;
    }
    this.passed += 1;
    if (this.delay > 0) setTimeout(hand, this.delay);
    else hand();
  }
}

export class Forwarder {
  #sockets = [];
  #listens = new Map(); // address and port -> the page that listens there
  #ports = new Map(); // address and port, for each page that asks -> promise of the port in their place
  #links = new Map(); // page -> the other page -> what is between
  #closed = false;

  constructor(run) {
    run.later(() => {
      this.#closed = true;
      for (const socket of this.#sockets) socket.close();
    });
  }

  /**
   * Stands before the pages of a profile, to be called before any is opened. Each page they
   * connect to must be served too.
   */
  async serve(profile) {
    await profile.exposeBinding("__forwarder", ({ page }, what, address, port) => {
      const place = `${address} ${port}`;
      if (what === "listens") return void this.#listens.set(place, page);
      if (!this.#ports.has(page)) this.#ports.set(page, new Map());
      const ports = this.#ports.get(page);
      if (!ports.has(place)) ports.set(place, this.#stand(page, place, address, port));
      return ports.get(place);
    });
    await profile.addInitScript(WIRES);
  }

  /** What is between two pages, whether they are connected yet or not. */
  between(one, other) {
    for (const page of [one, other]) if (!this.#links.has(page)) this.#links.set(page, new Map());
    if (!this.#links.get(one).has(other)) {
      const link = new Link();
      this.#links.get(one).set(other, link);
      this.#links.get(other).set(one, link);
    }
    return this.#links.get(one).get(other);
  }

  /** Makes a port that is to `page` what `port` at `address` is. */
  async #stand(page, place, address, port) {
    // The other page's own word may come after its candidate has travelled.
    const other = await until(`a page listens at ${place}`, () => this.#listens.get(place));
    const link = this.between(page, other);
    const { age } = link;
    const front = await this.#socket(address);
    const backs = new Map(); // where the page sends from -> promise of the socket that sends on from there
    front.on("message", async (packet, from) => {
      const source = `${from.address} ${from.port}`;
      if (!backs.has(source)) backs.set(source, this.#back(address, front, from, { age, link }));
      const back = await backs.get(source);
      link.take(age, () => this.#send(back, packet, port, address));
    });
    return front.address().port;
  }

  /** A socket whose answers go back to `to`, as if they came out of `front`. */
  async #back(address, front, to, { age, link }) {
    const back = await this.#socket(address);
    back.on("message", (packet) => link.take(age, () => this.#send(front, packet, to.port, to.address)));
    return back;
  }

  #send(socket, packet, port, address) {
    if (!this.#closed) socket.send(packet, port, address);
  }

  async #socket(address) {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    this.#sockets.push(socket);
    // Where nobody listens any more, packets are lost like on any network.
    socket.on("error", () => {});
    socket.bind(0, address);
    await once(socket, "listening");
    return socket;
  }
}
