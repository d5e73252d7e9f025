// A node of js-libp2p in a page. Its functions are those of interop/page, which is made with our
// transport.
//
// What the nodes speak, besides ping:
// /interop/echo/1        what comes is sent back; the end is answered by the end
// /interop/half/1        once the other has ended, how many bytes came, as 4 bytes, and the end
// /interop/reset/1       a byte is answered by a byte; how the stream ends is told as an event
// /interop/reset-me/1    the first byte is answered by a reset
// Gossip on the topic "interop", without authors: a call, 0 and what tells it from others, is
// answered by 1 and the same.
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { gossipsub } from "@libp2p/gossipsub";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { ping as pong } from "@libp2p/ping";
import { webRTC } from "@libp2p/webrtc";
import { webSockets } from "@libp2p/websockets";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

/** Loopback is where all of this happens. */
const ANYWHERE = { denyDialMultiaddr: () => false };
const PATIENCE_MS = 10_000;
const TOPIC = "interop";

let libp2p;
const happened = [];

/** What comes, up to the other's end; a reset is an error. */
function collect(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.addEventListener("message", ({ data }) => parts.push(...(data instanceof Uint8Array ? [data] : data)));
    stream.addEventListener("remoteCloseWrite", () => resolve(new Uint8Array(parts.flatMap((part) => [...part]))));
    stream.addEventListener("close", ({ error }) => error && reject(error));
  });
}

async function send(stream, bytes) {
  if (!stream.send(bytes)) await stream.onDrain();
}

const cause = (error) => (error.name === "StreamResetError" ? "reset" : `${error}`);

const protocols = {
  async "/interop/echo/1"(stream) {
    for await (const part of stream) await send(stream, part);
    await stream.close();
  },
  async "/interop/half/1"(stream) {
    const { length } = await collect(stream);
    const answer = new Uint8Array(4);
    new DataView(answer.buffer).setUint32(0, length);
    await send(stream, answer);
    await stream.close();
  },
  async "/interop/reset/1"(stream) {
    try {
      for await (const part of stream) await send(stream, part);
      happened.push("the stream ended");
    } catch (error) {
      happened.push(`the stream ended by ${cause(error)}`);
    }
  },
  async "/interop/reset-me/1"(stream) {
    for await (const _ of stream) break;
    stream.abort(new Error("as asked"));
  },
};

/**
 * The newest direct connection to a peer; connections through relays have limits. An older one may
 * be what is left of a dial that only the other end has given up: the browser notices after seconds.
 */
const direct = (peer) => libp2p.getConnections().findLast((one) => `${one.remotePeer}` === peer && !one.limits);

/** The connection to a peer through a relay. */
const circuit = (peer) => libp2p.getConnections().find((one) => `${one.remotePeer}` === peer && one.limits);

/** Opens a stream on either. */
function open(peer, protocol, path = direct) {
  return path(peer).newStream(protocol, { signal: AbortSignal.timeout(PATIENCE_MS), runOnLimitedConnection: true });
}

const name = (bytes) => bytes.join();
const waiting = new Map(); // a call's name -> what to do once it is answered

function gossiped({ detail: { topic, data } }) {
  if (topic !== TOPIC) return;
  const rest = data.subarray(1);
  if (data[0] === 0) libp2p.services.gossip.publish(TOPIC, Uint8Array.of(1, ...rest)).catch(() => {});
  else waiting.get(name(rest))?.();
}

/** Where others dial this page, once it has its place. */
const address = () => libp2p.getMultiaddrs().map(String).find((one) => one.includes("/p2p-circuit/webrtc/"));

/** What happened to streams that others opened. */
export const events = () => happened;

