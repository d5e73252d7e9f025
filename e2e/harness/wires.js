// Runs in every page that a forwarder serves, before the app: tells the forwarder where the page
// listens, and has it put its own ports in place of where others do.
(() => {
  const { setLocalDescription, setRemoteDescription, addIceCandidate } = RTCPeerConnection.prototype;
  const told = new WeakSet();
  const order = new WeakMap();

  /** `text` with the address and port of a host candidate replaced; anything else as it is. */
  const rewired = async (text) => {
    const words = text.split(" ");
    const [, , protocol, , address, port, , kind] = words;
    if (kind !== "host" || protocol?.toLowerCase() !== "udp") return text;
    words[5] = await window.__forwarder("port", address, Number(port));
    return words.join(" ");
  };

  /** The browser's own call must see calls in the order the page made them. */
  const inOrder = (connection, call) => {
    const done = (order.get(connection) ?? Promise.resolve()).then(call);
    order.set(connection, done.catch(() => {}));
    return done;
  };

  RTCPeerConnection.prototype.setLocalDescription = function (...given) {
    if (!told.has(this)) {
      told.add(this);
      this.addEventListener("icecandidate", ({ candidate }) => {
        if (candidate?.type === "host" && candidate.protocol === "udp") {
          // As others will read it: `candidate.address` has brackets around IPv6.
          const [, , , , address, port] = candidate.candidate.split(" ");
          window.__forwarder("listens", address, Number(port));
        }
      });
    }
    return setLocalDescription.apply(this, given);
  };

  RTCPeerConnection.prototype.addIceCandidate = function (given) {
    return inOrder(this, async () => {
      if (!given?.candidate) return addIceCandidate.call(this, given);
      const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = given;
      const changed = await rewired(candidate);
      return addIceCandidate.call(this, { candidate: changed, sdpMid, sdpMLineIndex, usernameFragment });
    });
  };

  RTCPeerConnection.prototype.setRemoteDescription = function (given) {
    return inOrder(this, async () => {
      const lines = (given?.sdp ?? "").split("\r\n");
      const changed = await Promise.all(
        lines.map(async (line) => (line.startsWith("a=candidate:") ? `a=${await rewired(line.slice(2))}` : line)),
      );
      return setRemoteDescription.call(this, { type: given.type, sdp: changed.join("\r\n") });
    });
  };
})();
