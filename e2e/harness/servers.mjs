// More of what a test may need beside the system that runs already: pages with another
// configuration or path, and endpoints of the chain that misbehave.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { extname, join, normalize } from "node:path";
import { CONFIG, DIST, RPC } from "./environment.mjs";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

async function listen(run, handler, tls) {
  const server = tls ? createSecureServer(tls, handler) : createServer(handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  run.later(() => {
    server.closeAllConnections();
    server.close();
  });
  return `${tls ? "https" : "http"}://127.0.0.1:${server.address().port}`;
}

/**
 * Serves the built page, or another `folder`, under `path`, which starts and ends with "/", and
 * gives its address.
 * `config` changes a copy of the configuration in place, or gives what to serve instead: a string
 * is sent as it is, null is an answer 404. It is asked each time the file is. `tls` is the
 * certificate with which it is served over https.
 */
export async function servePage(run, { folder = DIST, path = "/", config = () => {}, tls } = {}) {
  const settings = () => {
    const copy = structuredClone(CONFIG);
    const instead = config(copy);
    return instead === undefined ? copy : instead;
  };
  const origin = await listen(run, async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const inner = pathname.startsWith(path) ? normalize(pathname.slice(path.length)) : "..";
    const name = inner === "." || inner === "" ? "index.html" : inner;
    try {
      const document = name === "config.json" ? settings() : undefined;
      if (name.startsWith("..") || document === null) throw new Error("not here");
      const text = typeof document === "string" ? document : JSON.stringify(document);
      const body = text ?? (await readFile(join(folder, name)));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  }, tls);
  return origin + path;
}

/** A TCP port of the loopback interface that nothing listens at. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * An endpoint of the chain between the page and the real one. `change(request, result, response)`
 * gives what to answer in place of `result`; it may be asynchronous, throw for an answer 500,
 * destroy the response, or never end.
 */
export async function startEndpoint(run, change) {
  return listen(run, async (request, response) => {
    const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
    if (request.method === "OPTIONS") return response.writeHead(204, cors).end();
    let body = "";
    for await (const part of request) body += part;
    const real = await fetch(RPC, { method: "POST", headers: { "content-type": "application/json" }, body });
    const [asked, answered] = [JSON.parse(body), await real.json()];
    const answer = async (one, its) => ("result" in its ? { ...its, result: await change(one, its.result, response) } : its);
    try {
      const result = Array.isArray(asked)
        ? await Promise.all(asked.map((one) => answer(one, answered.find(({ id }) => id === one.id))))
        : await answer(asked, answered);
      if (response.destroyed) return;
      response.writeHead(200, { ...cors, "content-type": "application/json" }).end(JSON.stringify(result));
    } catch {
      response.writeHead(500, cors).end();
    }
  });
}
