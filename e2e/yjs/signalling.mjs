// node signalling.mjs: y-webrtc's own signalling server on a free port of the loopback interface;
// by itself it listens on all of them. Prints `listening URL`.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function () {
  this.once("listening", () => console.log(`listening ws://127.0.0.1:${this.address().port}`));
  return listen.call(this, 0, "127.0.0.1");
};
await import("./node_modules/y-webrtc/bin/server.js");
