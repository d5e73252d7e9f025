// Runs in both pages of the benchmark of sound: data links, and sound on them or beside them.
(() => {
  const links = new Map(); // id -> what there is between the pages under it
  let context;
  let voice;

  /** Makes a voice that never pauses, and the meter that the app uses. */
  window.prepare = async (worklet) => {
    context = new AudioContext();
    await context.audioWorklet.addModule(worklet);
    const tone = new OscillatorNode(context);
    const out = new MediaStreamAudioDestinationNode(context);
    tone.connect(out);
    tone.start();
    [voice] = out.stream.getAudioTracks();
  };

  /** A connection whose descriptions and candidates travel by `send`. */
  function connect(send) {
    const connection = new RTCPeerConnection();
    const describe = async () => {
      await connection.setLocalDescription();
      send({ description: connection.localDescription.toJSON() });
    };
    const take = async ({ description, candidate }) => {
      if (candidate) return connection.addIceCandidate(candidate);
      await connection.setRemoteDescription(description);
      if (description.type !== "offer") return;
      // Whoever is talked to talks as well.
      const silent = connection.getSenders().every(({ track }) => !track);
      if (silent && description.sdp.includes("m=audio")) speak(connection);
      await describe();
    };
    connection.onicecandidate = ({ candidate }) => candidate && send({ candidate: candidate.toJSON() });
    connection.ontrack = ({ track }) => listen(connection, track);
    let order = Promise.resolve();
    return { connection, describe, take: (message) => (order = order.then(() => take(message))) };
  }

  function speak(connection) {
    connection.addTrack(voice, new MediaStream([voice]));
  }

  function listen(connection, track) {
    const stream = new MediaStream([track]);
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play();
    const meter = new AudioWorkletNode(context, "chats-meter", { numberOfOutputs: 0 });
    context.createMediaStreamSource(stream).connect(meter);
    meter.port.onmessage = ({ data }) => data.first && connection.dispatchEvent(new Event("heard"));
  }

  function open(id) {
    const link = {};
    links.set(id, link);
    const send = (beside) => (message) => {
      // What makes the link cannot travel on it.
      if (link.channel?.readyState === "open") link.channel.send(JSON.stringify({ beside, message }));
      else window.give(id, message);
    };
    link.data = connect(send(false));
    link.beside = () => (link.second ??= connect(send(true)));
    link.use = (channel) => {
      link.channel = channel;
      channel.onmessage = ({ data }) => {
        const { beside, message } = JSON.parse(data);
        (beside ? link.beside() : link.data).take(message);
      };
    };
    link.data.connection.ondatachannel = ({ channel }) => link.use(channel);
    return link;
  }

  window.take = (id, message) => (links.get(id) ?? open(id)).data.take(message);

  /** Makes a data link. */
  window.link = async (id) => {
    const link = open(id);
    link.use(link.data.connection.createDataChannel("link"));
    link.data.describe();
    await new Promise((resolve) => (link.channel.onopen = resolve));
  };

  /**
   * Begins to talk, on the data link's connection or on one `beside` it; gives the milliseconds
   * until the other is heard.
   */
  window.talk = async (id, beside) => {
    const link = links.get(id);
    const started = performance.now();
    const { connection, describe } = beside ? link.beside() : link.data;
    const heard = new Promise((resolve) => connection.addEventListener("heard", resolve, { once: true }));
    speak(connection);
    await describe();
    await heard;
    return performance.now() - started;
  };

  /** Ends a data link, and the sound with it. */
  window.end = (id) => {
    const { data, second } = links.get(id);
    links.delete(id);
    for (const one of [data, second]) one?.connection.close();
  };
})();
