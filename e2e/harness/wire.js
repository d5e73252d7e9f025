// Runs in our page before all else of it: reads along with what the page and the worker of its
// rooms say to each other, and says something itself. Formats are those of docs/protocol.md and of
// crates/core/src/rooms/seam.rs.
{
  const now = () => performance.timeOrigin + performance.now();

  /** Reads CBOR, as far as it is used here. */
  class Reader {
    constructor(bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.at = 0;
    }

    read() {
      const first = this.bytes[this.at++];
      const [kind, short] = [first >> 5, first & 31];
      const long = kind === 7 ? short : this.#length(short);
      if (kind === 0) return long;
      if (kind === 1) return -1 - long;
      if (kind === 2 || kind === 3) {
        const part = this.bytes.subarray(this.at, (this.at += long));
        return kind === 2 ? part : new TextDecoder().decode(part);
      }
      if (kind === 4) return Array.from({ length: long }, () => this.read());
      if (kind === 7) return { 20: false, 21: true, 22: null }[short];
      throw new Error(`CBOR of kind ${kind}`);
    }

    #length(short) {
      if (short < 24) return short;
      const at = this.at;
      if (short === 24) return (this.at += 1), this.view.getUint8(at);
      if (short === 25) return (this.at += 2), this.view.getUint16(at);
      if (short === 26) return (this.at += 4), this.view.getUint32(at);
      return (this.at += 8), Number(this.view.getBigUint64(at));
    }
  }

  const read = (bytes) => new Reader(bytes).read();
  const head = (kind, length) => {
    const bytes = new DataView(new ArrayBuffer(5));
    bytes.setUint8(0, (kind << 5) | 26);
    bytes.setUint32(1, length);
    return new Uint8Array(bytes.buffer);
  };
  const text = (words) => [head(3, words.length), new TextEncoder().encode(words)];

  /** [{ at, out, bytes }], one for each frame of sync: they are read when somebody looks at them, so
   * that this costs what is measured next to nothing. */
  const raw = [];
  /** [{ at, out, kind, bytes, items, itemBytes }], one for each that was read. */
  const frames = [];
  /** [{ at, tags, states, unread }], one for each time that rooms were shown. */
  const rooms = [];
  /** When each link stood first. */
  const linked = [];
  const longTasks = [];
  const answers = new Map();
  /** What is looked at whenever rooms are shown. */
  const looks = new Set();
  let worker;
  let acted = 1_000_000;

  function frame({ at, out, bytes }) {
    const [kind, , third] = bytes.length < 300_000 ? read(bytes) : [];
    const ids = kind === 3 ? third.map(({ length }) => length) : kind === 4 ? third : [];
    const itemBytes = kind === 3 ? ids.reduce((sum, length) => sum + length, 0) : 0;
    return { at, out, kind, bytes: bytes.length, items: ids.length, itemBytes, longest: Math.max(0, ...(kind === 3 ? ids : [])) };
  }

  function fromWorker(said) {
    const [kind, , out = []] = read(said);
    if (kind !== 3) return;
    for (const [what, ...fields] of out) {
      if (what === 0) raw.push({ at: now(), out: true, bytes: fields[1] });
      if (what === 5 && fields[0][0] === 0) {
        const all = fields[0][1];
        rooms.push({ at: now(), names: all.map((room) => room[2]), states: all.map((room) => room[9]), unread: all.reduce((sum, room) => sum + room[4], 0) });
        for (const look of looks) look();
      }
      if (what === 6 && answers.has(fields[0])) answers.get(fields[0])(fields[2] ?? null);
    }
  }

  function toWorker(said) {
    const [kind, incoming] = read(said);
    if (kind !== 1) return;
    if (incoming[0] === 0) linked.push(now());
    if (incoming[0] === 2) raw.push({ at: now(), out: false, bytes: incoming[2].slice() });
  }

  const Original = Worker;
  const post = Worker.prototype.postMessage;
  window.Worker = class extends Original {
    constructor(...all) {
      super(...all);
      worker = this;
      this.addEventListener("message", ({ data }) => fromWorker(new Uint8Array(data)));
    }

    postMessage(message, ...rest) {
      // Before it is handed over: afterwards it is empty here.
      toWorker(new Uint8Array(message));
      super.postMessage(message, ...rest);
    }
  };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) longTasks.push({ at: performance.timeOrigin + startTime, duration });
  }).observe({ type: "longtask" });

  window.wire = {
    now,
    get frames() {
      frames.push(...raw.splice(0).map(frame));
      return frames;
    },
    rooms,
    linked,
    longTasks,
    /** Waits until so many messages are counted as not read; gives how many were last. */
    unread: (count, limit) =>
      new Promise((resolve) => {
        const found = () => rooms.at(-1)?.unread ?? 0;
        const end = () => (looks.delete(look), resolve(found()));
        const look = () => found() === count && end();
        looks.add(look);
        setTimeout(end, limit);
        look();
      }),
    /** Has the rooms take in a backup; gives the moments of before and after. */
    import: (passphrase, file) => act([[0x83, 17], ...text(passphrase), head(2, file.length), file]),
    /** Has them make a room that newcomers may read all of. */
    create: (name) => act([[0x83, 0], ...text(name), [0]]),
  };

  /** Says [1, [8, number, action]]: handle, act. */
  async function act(action) {
    const number = (acted += 1);
    const parts = [[0x82, 1, 0x83, 8], head(0, number), ...action];
    const message = await new Blob(parts.map((part) => new Uint8Array(part))).arrayBuffer();
    const begun = now();
    const refused = await new Promise((resolve) => {
      answers.set(number, resolve);
      post.call(worker, message, [message]);
    });
    if (refused) throw new Error(refused);
    return [begun, now()];
  }
}
