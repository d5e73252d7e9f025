// More of what a test may need beside the system that runs already: pages with another
// configuration or path, relays, and endpoints of the chain that misbehave.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { CHATS, CONFIG, DIST, RPC } from "./environment.mjs";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

async function listen(run, handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  run.later(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/**
 * Serves the built page under `path`, which starts and ends with "/", and gives its address.
 * `config` changes a copy of the configuration in place, or gives what to serve instead: a string
 * is sent as it is, null is an answer 404.
 */
export async function servePage(run, { path = "/", config = () => {} } = {}) {
  const copy = structuredClone(CONFIG);
  const instead = config(copy);
  const document = instead === undefined ? copy : instead;
  const origin = await listen(run, async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const inner = pathname.startsWith(path) ? normalize(pathname.slice(path.length)) : "..";
    const name = inner === "." || inner === "" ? "index.html" : inner;
    try {
      if (name.startsWith("..") || (name === "config.json" && document === null)) throw new Error("not here");
      const text = typeof document === "string" ? document : JSON.stringify(document);
      const body = name === "config.json" ? text : await readFile(join(DIST, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return origin + path;
}

/** Starts another relay; `stop` ends it. */
export async function startRelay(run) {
  const child = spawn(CHATS, ["relay", "--listen", "/ip4/127.0.0.1/tcp/0/ws"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = () => {
    child.kill();
    return ended;
  };
  run.later(stop);
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /^listening (\S+)$/.exec(line) ?? [];
    if (address) return { address, stop };
  }
  throw new Error("a relay ended before it listened");
}

/**
 * An endpoint of the chain between the page and the real one. `change(request, result)` gives what
 * to answer in place of `result`; it may be asynchronous, throw for an answer 500, or never end.
 */
export async function startEndpoint(run, change) {
  return listen(run, async (request, response) => {
    const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
    if (request.method === "OPTIONS") return response.writeHead(204, cors).end();
    let body = "";
    for await (const part of request) body += part;
    const real = await fetch(RPC, { method: "POST", headers: { "content-type": "application/json" }, body });
    const [asked, answered] = [JSON.parse(body), await real.json()];
    const answer = async (one, its) => ("result" in its ? { ...its, result: await change(one, its.result) } : its);
    try {
      const result = Array.isArray(asked)
        ? await Promise.all(asked.map((one) => answer(one, answered.find(({ id }) => id === one.id))))
        : await answer(asked, answered);
      response.writeHead(200, { ...cors, "content-type": "application/json" }).end(JSON.stringify(result));
    } catch {
      response.writeHead(500, cors).end();
    }
  });
}
