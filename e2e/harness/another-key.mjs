// A device that shows another key than it uses, as if somebody stood between it and others.

/** With these words the page begins to tell of it. */
export const INTERFERED = "Somebody interfered with your connection";

/** Has the pages of a profile announce another certificate for direct links than they use. */
export const announceAnotherKey = (profile) =>
  profile.addInitScript(() => {
    const native = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(RTCPeerConnection.prototype), "localDescription");
    Object.defineProperty(RTCPeerConnection.prototype, "localDescription", {
      get() {
        const description = native.get.call(this);
        if (!description?.sdp.includes("m=application")) return description;
        const other = (_, before, byte) => before + (byte === "00" ? "FF" : "00");
        const sdp = description.sdp.replaceAll(/(a=fingerprint:\S+ )(..)/g, other);
        return new RTCSessionDescription({ type: description.type, sdp });
      },
    });
  });
