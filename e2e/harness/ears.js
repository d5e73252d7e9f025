// Runs in every page before the app: counts peer connections and listens to what they bring.
(() => {
  const FIRST_HZ = 300;
  const LAST_HZ = 1300;
  const HEARD_DB = -60;
  const heard = new Map(); // hertz of a bin -> when it was last the loudest, by any remote track
  let listening = []; // which tone is listened for since when, when it was last heard, and the longest it was not
  const ears = { connections: 0, media: 0, tracks: 0 };
  let context;
  // Where sound waits for a gesture ours does too.
  window.addEventListener("click", () => context?.resume());

  const NativeConnection = window.RTCPeerConnection;
  if (!NativeConnection) return;
  window.RTCPeerConnection = class RTCPeerConnection extends NativeConnection {
    #media = false;
    constructor(...configuration) {
      super(...configuration);
      ears.connections += 1;
      this.addEventListener("track", ({ track }) => {
        this.#carriesMedia();
        if (track.kind === "audio") listen(track);
      });
    }
    addTrack(...given) {
      this.#carriesMedia();
      return super.addTrack(...given);
    }
    addTransceiver(...given) {
      this.#carriesMedia();
      return super.addTransceiver(...given);
    }
    #carriesMedia() {
      if (!this.#media) ears.media += 1;
      this.#media = true;
    }
  };

  function listen(track) {
    ears.tracks += 1;
    const stream = new MediaStream([track]);
    // Chromium feeds WebAudio nothing unless a media element plays the stream as well.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => {});
    context ??= new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(stream).connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    const width = context.sampleRate / analyser.fftSize;
    const timer = setInterval(() => {
      if (track.readyState === "ended") clearInterval(timer);
      analyser.getFloatFrequencyData(bins);
      let loudest = Math.round(FIRST_HZ / width);
      for (let bin = loudest; bin * width <= LAST_HZ; bin += 1) if (bins[bin] > bins[loudest]) loudest = bin;
      if (bins[loudest] > HEARD_DB) note(loudest * width, width, element);
    }, 20);
  }

  function note(tone, width, element) {
    const at = performance.now();
    heard.set(tone, { at, width, element });
    for (const one of listening) {
      if (Math.abs(tone - one.hertz) > width) continue;
      one.gap = Math.max(one.gap, at - one.at);
      one.at = at;
    }
  }

  /** Listens for `hertz` from now on, for `ears.gap`. */
  ears.listen = (hertz) => {
    const at = performance.now();
    listening = listening.filter((one) => one.hertz !== hertz);
    listening.push({ hertz, since: at, at, gap: 0 });
  };

  /** The longest time for which `hertz` was not heard, once it is heard `least` milliseconds after listening began. */
  ears.gap = (hertz, least) => {
    const { since, at, gap } = listening.find((one) => one.hertz === hertz);
    return at - since >= least ? gap : undefined;
  };

  /** Milliseconds since `hertz` was last the loudest tone of some remote track. */
  ears.since = (hertz) => {
    let since = Infinity;
    for (const [tone, { at, width }] of heard) {
      if (Math.abs(tone - hertz) <= width) since = Math.min(since, performance.now() - at);
    }
    return since;
  };
  Object.defineProperty(window, "__ears", { value: ears });
})();
