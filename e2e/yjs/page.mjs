// A room in Yjs, as small as can be: a list of messages over y-webrtc, kept by y-indexeddb. It has
// the elements that our page has, so that both are measured by the same script.
import { IndexeddbPersistence } from "y-indexeddb";
import { WebrtcProvider } from "y-webrtc";
import * as Y from "yjs";

/** How many messages are shown, as in our page. */
const SHOWN = 30;

/** The most bytes that Chromium sends at once. */
const LARGEST = 256 * 1024;
/** How many messages an author writes in a row. */
const TURN = 100;
const words = (number) => `message ${number}: nothing much, but long enough to be one that somebody might have written`;

const doc = new Y.Doc();
const messages = doc.getArray("messages");
const log = document.querySelector("[role=log]");
const field = document.querySelector("#compose");
let me = "nobody";

// What goes to others, and since when any could.
const sent = { bytes: 0, first: undefined };
let refuse;
const refused = new Promise((resolve) => (refuse = resolve));
const send = RTCDataChannel.prototype.send;
RTCDataChannel.prototype.send = function (data) {
  sent.first ??= performance.timeOrigin + performance.now();
  try {
    send.call(this, data);
    sent.bytes += data.byteLength;
  } catch (error) {
    // y-webrtc passes over it. What is lost with a connection is sent again over the next.
    if (data.byteLength > LARGEST) refuse(`${data.byteLength} bytes at once: ${error.message}`);
    throw error;
  }
};

messages.observe((event) => {
  // What comes in one piece is shown at its end.
  const added = event.changes.delta.flatMap(({ insert = [] }) => insert).slice(-SHOWN);
  for (const { author, text, time } of added) {
    const article = document.createElement("article");
    const words = document.createElement("div");
    words.dataset.words = "";
    words.textContent = text;
    article.dataset.author = author;
    article.title = new Date(time).toISOString();
    article.append(words);
    log.append(article);
  }
  while (log.children.length > 2 * SHOWN) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
});

document.querySelector(".send").addEventListener("click", () => {
  messages.push([{ author: me, text: field.value, time: Date.now() }]);
  field.value = "";
});

/** What the benchmark does to the page. */
window.yjs = {
  sent,
  refused,
  /** Opens what is kept under a name. */
  async open(author, name) {
    me = author;
    window.yjs.kept = await new IndexeddbPersistence(name, doc).whenSynced;
  },
  /** Meets the others of the room of this name. */
  meet(name, signalling) {
    window.yjs.provider = new WebrtcProvider(name, doc, {
      signaling: [signalling],
      password: "between us",
      peerOpts: { config: { iceServers: [] } },
    });
  },
  /** How many others are connected. */
  others: () => window.yjs.provider.room?.webrtcConns.size ?? 0,
  /** How many messages there are. */
  count: () => messages.length,
  /**
   * Adds the messages of these numbers, as if so many authors had written them, a hundred each in
   * turn. On all pages the same numbers are the same messages.
   */
  write(from, until, authors) {
    const own = doc.clientID;
    for (let first = from; first < until; first += TURN) {
      const author = Math.floor(first / TURN) % authors;
      doc.clientID = 1 + author;
      const numbers = Array.from({ length: Math.min(TURN, until - first) }, (_, at) => first + at);
      messages.push(numbers.map((number) => ({ author: `author ${author}`, text: words(number), time: number })));
    }
    doc.clientID = own;
  },
  /** When there are so many messages, and they are on disk. */
  async complete(count) {
    if (messages.length < count) {
      await new Promise((resolve) => messages.observe(() => messages.length >= count && resolve()));
    }
    const shown = performance.timeOrigin + performance.now();
    // What is written to one store is written in order.
    const last = window.yjs.kept.db.transaction("updates", "readwrite");
    last.objectStore("updates").count();
    await new Promise((resolve) => (last.oncomplete = resolve));
    return { shown, stored: performance.timeOrigin + performance.now() };
  },
};
