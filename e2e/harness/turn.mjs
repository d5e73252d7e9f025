// Browsers that use nothing but TURN, and what they say to its server.
import { createSocket } from "node:dgram";
import { once } from "node:events";

const [ALLOCATE, USERNAME] = [0x0003, 0x0006]; // RFC 8656, section 12; RFC 8489, section 14.3
const HEADER = 20;

/** The name in a request to allocate, if this is one that has a name. */
function asker(packet) {
  if (packet.length < HEADER || packet.readUInt16BE(0) !== ALLOCATE) return undefined;
  for (let at = HEADER; at + 4 <= packet.length; ) {
    const [kind, length] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 2)];
    if (kind === USERNAME) return packet.toString("utf8", at + 4, at + 4 + length);
    at += 4 + 4 * Math.ceil(length / 4);
  }
  return undefined;
}

/** A place before the TURN server `server`, over UDP; the names with which clients allocate are kept in `names`. */
export class TurnFront {
  names = new Set();

  static async before(run, server) {
    const front = new TurnFront();
    const [host, port] = server.split(":");
    const sockets = [];
    let closed = false;
    run.later(() => {
      closed = true;
      for (const socket of sockets) socket.close();
    });
    const open = async (hear) => {
      const socket = createSocket("udp4", (packet, from) => void (closed || hear(packet, from)));
      sockets.push(socket);
      socket.on("error", () => {});
      socket.bind(0, host);
      await once(socket, "listening");
      return socket;
    };
    const far = new Map(); // where a client sends from -> promise of the socket that sends on from there
    const near = await open(async (packet, from) => {
      const name = asker(packet);
      if (name) front.names.add(name);
      if (!far.has(from.port)) far.set(from.port, open((back) => near.send(back, from.port, from.address)));
      const socket = await far.get(from.port);
      if (!closed) socket.send(packet, Number(port), host);
    });
    /** For the server's URL, the one that leads here. */
    front.url = [`turn:${server}?transport=udp`, `turn:${host}:${near.address().port}?transport=udp`];
    return front;
  }
}

/** Has a profile's pages use nothing but TURN; `front`, if there is one, and no other way to it. */
export const onlyTurn = (front) => (profile) =>
  profile.addInitScript((url) => {
    const Native = window.RTCPeerConnection;
    const connections = [];
    const only = ({ iceServers, ...configuration }) => {
      const through = ({ urls, ...server }) => {
        const all = [urls].flat();
        return { urls: url ? all.filter((one) => one === url[0]).map(() => url[1]) : all, ...server };
      };
      const servers = iceServers.map(through).filter(({ urls }) => urls.length > 0);
      return { ...configuration, iceServers: servers, iceTransportPolicy: "relay" };
    };
    window.RTCPeerConnection = class RTCPeerConnection extends Native {
      constructor(configuration) {
        super(only(configuration));
        connections.push(this);
      }
      setConfiguration(configuration) {
        super.setConfiguration(only(configuration));
      }
    };
    const open = () => connections.filter(({ connectionState }) => connectionState !== "closed");
    const media = () => open().filter((one) => one.getSenders().length > 0);
    const turn = {
      /** The kinds of the ways that are in use. */
      async kinds() {
        const kinds = [];
        for (const connection of open()) {
          const stats = await connection.getStats();
          for (const one of stats.values()) {
            if (one.type === "candidate-pair" && one.nominated) kinds.push(stats.get(one.localCandidateId).candidateType);
          }
        }
        return kinds;
      },
      /** The names that connections with sound have for TURN servers. */
      names: () => [...new Set(media().flatMap((one) => one.getConfiguration().iceServers.map(({ username }) => username)))],
    };
    window.__turn = turn;
  }, front?.url);
