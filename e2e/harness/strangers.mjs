// Pages with nothing but a libp2p node, js-libp2p's or one on our transport, and relays for them:
// see e2e/interop.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { browser } from "./browsers.mjs";
import { INTEROP } from "./environment.mjs";
import { servePage } from "./servers.mjs";

const JS_RELAY = join(import.meta.dirname, "../interop/js/relay.mjs");

/** Starts a circuit relay of js-libp2p and gives its address. */
export async function startJsRelay(run) {
  const child = spawn(process.execPath, [JS_RELAY], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  run.later(() => {
    child.kill();
    return ended;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /^listening (\S+)$/.exec(line) ?? [];
    if (address) return address;
  }
  throw new Error("the relay of js-libp2p ended before it listened");
}

export class Stranger {
  /** Opens a page of a kind, "js" or "ours", and has it reserve a place at a relay. */
  static async open(run, kind, relay, inBrowser) {
    const profile = await (inBrowser ?? (await browser(0))).newContext();
    run.later(() => profile.close());
    const stranger = new Stranger();
    stranger.page = await profile.newPage();
    stranger.page.setDefaultTimeout(15_000);
    stranger.page.on("pageerror", (error) => run.complain(`uncaught in a page of ${kind}: ${error.message}`));
    await stranger.page.goto(`${await servePage(run, { folder: INTEROP })}#${kind}`);
    await stranger.page.waitForFunction("window.node");
    /** Where others dial it, for a direct connection. */
    stranger.address = await stranger.call("start", relay);
    stranger.peer = stranger.address.split("/").at(-1);
    return stranger;
  }

  /** Calls one of the functions that both kinds of pages offer: see e2e/interop/js/stranger.mjs. */
  call(name, ...given) {
    return this.page.evaluate(([name, given]) => window.node[name](...given), [name, given]);
  }
}