/** Reserves a place at a relay and gives the address under which others dial this page. */
export async function start(relay) {
  libp2p = await createLibp2p({
    addresses: { listen: [`${relay}/p2p-circuit`, "/webrtc"] },
    transports: [webRTC({ rtcConfiguration: { iceServers: [] } }), webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: ANYWHERE,
    // All come from the relay's address.
    connectionManager: { inboundConnectionThreshold: 1000 },
    services: {
      identify: identify(),
      ping: pong(),
      gossip: gossipsub({
        globalSignaturePolicy: "StrictNoSign",
        msgIdFn: async ({ data }) => new Uint8Array(await crypto.subtle.digest("SHA-256", data)),
      }),
    },
  });
  libp2p.services.gossip.subscribe(TOPIC);
  libp2p.services.gossip.addEventListener("message", gossiped);
  for (const [protocol, handler] of Object.entries(protocols)) {
    const handle = (stream) => handler(stream).catch((error) => happened.push(`${protocol}: ${error}`));
    await libp2p.handle(protocol, handle, { runOnLimitedConnection: true });
  }
  if (!address()) {
    await new Promise((resolve) => libp2p.addEventListener("self:peer:update", () => address() && resolve()));
  }
  return address();
}

/** Connects to an address, directly if it names /webrtc, and gives the milliseconds it took. */
export async function dial(to) {
  const started = performance.now();
  await libp2p.dial(multiaddr(to), { signal: AbortSignal.timeout(PATIENCE_MS), force: true });
  return performance.now() - started;
}

const all = (peer) => libp2p.getConnections().filter((one) => `${one.remotePeer}` === peer);

/** Closes all connections to a peer. */
export async function hangUp(peer) {
  await Promise.all(all(peer).map((one) => one.close()));
}

/** How many connections there are to a peer, through relays and direct. */
export const connections = (peer) => all(peer).length;

/** Whether there is a direct connection to a peer. */
export const isDirect = (peer) => direct(peer) !== undefined;

/** Gives the milliseconds there and back. */
export async function ping(peer) {
  const stream = await open(peer, "/ipfs/ping/1.0.0");
  const back = collectBytes(stream, 32);
  const started = performance.now();
  await send(stream, crypto.getRandomValues(new Uint8Array(32)));
  await back;
  const took = performance.now() - started;
  await stream.close();
  return took;
}

/** Sends this many bytes of noise and fails unless the same come back. */
export async function echo(peer, count) {
  await echoed(await open(peer, "/interop/echo/1"), noiseOf(count));
}

/**
 * Makes requests one after the other, each on a stream of its own that is ended by both sides, on
 * a path "direct" or "circuit". Gives the milliseconds that each took.
 */
export async function roundTrips(peer, path, bytes, count) {
  const bytesSent = noiseOf(bytes);
  const took = [];
  while (took.length < count) {
    const started = performance.now();
    await echoed(await open(peer, "/interop/echo/1", path === "direct" ? direct : circuit), bytesSent);
    took.push(performance.now() - started);
  }
  return took;
}

function noiseOf(count) {
  const noise = new Uint8Array(count);
  const most = 65_536; // that the browser makes at once
  for (let at = 0; at < count; at += most) crypto.getRandomValues(noise.subarray(at, at + most));
  return noise;
}

async function echoed(stream, noise) {
  const back = collect(stream);
  await send(stream, noise);
  await stream.close();
  const came = await back;
  if (came.length !== noise.length) throw new Error(`${came.length} bytes of ${noise.length} came back`);
  if (came.some((byte, at) => byte !== noise[at])) throw new Error("other bytes came back");
}

/** Ends its side after this many bytes; gives how many the other says came before that. */
export async function halfClose(peer, count) {
  const stream = await open(peer, "/interop/half/1");
  const back = collect(stream);
  await send(stream, new Uint8Array(count));
  await stream.close();
  const answer = await back;
  return new DataView(answer.buffer).getUint32(0);
}

/** Resets a stream that both sides have used. */
export async function reset(peer) {
  const stream = await open(peer, "/interop/reset/1");
  const back = collectBytes(stream, 1);
  await send(stream, new Uint8Array(1));
  await back;
  stream.abort(new Error("as asked"));
}

/** Has the other reset a stream; gives how it ended here. */
export async function resetByOther(peer) {
  const stream = await open(peer, "/interop/reset-me/1");
  const ended = collect(stream).then(() => "the stream ended", (error) => `the stream ended by ${cause(error)}`);
  await send(stream, new Uint8Array(1));
  return ended;
}

/** Waits for the first bytes that come. */
function collectBytes(stream, count) {
  return new Promise((resolve, reject) => {
    let came = 0;
    stream.addEventListener("message", ({ data }) => {
      came += data.byteLength;
      if (came >= count) resolve();
    });
    stream.addEventListener("close", ({ error }) => reject(error ?? new Error("the stream ended early")));
  });
}

/**
 * Publishes calls one after the other, each once the answer to the one before has come by gossip.
 * Gives the milliseconds there and back. Waits first until gossip reaches another.
 */
export async function gossip(count) {
  const took = [];
  while (took.length < count) {
    const rest = noiseOf(20);
    const answered = new Promise((resolve, reject) => {
      waiting.set(name(rest), resolve);
      setTimeout(() => reject(new Error(`call ${took.length} was not answered`)), PATIENCE_MS);
    });
    let started;
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      started = performance.now();
      const { recipients } = await libp2p.services.gossip.publish(TOPIC, Uint8Array.of(0, ...rest)).catch(() => ({ recipients: [] }));
      if (recipients.length > 0) break;
      if (performance.now() > deadline) throw new Error("gossip reaches nobody");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await answered;
    waiting.delete(name(rest));
    took.push(performance.now() - started);
  }
  return took;
}
